/* What vectors cost, on each kind of server and in memory: arithmetic alone. docs/design/cost.md has the formulas and their sources. */
#ifndef S3V_COST_MODEL_H
#define S3V_COST_MODEL_H

#include "postgres.h"

#include "prices.h"

/* What is known of an index, measured or estimated. */
typedef struct S3vCostFacts
{
	double		rows;
	int			dimensions;
	s3v_metric	metric;
	int			metadata_count;
	double		key_bytes;		/* of a row, on average; as JSON has it */
	double		filterable_bytes;
	double		metadata_bytes;
	double		store_bytes;	/* of all objects of a version */
	double		segments;
	double		query_gets;		/* of a query that finds nothing but the navigation tier in a cache */
	double		query_bytes;	/* of these */
} S3vCostFacts;

/* Dollars are of a month, of one query, and of bringing all rows there once. */
typedef struct S3vCost
{
	const char *impossible;		/* why the vectors cannot be there; NULL: they can, and the rest holds */
	double		bytes;
	double		storage;
	double		query_requests;
	double		query_data;
	double		load;
} S3vCost;

extern S3vCost cost_in_files(const S3vCostFacts *facts);
extern S3vCost cost_on_s3(const S3vCostFacts *facts, const S3vPrices *prices);
extern S3vCost cost_on_service(const S3vCostFacts *facts, const S3vPrices *prices);
extern S3vCost cost_in_pgvector(const S3vCostFacts *facts, const S3vPrices *prices);
extern S3vCost cost_in_qdrant(const S3vCostFacts *facts, const S3vPrices *prices);

/* A sentence part that says why the service cannot have such vectors; NULL: it can. */
extern const char *cost_impossible_on_service(const S3vCostFacts *facts);

/* What a version of that many rows would take, with the default options, and a query of it. */
extern void cost_estimate_store(S3vCostFacts *facts);
extern void cost_estimate_query(S3vCostFacts *facts);

extern s3v_remote_vector_bytes cost_vector_bytes(const S3vCostFacts *facts);

extern double cost_of_month(const S3vCost *cost, double queries);

/* Queries a month at which both cost the same; -1: at no number of them. */
extern double cost_break_even(const S3vCost *a, const S3vCost *b);

#endif

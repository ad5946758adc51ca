/* A sample of an index's source: how large its rows are, and vectors to ask with. */
#ifndef S3V_COST_SAMPLE_H
#define S3V_COST_SAMPLE_H

#include "postgres.h"

#include "cost_model.h"
#include "query.h"

typedef struct S3vCostSample
{
	int			row_count;		/* that were looked at, with key and vector */
	int			vector_count;
	const float **vectors;
} S3vCostSample;

/*
 * Reads at most 1,000 rows of the source as the caller: their mean sizes into the facts (zeros where there are none, or where the service
 * could not have such rows), and at most so many of their vectors. facts->rows says how large the table is, about.
 */
extern S3vCostSample cost_sample_rows(S3vQuery *query, S3vCostFacts *facts, int vectors_wanted);

/* Dollars of the requests that a query of an index on s3vectors:// sent; -1 where a price is missing. */
extern double cost_of_sent(S3vQuery *query, const S3vPrices *prices);

#endif

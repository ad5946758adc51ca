/* What vectors cost, on each kind of server and in memory: arithmetic alone. docs/design/cost.md has the formulas and their sources. */
#include "postgres.h"

#include <math.h>

#include "cost_model.h"

#define GB 1073741824.0
#define HOURS_OF_MONTH 730.0

/* Rows that a PutVectors request carries at most. */
#define PUT_ROWS 500.0

/* ---- on stores -------------------------------------------------------------------------------------------------------------- */

/*
 * What the default options write of a row (src/format/FORMAT.md): codes of 4 bits a dimension, 28 bytes beside them, and its key twice, for
 * queries and for syncs. The navigation tier adds less than a hundredth.
 */
#define CODE_BYTES 0.5
#define ENTRY_BYTES 28.0

/* A quarter of maintenance_work_mem, by default; and base, delta, manifest and marker. */
#define SEGMENT_BYTES (16.0 * 1024 * 1024)
#define OTHER_OBJECTS 4.0

/* Of a default query, navigation cached: the design's target, which three real sets of four and a million vectors kept (README, "Measured"). */
#define QUERY_GETS 5.0
#define QUERY_BYTES (1024.0 * 1024)

void
cost_estimate_store(S3vCostFacts *facts)
{
	double		row = facts->dimensions * CODE_BYTES + ENTRY_BYTES + 2 * facts->key_bytes + facts->metadata_bytes;

	facts->store_bytes = facts->rows * row;
	facts->segments = ceil(facts->store_bytes / SEGMENT_BYTES);
}

void
cost_estimate_query(S3vCostFacts *facts)
{
	facts->query_gets = QUERY_GETS;
	facts->query_bytes = Min(QUERY_BYTES, facts->store_bytes);
}

S3vCost
cost_in_files(const S3vCostFacts *facts)
{
	S3vCost		cost = {.bytes = facts->store_bytes};

	return cost;
}

S3vCost
cost_on_s3(const S3vCostFacts *facts, const S3vPrices *prices)
{
	S3vCost		cost = {.bytes = facts->store_bytes};

	cost.storage = facts->store_bytes / GB * price_of(prices, PRICE_S3_STORAGE);
	cost.query_requests = facts->query_gets * price_of(prices, PRICE_S3_GET);
	cost.query_data = facts->query_bytes / GB * price_of(prices, PRICE_S3_TRANSFER);
	cost.load = facts->segments > 0 ? (facts->segments + OTHER_OBJECTS) * price_of(prices, PRICE_S3_PUT) : 0;
	return cost;
}

/* ---- on the service --------------------------------------------------------------------------------------------------------- */

/* As the service has it; the shim's own bounds are those of s3v_create_index. */
#define MOST_METADATA 50

const char *
cost_impossible_on_service(const S3vCostFacts *facts)
{
	if (facts->metric == S3V_INNER_PRODUCT)
		return "Amazon S3 Vectors has no inner product";
	if (facts->dimensions > S3V_MAX_REMOTE_DIMENSIONS)
		return "Amazon S3 Vectors takes at most 4,096 dimensions";
	if (facts->metadata_count > MOST_METADATA)
		return "Amazon S3 Vectors takes at most 50 keys of metadata";
	return NULL;
}

s3v_remote_vector_bytes
cost_vector_bytes(const S3vCostFacts *facts)
{
	double		floats = 4.0 * facts->dimensions;
	s3v_remote_vector_bytes bytes = {.searched = floats + facts->key_bytes + facts->filterable_bytes,
	.stored = floats + facts->key_bytes + facts->metadata_bytes};

	return bytes;
}

S3vCost
cost_on_service(const S3vCostFacts *facts, const S3vPrices *prices)
{
	S3vCost		cost = {.impossible = cost_impossible_on_service(facts)};
	s3v_remote_vector_bytes bytes = cost_vector_bytes(facts);
	s3v_remote_prices service;
	s3v_remote_query_dollars query;

	if (cost.impossible != NULL)
		return cost;
	if (!prices_of_service(prices, &service))
	{
		for (S3vPrice i = PRICE_REMOTE_STORAGE; i <= PRICE_REMOTE_RETURNED; i++)
			(void) price_of(prices, i);
	}
	cost.bytes = facts->rows * bytes.stored;
	cost.storage = s3v_remote_storage_cost(&service, facts->rows, &bytes);
	/* Ten hits without metadata: far below what is returned for free. */
	s3v_remote_query_cost(&service, facts->rows, &bytes, 10, 0, &query);
	cost.query_requests = query.request;
	cost.query_data = query.processed + query.returned;
	cost.load = s3v_remote_put_cost(&service, cost.bytes, ceil(facts->rows / PUT_ROWS));
	return cost;
}

/* ---- in memory -------------------------------------------------------------------------------------------------------------- */

static S3vCost
cost_in_memory(double bytes, double usd_gib_hour)
{
	S3vCost		cost = {.bytes = bytes, .storage = bytes / GB * usd_gib_hour * HOURS_OF_MONTH};

	return cost;
}

/*
 * pgvector's HNSW with m = 16, as it lies in pages (its src/hnsw.h and hnswbuild.c): an element has 72 bytes before its vector, which has 8
 * before its elements; its neighbours are 2 m item pointers, and m more on each level above, which one of m rows reaches and which are left
 * out here. Both lie on one page where they fit.
 */
#define HNSW_M 16
#define ITEM_POINTER 6
#define PAGE_BYTES 8192.0
#define PAGE_ROOM (PAGE_BYTES - 24 - 8)
#define LINE_POINTER 4.0
#define MOST_VECTOR 2000
#define MOST_HALFVEC 4000

static double
pgvector_bytes_of_row(int dimensions)
{
	double		vector = 8 + dimensions * (dimensions <= MOST_VECTOR ? 4.0 : 2.0);
	double		element = MAXALIGN((Size) (72 + vector));
	double		neighbours = MAXALIGN(4 + 2 * HNSW_M * ITEM_POINTER);
	double		rows_of_page = floor(PAGE_ROOM / (element + neighbours + 2 * LINE_POINTER));

	return rows_of_page >= 1 ? PAGE_BYTES / rows_of_page : 2 * PAGE_BYTES;
}

S3vCost
cost_in_pgvector(const S3vCostFacts *facts, const S3vPrices *prices)
{
	S3vCost		cost = {.impossible = "pgvector indexes at most 4,000 dimensions, as halfvec"};

	if (facts->dimensions > MOST_HALFVEC)
		return cost;
	return cost_in_memory(facts->rows * pgvector_bytes_of_row(facts->dimensions), price_of(prices, PRICE_MEMORY_DATABASE));
}

/* Qdrant's own rule for planning: half as much again as the floats take. */
S3vCost
cost_in_qdrant(const S3vCostFacts *facts, const S3vPrices *prices)
{
	return cost_in_memory(facts->rows * facts->dimensions * 4 * 1.5, price_of(prices, PRICE_MEMORY_MACHINE));
}

/* ---- together --------------------------------------------------------------------------------------------------------------- */

double
cost_of_month(const S3vCost *cost, double queries)
{
	return cost->storage + queries * (cost->query_requests + cost->query_data);
}

double
cost_break_even(const S3vCost *a, const S3vCost *b)
{
	double		fixed = b->storage - a->storage;
	double		each = (a->query_requests + a->query_data) - (b->query_requests + b->query_data);
	double		queries;

	if (each == 0)
		return -1;
	queries = fixed / each;
	return queries > 0 && isfinite(queries) ? ceil(queries) : -1;
}

/* A sample of an index's source: how large its rows are, and vectors to ask with. */
#include "postgres.h"

#include "executor/spi.h"
#include "miscadmin.h"
#include "utils/memutils.h"

#include "boundary.h"
#include "cost_sample.h"
#include "recall.h"
#include "remote.h"

#define SAMPLE_ROWS 1000

/* ---- sizes ----------------------------------------------------------------------------------------------------------------- */

/* How the index's rows go to the service, or would go; NULL where the service cannot have it. */
static s3v_remote *
schema_of(const S3vQuery *query, const S3vCostFacts *facts)
{
	S3vIndex	index = *query->index;

	if (cost_impossible_on_service(facts) != NULL)
		return NULL;
	if (index.remote_names == NULL)
	{
		index.remote_names = index.metadata;
		index.nonfilterable = palloc0(sizeof(bool) * Max(index.metadata_count, 1));
	}
	return remote_schema(&index, query->source);
}

static void
add_sizes(S3vCostFacts *facts, const S3vQuery *query, const s3v_remote *remote, const Datum *values, const bool *nulls)
{
	const S3vSource *source = query->source;
	S3vKey		key = key_from_datum(values[0], source->key.base_type, source->key_kind);
	StringInfoData metadata;
	s3v_remote_sizes sizes;
	s3v_error	err;

	initStringInfo(&metadata);
	if (source->metadata_count > 0)
		metadata_encode(&metadata, source, values + 2, nulls + 2);
	boundary_raise(s3v_remote_row_sizes(remote, key.data, key.size, metadata.data, metadata.len, &sizes, &err), &err);
	facts->key_bytes += sizes.key_bytes;
	facts->filterable_bytes += sizes.filterable_bytes;
	facts->metadata_bytes += sizes.metadata_bytes;
}

/* ---- rows ------------------------------------------------------------------------------------------------------------------ */

/* Blocks by lot, with about as many rows as wanted; the same ones each time. */
static void
read_sample(const S3vQuery *query, double table_rows)
{
	const char *select = source_select(query->source);
	double		percent = 100.0 * Min(SAMPLE_ROWS / Max(table_rows, 1), 1);

	for (;;)
	{
		const char *sql = psprintf("%s TABLESAMPLE pg_catalog.system (%.9f) REPEATABLE (0)", select, percent);

		if (SPI_execute(sql, true, SAMPLE_ROWS) != SPI_OK_SELECT)
			elog(ERROR, "could not read a sample of the source");
		/* The table has fewer rows than the version, or the lot fell on no block. */
		if (SPI_processed > 0 || percent >= 100)
			return;
		percent = 100;
	}
}

static const float *
copy_vector(const S3vQuery *query, Datum value)
{
	const float *vector = recall_vector(query, value);
	Size		size = sizeof(float) * query->index->dimensions;

	return vector == NULL ? NULL : memcpy(MemoryContextAlloc(query->context, size), vector, size);
}

/* Row number `i` of the sample: its sizes, and its vector where that is wanted. */
static void
take_row(S3vCostSample *sample, S3vCostFacts *facts, const S3vQuery *query, const s3v_remote *remote, uint64 i, bool with_vector)
{
	int			columns = 2 + query->source->metadata_count;
	Datum	   *values = palloc(sizeof(Datum) * columns);
	bool	   *nulls = palloc(sizeof(bool) * columns);
	const float *vector;

	heap_deform_tuple(SPI_tuptable->vals[i], SPI_tuptable->tupdesc, values, nulls);
	if (nulls[0] || nulls[1])
		return;
	sample->row_count++;
	if (remote != NULL)
		add_sizes(facts, query, remote, values, nulls);
	vector = with_vector ? copy_vector(query, values[1]) : NULL;
	if (vector != NULL)
		sample->vectors[sample->vector_count++] = vector;
}

S3vCostSample
cost_sample_rows(S3vQuery *query, S3vCostFacts *facts, int vectors_wanted)
{
	S3vCostSample sample = {.vectors = palloc(sizeof(float *) * Max(vectors_wanted, 1))};
	s3v_remote *remote = schema_of(query, facts);
	MemoryContext before;
	uint64		step;

	if (SPI_connect() != SPI_OK_CONNECT)
		elog(ERROR, "SPI_connect failed");
	read_sample(query, facts->rows);
	step = Max(SPI_processed / Max(vectors_wanted, 1), 1);
	before = MemoryContextSwitchTo(query->row_context);
	for (uint64 i = 0; i < SPI_processed; i++)
	{
		CHECK_FOR_INTERRUPTS();
		take_row(&sample, facts, query, remote, i, sample.vector_count < vectors_wanted && i % step == 0);
		MemoryContextReset(query->row_context);
	}
	MemoryContextSwitchTo(before);
	SPI_finish();

	facts->key_bytes /= Max(sample.row_count, 1);
	facts->filterable_bytes /= Max(sample.row_count, 1);
	facts->metadata_bytes /= Max(sample.row_count, 1);
	return sample;
}

/* ---- what a query sent ------------------------------------------------------------------------------------------------------ */

double
cost_of_sent(S3vQuery *query, const S3vPrices *prices)
{
	const S3vQueryWork *work = &query->work;
	S3vCostFacts facts = {.rows = query->version != NULL ? query->version->rows : 0, .dimensions = query->index->dimensions,
	.metric = query->index->metric, .metadata_count = query->source->metadata_count};
	s3v_remote_prices service;
	s3v_remote_vector_bytes bytes;
	s3v_remote_query_dollars query_cost;

	if (!prices_of_service(prices, &service))
		return -1;
	if (work->sent.get_requests == 0)
		return 0;
	(void) cost_sample_rows(query, &facts, 0);
	bytes = cost_vector_bytes(&facts);
	s3v_remote_query_cost(&service, facts.rows, &bytes, query->args->k, work->sent.bytes_read, &query_cost);
	/* Whether a further page is a query of its own is unknown: taken as one, the higher reading. */
	return work->sent.get_requests * (query_cost.request + query_cost.processed) + query_cost.returned;
}

/* Rows of the source on their way to the hits: reading by key, and the exact scan. */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"

#include "boundary.h"
#include "plans.h"
#include "query.h"

/* Rows fetched together: enough to spread the executor's start, few enough to stay small at 16,000 dimensions. */
#define SCAN_BATCH 256
#define KEYS_BATCH 1000

/*
 * One row of "SELECT key, vector, metadata...": the single place where a row becomes a hit, whether it was pending, synced or
 * scanned, so that its distance has the same bits in all three.
 */
static void
consume_row(S3vQuery *query, TupleDesc desc, HeapTuple tuple, Datum *values, bool *nulls, MemoryContext row_context)
{
	const S3vSource *source = query->source;
	MemoryContext before = MemoryContextSwitchTo(row_context);
	float	   *vector;
	int			dimensions;
	char	   *complaint;
	S3vKey		key;
	double		distance;

	query->work.source_rows++;
	heap_deform_tuple(tuple, desc, values, nulls);
	if (nulls[0] || nulls[1])
		goto done;
	vector = vector_from_row(values[1], source, &dimensions, &complaint);
	/* A row that could not be in the index is in no answer: no vector to compare, or none that has a distance. */
	if (complaint != NULL || dimensions != query->index->dimensions)
		goto done;
	switch (s3v_vector_check(vector, dimensions))
	{
		case S3V_VECTOR_NOT_FINITE:
			goto done;
		case S3V_VECTOR_ZERO:
			if (query->index->metric == S3V_COSINE)
				goto done;
			break;
		case S3V_VECTOR_FINE:
			break;
	}
	key = key_from_datum(values[0], source->key.base_type, source->key_kind);
	if (query->only != NULL && !s3v_keys_contains(query->only, key.data, key.size))
		goto done;
	if (query->filter != NULL)
	{
		StringInfoData row;
		s3v_error	err;
		int			matches;

		initStringInfo(&row);
		metadata_encode(&row, source, values + 2, nulls + 2);
		boundary_raise(s3v_filter_match(query->filter, row.data, row.len, &matches, &err), &err);
		if (!matches)
			goto done;
	}
	distance = s3v_distance(query->index->metric, query->args->vector, vector, dimensions);
	if (hits_wants(query->hits, distance, key.data, key.size))
		hits_add(query->hits, distance, key.data, key.size, metadata_to_jsonb(source, values + 2, nulls + 2));
done:
	MemoryContextSwitchTo(before);
	MemoryContextReset(row_context);
}

/* All rows of SPI_tuptable; frees it. */
static void
consume_table(S3vQuery *query, MemoryContext row_context)
{
	SPITupleTable *table = SPI_tuptable;
	int			columns = table->tupdesc->natts;
	Datum	   *values = palloc(sizeof(Datum) * columns);
	bool	   *nulls = palloc(sizeof(bool) * columns);
	uint64		i;

	for (i = 0; i < table->numvals; i++)
	{
		CHECK_FOR_INTERRUPTS();
		consume_row(query, table->tupdesc, table->vals[i], values, nulls, row_context);
	}
	pfree(values);
	pfree(nulls);
	SPI_freetuptable(table);
}

static MemoryContext
make_row_context(void)
{
	return AllocSetContextCreate(CurrentMemoryContext, "s3v source row", ALLOCSET_DEFAULT_SIZES);
}

/* Reads the rows with these keys under the query's snapshot, as the caller; answers how many there were. */
int64
query_read_keys(S3vQuery *query, const S3vKey *keys, int count)
{
	const S3vColumn *column = &query->source->key;
	char	   *sql = psprintf("%s WHERE %s OPERATOR(pg_catalog.=) ANY ($1)", source_select(query->source), quote_identifier(column->name));
	Oid			array_type = get_array_type(column->base_type);
	MemoryContext row_context = make_row_context();
	int64		before = query->work.source_rows;
	int			done;
	int16		typlen;
	bool		typbyval;
	char		typalign;

	get_typlenbyvalalign(column->base_type, &typlen, &typbyval, &typalign);
	for (done = 0; done < count; done += KEYS_BATCH)
	{
		int			batch = Min(KEYS_BATCH, count - done);
		Datum	   *elements = palloc(sizeof(Datum) * batch);
		Datum		argument;
		int			result;
		int			i;

		for (i = 0; i < batch; i++)
			elements[i] = key_to_datum(keys[done + i].data, keys[done + i].size, column->base_type, query->source->key_kind);
		argument = PointerGetDatum(construct_array(elements, batch, column->base_type, typlen, typbyval, typalign));
		/* read_only: the active snapshot, which is the query's. */
		result = SPI_execute_plan(plan_get(sql, 1, &array_type), &argument, NULL, true, 0);
		if (result != SPI_OK_SELECT)
			elog(ERROR, "could not read rows of the source: %s", SPI_result_code_string(result));
		consume_table(query, row_context);
		pfree(DatumGetPointer(argument));
		pfree(elements);
	}
	MemoryContextDelete(row_context);
	return query->work.source_rows - before;
}

/* The exact answer: every row of the source, or those of the key set when there is one. */
void
query_scan_source(S3vQuery *query)
{
	MemoryContext row_context = make_row_context();
	Portal		portal;

	portal = SPI_cursor_open(NULL, plan_get(source_select(query->source), 0, NULL), NULL, NULL, true);
	for (;;)
	{
		SPI_cursor_fetch(portal, true, SCAN_BATCH);
		if (SPI_processed == 0)
			break;
		consume_table(query, row_context);
	}
	SPI_freetuptable(SPI_tuptable);
	SPI_cursor_close(portal);
	MemoryContextDelete(row_context);
}

/* Rows of the source on their way to the hits, as the server's own statements read them: by key, and the exact scan. */
#include "postgres.h"

#include <math.h>

#include "executor/executor.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "tcop/dest.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"

#include "boundary.h"
#include "compat.h"
#include "plans.h"
#include "query.h"

/* Keys looked up by one statement. */
#define KEYS_BATCH 1000

bool
query_row_passes(const S3vQuery *query, const Datum *metadata, const bool *nulls)
{
	StringInfoData row;
	s3v_error	err;
	int			matches;

	if (query->filter == NULL)
		return true;
	initStringInfo(&row);
	metadata_encode(&row, query->source, metadata, nulls);
	boundary_raise(s3v_filter_match(query->filter, row.data, row.len, &matches, &err), &err);
	return matches != 0;
}

/* A row into the hits of the queries that rows are offered to at present. */
static void
consider(S3vQuery *query, const Datum *values, const bool *nulls, void *arg)
{
	const S3vSource *source = query->source;
	const float *vector;
	int			dimensions;
	char	   *complaint;
	S3vKey		key;
	Jsonb	   *metadata = NULL;
	int			i;

	if (nulls[0] || nulls[1])
		return;
	vector = vector_from_row(values[1], source, &dimensions, &complaint);
	/* A row that could not be in the index is in no answer: no vector to compare, or none that has a distance. */
	if (complaint != NULL || dimensions != query->index->dimensions)
		return;
	key = key_from_datum(values[0], source->key.base_type, source->key_kind);
	if (query->only != NULL && !s3v_keys_contains(query->only, key.data, key.size))
		return;

	for (i = query->from; i < query->to; i++)
	{
		S3vHits    *hits = &query->hits[i];
		double		distance = s3v_distance(query->index->metric, query->args->vectors[i].values, vector, dimensions);

		/*
		 * Not finite exactly when the vector is not, or is zero under cosine: the query's own is neither, and sums of floats in double do
		 * not overflow. So the elements are looked at once.
		 */
		if (!isfinite(distance))
			return;
		if (distance > query->farthest)
			query->farthest = distance;
		if (!hits_wants(hits, distance, key.data, key.size))
			continue;
		if (metadata == NULL)
		{
			if (!query_row_passes(query, values + 2, nulls + 2))
				return;
			metadata = metadata_to_jsonb(source, values + 2, nulls + 2);
		}
		hits_add(hits, distance, key.data, key.size, metadata);
	}
}

static void
visit_row(S3vQuery *query, const Datum *values, const bool *nulls, S3vRowVisitor visit, void *arg)
{
	MemoryContext before = MemoryContextSwitchTo(query->row_context);

	query->work.source_rows++;
	visit(query, values, nulls, arg);
	MemoryContextSwitchTo(before);
	MemoryContextReset(query->row_context);
}

void
query_consume_row(S3vQuery *query, const Datum *values, const bool *nulls)
{
	visit_row(query, values, nulls, consider, NULL);
}

/* All rows of SPI_tuptable; frees it. */
static void
visit_table(S3vQuery *query, S3vRowVisitor visit, void *arg)
{
	SPITupleTable *table = SPI_tuptable;
	int			columns = table->tupdesc->natts;
	Datum	   *values = palloc(sizeof(Datum) * columns);
	bool	   *nulls = palloc(sizeof(bool) * columns);
	uint64		i;

	for (i = 0; i < table->numvals; i++)
	{
		CHECK_FOR_INTERRUPTS();
		heap_deform_tuple(table->vals[i], table->tupdesc, values, nulls);
		visit_row(query, values, nulls, visit, arg);
	}
	pfree(values);
	pfree(nulls);
	SPI_freetuptable(table);
}

static void
select_keys(S3vQuery *query, const S3vKey *keys, int count)
{
	const S3vColumn *column = &query->source->key;
	char	   *sql = psprintf("%s WHERE %s OPERATOR(pg_catalog.=) ANY ($1)", source_select(query->source), quote_identifier(column->name));
	Oid			array_type = get_array_type(column->base_type);
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
		visit_table(query, consider, NULL);
		pfree(DatumGetPointer(argument));
		pfree(elements);
	}
}

bool
query_finds_by_key(S3vQuery *query)
{
	if (!query->key_scan_tried)
	{
		MemoryContext before = MemoryContextSwitchTo(query->context);

		/* query_check_rights() has checked every column; policies hold in statements alone. */
		if (!query->row_security)
			query->key_scan = key_scan_open(query->source, query->key_index, query->snapshot);
		query->key_scan_tried = true;
		MemoryContextSwitchTo(before);
	}
	return query->key_scan != NULL;
}

static void
consume_found(void *arg, const Datum *values, const bool *nulls)
{
	query_consume_row(arg, values, nulls);
}

int64
query_read_keys(S3vQuery *query, const S3vKey *keys, int count)
{
	int64		before = query->work.source_rows;

	if (query_finds_by_key(query))
	{
		for (int i = 0; i < count; i++)
		{
			if (!key_scan_read(query->key_scan, &keys[i], consume_found, query))
				select_keys(query, &keys[i], 1);
		}
	}
	else if (count > 0)
		select_keys(query, keys, count);
	return query->work.source_rows - before;
}

/* Where the executor sends rows of the source. */
typedef struct RowReceiver
{
	DestReceiver receiver;
	S3vQuery   *query;
	S3vRowVisitor visit;
	void	   *arg;
	int64		left;			/* rows that are still taken */
	bool		stopped;		/* there was one more */
} RowReceiver;

static bool
receive_row(TupleTableSlot *slot, DestReceiver *self)
{
	RowReceiver *rows = (RowReceiver *) self;

	if (rows->left == 0)
	{
		rows->stopped = true;
		return false;
	}
	rows->left--;
	slot_getallattrs(slot);
	visit_row(rows->query, slot->tts_values, slot->tts_isnull, rows->visit, rows->arg);
	return true;
}

static void
start_receiver(DestReceiver *self, int operation, TupleDesc columns)
{
}

static void
end_receiver(DestReceiver *self)
{
}

/* Straight from the executor: rows are looked at where they lie. False when there were more than `most`. */
static bool
visit_statement(S3vQuery *query, const char *sql, CachedPlan *planned, ParamListInfo arguments, int64 most, S3vRowVisitor visit, void *arg)
{
	RowReceiver rows = {{receive_row, start_receiver, end_receiver, end_receiver, DestNone}, query, visit, arg, most, false};
	QueryDesc  *execution = CreateQueryDesc(planned_statement(planned), sql, query->snapshot, InvalidSnapshot, &rows.receiver,
											arguments, NULL, 0);

	/* A statement that only reads fires none. */
	ExecutorStart(execution, EXEC_FLAG_SKIP_TRIGGERS);
	run_forward(execution);
	ExecutorFinish(execution);
	ExecutorEnd(execution);
	FreeQueryDesc(execution);
	return !rows.stopped;
}

bool
query_read_statement(S3vQuery *query, const char *sql, CachedPlan *planned, ParamListInfo arguments, int64 most)
{
	return visit_statement(query, sql, planned, arguments, most, consider, NULL);
}

void
query_visit_source(S3vQuery *query, S3vRowVisitor visit, void *arg)
{
	const char *sql = source_select(query->source);
	CachedPlan *planned = plan_statement(plan_get(sql, 0, NULL), NULL);

	(void) visit_statement(query, sql, planned, NULL, PG_INT64_MAX, visit, arg);
	plan_release(planned);
}

void
query_scan_source(S3vQuery *query)
{
	query_visit_source(query, consider, NULL);
}

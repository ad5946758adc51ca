/*
 * s3v_recall: how much of the exact answer queries find with the present settings. Rows of the source, chosen by lot, are the queries; one
 * scan computes what is nearest to each of them, the usual path answers the same, and distances are compared.
 */
#include "postgres.h"

#include <limits.h>
#include <math.h>

#include "executor/spi.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"

#include "boundary.h"
#include "json_put.h"
#include "known.h"
#include "recall.h"

/* Queries of one wave: as many as s3v_query_many is commonly given, and few enough that their candidates stay small. */
#define BATCH 100
#define MAX_SAMPLE 10000

/* Distances that differ by less are the same one: two ways to compute it may round apart. */
#define DISTANCE_SLACK 1e-9

PG_FUNCTION_INFO_V1(s3v_recall);

/* What all queries found and cost. */
typedef struct Measured
{
	int64		found;			/* of the rows that are truly nearest */
	int64		wanted;
	S3vQueryWork work;			/* sums */
} Measured;

/* ---- the exact answer ---- */

static void
free_truth(void *truth)
{
	s3v_truth_free(truth);
}

static s3v_truth *
open_truth(const S3vQuery *query, const S3vSample *sample, int k)
{
	const void **keys = palloc(sizeof(void *) * sample->count);
	size_t	   *sizes = palloc(sizeof(size_t) * sample->count);
	S3vHandle  *handle = handle_make(query->context, free_truth);
	s3v_error	err;
	int			i;

	for (i = 0; i < sample->count; i++)
	{
		keys[sample->rows[i].place] = sample->rows[i].key.data;
		sizes[sample->rows[i].place] = sample->rows[i].key.size;
	}
	boundary_raise(s3v_truth_open(query->index->metric, query->index->dimensions, sample->vectors, keys, sizes, sample->count, k,
								  (s3v_truth **) &handle->ptr, &err), &err);
	pfree(keys);
	pfree(sizes);
	return handle->ptr;
}

static void
compare_row(S3vQuery *query, const Datum *values, const bool *nulls, void *truth)
{
	const float *vector;
	S3vKey		key;
	s3v_error	err;

	if (nulls[0] || nulls[1] || !query_row_passes(query, values + 2, nulls + 2))
		return;
	vector = recall_vector(query, values[1]);
	if (vector == NULL)
		return;
	key = key_from_datum(values[0], query->source->key.base_type, query->source->key_kind);
	boundary_raise(s3v_truth_add(truth, key.data, key.size, vector, &err), &err);
}

/* ---- the answer of the index ---- */

static void
count_found(Measured *measured, s3v_truth *truth, const S3vSampledRow *row, const S3vHits *hits, int k)
{
	const double *distances;
	size_t		count;
	s3v_error	err;
	double		farthest;
	int			taken = 0;
	int			found = 0;
	int			i;

	boundary_raise(s3v_truth_nearest(truth, row->place, &distances, &count, &err), &err);
	if (count == 0)
		return;
	farthest = distances[count - 1] + DISTANCE_SLACK * fabs(distances[count - 1]);
	for (i = 0; i < hits->count && taken < k; i++)
	{
		const S3vHit *hit = &hits->items[i];

		if (hit->key_size == row->key.size && memcmp(hit->key, row->key.data, row->key.size) == 0)
			continue;
		taken++;
		found += hit->distance <= farthest;
	}
	measured->wanted += count;
	measured->found += Min(found, count);
}

static void
add_work(S3vQueryWork *sum, const S3vQueryWork *work)
{
	if (sum->status == NULL)
		sum->status = work->status == NULL ? NULL : pstrdup(work->status);
	sum->sent.waves += work->sent.waves;
	sum->sent.get_requests += work->sent.get_requests;
	sum->sent.bytes_read += work->sent.bytes_read;
	sum->sent.cache_hits += work->sent.cache_hits;
	sum->search.lists_probed += work->search.lists_probed;
	sum->search.entries_scanned += work->search.entries_scanned;
	sum->reranked += work->reranked;
}

/* Asks for one hit more than wanted: a row is its own nearest. */
static void
measure_batch(Measured *measured, s3v_truth *truth, const S3vQuery *query, const S3vSample *sample, int first, int count)
{
	int			dimensions = query->index->dimensions;
	MemoryContext batch = AllocSetContextCreate(CurrentMemoryContext, "s3v recall batch", ALLOCSET_DEFAULT_SIZES);
	MemoryContext before = MemoryContextSwitchTo(batch);
	S3vQueryArgs args = *query->args;
	S3vQuery   *run;
	int			i;

	args.k = Min(args.k, INT_MAX - 1) + 1;
	args.query_count = count;
	args.vectors = palloc0(sizeof(S3vQueryVector) * count);
	for (i = 0; i < count; i++)
	{
		args.vectors[i].values = sample->vectors + (Size) sample->rows[first + i].place * dimensions;
		args.vectors[i].dimensions = dimensions;
	}
	run = query_run(&args);
	for (i = 0; i < count; i++)
		count_found(measured, truth, &sample->rows[first + i], &run->hits[i], query->args->k);
	MemoryContextSwitchTo(before);
	add_work(&measured->work, &run->work);
	MemoryContextDelete(batch);
}

/* ---- what was measured ---- */

static void
put_mean(JsonbParseState **state, const char *name, int64 sum, int count)
{
	if (count == 0)
		json_put_text(state, name, NULL);
	else
		json_put_number(state, name, psprintf("%.1f", (double) sum / count));
}

static Jsonb *
report(const Measured *measured, const S3vSample *sample, int k)
{
	const S3vQueryWork *work = &measured->work;
	JsonbParseState *state = NULL;

	pushJsonbValue(&state, WJB_BEGIN_OBJECT, NULL);
	if (measured->wanted > 0)
		json_put_number(&state, "recall", psprintf("%.6g", (double) measured->found / measured->wanted));
	else
		json_put_text(&state, "recall", NULL);
	json_put_count(&state, "sample", sample->count);
	json_put_count(&state, "k", k);
	json_put_count(&state, "waves", work->sent.waves);
	json_put_count(&state, "requests", work->sent.get_requests);
	json_put_count(&state, "bytes", work->sent.bytes_read);
	json_put_count(&state, "cache_hits", work->sent.cache_hits);
	put_mean(&state, "lists_probed", work->search.lists_probed, sample->count);
	put_mean(&state, "entries_scanned", work->search.entries_scanned, sample->count);
	put_mean(&state, "reranked", work->reranked, sample->count);
	json_put_text(&state, "status", work->status);
	return JsonbValueToJsonb(pushJsonbValue(&state, WJB_END_OBJECT, NULL));
}

Datum
s3v_recall(PG_FUNCTION_ARGS)
{
	S3vQueryArgs args = {0};
	Measured	measured = {0};
	S3vQuery   *query;
	S3vSample  *sample;
	s3v_truth  *truth = NULL;
	int			wanted;
	int			first;

	query_refuse_null(fcinfo, 0, "index");
	query_refuse_null(fcinfo, 1, "sample");
	query_refuse_null(fcinfo, 2, "k");
	args.index_id = PG_GETARG_OID(0);
	wanted = PG_GETARG_INT32(1);
	args.k = PG_GETARG_INT32(2);
	if (!PG_ARGISNULL(3))
		args.filter = PG_GETARG_JSONB_P(3);
	query_check_k(args.k);
	if (wanted < 1 || wanted > MAX_SAMPLE)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("sample must be between 1 and %d, not %d", MAX_SAMPLE, wanted)));

	refuse_row_security(known_index(args.index_id)->source->relid, "s3v_recall compares with all rows of the table.");
	query = query_open(&args);
	if (SPI_connect() != SPI_OK_CONNECT)
		elog(ERROR, "SPI_connect failed");
	sample = recall_draw_sample(query, wanted);
	if (sample->count > 0)
	{
		truth = open_truth(query, sample, args.k);
		query_visit_source(query, compare_row, truth);
	}
	SPI_finish();

	for (first = 0; first < sample->count; first += BATCH)
		measure_batch(&measured, truth, query, sample, first, Min(BATCH, sample->count - first));
	PG_RETURN_JSONB_P(report(&measured, sample, args.k));
}

/* The source of a sync: its rows as the sync's snapshot sees them, checked and made ready for the core. */
#include "postgres.h"

#include "access/xact.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"

#include "progress.h"
#include "remote.h"
#include "source_scan.h"
#include "sync_parts.h"

/* Two rows with one key are two versions of one row, that others have deleted since the snapshot and this transaction has made again. */
void
sync_refuse_twin(const Sync *sync, const S3vKey *key)
{
	ereport(ERROR,
			(errcode(ERRCODE_T_R_SERIALIZATION_FAILURE),
			 errmsg("could not serialize access: table \"%s\" shows two rows with key %s", get_rel_name(sync->index->source),
					key_to_text(key->data, key->size, sync->source->key_kind)),
			 errhint("Run the transaction again.")));
}

/* Rows from one report of progress to the next. */
#define ROWS_PER_REPORT 1024

/* Keys named in the error about rows that the index cannot take. */
#define BAD_ROWS_NAMED 10

static void
note_bad_row(BadRows *bad, const char *key, const char *complaint)
{
	MemoryContext before = MemoryContextSwitchTo(bad->context);

	if (bad->count == 0)
	{
		initStringInfo(&bad->keys);
		bad->first_complaint = pstrdup(complaint);
	}
	if (bad->count < BAD_ROWS_NAMED)
		appendStringInfo(&bad->keys, "%s%s", bad->count > 0 ? ", " : "", key);
	bad->count++;
	MemoryContextSwitchTo(before);
}

void
sync_raise_bad_rows(const Sync *sync, const BadRows *bad)
{
	if (bad->count == 0)
		return;
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg_plural("table \"%s\" has " INT64_FORMAT " row that index \"%s\" cannot take",
						   "table \"%s\" has " INT64_FORMAT " rows that index \"%s\" cannot take",
						   (unsigned long) bad->count, get_rel_name(sync->index->source), bad->count,
						   get_rel_name(sync->index->index_id)),
			 bad->count == 1
			 ? errdetail("Key %s: %s", bad->keys.data, bad->first_complaint)
			 : errdetail("Keys %s%s. The first: %s", bad->keys.data,
						 bad->count > BAD_ROWS_NAMED
						 ? psprintf(" and " INT64_FORMAT " more", bad->count - BAD_ROWS_NAMED) : "",
						 bad->first_complaint),
			 errhint("Correct or delete these rows, or set their vectors to NULL.")));
}

SyncRowKind
sync_read_row(const Sync *sync, const Datum *values, const bool *nulls, SyncRow *row, BadRows *bad)
{
	const S3vSource *source = sync->source;
	int			dimensions;
	char	   *complaint;

	if (nulls[0] || nulls[1])
		return ROW_SKIPPED;
	row->key = key_from_datum(values[0], source->key.base_type, source->key_kind);
	row->vector = vector_from_row(values[1], source, &dimensions, &complaint);
	if (complaint == NULL)
		complaint = vector_complaint(row->vector, dimensions, sync->index->dimensions);
	if (complaint != NULL)
	{
		note_bad_row(bad, key_to_text(row->key.data, row->key.size, source->key_kind), complaint);
		return ROW_BAD;
	}
	if (sync->index->metric == S3V_COSINE && s3v_vector_check(row->vector, dimensions) == S3V_VECTOR_ZERO)
		return ROW_SKIPPED;

	initStringInfo(&row->metadata);
	if (source->metadata_count > 0)
		metadata_encode(&row->metadata, source, values + 2, nulls + 2);
	if (sync->remote != NULL)
		complaint = remote_row_complaint(sync->remote, &row->key, row->metadata.data, row->metadata.len);
	if (complaint != NULL)
	{
		note_bad_row(bad, key_to_text(row->key.data, row->key.size, source->key_kind), complaint);
		return ROW_BAD;
	}
	return ROW_FINE;
}

void
sync_scan_source(const Sync *sync, SyncRowVisitor visit, void *arg)
{
	S3vSourceScan *scan = source_scan_begin(sync->rel, sync->source, sync->snapshot);
	MemoryContext row_context = AllocSetContextCreate(CurrentMemoryContext, "s3v source row", ALLOCSET_DEFAULT_SIZES);

	while (source_scan_next(scan))
	{
		MemoryContext before = MemoryContextSwitchTo(row_context);

		visit(arg, scan->values, scan->nulls);
		MemoryContextSwitchTo(before);
		MemoryContextReset(row_context);
	}
	source_scan_end(scan);
	MemoryContextDelete(row_context);
}

/* ---- rows of a build ---------------------------------------------------------------------------------------------------- */

typedef struct Feed
{
	Sync	   *sync;
	SyncRowTaker take;
	void	   *taker;
	s3v_keys   *seen;			/* NULL: no key can be there twice */
	BadRows		bad;
	int64		taken;
} Feed;

/* An old snapshot may show a row that others have deleted beside its successor, which this transaction made. */
static void
refuse_seen(const Feed *feed, const S3vKey *key)
{
	s3v_error	err;

	if (s3v_keys_contains(feed->seen, key->data, key->size))
		sync_refuse_twin(feed->sync, key);
	boundary_raise(s3v_keys_add(feed->seen, key->data, key->size, &err), &err);
}

static void
feed_row(void *arg, const Datum *values, const bool *nulls)
{
	Feed	   *feed = arg;
	s3v_error	err;
	SyncRow		row;

	switch (sync_read_row(feed->sync, values, nulls, &row, &feed->bad))
	{
		case ROW_SKIPPED:
			feed->sync->skipped++;
			break;
		case ROW_FINE:
			if (feed->seen != NULL)
				refuse_seen(feed, &row.key);
			/* Once a row is bad the build is lost; the scan goes on only to name the others. */
			if (feed->bad.count == 0)
				boundary_check(feed->sync->call, feed->take(feed->taker, &row, &err), &err);
			/* A build in the core tells of its own steps. */
			if (++feed->taken % ROWS_PER_REPORT == 0 && feed->sync->remote != NULL)
				progress_report(NULL, "writing vectors", feed->taken, 0);
			break;
		case ROW_BAD:
			break;
	}
}

int64
sync_feed_rows(Sync *sync, SyncRowTaker take, void *taker)
{
	Feed		feed = {.sync = sync, .take = take, .taker = taker, .bad.context = CurrentMemoryContext};

	sync->skipped = 0;
	if (IsolationUsesXactSnapshot())
		feed.seen = key_set_make();
	sync_scan_source(sync, feed_row, &feed);
	sync_raise_bad_rows(sync, &feed.bad);
	return feed.taken;
}

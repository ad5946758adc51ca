/*
 * A sync that writes what changed: keys go into an update of the version together with their rows, which are read by key under the sync's
 * snapshot; so are those rows that compaction moves to another place.
 */
#include "postgres.h"

#include "miscadmin.h"
#include "nodes/pg_list.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"

#include "key_scan.h"
#include "progress.h"
#include "sync_parts.h"

/* Without an index to find them by, rows are looked for by a scan of the whole table, for so many keys at once. */
#define KEYS_IN_A_SCAN 1000000

struct SyncUpdate
{
	Sync	   *sync;
	S3vHandle  *handle;			/* s3v_update; s3v_remote_writer */
	MemoryContext row_context;
	BadRows		bad;
	S3vKeyScan *scan;			/* NULL: no index finds a key in this snapshot */
	MemoryContext wanted_context;
	s3v_keys   *wanted;			/* without an index: rows to look for, and those that were put */
	s3v_keys   *found;
	List	   *wanted_keys;		/* S3vKey: of a service, which takes each key once */
	int			rows_found;		/* of the key being read */
	bool		compacting;		/* rows are read for the sake of compaction: nothing is counted */
};

/* ---- the core ---- */

static void
free_update(void *update)
{
	s3v_update_free(update);
}

/* What is damaged a reconcile repairs; the core itself does not know what it was called for. */
static void
check_store(const Sync *sync, s3v_code code, s3v_error *err)
{
	if (code == S3V_OBJECT_MISSING || code == S3V_CORRUPTED)
		strlcpy(err->hint, sync->remote != NULL ? "Run s3v_sync with mode 'rebuild'." : "Run s3v_sync with mode 'reconcile'.",
				sizeof(err->hint));
	boundary_check(sync->call, code, err);
}

static void
check_update(SyncUpdate *update, s3v_code code, s3v_error *err)
{
	check_store(update->sync, code, err);
}

static void
remove_key(SyncUpdate *update, const S3vKey *key)
{
	s3v_error	err;

	if (update->bad.count > 0)
		return;
	check_update(update, update->sync->remote != NULL
				 ? s3v_remote_writer_remove(update->handle->ptr, key->data, key->size, &err)
				 : s3v_update_remove(update->handle->ptr, key->data, key->size, &err), &err);
}

static void
put_row(SyncUpdate *update, const SyncRow *row)
{
	s3v_error	err;

	/* Once a row is bad the update is lost; reading goes on only to name the others. */
	if (update->bad.count > 0)
		return;
	check_update(update, update->sync->remote != NULL
				 ? s3v_remote_writer_put(update->handle->ptr, row->key.data, row->key.size, row->vector, row->metadata.data,
										 row->metadata.len, &err)
				 : s3v_update_put(update->handle->ptr, row->key.data, row->key.size, row->vector, row->metadata.data,
								  row->metadata.len, &err), &err);
}

static void
count_skipped(SyncUpdate *update)
{
	if (!update->compacting)
		update->sync->skipped++;
}

/* ---- rows by the key's index ---- */

static void
take_row(void *arg, const Datum *values, const bool *nulls)
{
	SyncUpdate *update = arg;
	SyncRow		row;

	switch (sync_read_row(update->sync, values, nulls, &row, &update->bad))
	{
		case ROW_FINE:
			if (++update->rows_found > 1)
				sync_refuse_twin(update->sync, &row.key);
			put_row(update, &row);
			break;
		case ROW_SKIPPED:
			count_skipped(update);
			break;
		case ROW_BAD:
			break;
	}
}

/* Puts the key's row; false when there is none that belongs into the index. */
static bool
read_row(SyncUpdate *update, const S3vKey *key)
{
	MemoryContext before = MemoryContextSwitchTo(update->row_context);

	update->rows_found = 0;
	(void) key_scan_read(update->scan, key, take_row, update);
	MemoryContextSwitchTo(before);
	MemoryContextReset(update->row_context);
	return update->rows_found > 0;
}

/* ---- rows by a scan ---- */

static void
start_wanting(SyncUpdate *update)
{
	MemoryContext before;

	MemoryContextReset(update->wanted_context);
	before = MemoryContextSwitchTo(update->wanted_context);
	update->wanted = key_set_make();
	update->found = key_set_make();
	update->wanted_keys = NIL;
	MemoryContextSwitchTo(before);
}

static void
take_wanted_row(void *arg, const Datum *values, const bool *nulls)
{
	SyncUpdate *update = arg;
	S3vKey		key;
	s3v_error	err;
	SyncRow		row;

	if (nulls[0])
		return;
	key = key_from_datum(values[0], update->sync->source->key.base_type, update->sync->source->key_kind);
	if (!s3v_keys_contains(update->wanted, key.data, key.size))
		return;
	switch (sync_read_row(update->sync, values, nulls, &row, &update->bad))
	{
		case ROW_FINE:
			if (s3v_keys_contains(update->found, key.data, key.size))
				sync_refuse_twin(update->sync, &key);
			boundary_raise(s3v_keys_add(update->found, key.data, key.size, &err), &err);
			put_row(update, &row);
			break;
		case ROW_SKIPPED:
			count_skipped(update);
			break;
		case ROW_BAD:
			break;
	}
}

/* Those that were not found. */
static void
remove_wanted(SyncUpdate *update)
{
	ListCell   *cell;

	foreach(cell, update->wanted_keys)
	{
		const S3vKey *key = lfirst(cell);

		if (!s3v_keys_contains(update->found, key->data, key->size))
			remove_key(update, key);
	}
}

static void
look_for_wanted(SyncUpdate *update)
{
	if (s3v_keys_count(update->wanted) == 0)
		return;
	sync_scan_source(update->sync, take_wanted_row, update);
	remove_wanted(update);
	start_wanting(update);
}

static void
remember_wanted(SyncUpdate *update, const S3vKey *key)
{
	MemoryContext before = MemoryContextSwitchTo(update->wanted_context);
	S3vKey	   *copy = palloc(sizeof(S3vKey));

	copy->data = memcpy(palloc(Max(key->size, 1)), key->data, key->size);
	copy->size = key->size;
	update->wanted_keys = lappend(update->wanted_keys, copy);
	MemoryContextSwitchTo(before);
}

static void
want(SyncUpdate *update, const S3vKey *key)
{
	s3v_error	err;

	boundary_raise(s3v_keys_add(update->wanted, key->data, key->size, &err), &err);
	if (update->sync->remote != NULL)
		remember_wanted(update, key);
	if (s3v_keys_count(update->wanted) >= KEYS_IN_A_SCAN)
		look_for_wanted(update);
}

/* ---- an update ---- */

static SyncUpdate *
begin_update(Sync *sync, S3vHandle *handle)
{
	SyncUpdate *update = palloc0(sizeof(SyncUpdate));

	update->sync = sync;
	update->handle = handle;
	update->row_context = AllocSetContextCreate(CurrentMemoryContext, "s3v source row", ALLOCSET_DEFAULT_SIZES);
	update->wanted_context = AllocSetContextCreate(CurrentMemoryContext, "s3v wanted rows", ALLOCSET_DEFAULT_SIZES);
	update->bad.context = CurrentMemoryContext;
	update->scan = key_scan_open(sync->source, source_key_index(sync->rel, sync->source), sync->snapshot);
	if (update->scan != NULL && !key_scan_serves_everywhere(update->scan))
	{
		key_scan_end(update->scan);
		update->scan = NULL;
	}
	if (update->scan == NULL)
		start_wanting(update);
	return update;
}

SyncUpdate *
sync_update_begin(Sync *sync)
{
	S3vHandle  *handle = handle_make(CurrentMemoryContext, free_update);
	s3v_version_names names = catalog_version_names(sync->index, sync->version);
	s3v_build_options options = sync_build_options(sync);
	s3v_error	err;
	s3v_code	code;

	sync_claim(sync);
	sync->skipped = sync->version->skipped;
	code = s3v_update_open(boundary_env(sync->call), sync->store, &names, &options, sync->request->optimize,
						   (s3v_update **) &handle->ptr, &err);
	/* Its keys, dimensions or metric are others than those the index has by now. */
	if (code == S3V_INVALID_ARGUMENT)
	{
		boundary_check(sync->call, S3V_OK, &err);
		return NULL;
	}
	check_store(sync, code, &err);
	return begin_update(sync, handle);
}

SyncUpdate *
sync_update_begin_remote(Sync *sync, const char *name)
{
	return begin_update(sync, sync_remote_writer(sync, name));
}

void
sync_update_remove(SyncUpdate *update, const S3vKey *key)
{
	remove_key(update, key);
}

void
sync_update_key(SyncUpdate *update, const S3vKey *key)
{
	if (update->scan == NULL)
	{
		if (update->sync->remote == NULL)
			remove_key(update, key);
		want(update, key);
	}
	else if (!read_row(update, key))
		remove_key(update, key);
}

void
sync_update_remove_foreign(SyncUpdate *update, const s3v_contents *contents)
{
	s3v_error	err;

	check_update(update, s3v_remote_writer_remove_foreign(update->handle->ptr, contents, &err), &err);
}

void
sync_update_discard_damaged(SyncUpdate *update, const s3v_contents *contents)
{
	s3v_error	err;

	check_update(update, s3v_update_discard_damaged(update->handle->ptr, contents, &err), &err);
}

/* Rows that find another place are read once more, so that no code is ever made of a code. */
static void
read_moving_rows(SyncUpdate *update)
{
	s3v_error	err;

	update->compacting = true;
	for (;;)
	{
		MemoryContext before = MemoryContextSwitchTo(update->row_context);
		const void *data;
		size_t		size;
		S3vKey		key;

		check_update(update, s3v_update_take(update->handle->ptr, &data, &size, &err), &err);
		if (data == NULL)
		{
			MemoryContextSwitchTo(before);
			break;
		}
		/* The next call of the core, which puts the row, ends the life of its view. */
		key.size = (int) size;
		key.data = memcpy(palloc(Max(size, 1)), data, size);
		MemoryContextSwitchTo(before);
		if (update->scan == NULL)
			want(update, &key);
		else
			(void) read_row(update, &key);
		MemoryContextReset(update->row_context);
	}
	if (update->scan == NULL)
		look_for_wanted(update);
}

/* To the service: no row has to move there. */
static SyncOutcome
end_remote(SyncUpdate *update)
{
	Sync	   *sync = update->sync;
	s3v_error	err;

	if (update->scan != NULL)
		key_scan_end(update->scan);
	check_update(update, s3v_remote_writer_finish(update->handle->ptr, &sync->written, &err), &err);
	handle_release(update->handle);
	sync->upserted = (int64) sync->written.put;
	sync->deleted = (int64) sync->written.removed;
	return sync->written.put + sync->written.removed > 0 ? OUTCOME_NEW_VERSION : OUTCOME_SAME_OBJECTS;
}

SyncOutcome
sync_update_end(SyncUpdate *update)
{
	Sync	   *sync = update->sync;
	s3v_update_result result;
	s3v_error	err;

	if (update->scan == NULL)
		look_for_wanted(update);
	sync_raise_bad_rows(sync, &update->bad);
	if (sync->remote != NULL)
		return end_remote(update);
	check_update(update, s3v_update_plan(update->handle->ptr, &err), &err);
	read_moving_rows(update);
	sync_raise_bad_rows(sync, &update->bad);
	if (update->scan != NULL)
		key_scan_end(update->scan);

	check_update(update, s3v_update_finish(update->handle->ptr, &result, &err), &err);
	handle_release(update->handle);
	if (!result.changed)
		return OUTCOME_SAME_OBJECTS;
	sync->built = result.version;
	sync->upserted = (int64) result.rows_put;
	sync->deleted = (int64) result.rows_removed;
	return OUTCOME_NEW_VERSION;
}

/*
 * s3v_sync: lock, then a snapshot, then the changes it sees; new objects under new names; log rows consumed and the version row
 * updated in this transaction, whose commit is the publication.
 */
#include "postgres.h"

#include "access/table.h"
#include "access/xact.h"
#include "catalog/pg_class.h"
#include "foreign/foreign.h"
#include "miscadmin.h"
#include "optimizer/cost.h"
#include "storage/lmgr.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"
#include "utils/syscache.h"

#include "boundary.h"
#include "columns.h"
#include "compat.h"
#include "ownership.h"
#include "progress.h"
#include "server.h"
#include "settings.h"
#include "source.h"
#include "sync.h"
#include "sync_parts.h"

static void
free_build(void *build)
{
	s3v_build_free(build);
}

/* ---- what is to be done ---- */

typedef struct LogReader
{
	Sync	   *sync;
	const S3vSource *source;
} LogReader;

static bool
note_change(void *arg, const char *key_text)
{
	LogReader  *reader = arg;
	Sync	   *sync = reader->sync;
	s3v_error	err;
	S3vKey		key;

	CHECK_FOR_INTERRUPTS();
	sync->log_rows++;
	if (key_text == NULL)
	{
		sync->everything = true;
		return true;
	}
	key = key_from_text(key_text, reader->source->key.base_type, reader->source->key_kind);
	boundary_raise(s3v_keys_add(sync->changed, key.data, key.size, &err), &err);
	pfree(key.data);
	return true;
}

static void
read_log(Sync *sync, const S3vSource *source)
{
	LogReader	reader = {sync, source};

	sync->changed = key_set_make();
	catalog_log_scan(sync->index, sync->version, sync->snapshot, note_change, &reader);
}

/* ---- building ---- */

static void
build_version(Sync *sync, Relation rel, const S3vSource *source)
{
	S3vBuildSettings settings = settings_for_build(sync->index->index_id);
	S3vHandle  *handle = handle_make(CurrentMemoryContext, free_build);
	s3v_build_options options = {0};
	s3v_error	err;

	options.index_uuid = sync->index->uuid;
	options.metric = sync->index->metric;
	options.dimensions = sync->index->dimensions;
	options.key_kind = source->key_kind;
	options.metadata_columns = (const char *const *) sync->index->metadata;
	options.metadata_column_count = sync->index->metadata_count;
	options.lists = settings.lists;
	options.recall = settings.recall;
	options.bits = settings.bits;
	options.raw = settings.raw;
	options.soar = settings.soar;
	options.memory_bytes = (uint64) maintenance_work_mem * 1024;
	options.threads = 1 + max_parallel_maintenance_workers;

	progress_start(sync->index->index_id);
	boundary_on_progress(sync->call, progress_report, NULL);
	boundary_check(sync->call, s3v_build_open(boundary_env(sync->call), sync->store, &options, (s3v_build **) &handle->ptr, &err),
				   &err);
	sync_read_source(sync, rel, source, handle->ptr);
	boundary_check(sync->call, s3v_build_finish(handle->ptr, &sync->built, &err), &err);
	handle_release(handle);
	progress_end();
}

/* ---- one index ---- */

static void
open_sync(Sync *sync, Oid index_id)
{
	sync->call = boundary_begin();
	sync->store = server_index_store(index_id);
	s3v_store_counters(sync->store, &sync->before);
}

static int64
requests_sent(const Sync *sync)
{
	s3v_counters now;

	s3v_store_counters(sync->store, &now);
	return (now.get_requests - sync->before.get_requests) + (now.put_requests - sync->before.put_requests) +
		(now.delete_requests - sync->before.delete_requests);
}

static int64
bytes_sent(const Sync *sync)
{
	s3v_counters now;

	s3v_store_counters(sync->store, &now);
	return now.bytes_written - sync->before.bytes_written;
}

/* What is published must be what later changes are logged against: every row by a key of its own, every change captured. */
static void
check_capture(const Sync *sync, Relation rel)
{
	if (!catalog_capture_in_place(sync->index->source))
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("changes of table \"%s\" are not captured", RelationGetRelationName(rel)),
				 errdetail("The triggers \"s3v_capture\" and \"s3v_capture_truncate\" must exist and be enabled ALWAYS."),
				 errhint("ALTER TABLE ... ENABLE ALWAYS TRIGGER s3v_capture, and the same for s3v_capture_truncate; if they are gone, drop the index and create it again.")));
	if (!catalog_key_enforced(sync->index))
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("key column \"%s\" of table \"%s\" is no longer unique and NOT NULL", sync->index->key_column,
						RelationGetRelationName(rel)),
				 errhint("Restore its unique index and NOT NULL, or drop the index of s3v.")));
	if (source_has_children(sync->index->source))
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("table \"%s\" has child tables", RelationGetRelationName(rel)),
				 errdetail("Their changes are not captured.")));
	/* REASSIGN OWNED fires no event trigger: the log follows the source's owner here at the latest. */
	catalog_share_log(sync->index->source, sync->index->log);
}

S3vSyncResult
sync_index(Oid index_id, S3vSyncMode mode, bool wait, bool creating)
{
	S3vSyncResult result = {0};
	Sync		sync = {0};
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "s3v sync", ALLOCSET_DEFAULT_SIZES);
	MemoryContext before = MemoryContextSwitchTo(context);
	Relation	rel;
	S3vSource  *source;
	char	   *reason;
	bool		stale;

	PreventCommandIfReadOnly("s3v_sync()");
	/* The source first, as whoever locks it for a TRUNCATE or DDL and syncs or drops the index then: no deadlock with them. */
	sync.index = catalog_index(index_id, NULL);
	if (sync.index != NULL)
		LockRelationOid(sync.index->source, AccessShareLock);
	if (!catalog_lock_index(index_id, wait))
	{
		result.skipped = true;
		MemoryContextSwitchTo(before);
		MemoryContextDelete(context);
		return result;
	}
	/* The locks took in all invalidations, and the source cannot change shape any more; then, and only then, the snapshot. */
	if (!creating)
		sync_check_isolation(index_id);
	PushActiveSnapshot(GetTransactionSnapshot());
	sync.snapshot = GetActiveSnapshot();

	/* With the columns' names of now, which are those of the source. */
	sync.index = catalog_index(index_id, NULL);
	sync.version = catalog_version(index_id, sync.snapshot);
	if (sync.index == NULL || sync.version == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("index with OID %u was dropped or is not an s3v index", index_id)));
	rel = table_open(sync.index->source, AccessShareLock);
	source = source_describe(rel, sync.index->key_column, sync.index->vector_column, sync.index->metadata_count,
							 sync.index->metadata, false);
	check_capture(&sync, rel);
	if (mode == SYNC_REBUILD)
		columns_follow(sync.index, source);
	stale = catalog_is_stale(index_id, sync.snapshot, &reason);
	read_log(&sync, source);

	if (mode == SYNC_CHANGES && sync.version->version > 0 && sync.log_rows == 0)
		result.version = sync.version->version;
	else
	{
		bool		whole = mode == SYNC_REBUILD || sync.version->version == 0 || sync.everything || stale;

		open_sync(&sync, index_id);
		sync.owner = ownership_claim(sync.call, sync.store, sync.index->uuid, sync.version->owner, false);
		build_version(&sync, rel, source);
		sync_consume_log(&sync);
		if (mode == SYNC_REBUILD)
			sync_delete_stale_marks(&sync);
		sync_publish_version(&sync);
		/* As late as we can: whoever took the prefix while we wrote must stop us. */
		ownership_verify(sync.call, sync.store, sync.index->uuid, sync.owner);

		result.version = sync.version->version + 1;
		result.upserted = whole ? (int64) sync.built.rows : sync.rows_changed_found;
		result.deleted = whole ? 0 : (int64) s3v_keys_count(sync.changed) - sync.rows_changed_found;
		result.bytes_written = bytes_sent(&sync);
		result.requests = requests_sent(&sync);
	}
	table_close(rel, NoLock);
	PopActiveSnapshot();
	MemoryContextSwitchTo(before);
	MemoryContextDelete(context);
	return result;
}

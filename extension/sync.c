/*
 * s3v_sync: lock, then a snapshot, then the changes it sees; new objects under new names; log rows consumed and the version row
 * updated in this transaction, whose commit is the publication.
 */
#include "postgres.h"

#include "access/table.h"
#include "access/tableam.h"
#include "access/xact.h"
#include "access/xlog.h"
#include "catalog/pg_class.h"
#include "catalog/pg_type.h"
#include "executor/tuptable.h"
#include "foreign/foreign.h"
#include "miscadmin.h"
#include "optimizer/cost.h"
#include "storage/lmgr.h"
#include "utils/acl.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"
#include "utils/syscache.h"
#include "utils/xid8.h"

#include "boundary.h"
#include "columns.h"
#include "compat.h"
#include "ownership.h"
#include "progress.h"
#include "server.h"
#include "settings.h"
#include "source.h"
#include "sync.h"

/* Keys named in the error about rows that the index cannot take. */
#define BAD_ROWS_NAMED 10

/* One sync while it runs. */
typedef struct Sync
{
	S3vIndex   *index;
	S3vVersion *version;		/* as the snapshot sees it */
	Snapshot	snapshot;
	S3vCall    *call;
	s3v_store  *store;
	s3v_counters before;
	s3v_keys   *changed;		/* distinct keys in the log */
	int64		log_rows;		/* seen by the snapshot */
	bool		everything;		/* the log says: all rows */
	int64		rows_changed_found; /* changed keys that the source still has */
	int64		skipped;		/* source rows that are not in the index */
	uint64		owner;			/* marker claimed */
	s3v_version built;
} Sync;

bool
sync_lock(Oid index_id, bool wait)
{
	if (wait)
	{
		LockDatabaseObject(RelationRelationId, index_id, 0, ExclusiveLock);
		return true;
	}
	return ConditionalLockDatabaseObject(RelationRelationId, index_id, 0, ExclusiveLock);
}

static void
free_keys(void *keys)
{
	s3v_keys_free(keys);
}

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
	S3vHandle  *handle = handle_make(CurrentMemoryContext, free_keys);
	s3v_error	err;

	boundary_raise(s3v_keys_create((s3v_keys **) &handle->ptr, &err), &err);
	sync->changed = handle->ptr;
	catalog_log_scan(sync->index, sync->version, sync->snapshot, note_change, &reader);
}

/* ---- reading the source ---- */

/* Rows that the index cannot take: counted, the first ones named. */
typedef struct BadRows
{
	int64		count;
	StringInfoData keys;
	char	   *first_complaint;
} BadRows;

static void
note_bad_row(BadRows *bad, const char *key, char *complaint)
{
	if (bad->count == 0)
	{
		initStringInfo(&bad->keys);
		bad->first_complaint = complaint;
	}
	if (bad->count < BAD_ROWS_NAMED)
		appendStringInfo(&bad->keys, "%s%s", bad->count > 0 ? ", " : "", key);
	bad->count++;
}

static void
raise_bad_rows(const Sync *sync, const BadRows *bad)
{
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

/* One row of the source, its columns deformed, into the build. */
static void
add_row(Sync *sync, const S3vSource *source, s3v_build *build, TupleTableSlot *slot, BadRows *bad, MemoryContext keep)
{
	Datum		key_value;
	Datum		vector_value;
	bool		key_null;
	bool		vector_null;
	float	   *vector;
	int			dimensions;
	char	   *complaint;
	S3vKey		key;
	StringInfoData metadata;
	s3v_error	err;

	key_value = slot_getattr(slot, source->key.attnum, &key_null);
	vector_value = slot_getattr(slot, source->vector.attnum, &vector_null);
	if (vector_null || key_null)
	{
		sync->skipped++;
		return;
	}
	key = key_from_datum(key_value, source->key.base_type, source->key_kind);
	vector = vector_from_row(vector_value, source, &dimensions, &complaint);
	if (complaint == NULL)
		complaint = vector_complaint(vector, dimensions, sync->index->dimensions);
	if (complaint != NULL)
	{
		MemoryContext before = MemoryContextSwitchTo(keep);

		note_bad_row(bad, key_to_text(key.data, key.size, source->key_kind), pstrdup(complaint));
		MemoryContextSwitchTo(before);
		return;
	}
	if (sync->index->metric == S3V_COSINE && s3v_vector_check(vector, dimensions) == S3V_VECTOR_ZERO)
	{
		sync->skipped++;
		return;
	}

	initStringInfo(&metadata);
	if (source->metadata_count > 0)
	{
		Datum	   *values = palloc(sizeof(Datum) * source->metadata_count);
		bool	   *nulls = palloc(sizeof(bool) * source->metadata_count);
		int			i;

		for (i = 0; i < source->metadata_count; i++)
			values[i] = slot_getattr(slot, source->metadata[i].attnum, &nulls[i]);
		metadata_encode(&metadata, source, values, nulls);
	}
	if (s3v_keys_contains(sync->changed, key.data, key.size))
		sync->rows_changed_found++;
	/* Once a row is bad the build is lost; the scan goes on only to name the others. */
	if (bad->count == 0)
		boundary_check(sync->call, s3v_build_add(build, key.data, key.size, vector, metadata.data, metadata.len, &err), &err);
}

/* Reads the source in the sync's snapshot. No function of a user runs here: values come straight from the table. */
static void
read_source(Sync *sync, Relation rel, const S3vSource *source, s3v_build *build)
{
	TableScanDesc scan = table_beginscan(rel, sync->snapshot, 0, NULL);
	TupleTableSlot *slot = table_slot_create(rel, NULL);
	MemoryContext row_context = AllocSetContextCreate(CurrentMemoryContext, "s3v source row", ALLOCSET_DEFAULT_SIZES);
	MemoryContext keep = CurrentMemoryContext;
	BadRows		bad = {0};

	while (table_scan_getnextslot(scan, ForwardScanDirection, slot))
	{
		MemoryContext before = MemoryContextSwitchTo(row_context);

		CHECK_FOR_INTERRUPTS();
		add_row(sync, source, build, slot, &bad, keep);
		MemoryContextSwitchTo(before);
		MemoryContextReset(row_context);
	}
	ExecDropSingleTupleTableSlot(slot);
	table_endscan(scan);
	MemoryContextDelete(row_context);
	if (bad.count > 0)
		raise_bad_rows(sync, &bad);
}

/* As the source's owner, in a restricted operation with a pinned search_path: syncs run from pg_cron as anybody, superusers too. */
static void
read_source_as_owner(Sync *sync, Relation rel, const S3vSource *source, s3v_build *build)
{
	Oid			user;
	int			context;
	int			nest = NewGUCNestLevel();

	GetUserIdAndSecContext(&user, &context);
	SetUserIdAndSecContext(rel->rd_rel->relowner, context | SECURITY_RESTRICTED_OPERATION);
	(void) set_config_option("search_path", "pg_catalog, pg_temp", PGC_USERSET, PGC_S_SESSION, GUC_ACTION_SAVE, true, 0, false);
	read_source(sync, rel, source, build);
	AtEOXact_GUC(false, nest);
	SetUserIdAndSecContext(user, context);
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
	options.memory_bytes = (uint64) maintenance_work_mem * 1024;
	options.threads = 1 + max_parallel_maintenance_workers;

	progress_start(sync->index->index_id);
	boundary_on_progress(sync->call, progress_report, NULL);
	boundary_check(sync->call, s3v_build_open(boundary_env(sync->call), sync->store, &options, (s3v_build **) &handle->ptr, &err),
				   &err);
	read_source_as_owner(sync, rel, source, handle->ptr);
	boundary_check(sync->call, s3v_build_finish(handle->ptr, &sync->built, &err), &err);
	handle_release(handle);
	progress_end();
}

/* ---- publishing ---- */

static ArrayType *
running_array(const Sync *sync)
{
	Snapshot	snapshot = sync->snapshot;
	Datum	   *xids = palloc(sizeof(Datum) * (snapshot->xcnt + 1));
	int			count = 0;
	uint32		i;

	for (i = 0; i < snapshot->xcnt; i++)
		xids[count++] = FullTransactionIdGetDatum(widen_xid(snapshot->xip[i]));
	/* Our own id is not among them: rows that this transaction logs after its sync are pending for whoever reads later. */
	xids[count++] = FullTransactionIdGetDatum(GetTopFullTransactionId());
	return construct_array(xids, count, XID8OID, sizeof(FullTransactionId), FLOAT8PASSBYVAL, TYPALIGN_DOUBLE);
}

/* Deletes exactly the log rows that were read; a broken lock then fails instead of losing data. */
static void
consume_log(const Sync *sync)
{
	Oid			types[3] = {OIDOID, XID8OID, XID8ARRAYOID};
	Datum		values[3];
	char	   *log = quote_qualified_identifier(get_namespace_name(get_rel_namespace(sync->index->log)),
												 get_rel_name(sync->index->log));
	uint64		deleted;

	if (sync->log_rows == 0)
		return;
	values[0] = ObjectIdGetDatum(sync->index->index_id);
	if (sync->version->bounded)
	{
		Datum	   *xids = palloc(sizeof(Datum) * (sync->version->running_count + 1));
		int			i;

		for (i = 0; i < sync->version->running_count; i++)
			xids[i] = FullTransactionIdGetDatum(sync->version->running[i]);
		values[1] = FullTransactionIdGetDatum(sync->version->hi);
		values[2] = PointerGetDatum(construct_array(xids, sync->version->running_count, XID8OID, sizeof(FullTransactionId),
													FLOAT8PASSBYVAL, TYPALIGN_DOUBLE));
		deleted = catalog_execute(psprintf("DELETE FROM %s WHERE index_id = $1 AND (xid >= $2 OR xid = ANY ($3))", log),
								  3, types, values, NULL, sync->snapshot);
	}
	else
		deleted = catalog_execute(psprintf("DELETE FROM %s WHERE index_id = $1", log), 1, types, values, NULL, sync->snapshot);
	if (deleted != sync->log_rows)
		ereport(ERROR,
				(errcode(ERRCODE_T_R_SERIALIZATION_FAILURE),
				 errmsg("change log of index \"%s\" was consumed by another transaction", get_rel_name(sync->index->index_id)),
				 errdetail("Read " INT64_FORMAT " rows, but deleted " UINT64_FORMAT ".", sync->log_rows, deleted)));
}

static void
delete_stale_marks(const Sync *sync)
{
	Oid			types[1] = {OIDOID};
	Datum		values[1];

	values[0] = ObjectIdGetDatum(sync->index->index_id);
	(void) catalog_execute("DELETE FROM s3v.stale WHERE index_id = $1", 1, types, values, NULL, sync->snapshot);
}

static void
publish_version(const Sync *sync)
{
	Oid			types[18] = {OIDOID, INT8OID, TEXTOID, TEXTOID, INT8OID, TEXTOID, INT8OID, INT8OID, INT8OID, INT8OID, INT8OID,
		INT8OID, INT8OID, XID8OID, XID8ARRAYOID, INT8OID, INT8OID, XID8OID};
	Datum		values[18];
	const s3v_version *built = &sync->built;
	int64		system_identifier = (int64) GetSystemIdentifier();

	values[0] = ObjectIdGetDatum(sync->index->index_id);
	values[1] = Int64GetDatum(sync->version->version + 1);
	values[2] = CStringGetTextDatum(built->manifest);
	values[3] = CStringGetTextDatum(built->base);
	values[4] = Int64GetDatum(built->base_length);
	values[5] = CStringGetTextDatum(built->delta);
	values[6] = Int64GetDatum(built->delta_length);
	values[7] = Int64GetDatum(built->rows);
	values[8] = Int64GetDatum(sync->skipped);
	values[9] = Int64GetDatum(built->lists);
	values[10] = Int64GetDatum(built->segments);
	values[11] = Int64GetDatum(built->bytes);
	values[12] = Int64GetDatum(sync->owner);
	values[13] = FullTransactionIdGetDatum(widen_xid(sync->snapshot->xmax));
	values[14] = PointerGetDatum(running_array(sync));
	values[15] = Int64GetDatum(system_identifier);
	values[16] = Int64GetDatum(sync->version->version);
	values[17] = FullTransactionIdGetDatum(GetTopFullTransactionId());

	if (catalog_execute("UPDATE s3v.version SET version = $2, manifest = $3, base = $4, base_bytes = $5, delta = $6,"
						" delta_bytes = $7, rows = $8, skipped = $9, lists = $10, segments = $11, bytes = $12, owner = $13,"
						" hi = $14, running = $15, system_identifier = $16, synced_at = pg_catalog.statement_timestamp()"
						" WHERE index_id = $1 AND version = $17",
						17, types, values, NULL, sync->snapshot) != 1)
		ereport(ERROR,
				(errcode(ERRCODE_T_R_SERIALIZATION_FAILURE),
				 errmsg("index \"%s\" was synced by another transaction", get_rel_name(sync->index->index_id))));

	types[1] = XID8OID;
	values[1] = values[17];
	types[2] = INT8OID;
	values[2] = values[15];
	(void) catalog_execute("UPDATE s3v.history SET retired_by = $2, retired_at = pg_catalog.statement_timestamp(),"
						   " system_identifier = $3 WHERE index_id = $1 AND retired_by IS NULL",
						   3, types, values, NULL, sync->snapshot);
	types[1] = INT8OID;
	values[1] = Int64GetDatum(sync->version->version + 1);
	types[2] = TEXTOID;
	values[2] = CStringGetTextDatum(built->manifest);
	(void) catalog_execute("INSERT INTO s3v.history (index_id, version, manifest) VALUES ($1, $2, $3)",
						   3, types, values, NULL, sync->snapshot);
}

/* ---- one index ---- */

static void
open_sync(Sync *sync, Oid index_id)
{
	HeapTuple	tuple = SearchSysCache1(RELOID, ObjectIdGetDatum(index_id));
	Oid			owner;

	if (!HeapTupleIsValid(tuple))
		elog(ERROR, "cache lookup failed for relation %u", index_id);
	owner = ((Form_pg_class) GETSTRUCT(tuple))->relowner;
	ReleaseSysCache(tuple);
	sync->call = boundary_begin();
	sync->store = server_store(GetForeignTable(index_id)->serverid, owner);
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
	if (!sync_lock(index_id, wait))
	{
		result.skipped = true;
		MemoryContextSwitchTo(before);
		MemoryContextDelete(context);
		return result;
	}
	/* The lock took in all invalidations. The source must not change shape from here on; then, and only then, the snapshot. */
	sync.index = catalog_index(index_id, GetActiveSnapshot());
	if (sync.index != NULL)
		LockRelationOid(sync.index->source, AccessShareLock);
	if (!creating)
		sync_check_isolation(index_id);
	PushActiveSnapshot(GetTransactionSnapshot());
	sync.snapshot = GetActiveSnapshot();

	sync.index = catalog_index(index_id, sync.snapshot);
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
		consume_log(&sync);
		if (mode == SYNC_REBUILD)
			delete_stale_marks(&sync);
		publish_version(&sync);
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

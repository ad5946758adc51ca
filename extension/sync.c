/*
 * s3v_sync: lock, then a snapshot, then the changes it sees; new objects under new names; log rows consumed and the version row
 * updated in this transaction, whose commit is the publication.
 */
#include "postgres.h"

#include "access/table.h"
#include "catalog/pg_class.h"
#include "miscadmin.h"
#include "storage/lmgr.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rls.h"
#include "utils/snapmgr.h"

#include "boundary.h"
#include "columns.h"
#include "compat.h"
#include "fault_point.h"
#include "ownership.h"
#include "partitions.h"
#include "progress.h"
#include "remote.h"
#include "server.h"
#include "stat.h"
#include "sync.h"
#include "sync_parts.h"

/* ---- what there is ---- */

static int
compare_xids(const void *a, const void *b)
{
	const FullTransactionId *left = a;
	const FullTransactionId *right = b;

	return FullTransactionIdPrecedes(*left, *right) ? -1 : FullTransactionIdPrecedes(*right, *left) ? 1 : 0;
}

/* A crash empties an unlogged table, a foreign one changes unseen. */
static void
check_leaves(const Sync *sync)
{
	ListCell   *cell;

	foreach(cell, partitions_leaves(sync->index->source, AccessShareLock))
	{
		const char *unfit = partitions_unfit(lfirst_oid(cell));

		if (unfit != NULL)
			ereport(ERROR,
					(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
					 errmsg("table \"%s\" is %s", get_rel_name(lfirst_oid(cell)), unfit),
					 errdetail("It holds rows of the source of index \"%s\".", get_rel_name(sync->index->index_id)),
					 get_rel_relkind(lfirst_oid(cell)) == RELKIND_RELATION
					 ? errhint("ALTER TABLE ... SET LOGGED, and run s3v_sync with mode 'reconcile'.")
					 : errhint("Detach it, and run s3v_sync with mode 'reconcile'.")));
	}
}

/* What is published must be what later changes are logged against: every row by a key of its own, every change captured. */
static void
check_capture(const Sync *sync)
{
	const char *name = RelationGetRelationName(sync->rel);

	check_leaves(sync);
	if (!catalog_capture_in_place(sync->index->source))
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("changes of table \"%s\" are not captured", name),
				 sync->source->partitioned
				 ? errdetail("Its triggers of function s3v_capture(), their clones on partitions, and a TRUNCATE trigger on each partition must exist and be enabled ALWAYS.")
				 : errdetail("The triggers \"s3v_capture\" and \"s3v_capture_truncate\" must exist and be enabled ALWAYS."),
				 sync->source->partitioned
				 ? errhint("ALTER TABLE ... ENABLE ALWAYS TRIGGER ..., where one was switched off; if one is gone, drop the index and create it again.")
				 : errhint("ALTER TABLE ... ENABLE ALWAYS TRIGGER s3v_capture, and the same for s3v_capture_truncate; if they are gone, drop the index and create it again.")));
	/* s3v_create_index holds a lock that keeps writers out, and its triggers are of this transaction. */
	if (!sync->request->creating && !catalog_capture_was_in_place(sync->index->source, sync->snapshot))
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("changes of table \"%s\" were not captured when the snapshot of this sync was taken", name),
				 errdetail("Rows that others changed since then may be missing from it, and from the change log."),
				 errhint("Run s3v_sync again in a transaction of its own.")));
	if (!catalog_key_enforced(sync->index))
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("key column \"%s\" of table \"%s\" is no longer unique and NOT NULL", sync->index->key_column, name),
				 errhint("Restore its unique index and NOT NULL, or drop the index of s3v.")));
	/* Their owner would index rows that they may not see. */
	if (check_enable_rls(sync->index->source, sync->rel->rd_rel->relowner, true) == RLS_ENABLED)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("row-level security of table \"%s\" is forced on its owner", name),
				 errdetail("An index is of all rows, or of none."),
				 errhint("ALTER TABLE ... NO FORCE ROW LEVEL SECURITY, or give the table to a role with BYPASSRLS.")));
	if (source_has_children(sync->index->source))
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("table \"%s\" has child tables", name),
				 errdetail("Their changes are not captured.")));
	/* REASSIGN OWNED fires no event trigger: the log follows the source's owner here at the latest. */
	catalog_share_log(sync->index->source, sync->index->log);
}

/* Everything that decides what is to be done, under the sync's snapshot. */
static void
look_around(Sync *sync, Oid index_id)
{
	char	   *reason;

	/* With the columns' names of now, which are those of the source. */
	sync->index = catalog_index(index_id, NULL);
	sync->version = catalog_version(index_id, sync->snapshot);
	if (sync->index == NULL || sync->version == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("index with OID %u was dropped or is not an s3v index", index_id)));
	/* So that the log is read in order. */
	if (sync->version->bounded)
		qsort(sync->version->running, sync->version->running_count, sizeof(FullTransactionId), compare_xids);
	sync->rel = table_open(sync->index->source, AccessShareLock);
	sync->source = source_describe(sync->rel, sync->index->key_column, sync->index->vector_column, sync->index->metadata_count,
								   sync->index->metadata, false);
	check_capture(sync);
	if (remote_index(index_id) && sync->index->remote_names != NULL)
		sync->remote = remote_schema(sync->index, sync->source);
	sync->stale = catalog_is_stale(index_id, sync->snapshot, &reason);
	sync_survey_log(sync);
}

/* ---- the store ---- */

static void
open_store(Sync *sync)
{
	sync->call = boundary_begin();
	sync->store = server_index_store(sync->index->index_id);
	s3v_store_counters(sync->store, &sync->before);
}

void
sync_claim(Sync *sync)
{
	if (sync->owner == 0)
	{
		sync->owner = ownership_claim(sync->call, sync->store, sync->index->uuid, sync->version->owner, CLAIM_CONTINUE);
		FAULT_POINT("sync.claimed");
	}
}

static void
count_requests(const Sync *sync, S3vSyncResult *result)
{
	s3v_counters now;

	s3v_store_counters(sync->store, &now);
	result->requests = (now.get_requests - sync->before.get_requests) + (now.put_requests - sync->before.put_requests) +
		(now.delete_requests - sync->before.delete_requests);
	result->bytes_written = now.bytes_written - sync->before.bytes_written;
}

/* ---- one index ---- */

static bool
has_something_to_do(const Sync *sync)
{
	const S3vSyncRequest *request = sync->request;

	/* The service keeps its indexes in order by itself; one that another cluster wrote has to be compared. */
	if (sync->remote != NULL && !sync->version->at_home)
		return true;
	return request->mode != SYNC_CHANGES || (request->optimize && sync->remote == NULL) || sync->version->version == 0 ||
		sync->log_rows > 0;
}

/* Makes what will be published. The columns' types are those of before. */
static SyncOutcome
write_objects(Sync *sync, bool columns_match)
{
	S3vSyncMode mode = sync->request->mode;
	SyncOutcome outcome = OUTCOME_BUILD;
	S3vOwnerScope scope;

	progress_start(sync->index->index_id);
	boundary_on_progress(sync->call, progress_report, NULL);
	/* The source is read as its owner, in a restricted operation: syncs run from pg_cron as anybody, superusers too. */
	catalog_enter_as(&scope, sync->rel->rd_rel->relowner);
	if (sync->remote != NULL)
		outcome = sync_remote(sync, columns_match);
	else if (sync->version->version > 0 && !sync->everything)
	{
		if (mode == SYNC_CHANGES)
			outcome = sync_changes(sync);
		else if (mode == SYNC_RECONCILE && columns_match)
			outcome = sync_reconcile(sync);
	}
	if (outcome == OUTCOME_BUILD)
		outcome = sync_build(sync);
	catalog_leave(&scope);
	progress_end();
	return outcome;
}

/* With the commit of this transaction. */
static void
publish(Sync *sync, SyncOutcome outcome)
{
	if (outcome == OUTCOME_NOTHING)
		return;
	if (sync->remote == NULL)
		sync_consume_log(sync);
	FAULT_POINT("sync.log_deleted");
	if (sync->request->mode != SYNC_CHANGES)
		sync_delete_stale_marks(sync);
	if (sync->remote != NULL)
		sync_publish_remote(sync, outcome);
	else if (outcome == OUTCOME_NEW_VERSION)
		sync_publish_version(sync);
	else
		sync_publish_same_objects(sync);
	FAULT_POINT("sync.pointer_written");
	/* As late as we can: whoever took the prefix while we wrote must stop us. */
	if (sync->owner != 0)
		ownership_verify(sync->call, sync->store, sync->index->uuid, sync->owner);
}

/* Under the lock and the snapshot. */
static void
sync_under_snapshot(Sync *sync, Oid index_id, S3vSyncResult *result)
{
	look_around(sync, index_id);
	result->version = sync->version->version;
	if (has_something_to_do(sync))
	{
		bool		match = columns_match(sync->index, sync->source);
		SyncOutcome outcome;

		if (sync->request->mode != SYNC_CHANGES)
			columns_follow(sync->index, sync->source);
		open_store(sync);
		outcome = write_objects(sync, match);
		publish(sync, outcome);
		if (outcome == OUTCOME_NEW_VERSION)
			result->version++;
		result->upserted = sync->upserted;
		result->deleted = sync->deleted;
		count_requests(sync, result);
	}
	table_close(sync->rel, NoLock);
}

static void
unlock_tables(List *tables)
{
	ListCell   *cell;

	foreach(cell, tables)
		UnlockRelationOid(lfirst_oid(cell), AccessShareLock);
}

/*
 * The source first, as whoever locks it for a TRUNCATE or DDL and syncs or drops the index then: no deadlock with them. But whoever waits
 * for another sync does not hold it: a DROP of the index, which has that lock, goes on to the source, for its triggers. Nor does whoever
 * waits for the foreign table, which a DROP of the index has from its beginning; a sync that looked at it later would wait for that DROP, and
 * the DROP for the sync.
 */
bool
sync_lock(Oid index_id, bool wait)
{
	for (;;)
	{
		S3vIndex   *index = catalog_index(index_id, NULL);
		S3vPartitions tree = {NIL, NIL, false};

		if (index != NULL)
			tree = partitions_read(index->source, AccessShareLock);
		if (ConditionalLockRelationOid(index_id, AccessShareLock))
		{
			if (catalog_lock_index(index_id, false))
				return true;
			UnlockRelationOid(index_id, AccessShareLock);
		}
		unlock_tables(tree.tables);
		unlock_tables(tree.leaves);
		if (!wait)
			return false;
		LockRelationOid(index_id, AccessShareLock);
		UnlockRelationOid(index_id, AccessShareLock);
		catalog_await_index(index_id);
	}
}

S3vSyncResult
sync_index(Oid index_id, const S3vSyncRequest *request)
{
	S3vSyncResult result = {0};
	Sync		sync = {.request = request};
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "s3v sync", ALLOCSET_DEFAULT_SIZES);
	MemoryContext before = MemoryContextSwitchTo(context);

	PreventCommandIfReadOnly("s3v_sync()");
	stat_begin();
	INSTR_TIME_SET_CURRENT(sync.started);
	if (!sync_lock(index_id, request->wait))
		result.skipped = true;
	else
	{
		FAULT_POINT("sync.locked");
		/* The locks took in all invalidations, and the source cannot change shape any more; then, and only then, the snapshot. */
		if (!request->creating)
			sync_check_isolation(index_id);
		PushActiveSnapshot(GetTransactionSnapshot());
		sync.snapshot = GetActiveSnapshot();
		FAULT_POINT("sync.snapshot");
		sync_under_snapshot(&sync, index_id, &result);
		PopActiveSnapshot();
	}
	stat_note_sync(&result);
	MemoryContextSwitchTo(before);
	MemoryContextDelete(context);
	return result;
}

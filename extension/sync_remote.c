/*
 * Syncs of indexes on s3vectors://. Changes go into the remote index that the version names; a build fills a new one, whose name the commit
 * publishes. docs/design/s3vectors.md says why readers of older snapshots are not misled.
 */
#include "postgres.h"

#include "miscadmin.h"
#include "pgstat.h"
#include "storage/latch.h"
#include "utils/lsyscache.h"
#include "utils/timestamp.h"
#include "utils/wait_event.h"

#include "compare.h"
#include "compat.h"
#include "progress.h"
#include "remote.h"
#include "retained.h"
#include "sync_parts.h"

/* So long may a request of a sync that did not finish still be under way. */
#define GRACE_MS 5000

/* Older than any version: all that are recorded are kept. */
#define KEEP_ALL_SECONDS PG_INT32_MAX

/* ---- before anything is written ------------------------------------------------------------------------------------------------- */

static void
wait_for_requests_under_way(void)
{
	TimestampTz until = TimestampTzPlusMilliseconds(GetCurrentTimestamp(), GRACE_MS);
	long		left;

	progress_report(NULL, "waiting for requests of an unfinished sync", 0, 0);
	while ((left = TimestampDifferenceMilliseconds(GetCurrentTimestamp(), until)) > 0)
	{
		(void) WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH, left, PG_WAIT_EXTENSION);
		ResetLatch(MyLatch);
		CHECK_FOR_INTERRUPTS();
	}
}

/* Numbers of the owner's chain that no version has are of attempts of ours that were rolled back or killed. */
static bool
is_after_unfinished(const Sync *sync)
{
	return sync->owner > (uint64) sync->version->owner + 1;
}

static void
claim(Sync *sync)
{
	if (sync->owner != 0)
		return;
	sync_claim(sync);
	if (is_after_unfinished(sync))
		wait_for_requests_under_way();
}

/* Rolled back, they would be gone from table and log, and stay with the service. */
static void
refuse_own_changes(const Sync *sync)
{
	if (sync->own_changes)
		ereport(ERROR,
				(errcode(ERRCODE_ACTIVE_SQL_TRANSACTION),
				 errmsg("index \"%s\" cannot be synced in the transaction that changed table \"%s\"",
						get_rel_name(sync->index->index_id), get_rel_name(sync->index->source)),
				 errdetail("Amazon S3 Vectors cannot roll back."),
				 errhint("Commit first.")));
}

/* ---- writing --------------------------------------------------------------------------------------------------------------------- */

static void
free_writer(void *writer)
{
	s3v_remote_writer_free(writer);
}

S3vHandle *
sync_remote_writer(Sync *sync, const char *name)
{
	S3vHandle  *handle = handle_make(CurrentMemoryContext, free_writer);
	s3v_error	err;

	refuse_own_changes(sync);
	claim(sync);
	sync->skipped = sync->version->skipped;
	boundary_check(sync->call, s3v_remote_writer_open(boundary_env(sync->call), sync->store, sync->remote, name,
													  (s3v_remote_writer **) &handle->ptr, &err), &err);
	return handle;
}

/* ---- comparing ------------------------------------------------------------------------------------------------------------------- */

static void
free_contents(void *contents)
{
	s3v_contents_free(contents);
}

typedef struct Repair
{
	Sync	   *sync;
	const char *name;
	SyncUpdate *update;			/* NULL: nothing to repair so far */
} Repair;

/* Begins with the first thing to repair. */
static SyncUpdate *
updating(Repair *repair)
{
	if (repair->update == NULL)
		repair->update = sync_update_begin_remote(repair->sync, repair->name);
	return repair->update;
}

static void
repair_difference(void *arg, S3vDifference difference, const void *key, size_t size)
{
	Repair	   *repair = arg;
	S3vKey		changed = {.data = unconstify(void *, key), .size = (int) size};

	if (difference == ROW_ORPHANED)
		sync_update_remove(updating(repair), &changed);
	else
		sync_update_key(updating(repair), &changed);
}

/* Makes a remote index what the snapshot sees, whatever it holds. */
static SyncOutcome
make_equal(Sync *sync, const char *name)
{
	S3vHandle  *handle = handle_make(CurrentMemoryContext, free_contents);
	Repair		repair = {.sync = sync, .name = name};
	S3vComparison comparison = {.index = sync->index, .source = sync->source, .rel = sync->rel, .snapshot = sync->snapshot,
	.call = sync->call, .remote = sync->remote};
	uint64_t	foreign = 0;
	SyncOutcome outcome = OUTCOME_NOTHING;
	s3v_error	err;

	boundary_check(sync->call, s3v_remote_contents_open(boundary_env(sync->call), sync->store, sync->remote, name,
														(uint64) maintenance_work_mem * 1024, (s3v_contents **) &handle->ptr, &foreign, &err),
				   &err);
	comparison.contents = handle->ptr;
	compare_rows(&comparison, repair_difference, &repair);
	if (foreign > 0)
		sync_update_remove_foreign(updating(&repair), handle->ptr);
	if (repair.update != NULL)
		outcome = sync_update_end(repair.update);
	sync->taken = sync->log_rows;
	sync->skipped = comparison.skipped;
	sync->built.rows = comparison.rows;
	return outcome;
}

static SyncOutcome
reconcile(Sync *sync)
{
	SyncOutcome outcome;

	refuse_own_changes(sync);
	if (!sync->version->at_home)
		claim(sync);
	outcome = make_equal(sync, sync->version->manifest);
	sync->remote_name = sync->version->manifest;
	sync->repaired = outcome == OUTCOME_NEW_VERSION;
	if (outcome == OUTCOME_NOTHING &&
		(sync->log_rows > 0 || sync->stale || !sync->version->at_home || sync->skipped != sync->version->skipped ||
		 sync->version->rows != (int64) sync->built.rows))
		outcome = OUTCOME_SAME_OBJECTS;
	return outcome;
}

/* ---- building --------------------------------------------------------------------------------------------------------------------- */

static s3v_code
put_row(void *writer, const SyncRow *row, s3v_error *err)
{
	return s3v_remote_writer_put(writer, row->key.data, row->key.size, row->vector, row->metadata.data, row->metadata.len, err);
}

/* Into an index that is empty. */
static void
put_all(Sync *sync, const char *name)
{
	S3vHandle  *handle = handle_make(CurrentMemoryContext, free_writer);
	s3v_error	err;

	boundary_check(sync->call, s3v_remote_writer_open(boundary_env(sync->call), sync->store, sync->remote, name,
													  (s3v_remote_writer **) &handle->ptr, &err), &err);
	sync->built.rows = sync_feed_rows(sync, put_row, handle->ptr);
	boundary_check(sync->call, s3v_remote_writer_finish(handle->ptr, &sync->written, &err), &err);
	handle_release(handle);
	sync->upserted = (int64) sync->written.put;
}

/* With names of remote indexes that some version has. */
static char *
find_unfinished(Sync *sync, const s3v_remote_creation *creation)
{
	Retained	published = retained_read(sync->index->index_id, KEEP_ALL_SECONDS);
	char		name[S3V_MAX_REMOTE_NAME];
	s3v_error	err;

	boundary_check(sync->call, s3v_remote_find_unfinished(boundary_env(sync->call), sync->store, sync->index->uuid,
														  (const char *const *) published.manifests, published.count, creation, name,
														  &err), &err);
	return name[0] != '\0' ? pstrdup(name) : NULL;
}

/* What an earlier attempt left is gone on with, unless it may hold rows of this transaction's making. */
static SyncOutcome
build(Sync *sync)
{
	Datum		ignored;
	s3v_remote_creation creation = remote_creation(sync->index, &ignored);
	char		name[S3V_MAX_REMOTE_NAME];
	s3v_error	err;

	if (creation.create_bucket)
		boundary_check(sync->call, s3v_remote_make_bucket(boundary_env(sync->call), sync->store, &err), &err);
	claim(sync);
	if (is_after_unfinished(sync) && !sync->own_changes)
		sync->remote_name = find_unfinished(sync, &creation);
	if (sync->remote_name != NULL)
		(void) make_equal(sync, sync->remote_name);
	else
	{
		boundary_check(sync->call, s3v_remote_create(boundary_env(sync->call), sync->store, sync->index->uuid, &creation, name, &err),
					   &err);
		sync->remote_name = pstrdup(name);
		put_all(sync, name);
	}
	sync->taken = sync->log_rows;
	return OUTCOME_NEW_VERSION;
}

/* ---- a sync ------------------------------------------------------------------------------------------------------------------------ */

SyncOutcome
sync_remote(Sync *sync, bool columns_match)
{
	SyncOutcome outcome;

	if (sync->version->version == 0 || sync->everything || sync->request->mode == SYNC_REBUILD ||
		(sync->request->mode == SYNC_RECONCILE && !columns_match))
		return build(sync);
	if (sync->request->mode == SYNC_RECONCILE || !sync->version->at_home)
		return reconcile(sync);
	outcome = sync_changes(sync);
	sync->remote_name = sync->version->manifest;
	sync->built.rows = Max(sync->version->rows + (int64) sync->written.put - sync->existed, 0);
	return outcome;
}

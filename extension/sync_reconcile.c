/*
 * A sync that looks at what is there, not at what the log says: source and version are compared by key and content hash, objects are checked
 * whole, and what differs or is damaged is written anew.
 */
#include "postgres.h"

#include "utils/lsyscache.h"

#include "compare.h"
#include "sync_parts.h"

typedef struct Repair
{
	Sync	   *sync;
	SyncUpdate *update;			/* NULL: nothing to repair so far */
	bool		in_vain;		/* the version cannot be updated */
} Repair;

/* Begins with the first thing to repair: a version without fault costs no write. */
static bool
is_updating(Repair *repair)
{
	if (repair->update == NULL && !repair->in_vain)
	{
		repair->update = sync_update_begin(repair->sync);
		repair->in_vain = repair->update == NULL;
	}
	return repair->update != NULL;
}

static void
repair_difference(void *arg, S3vDifference difference, const void *key, size_t size)
{
	Repair	   *repair = arg;
	S3vKey		changed = {.data = unconstify(void *, key), .size = (int) size};

	if (!is_updating(repair))
		return;
	if (difference == ROW_ORPHANED)
		sync_update_remove(repair->update, &changed);
	else
		sync_update_key(repair->update, &changed);
}

static void
free_contents(void *contents)
{
	s3v_contents_free(contents);
}

static s3v_contents *
open_contents(const Sync *sync, s3v_damage *damage)
{
	S3vHandle  *handle = handle_make(CurrentMemoryContext, free_contents);
	s3v_version_names names = catalog_version_names(sync->index, sync->version);
	s3v_error	err;

	boundary_check(sync->call, s3v_contents_open(boundary_env(sync->call), sync->store, &names, sync->version->manifest,
												 (s3v_contents **) &handle->ptr, damage, &err), &err);
	return handle->ptr;
}

static void
tell_damage(const Sync *sync, const s3v_damage *damage)
{
	if (damage->objects == 0)
		return;
	ereport(NOTICE,
			(errmsg_plural("index \"%s\": " UINT64_FORMAT " object is missing or damaged",
						   "index \"%s\": " UINT64_FORMAT " objects are missing or damaged",
						   (unsigned long) damage->objects, get_rel_name(sync->index->index_id), damage->objects),
			 errdetail_internal("%s", damage->complaint)));
}

SyncOutcome
sync_reconcile(Sync *sync)
{
	Repair		repair = {.sync = sync};
	S3vComparison comparison = {.index = sync->index, .source = sync->source, .rel = sync->rel, .snapshot = sync->snapshot,
	.call = sync->call};
	s3v_damage	damage = {0};
	SyncOutcome outcome;

	comparison.contents = open_contents(sync, &damage);
	tell_damage(sync, &damage);
	if (damage.unusable)
		return OUTCOME_BUILD;
	compare_rows(&comparison, repair_difference, &repair);
	if (damage.objects > 0 && is_updating(&repair))
		sync_update_discard_damaged(repair.update, comparison.contents);
	if (repair.in_vain)
		return OUTCOME_BUILD;

	if (repair.update != NULL)
		outcome = sync_update_end(repair.update);
	else if (sync->log_rows > 0 || sync->stale || comparison.skipped != sync->version->skipped)
		outcome = OUTCOME_SAME_OBJECTS;
	else
		outcome = OUTCOME_NOTHING;
	/* All rows were compared: what the log says is done, whatever it says, and all rows without a vector were met. */
	sync->taken = sync->log_rows;
	sync->skipped = comparison.skipped;
	return outcome;
}

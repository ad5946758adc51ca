/* The change log of a sync: what is in it, and the changes that go into an update of the version, up to the request's limits. */
#include "postgres.h"

#include "access/xact.h"
#include "miscadmin.h"

#include "progress.h"
#include "sync_parts.h"

/* ---- what is to be done ---- */

static bool
count_change(void *arg, const S3vLogRow *row)
{
	Sync	   *sync = arg;

	CHECK_FOR_INTERRUPTS();
	sync->log_rows++;
	if (row->key == NULL)
		sync->everything = true;
	if (FullTransactionIdEquals(row->xid, GetTopFullTransactionIdIfAny()))
		sync->own_changes = true;
	return true;
}

/* Nothing is kept of the rows, however many there are; those that are taken are read once more. */
void
sync_survey_log(Sync *sync)
{
	catalog_log_scan_rows(sync->index, sync->version, sync->snapshot, false, count_change, sync);
}

/* ---- taking changes ---- */

typedef struct Taking
{
	Sync	   *sync;
	SyncUpdate *update;
	s3v_keys   *seen;			/* a key may be in the log many times */
} Taking;

static double
seconds_since(const instr_time *start)
{
	instr_time	now;

	INSTR_TIME_SET_CURRENT(now);
	INSTR_TIME_SUBTRACT(now, *start);
	return INSTR_TIME_GET_DOUBLE(now);
}

/* Half of the time is left for writing. At least one row is always taken: a log must get shorter. */
static bool
has_enough(const Sync *sync)
{
	const S3vSyncRequest *request = sync->request;

	if (sync->taken == 0)
		return false;
	return (request->max_rows > 0 && sync->taken >= request->max_rows) ||
		(request->max_seconds > 0 && seconds_since(&sync->started) > request->max_seconds / 2);
}

static bool
is_limited(const Sync *sync)
{
	return sync->request->max_rows > 0 || sync->request->max_seconds > 0;
}

/* What is consumed and what is left must be apart by position: rows taken out of order would be lost, or left for ever. */
static void
check_order(const Sync *sync, const S3vLogRow *row)
{
	const S3vLogRow *last = &sync->last_taken;

	if (sync->taken > 0 && (FullTransactionIdPrecedes(row->xid, last->xid) ||
							(FullTransactionIdEquals(row->xid, last->xid) && row->id <= last->id)))
		elog(ERROR, "change log was not read in order");
}

static void
take_key(Taking *taking, const char *text, bool existed)
{
	const S3vSource *source = taking->sync->source;
	S3vKey		key = key_from_text(text, source->key.base_type, source->key_kind);
	s3v_error	err;

	if (!s3v_keys_contains(taking->seen, key.data, key.size))
	{
		boundary_raise(s3v_keys_add(taking->seen, key.data, key.size, &err), &err);
		sync_update_key(taking->update, &key);
		taking->sync->existed += existed;
	}
	pfree(key.data);
}

static bool
take_change(void *arg, const S3vLogRow *row)
{
	Taking	   *taking = arg;
	Sync	   *sync = taking->sync;

	CHECK_FOR_INTERRUPTS();
	if (is_limited(sync))
		check_order(sync, row);
	if (has_enough(sync))
	{
		sync->first_left = row->xid;
		return false;
	}
	sync->taken++;
	sync->last_taken.xid = row->xid;
	sync->last_taken.id = row->id;
	take_key(taking, row->key, row->existed);
	progress_report(NULL, "reading changes", sync->taken, sync->log_rows);
	return true;
}

SyncOutcome
sync_changes(Sync *sync)
{
	Taking		taking = {.sync = sync};

	taking.update = sync->remote != NULL ? sync_update_begin_remote(sync, sync->version->manifest) : sync_update_begin(sync);
	if (taking.update == NULL)
		return OUTCOME_BUILD;
	taking.seen = key_set_make();
	catalog_log_scan_rows(sync->index, sync->version, sync->snapshot, is_limited(sync), take_change, &taking);
	return sync_update_end(taking.update);
}

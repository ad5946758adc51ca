/*
 * The publication of a sync on s3vectors://. Log rows that it took are stamped with its transaction and stay, for readers of older snapshots;
 * they go when no snapshot is older than the sync that stamped them.
 */
#include "postgres.h"

#include "access/table.h"
#include "access/transam.h"
#include "access/xact.h"
#include "access/xlog.h"
#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "storage/procarray.h"
#include "utils/builtins.h"
#include "utils/xid8.h"

#include "remote.h"
#include "sync.h"
#include "sync_parts.h"

/* ---- the log ---------------------------------------------------------------------------------------------------------------------- */

static void
stamp_log(const Sync *sync)
{
	Oid			types[SYNC_LOG_ARGUMENTS] = {XID8OID};
	Datum		values[SYNC_LOG_ARGUMENTS];

	if (sync->taken == 0)
		return;
	values[0] = FullTransactionIdGetDatum(GetTopFullTransactionId());
	sync_take_log(sync, psprintf("UPDATE %s SET synced = $1", sync_log_name(sync)), 1, types, values);
}

/* Every snapshot of this database, replication slot or standby with hot_standby_feedback holds back the horizon. */
static FullTransactionId
oldest_snapshot(const Sync *sync)
{
	Relation	log = table_open(sync->index->log, AccessShareLock);
	FullTransactionId oldest = catalog_full_xid(GetOldestNonRemovableTransactionId(log));

	table_close(log, AccessShareLock);
	return oldest;
}

/* No snapshot of this cluster is as old as stamps of another one. */
static void
forget_stamped(const Sync *sync)
{
	Oid			types[2] = {OIDOID, XID8OID};
	Datum		values[2];
	int			nargs = sync->version->bounded ? 2 : 1;

	values[0] = ObjectIdGetDatum(sync->index->index_id);
	values[1] = FullTransactionIdGetDatum(oldest_snapshot(sync));
	(void) sync_change_log(sync, psprintf("DELETE FROM %s WHERE index_id = $1 AND synced %s", sync_log_name(sync),
										  nargs == 2 ? "< $2" : "IS NOT NULL"), nargs, types, values);
}

/* ---- the version row --------------------------------------------------------------------------------------------------------------- */

static bool
is_new_generation(const Sync *sync)
{
	return sync->version->manifest == NULL || strcmp(sync->version->manifest, sync->remote_name) != 0;
}

/* Of all vectors, from what was put and what was there before. */
static int64
logical_bytes(const Sync *sync)
{
	double		rows = (double) sync->built.rows;
	double		written = sync->written.put > 0 ? (double) sync->written.logical_bytes / sync->written.put : 0;
	double		before = sync->version->rows > 0 ? (double) sync->version->bytes / sync->version->rows : written;
	double		share = rows > 0 ? Min((double) sync->written.put / rows, 1) : 0;

	return (int64) (rows * (share * written + (1 - share) * before));
}

/* From now on rows are held to what this remote index filters by. */
static void
note_nonfilterable(const Sync *sync)
{
	Oid			types[2] = {OIDOID, NAMEARRAYOID};
	Datum		values[2];

	values[0] = ObjectIdGetDatum(sync->index->index_id);
	(void) remote_creation(sync->index, &values[1]);
	if (catalog_execute("UPDATE s3v.index SET nonfilterable = $2 WHERE index_id = $1 AND nonfilterable IS DISTINCT FROM $2",
						2, types, values, NULL, NULL) > 0)
		catalog_changed(sync->index->source);
}

void
sync_publish_remote(const Sync *sync, SyncOutcome outcome)
{
	bool		changed = outcome == OUTCOME_NEW_VERSION;
	Oid			types[12] = {OIDOID, INT8OID, INT8OID, TEXTOID, INT8OID, INT8OID, INT8OID, XID8OID, XID8ARRAYOID, INT8OID, BOOLOID,
	OIDOID};
	Datum		values[12];

	stamp_log(sync);
	forget_stamped(sync);
	values[0] = ObjectIdGetDatum(sync->index->index_id);
	values[1] = Int64GetDatum(sync->version->version);
	values[2] = Int64GetDatum(sync->version->version + (changed ? 1 : 0));
	values[3] = CStringGetTextDatum(sync->remote_name);
	values[4] = Int64GetDatum((int64) sync->built.rows);
	values[5] = Int64GetDatum(sync->skipped);
	values[6] = Int64GetDatum(sync->owner != 0 ? (int64) sync->owner : sync->version->owner);
	values[7] = FullTransactionIdGetDatum(sync_upper_bound(sync));
	values[8] = sync_running_array(sync);
	values[9] = Int64GetDatum((int64) GetSystemIdentifier());
	values[10] = BoolGetDatum(sync->repaired);
	values[11] = ObjectIdGetDatum(MyDatabaseId);
	sync_update_version(sync,
						psprintf("UPDATE s3v.version SET version = $3, manifest = $4, rows = $5, skipped = $6, owner = $7, hi = $8,"
								 " running = $9, system_identifier = $10, bytes = " INT64_FORMAT ","
								 " repaired = CASE WHEN $11 THEN $3 ELSE repaired END, database = $12, synced_at = pg_catalog.statement_timestamp()"
								 " WHERE index_id = $1 AND version = $2", logical_bytes(sync)),
						12, types, values);
	if (is_new_generation(sync))
	{
		sync_add_history(sync, sync->remote_name);
		note_nonfilterable(sync);
	}
}

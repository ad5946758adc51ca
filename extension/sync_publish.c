/* The publication of a sync: log rows consumed, version row updated; nothing of it counts before the commit. */
#include "postgres.h"

#include "access/transam.h"
#include "access/xact.h"
#include "access/xlog.h"
#include "catalog/pg_type.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/snapmgr.h"
#include "utils/xid8.h"

#include "sync.h"
#include "sync_parts.h"

static Datum
xid_array(const FullTransactionId *xids, int count)
{
	Datum	   *values = palloc(sizeof(Datum) * (count + 1));

	for (int i = 0; i < count; i++)
		values[i] = FullTransactionIdGetDatum(xids[i]);
	return PointerGetDatum(construct_array(values, count, XID8OID, sizeof(FullTransactionId), FLOAT8PASSBYVAL, TYPALIGN_DOUBLE));
}

/* ---- what readers look at in the log ---- */

/* All rows below, but for those of running, are consumed or rolled back for certain. */
FullTransactionId
sync_upper_bound(const Sync *sync)
{
	FullTransactionId end = catalog_full_xid(sync->snapshot->xmax);

	if (sync_leaves_rows(sync) && FullTransactionIdPrecedes(sync->first_left, end))
		return sync->first_left;
	return end;
}

Datum
sync_running_array(const Sync *sync)
{
	Snapshot	snapshot = sync->snapshot;
	FullTransactionId *xids = palloc(sizeof(FullTransactionId) * (snapshot->xcnt + 1));
	int			count = 0;

	for (uint32 i = 0; i < snapshot->xcnt; i++)
		xids[count++] = catalog_full_xid(snapshot->xip[i]);
	/* Our own id is not among them: rows that this transaction logs after its sync are pending for whoever reads later. */
	xids[count++] = GetTopFullTransactionId();
	return xid_array(xids, count);
}

/* ---- the log ---- */

/* The log may be full of consumed rows that cannot be removed yet: a plan must never read them all. */
uint64
sync_change_log(const Sync *sync, const char *sql, int nargs, Oid *types, Datum *values)
{
	int			nest = NewGUCNestLevel();
	uint64		changed;

	(void) set_config_option("enable_seqscan", "off", PGC_USERSET, PGC_S_SESSION, GUC_ACTION_SAVE, true, 0, false);
	changed = catalog_execute(sql, nargs, types, values, NULL, sync->snapshot);
	AtEOXact_GUC(false, nest);
	return changed;
}

const char *
sync_log_name(const Sync *sync)
{
	return relation_quoted(sync->index->log);
}

/* A broken lock fails here instead of losing data. */
void
sync_take_log(const Sync *sync, const char *sql, int nargs, Oid *types, Datum *values)
{
	uint64		taken;

	types[nargs] = OIDOID;
	values[nargs++] = ObjectIdGetDatum(sync->index->index_id);
	sql = psprintf("%s WHERE index_id = $%d AND synced IS NULL", sql, nargs);
	if (sync->version->bounded)
	{
		types[nargs] = XID8OID;
		values[nargs++] = FullTransactionIdGetDatum(sync->version->hi);
		types[nargs] = XID8ARRAYOID;
		values[nargs++] = xid_array(sync->version->running, sync->version->running_count);
		sql = psprintf("%s AND (xid >= $%d OR xid = ANY ($%d))", sql, nargs - 1, nargs);
	}
	if (sync_leaves_rows(sync))
	{
		types[nargs] = XID8OID;
		values[nargs++] = FullTransactionIdGetDatum(sync->last_taken.xid);
		types[nargs] = INT8OID;
		values[nargs++] = Int64GetDatum(sync->last_taken.id);
		sql = psprintf("%s AND (xid, id) <= ($%d, $%d)", sql, nargs - 1, nargs);
	}
	taken = sync_change_log(sync, sql, nargs, types, values);
	if (taken != sync->taken)
		ereport(ERROR,
				(errcode(ERRCODE_T_R_SERIALIZATION_FAILURE),
				 errmsg("change log of index \"%s\" was consumed by another transaction", get_rel_name(sync->index->index_id)),
				 errdetail("Read " INT64_FORMAT " rows, but took " UINT64_FORMAT ".", sync->taken, taken)));
}

/* Deletes exactly the log rows that were taken. */
void
sync_consume_log(const Sync *sync)
{
	Oid			types[SYNC_LOG_ARGUMENTS];
	Datum		values[SYNC_LOG_ARGUMENTS];

	if (sync->taken > 0)
		sync_take_log(sync, psprintf("DELETE FROM %s", sync_log_name(sync)), 0, types, values);
}

void
sync_delete_stale_marks(const Sync *sync)
{
	Oid			types[1] = {OIDOID};
	Datum		values[1];

	values[0] = ObjectIdGetDatum(sync->index->index_id);
	(void) catalog_execute("DELETE FROM s3v.stale WHERE index_id = $1", 1, types, values, NULL, sync->snapshot);
}

/* ---- the version row ---- */

void
sync_update_version(const Sync *sync, const char *sql, int nargs, Oid *types, Datum *values)
{
	if (catalog_execute(sql, nargs, types, values, NULL, sync->snapshot) != 1)
		ereport(ERROR,
				(errcode(ERRCODE_T_R_SERIALIZATION_FAILURE),
				 errmsg("index \"%s\" was synced by another transaction", get_rel_name(sync->index->index_id))));
}

void
sync_publish_same_objects(const Sync *sync)
{
	Oid			types[7] = {OIDOID, INT8OID, INT8OID, INT8OID, XID8OID, XID8ARRAYOID, INT8OID};
	Datum		values[7];

	values[0] = ObjectIdGetDatum(sync->index->index_id);
	values[1] = Int64GetDatum(sync->version->version);
	values[2] = Int64GetDatum(sync->skipped);
	values[3] = Int64GetDatum(sync->owner != 0 ? (int64) sync->owner : sync->version->owner);
	values[4] = FullTransactionIdGetDatum(sync_upper_bound(sync));
	values[5] = sync_running_array(sync);
	values[6] = Int64GetDatum((int64) GetSystemIdentifier());
	sync_update_version(sync,
				   "UPDATE s3v.version SET skipped = $3, owner = $4, hi = $5, running = $6, system_identifier = $7,"
				   " synced_at = pg_catalog.statement_timestamp()"
				   " WHERE index_id = $1 AND version = $2",
				   7, types, values);
}

void
sync_add_history(const Sync *sync, const char *manifest)
{
	Oid			types[3] = {OIDOID, XID8OID, INT8OID};
	Datum		values[3];

	values[0] = ObjectIdGetDatum(sync->index->index_id);
	values[1] = FullTransactionIdGetDatum(GetTopFullTransactionId());
	values[2] = Int64GetDatum((int64) GetSystemIdentifier());
	(void) catalog_execute("UPDATE s3v.history SET retired_by = $2, retired_at = pg_catalog.statement_timestamp(),"
						   " system_identifier = $3 WHERE index_id = $1 AND retired_by IS NULL",
						   3, types, values, NULL, sync->snapshot);
	types[1] = INT8OID;
	values[1] = Int64GetDatum(sync->version->version + 1);
	types[2] = TEXTOID;
	values[2] = CStringGetTextDatum(manifest);
	(void) catalog_execute("INSERT INTO s3v.history (index_id, version, manifest) VALUES ($1, $2, $3)",
						   3, types, values, NULL, sync->snapshot);
}

static void
delta_arrays(const s3v_version *built, Datum *ids, Datum *lengths)
{
	Datum		id[S3V_MAX_DELTAS];
	Datum		length[S3V_MAX_DELTAS];
	int			count = (int) built->delta_count;

	for (int i = 0; i < count; i++)
	{
		id[i] = CStringGetTextDatum(built->deltas[i].id);
		length[i] = Int64GetDatum(built->deltas[i].length);
	}
	*ids = PointerGetDatum(construct_array(id, count, TEXTOID, -1, false, TYPALIGN_INT));
	*lengths = PointerGetDatum(construct_array(length, count, INT8OID, sizeof(int64), FLOAT8PASSBYVAL, TYPALIGN_DOUBLE));
}

void
sync_publish_version(const Sync *sync)
{
	Oid			types[18] = {OIDOID, INT8OID, INT8OID, TEXTOID, TEXTOID, INT8OID, TEXTARRAYOID, INT8ARRAYOID, INT8OID, INT8OID, INT8OID,
		INT8OID, INT8OID, INT8OID, XID8OID, XID8ARRAYOID, INT8OID, BOOLOID};
	Datum		values[18];
	const s3v_version *built = &sync->built;

	values[0] = ObjectIdGetDatum(sync->index->index_id);
	values[1] = Int64GetDatum(sync->version->version);
	values[2] = Int64GetDatum(sync->version->version + 1);
	values[3] = CStringGetTextDatum(built->manifest);
	values[4] = CStringGetTextDatum(built->base.id);
	values[5] = Int64GetDatum(built->base.length);
	delta_arrays(built, &values[6], &values[7]);
	values[8] = Int64GetDatum(built->rows);
	values[9] = Int64GetDatum(sync->skipped);
	values[10] = Int64GetDatum(built->lists);
	values[11] = Int64GetDatum(built->segments);
	values[12] = Int64GetDatum(built->bytes);
	values[13] = Int64GetDatum(sync->owner);
	values[14] = FullTransactionIdGetDatum(sync_upper_bound(sync));
	values[15] = sync_running_array(sync);
	values[16] = Int64GetDatum((int64) GetSystemIdentifier());
	values[17] = BoolGetDatum(sync->stale && sync->request->mode != SYNC_CHANGES);
	sync_update_version(sync,
				   "UPDATE s3v.version SET version = $3, manifest = $4, base = $5, base_bytes = $6, deltas = $7,"
				   " delta_bytes = $8, rows = $9, skipped = $10, lists = $11, segments = $12, bytes = $13, owner = $14,"
				   " hi = $15, running = $16, system_identifier = $17, repaired = CASE WHEN $18 THEN $3 ELSE repaired END,"
				   " synced_at = pg_catalog.statement_timestamp()"
				   " WHERE index_id = $1 AND version = $2",
				   18, types, values);
	sync_add_history(sync, sync->built.manifest);
}

/* The publication of a sync: log rows consumed, version row updated; nothing of it counts before the commit. */
#include "postgres.h"

#include "access/transam.h"
#include "access/xact.h"
#include "access/xlog.h"
#include "catalog/pg_type.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/snapmgr.h"
#include "utils/xid8.h"

#include "sync.h"
#include "sync_parts.h"

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
void
sync_consume_log(const Sync *sync)
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

void
sync_delete_stale_marks(const Sync *sync)
{
	Oid			types[1] = {OIDOID};
	Datum		values[1];

	values[0] = ObjectIdGetDatum(sync->index->index_id);
	(void) catalog_execute("DELETE FROM s3v.stale WHERE index_id = $1", 1, types, values, NULL, sync->snapshot);
}

void
sync_publish_version(const Sync *sync)
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

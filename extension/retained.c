/* Versions that somebody may still need: the current one, those retired within `keep`, those that an open snapshot may see. */
#include "postgres.h"

#include "access/table.h"
#include "access/transam.h"
#include "access/xlog.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "storage/procarray.h"
#include "utils/memutils.h"
#include "utils/xid8.h"

#include "catalog.h"
#include "retained.h"

/*
 * A retired version can go when it is older than `keep` and no snapshot of this database, prepared transaction, replication slot
 * or standby with hot_standby_feedback can still see it: all of these hold back the horizon.
 */
static FullTransactionId
oldest_needed(void)
{
	Relation	rel = table_open(catalog_table("version"), AccessShareLock);
	FullTransactionId oldest = catalog_full_xid(GetOldestNonRemovableTransactionId(rel));

	table_close(rel, AccessShareLock);
	return oldest;
}

Retained
retained_read(Oid index_id, int64 keep_seconds)
{
	Retained	retained = {0};
	MemoryContext context = CurrentMemoryContext;
	S3vOwnerScope scope;
	Oid			types[4] = {OIDOID, FLOAT8OID, XID8OID, INT8OID};
	Datum		values[4];
	uint64		i;

	values[0] = ObjectIdGetDatum(index_id);
	values[1] = Float8GetDatum((double) keep_seconds);
	values[2] = FullTransactionIdGetDatum(oldest_needed());
	values[3] = Int64GetDatum((int64) GetSystemIdentifier());
	catalog_enter(&scope);
	if (SPI_connect() != SPI_OK_CONNECT)
		elog(ERROR, "SPI_connect failed");
	/* Retired by a transaction of another cluster: its number says nothing here, but no snapshot here is that old. */
	if (SPI_execute_with_args("SELECT version, manifest,"
							  " retired_by IS NOT NULL AND retired_at < pg_catalog.statement_timestamp() - pg_catalog.make_interval(secs => $2)"
							  " AND (system_identifier <> $4 OR retired_by < $3)"
							  " FROM s3v.history WHERE index_id = $1",
							  4, types, values, NULL, true, 0) != SPI_OK_SELECT)
		elog(ERROR, "could not read s3v.history");
	retained.manifests = MemoryContextAlloc(context, sizeof(char *) * (SPI_processed + 1));
	retained.expired = MemoryContextAlloc(context, sizeof(int64) * (SPI_processed + 1));
	for (i = 0; i < SPI_processed; i++)
	{
		HeapTuple	tuple = SPI_tuptable->vals[i];
		TupleDesc	desc = SPI_tuptable->tupdesc;
		bool		isnull;

		if (DatumGetBool(SPI_getbinval(tuple, desc, 3, &isnull)))
			retained.expired[retained.expired_count++] = DatumGetInt64(SPI_getbinval(tuple, desc, 1, &isnull));
		else
			retained.manifests[retained.count++] = MemoryContextStrdup(context, SPI_getvalue(tuple, desc, 2));
	}
	SPI_finish();
	catalog_leave(&scope);
	return retained;
}

void
retained_forget_expired(Oid index_id, const Retained *retained)
{
	Oid			types[2] = {OIDOID, INT8OID};
	Datum		values[2];
	int			i;

	values[0] = ObjectIdGetDatum(index_id);
	for (i = 0; i < retained->expired_count; i++)
	{
		values[1] = Int64GetDatum(retained->expired[i]);
		(void) catalog_execute("DELETE FROM s3v.history WHERE index_id = $1 AND version = $2", 2, types, values, NULL, NULL);
	}
}

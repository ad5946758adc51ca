/* The snapshot of a sync: which log rows a reader of its version may skip, and whether it may publish at all. */
#include "postgres.h"

#include "access/transam.h"
#include "access/xact.h"
#include "utils/lsyscache.h"
#include "utils/snapmgr.h"

#include "sync.h"

FullTransactionId
widen_xid(TransactionId xid)
{
	FullTransactionId next = ReadNextFullTransactionId();
	uint32		epoch = EpochFromFullTransactionId(next);

	if (xid > XidFromFullTransactionId(next))
		epoch--;
	return FullTransactionIdFromEpochAndXid(epoch, xid);
}

void
sync_check_isolation(Oid index_id)
{
	S3vVersion *ours;
	S3vVersion *latest;
	Snapshot	snapshot;

	if (!IsolationUsesXactSnapshot())
		return;
	snapshot = RegisterSnapshot(GetLatestSnapshot());
	latest = catalog_version(index_id, snapshot);
	UnregisterSnapshot(snapshot);
	ours = catalog_version(index_id, GetTransactionSnapshot());

	/* Rows committed between this transaction's snapshot and its triggers are in neither the log nor the snapshot. */
	if (ours != NULL && ours->version == 0 && ours->mine)
		ereport(ERROR,
				(errcode(ERRCODE_ACTIVE_SQL_TRANSACTION),
				 errmsg("index \"%s\" cannot be built in the transaction that created it at this isolation level",
						get_rel_name(index_id)),
				 errhint("Commit first, or use READ COMMITTED.")));
	if (ours == NULL || latest == NULL || ours->version != latest->version || ours->owner != latest->owner)
		ereport(ERROR,
				(errcode(ERRCODE_T_R_SERIALIZATION_FAILURE),
				 errmsg("could not serialize access: index \"%s\" was synced by another transaction", get_rel_name(index_id)),
				 errhint("Run the transaction again.")));
}

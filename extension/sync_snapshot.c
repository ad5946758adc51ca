/* The snapshot of a sync: which log rows a reader of its version may skip, and whether it may publish at all. */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/relation.h"
#include "access/skey.h"
#include "access/table.h"
#include "access/xact.h"
#include "catalog/indexing.h"
#include "catalog/pg_class.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

#include "partitions.h"
#include "sync.h"

/* Does the snapshot show the table with the file it has now? One that is not there yet has no rows there either. */
static bool
knows_file(Relation rel, Snapshot snapshot)
{
	Relation	classes = table_open(RelationRelationId, AccessShareLock);
	ScanKeyData key;
	SysScanDesc scan;
	HeapTuple	tuple;
	bool		shown = false;
	bool		known = false;

	ScanKeyInit(&key, Anum_pg_class_oid, BTEqualStrategyNumber, F_OIDEQ, ObjectIdGetDatum(RelationGetRelid(rel)));
	scan = systable_beginscan(classes, ClassOidIndexId, true, snapshot, 1, &key);
	/* Two rows, when another transaction and then ours gave it a new file. */
	while (HeapTupleIsValid(tuple = systable_getnext(scan)))
	{
		shown = true;
		known |= ((Form_pg_class) GETSTRUCT(tuple))->relfilenode == rel->rd_rel->relfilenode;
	}
	systable_endscan(scan);
	table_close(classes, AccessShareLock);
	return known || !shown;
}

bool
sync_knows_files(Oid source, Snapshot snapshot)
{
	bool		known = true;
	ListCell   *cell;

	foreach(cell, partitions_leaves(source, AccessShareLock))
	{
		Relation	rel = try_relation_open(lfirst_oid(cell), NoLock);

		if (rel == NULL)
			continue;
		known &= knows_file(rel, snapshot);
		relation_close(rel, NoLock);
	}
	return known;
}

static bool
look_for_everything(void *arg, const char *key)
{
	if (key != NULL)
		return true;
	*(bool *) arg = true;
	return false;
}

/*
 * A snapshot older than a rewrite sees an empty table. After a TRUNCATE the log tells so those who read the version; after ALTER
 * TABLE nothing does, and a version made from such a snapshot would lose all rows.
 */
static bool
rewritten_since(Oid index_id, const S3vVersion *latest)
{
	S3vIndex   *index = catalog_index(index_id, NULL);
	bool		truncated = false;
	Snapshot	snapshot;

	if (index == NULL || sync_knows_files(index->source, GetTransactionSnapshot()))
		return false;
	snapshot = RegisterSnapshot(GetLatestSnapshot());
	catalog_log_scan(index, latest, snapshot, look_for_everything, &truncated);
	UnregisterSnapshot(snapshot);
	return !truncated;
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
	if (rewritten_since(index_id, latest))
		ereport(ERROR,
				(errcode(ERRCODE_T_R_SERIALIZATION_FAILURE),
				 errmsg("could not serialize access: the source of index \"%s\" was rewritten by another transaction",
						get_rel_name(index_id)),
				 errhint("Run the transaction again.")));
}

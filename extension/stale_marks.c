/* Stale marks: rows that say that an index has missed changes which row triggers do not see. */
#include "postgres.h"

#include "catalog.h"
#include "catalog_scan.h"

#include "access/table.h"
#include "access/xact.h"
#include "catalog/indexing.h"
#include "commands/sequence.h"
#include "storage/bufmgr.h"
#include "storage/predicate.h"
#include "utils/builtins.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"

/* Columns as sql/s3v.sql declares them. */
enum
{
	STALE_INDEX_ID = 1,
	STALE_ID,
	STALE_REASON,
	STALE_MARKED_AT,
	STALE_COLUMNS = STALE_MARKED_AT
};

/* Looking at the file's size is a third of the cost of a scan that finds nothing, and is what there is almost always. */
static bool
nothing_is_stale(Snapshot snapshot)
{
	Relation	rel = table_open(catalog_table("stale"), AccessShareLock);
	bool		empty = RelationGetNumberOfBlocks(rel) == 0;

	/* A serializable transaction must still be told of a mark that comes later. */
	if (empty && snapshot != NULL)
		PredicateLockRelation(rel, snapshot);
	table_close(rel, AccessShareLock);
	return empty;
}

bool
catalog_is_stale(Oid index_id, Snapshot snapshot, char **reason)
{
	CatalogScan scan;
	bool		stale;

	if (nothing_is_stale(snapshot))
		return false;
	catalog_scan_begin(&scan, "stale", NULL, STALE_INDEX_ID, index_id, snapshot);
	stale = catalog_scan_next(&scan);
	if (stale && reason != NULL)
		*reason = catalog_text_of(&scan, STALE_REASON);
	catalog_scan_end(&scan);
	return stale;
}

/* Also sees what the running command wrote. */
static bool
marked_by_this_transaction(Oid index_id, const char *reason)
{
	CatalogScan scan;
	bool		marked = false;

	catalog_scan_begin(&scan, "stale", NULL, STALE_INDEX_ID, index_id, SnapshotSelf);
	while (!marked && catalog_scan_next(&scan))
		marked = catalog_written_by_this_transaction(&scan) &&
			strcmp(catalog_text_of(&scan, STALE_REASON), reason) == 0;
	catalog_scan_end(&scan);
	return marked;
}

void
catalog_mark_stale(Oid index_id, const char *reason)
{
	Relation	rel;
	HeapTuple	tuple;
	Datum		values[STALE_COLUMNS];
	bool		nulls[STALE_COLUMNS] = {false};

	if (marked_by_this_transaction(index_id, reason))
		return;

	rel = table_open(catalog_table("stale"), RowExclusiveLock);
	values[STALE_INDEX_ID - 1] = ObjectIdGetDatum(index_id);
	values[STALE_ID - 1] = Int64GetDatum(nextval_internal(catalog_table("change_id"), false));
	values[STALE_REASON - 1] = CStringGetTextDatum(reason);
	values[STALE_MARKED_AT - 1] = TimestampTzGetDatum(GetCurrentTransactionStartTimestamp());
	tuple = heap_form_tuple(RelationGetDescr(rel), values, nulls);
	CatalogTupleInsert(rel, tuple);
	heap_freetuple(tuple);
	table_close(rel, RowExclusiveLock);
}

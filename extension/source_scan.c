/* All rows of a source, straight from its tables, leaf by leaf where it has partitions. */
#include "postgres.h"

#include "source_scan.h"

#include "access/table.h"
#include "access/tableam.h"
#include "catalog/pg_class.h"
#include "executor/tuptable.h"
#include "miscadmin.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"

#include "partitions.h"

S3vSourceScan *
source_scan_begin(Relation rel, const S3vSource *source, Snapshot snapshot)
{
	S3vSourceScan *scan = palloc0(sizeof(S3vSourceScan));

	scan->values = palloc(sizeof(Datum) * (2 + source->metadata_count));
	scan->nulls = palloc(sizeof(bool) * (2 + source->metadata_count));
	scan->source = source;
	scan->rel = rel;
	scan->snapshot = snapshot;
	scan->leaves = source->partitioned ? partitions_leaves(source->relid, AccessShareLock) : list_make1_oid(source->relid);
	return scan;
}

static void
open_leaf(S3vSourceScan *scan, Oid leaf)
{
	MemoryContext before = MemoryContextSwitchTo(GetMemoryChunkContext(scan));

	if (get_rel_relkind(leaf) == RELKIND_FOREIGN_TABLE)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("partition \"%s\" of table \"%s\" is a foreign table", get_rel_name(leaf), RelationGetRelationName(scan->rel)),
				 errdetail("Its changes are not captured.")));
	scan->leaf = table_open(leaf, NoLock);
	scan->columns = source_in_leaf(scan->source, scan->leaf);
	scan->scan = table_beginscan(scan->leaf, scan->snapshot, 0, NULL);
	scan->slot = table_slot_create(scan->leaf, NULL);
	MemoryContextSwitchTo(before);
}

static void
close_leaf(S3vSourceScan *scan)
{
	if (scan->leaf == NULL)
		return;
	ExecDropSingleTupleTableSlot(scan->slot);
	table_endscan(scan->scan);
	table_close(scan->leaf, NoLock);
	scan->leaf = NULL;
}

static void
read_slot(S3vSourceScan *scan)
{
	const S3vSource *columns = scan->columns;

	scan->values[0] = slot_getattr(scan->slot, columns->key.attnum, &scan->nulls[0]);
	scan->values[1] = slot_getattr(scan->slot, columns->vector.attnum, &scan->nulls[1]);
	for (int i = 0; i < columns->metadata_count; i++)
		scan->values[2 + i] = slot_getattr(scan->slot, columns->metadata[i].attnum, &scan->nulls[2 + i]);
}

bool
source_scan_next(S3vSourceScan *scan)
{
	for (;;)
	{
		CHECK_FOR_INTERRUPTS();
		if (scan->leaf != NULL && table_scan_getnextslot(scan->scan, ForwardScanDirection, scan->slot))
		{
			read_slot(scan);
			return true;
		}
		close_leaf(scan);
		if (scan->leaves == NIL)
			return false;
		open_leaf(scan, linitial_oid(scan->leaves));
		scan->leaves = list_delete_first(scan->leaves);
	}
}

void
source_scan_end(S3vSourceScan *scan)
{
	close_leaf(scan);
	pfree(scan->values);
	pfree(scan->nulls);
	pfree(scan);
}

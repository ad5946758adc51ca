/* Rows of a source by key, straight through the key's unique index. */
#include "postgres.h"

#include "access/genam.h"
#include "access/relscan.h"
#include "access/table.h"
#include "access/tableam.h"
#include "access/transam.h"
#include "executor/tuptable.h"
#include "miscadmin.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

#include "compat.h"
#include "key_scan.h"

struct S3vKeyScan
{
	const S3vSource *source;
	MemoryContext context;		/* of the scan, which makes room for itself when it first needs it */
	MemoryContext key_context;	/* of the key looked for */
	Relation	rel;
	Relation	index;
	IndexScanDesc scan;
	TupleTableSlot *slot;
	Datum	   *values;			/* key, vector, metadata... */
	bool	   *nulls;
};

/* An index made after rows were changed in place may lack what older snapshots see. The planner's own rule. */
static bool
serves_snapshot(Relation index)
{
	return index->rd_index->indisvalid &&
		(!index->rd_index->indcheckxmin ||
		 TransactionIdPrecedes(HeapTupleHeaderGetXmin(index->rd_indextuple->t_data), TransactionXmin));
}

S3vKeyScan *
key_scan_open(const S3vSource *source, Oid key_index, Snapshot snapshot)
{
	int			columns = 2 + source->metadata_count;
	Relation	index;
	S3vKeyScan *scan;

	if (!OidIsValid(key_index))
		return NULL;
	/* Its lock stays, as after any statement. */
	index = index_open(key_index, AccessShareLock);
	if (!serves_snapshot(index))
	{
		index_close(index, NoLock);
		return NULL;
	}
	scan = palloc(sizeof(S3vKeyScan));
	scan->source = source;
	scan->context = CurrentMemoryContext;
	scan->key_context = AllocSetContextCreate(CurrentMemoryContext, "s3v key", ALLOCSET_SMALL_SIZES);
	scan->rel = table_open(source->relid, NoLock);
	scan->index = index;
	scan->scan = index_beginscan_of(scan->rel, index, snapshot, 1);
	scan->slot = table_slot_create(scan->rel, NULL);
	scan->values = palloc(sizeof(Datum) * columns);
	scan->nulls = palloc(sizeof(bool) * columns);
	return scan;
}

void
key_scan_end(S3vKeyScan *scan)
{
	ExecDropSingleTupleTableSlot(scan->slot);
	index_endscan(scan->scan);
	index_close(scan->index, NoLock);
	table_close(scan->rel, NoLock);
}

void
key_scan_read(S3vKeyScan *scan, const S3vKey *key, S3vKeyScanVisitor visit, void *arg)
{
	const S3vSource *source = scan->source;
	Oid			type = source->key.base_type;
	MemoryContext caller = MemoryContextSwitchTo(scan->key_context);
	ScanKeyData condition;

	CHECK_FOR_INTERRUPTS();
	MemoryContextReset(scan->key_context);
	ScanKeyEntryInitialize(&condition, 0, 1, BTEqualStrategyNumber, InvalidOid, scan->index->rd_indcollation[0],
						   source_key_equality(type), key_to_datum(key->data, key->size, type, source->key_kind));
	MemoryContextSwitchTo(scan->context);
	index_rescan(scan->scan, &condition, 1, NULL, 0);
	while (index_getnext_slot(scan->scan, ForwardScanDirection, scan->slot))
	{
		scan->values[0] = slot_getattr(scan->slot, source->key.attnum, &scan->nulls[0]);
		scan->values[1] = slot_getattr(scan->slot, source->vector.attnum, &scan->nulls[1]);
		for (int i = 0; i < source->metadata_count; i++)
			scan->values[2 + i] = slot_getattr(scan->slot, source->metadata[i].attnum, &scan->nulls[2 + i]);
		MemoryContextSwitchTo(caller);
		visit(arg, scan->values, scan->nulls);
		MemoryContextSwitchTo(scan->context);
	}
	MemoryContextSwitchTo(caller);
}

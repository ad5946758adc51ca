/*
 * Rows of the source by key, straight through the key's unique index: what the server's own plan does, without its executor. Allowed
 * because query_check_rights() has checked every column, and refused row-level security.
 */
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
#include "query.h"

struct S3vKeyScan
{
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

static S3vKeyScan *
open_scan(const S3vQuery *query)
{
	MemoryContext before = MemoryContextSwitchTo(query->context);
	S3vKeyScan *scan = palloc(sizeof(S3vKeyScan));
	int			columns = 2 + query->source->metadata_count;

	/* The query keeps the source locked. The index's lock stays as well, as after any statement. */
	scan->rel = table_open(query->source->relid, NoLock);
	scan->index = index_open(query->key_index, AccessShareLock);
	scan->scan = NULL;
	if (serves_snapshot(scan->index))
	{
		scan->scan = index_beginscan_of(scan->rel, scan->index, query->snapshot, 1);
		scan->slot = table_slot_create(scan->rel, NULL);
		scan->values = palloc(sizeof(Datum) * columns);
		scan->nulls = palloc(sizeof(bool) * columns);
	}
	MemoryContextSwitchTo(before);
	return scan;
}

void
key_scan_end(S3vKeyScan *scan)
{
	if (scan->scan != NULL)
	{
		ExecDropSingleTupleTableSlot(scan->slot);
		index_endscan(scan->scan);
	}
	index_close(scan->index, NoLock);
	table_close(scan->rel, NoLock);
}

static void
consume_slot(S3vQuery *query, const S3vKeyScan *scan)
{
	const S3vSource *source = query->source;

	scan->values[0] = slot_getattr(scan->slot, source->key.attnum, &scan->nulls[0]);
	scan->values[1] = slot_getattr(scan->slot, source->vector.attnum, &scan->nulls[1]);
	for (int i = 0; i < source->metadata_count; i++)
		scan->values[2 + i] = slot_getattr(scan->slot, source->metadata[i].attnum, &scan->nulls[2 + i]);
	query_consume_row(query, scan->values, scan->nulls);
}

/* Of one key there can be two rows under REPEATABLE READ: deleted by a later transaction, inserted again by ours. */
static void
read_key(S3vQuery *query, const S3vKeyScan *scan, const S3vKey *key)
{
	Oid			type = query->source->key.base_type;
	ScanKeyData condition;

	ScanKeyEntryInitialize(&condition, 0, 1, BTEqualStrategyNumber, InvalidOid, scan->index->rd_indcollation[0],
						   source_key_equality(type), key_to_datum(key->data, key->size, type, query->source->key_kind));
	index_rescan(scan->scan, &condition, 1, NULL, 0);
	while (index_getnext_slot(scan->scan, ForwardScanDirection, scan->slot))
		consume_slot(query, scan);
}

bool
key_scan_serves(S3vQuery *query)
{
	if (!OidIsValid(query->key_index))
		return false;
	if (query->key_scan == NULL)
		query->key_scan = open_scan(query);
	return query->key_scan->scan != NULL;
}

void
key_scan_read(S3vQuery *query, const S3vKey *keys, int count)
{
	for (int i = 0; i < count; i++)
	{
		CHECK_FOR_INTERRUPTS();
		read_key(query, query->key_scan, &keys[i]);
	}
}

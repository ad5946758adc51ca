/*
 * Rows of a source by key, straight through the key's unique index. Of a partitioned source each leaf has its part of that index; its tables are
 * a tree, opened as keys come by.
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/relscan.h"
#include "access/table.h"
#include "access/tableam.h"
#include "access/transam.h"
#include "catalog/pg_class.h"
#include "executor/tuptable.h"
#include "miscadmin.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

#include "compat.h"
#include "key_scan.h"
#include "partition_route.h"

/* A table of the tree. */
typedef struct KeyTable
{
	Relation	rel;
	/* with rows */
	const S3vSource *columns;	/* as they stand there */
	Relation	index;			/* NULL: none that serves */
	IndexScanDesc scan;			/* NULL: no key has been looked for yet */
	TupleTableSlot *slot;
	/* partitioned: how it is at present stays, as long as it is open */
	PartitionDesc partitions;	/* NULL: it is not */
	bool		routed;			/* the key tells the partition; else it may be in any */
	struct KeyTable **children; /* NULL: not opened yet */
} KeyTable;

struct S3vKeyScan
{
	const S3vSource *source;
	MemoryContext context;		/* of all tables */
	MemoryContext key_context;	/* of the key looked for */
	Snapshot	snapshot;
	KeyTable   *root;
	Datum	   *values;			/* key, vector, metadata... */
	bool	   *nulls;
};

/* ---- the tree ---- */

/* An index made after rows were changed in place may lack what older snapshots see. The planner's own rule. */
static bool
serves_snapshot(Relation index)
{
	return index->rd_index->indisvalid &&
		(!index->rd_index->indcheckxmin ||
		 TransactionIdPrecedes(HeapTupleHeaderGetXmin(index->rd_indextuple->t_data), TransactionXmin));
}

/* Its lock stays, as after any statement. */
static Relation
open_index(Oid index_id)
{
	Relation	index;

	if (!OidIsValid(index_id))
		return NULL;
	index = index_open(index_id, AccessShareLock);
	if (serves_snapshot(index))
		return index;
	index_close(index, NoLock);
	return NULL;
}

static KeyTable *
open_partitioned(const S3vKeyScan *scan, KeyTable *table)
{
	table->partitions = RelationGetPartitionDesc(table->rel, true);
	table->routed = partition_route_known(table->rel, scan->source);
	table->children = palloc0(sizeof(KeyTable *) * Max(table->partitions->nparts, 1));
	return table;
}

static KeyTable *
open_table(const S3vKeyScan *scan, Relation rel)
{
	KeyTable   *table = palloc0(sizeof(KeyTable));

	table->rel = rel;
	if (rel->rd_rel->relkind == RELKIND_PARTITIONED_TABLE)
		return open_partitioned(scan, table);
	table->columns = source_in_leaf(scan->source, rel);
	table->index = open_index(source_key_index(rel, table->columns));
	return table;
}

/* Its parent is locked: it can be neither dropped nor detached. */
static KeyTable *
child_of(const S3vKeyScan *scan, KeyTable *table, int number)
{
	if (table->children[number] == NULL)
	{
		MemoryContext before = MemoryContextSwitchTo(scan->context);

		table->children[number] = open_table(scan, table_open(table->partitions->oids[number], AccessShareLock));
		MemoryContextSwitchTo(before);
	}
	return table->children[number];
}

static void
close_table(KeyTable *table)
{
	for (int i = 0; table->partitions != NULL && i < table->partitions->nparts; i++)
	{
		if (table->children[i] != NULL)
			close_table(table->children[i]);
	}
	if (table->scan != NULL)
	{
		ExecDropSingleTupleTableSlot(table->slot);
		index_endscan(table->scan);
	}
	if (table->index != NULL)
		index_close(table->index, NoLock);
	table_close(table->rel, NoLock);
}

S3vKeyScan *
key_scan_open(const S3vSource *source, Oid key_index, Snapshot snapshot)
{
	int			columns = 2 + source->metadata_count;
	Relation	index = open_index(key_index);
	S3vKeyScan *scan;

	if (index == NULL)
		return NULL;
	scan = palloc(sizeof(S3vKeyScan));
	scan->source = source;
	scan->context = CurrentMemoryContext;
	scan->key_context = AllocSetContextCreate(CurrentMemoryContext, "s3v key", ALLOCSET_SMALL_SIZES);
	scan->snapshot = snapshot;
	scan->root = palloc0(sizeof(KeyTable));
	scan->root->rel = table_open(source->relid, NoLock);
	scan->root->columns = source;
	scan->root->index = index;
	if (source->partitioned)
		(void) open_partitioned(scan, scan->root);
	scan->values = palloc(sizeof(Datum) * columns);
	scan->nulls = palloc(sizeof(bool) * columns);
	return scan;
}

void
key_scan_end(S3vKeyScan *scan)
{
	close_table(scan->root);
}

static bool
all_serve(const S3vKeyScan *scan, KeyTable *table)
{
	if (table->partitions == NULL)
		return table->index != NULL;
	for (int i = 0; i < table->partitions->nparts; i++)
	{
		if (!all_serve(scan, child_of(scan, table, i)))
			return false;
	}
	return true;
}

bool
key_scan_serves_everywhere(S3vKeyScan *scan)
{
	return all_serve(scan, scan->root);
}

/* ---- one key ---- */

typedef struct Look
{
	S3vKeyScan *scan;
	ScanKeyData condition;
	MemoryContext caller;
	S3vKeyScanVisitor visit;
	void	   *arg;
} Look;

static void
look_in_leaf(Look *look, KeyTable *table)
{
	S3vKeyScan *scan = look->scan;
	const S3vSource *columns = table->columns;

	if (table->scan == NULL)
	{
		table->scan = index_beginscan_of(table->rel, table->index, scan->snapshot, 1);
		table->slot = table_slot_create(table->rel, NULL);
	}
	look->condition.sk_collation = table->index->rd_indcollation[0];
	index_rescan(table->scan, &look->condition, 1, NULL, 0);
	while (index_getnext_slot(table->scan, ForwardScanDirection, table->slot))
	{
		scan->values[0] = slot_getattr(table->slot, columns->key.attnum, &scan->nulls[0]);
		scan->values[1] = slot_getattr(table->slot, columns->vector.attnum, &scan->nulls[1]);
		for (int i = 0; i < columns->metadata_count; i++)
			scan->values[2 + i] = slot_getattr(table->slot, columns->metadata[i].attnum, &scan->nulls[2 + i]);
		MemoryContextSwitchTo(look->caller);
		look->visit(look->arg, scan->values, scan->nulls);
		MemoryContextSwitchTo(scan->context);
	}
}

/* False, and nothing visited, when an index that is needed does not serve. */
static bool
look_in(Look *look, KeyTable *table)
{
	S3vKeyScan *scan = look->scan;
	int			number;

	if (table->partitions == NULL)
	{
		if (table->index == NULL)
			return false;
		look_in_leaf(look, table);
		return true;
	}
	if (table->routed)
	{
		number = partition_route(table->rel, table->partitions, look->condition.sk_argument);
		return number < 0 || look_in(look, child_of(scan, table, number));
	}
	if (!all_serve(scan, table))
		return false;
	for (int i = 0; i < table->partitions->nparts; i++)
		(void) look_in(look, child_of(scan, table, i));
	return true;
}

bool
key_scan_read(S3vKeyScan *scan, const S3vKey *key, S3vKeyScanVisitor visit, void *arg)
{
	const S3vSource *source = scan->source;
	Oid			type = source->key.base_type;
	Look		look = {.scan = scan, .visit = visit, .arg = arg};
	bool		looked;

	CHECK_FOR_INTERRUPTS();
	look.caller = MemoryContextSwitchTo(scan->key_context);
	MemoryContextReset(scan->key_context);
	ScanKeyEntryInitialize(&look.condition, 0, 1, BTEqualStrategyNumber, InvalidOid, InvalidOid, source_key_equality(type),
						   key_to_datum(key->data, key->size, type, source->key_kind));
	/* What a scan makes room for when it first needs it stays. */
	MemoryContextSwitchTo(scan->context);
	looked = look_in(&look, scan->root);
	MemoryContextSwitchTo(look.caller);
	return looked;
}

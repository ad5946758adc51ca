/*
 * DDL that brings rows into a source, or takes them away, by the partition: row triggers see nothing of it. A leaf that comes gets its TRUNCATE
 * trigger; one that has rows, coming or going, makes the indexes of all tables above stale.
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/relation.h"
#include "access/table.h"
#include "catalog/namespace.h"
#include "catalog/pg_class.h"
#include "catalog/pg_inherits.h"
#include "storage/bufmgr.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"

#include "ddl_events.h"
#include "partitions.h"

/* A file without a block has no row for any snapshot. Whoever attaches or detaches a table holds it locked. */
static bool
has_blocks(Oid leaf)
{
	Relation	rel = try_relation_open(leaf, AccessShareLock);
	bool		empty;

	if (rel == NULL)
		return true;
	empty = rel->rd_rel->relkind == RELKIND_RELATION && RelationGetNumberOfBlocks(rel) == 0;
	relation_close(rel, AccessShareLock);
	return !empty;
}

/* ---- a table that comes ---- */

static void
leaf_comes(Oid leaf, List *indexes)
{
	const char *unfit = partitions_unfit(leaf);

	if (unfit != NULL)
		mark_all_stale(indexes, psprintf("partition \"%s\" is %s", get_rel_name(leaf), unfit));
	else if (has_blocks(leaf))
		mark_all_stale(indexes, psprintf("partition \"%s\" with rows was attached", get_rel_name(leaf)));
	if (get_rel_relkind(leaf) != RELKIND_RELATION)
		return;
	catalog_capture_leaf(leaf);
	if (catalog_capture_weakened(leaf, NULL))
		mark_all_stale(indexes, psprintf("a capture trigger of partition \"%s\" does not fire always", get_rel_name(leaf)));
}

static void
partition_comes(Oid relid, List *indexes)
{
	ListCell   *cell;

	foreach(cell, partitions_leaves(relid, NoLock))
		leaf_comes(lfirst_oid(cell), indexes);
}

/* Rows of a child that is no partition are rows of its parents, and no trigger of theirs sees them. */
static void
child_comes(Oid relid)
{
	Relation	inherits = table_open(InheritsRelationId, AccessShareLock);
	ScanKeyData key;
	SysScanDesc scan;
	HeapTuple	tuple;

	ScanKeyInit(&key, Anum_pg_inherits_inhrelid, BTEqualStrategyNumber, F_OIDEQ, ObjectIdGetDatum(relid));
	scan = systable_beginscan(inherits, InheritsRelidSeqnoIndexId, true, NULL, 1, &key);
	while (HeapTupleIsValid(tuple = systable_getnext(scan)))
		mark_all_stale(catalog_indexes(((Form_pg_inherits) GETSTRUCT(tuple))->inhparent, NULL), "a child table was added");
	systable_endscan(scan);
	table_close(inherits, AccessShareLock);
}

void
partition_created(Oid relid)
{
	if (!get_rel_relispartition(relid))
		child_comes(relid);
	else
	{
		List	   *indexes = partitions_indexes(relid);

		if (indexes != NIL)
			partition_comes(relid, indexes);
	}
}

void
partition_attached(Oid parent, const RangeVar *name)
{
	List	   *indexes = partitions_indexes(parent);
	Oid			relid;

	if (indexes == NIL)
		return;
	relid = RangeVarGetRelid(name, NoLock, true);
	if (OidIsValid(relid))
		partition_comes(relid, indexes);
	else
		mark_all_stale(indexes, psprintf("partition \"%s\" was attached", name->relname));
}

/* ---- a table that goes ---- */

static void
leaf_goes(Oid leaf, List *indexes)
{
	if (has_blocks(leaf))
		mark_all_stale(indexes, psprintf("partition \"%s\" with rows was detached", get_rel_name(leaf)));
	if (get_rel_relkind(leaf) == RELKIND_RELATION)
		catalog_release_leaf(leaf);
}

void
partition_detached(Oid parent, const RangeVar *name)
{
	List	   *indexes = partitions_indexes(parent);
	ListCell   *cell;
	Oid			relid;

	if (indexes == NIL)
		return;
	relid = RangeVarGetRelid(name, NoLock, true);
	if (!OidIsValid(relid))
		mark_all_stale(indexes, psprintf("partition \"%s\" was detached", name->relname));
	else
	{
		foreach(cell, partitions_leaves(relid, NoLock))
			leaf_goes(lfirst_oid(cell), indexes);
	}
}

void
partition_dropped(Oid relid, const char *identity)
{
	Relation	inherits = table_open(InheritsRelationId, AccessShareLock);
	HeapTuple	tuple = deleted_row(inherits, InheritsRelidSeqnoIndexId, Anum_pg_inherits_inhrelid, relid);

	/* A parent that goes as well has an entry of its own. */
	if (HeapTupleIsValid(tuple))
	{
		Oid			parent = ((Form_pg_inherits) GETSTRUCT(tuple))->inhparent;

		if (get_rel_relkind(parent) == RELKIND_PARTITIONED_TABLE)
			mark_all_stale(partitions_indexes(parent), psprintf("partition %s was dropped", identity));
	}
	table_close(inherits, AccessShareLock);
}

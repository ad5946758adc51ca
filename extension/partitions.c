/* Partitioned sources: the tree, downwards to the tables that hold rows and upwards to those whose rows they are. */
#include "postgres.h"

#include "partitions.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "catalog/pg_class.h"
#include "catalog/pg_inherits.h"
#include "commands/trigger.h"
#include "storage/lmgr.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"

#include "catalog.h"

/* ---- downwards ---- */

S3vPartitions
partitions_read(Oid source, LOCKMODE lockmode)
{
	S3vPartitions tree = {NIL, NIL, false};
	List	   *left = list_make1_oid(source);

	if (lockmode != NoLock)
		LockRelationOid(source, lockmode);
	while (left != NIL)
	{
		Oid			relid = linitial_oid(left);
		bool		detaching = false;

		left = list_delete_first(left);
		if (get_rel_relkind(relid) != RELKIND_PARTITIONED_TABLE)
		{
			tree.leaves = lappend_oid(tree.leaves, relid);
			continue;
		}
		tree.tables = lappend_oid(tree.tables, relid);
		left = list_concat(left, find_inheritance_children_extended(relid, true, lockmode, &detaching, NULL));
		tree.detaching |= detaching;
	}
	return tree;
}

List *
partitions_leaves(Oid source, LOCKMODE lockmode)
{
	return partitions_read(source, lockmode).leaves;
}

/* ---- upwards ---- */

/* InvalidOid: it is no partition. The server's own functions leave out one that is being detached, whose triggers still fire. */
static Oid
parent_of(Relation inherits, Oid relid)
{
	ScanKeyData key;
	SysScanDesc scan;
	HeapTuple	tuple;
	Oid			parent = InvalidOid;

	ScanKeyInit(&key, Anum_pg_inherits_inhrelid, BTEqualStrategyNumber, F_OIDEQ, ObjectIdGetDatum(relid));
	scan = systable_beginscan(inherits, InheritsRelidSeqnoIndexId, true, NULL, 1, &key);
	tuple = systable_getnext(scan);
	if (HeapTupleIsValid(tuple))
		parent = ((Form_pg_inherits) GETSTRUCT(tuple))->inhparent;
	systable_endscan(scan);
	return OidIsValid(parent) && get_rel_relkind(parent) == RELKIND_PARTITIONED_TABLE ? parent : InvalidOid;
}

List *
partitions_above(Oid relid)
{
	Relation	inherits = table_open(InheritsRelationId, AccessShareLock);
	List	   *above = NIL;

	while (OidIsValid(relid = parent_of(inherits, relid)))
		above = lappend_oid(above, relid);
	table_close(inherits, AccessShareLock);
	return above;
}

List *
partitions_indexes(Oid relid)
{
	List	   *indexes = catalog_indexes(relid, NULL);
	ListCell   *cell;

	foreach(cell, partitions_above(relid))
		indexes = list_concat(indexes, catalog_indexes(lfirst_oid(cell), NULL));
	return indexes;
}

/* ---- leaves ---- */

bool
partitions_triggers_pending(Oid source, const List *leaves)
{
	const ListCell *cell;

	if (AfterTriggerPendingOnRel(source))
		return true;
	foreach(cell, leaves)
	{
		if (lfirst_oid(cell) != source && AfterTriggerPendingOnRel(lfirst_oid(cell)))
			return true;
	}
	return false;
}

const char *
partitions_unfit(Oid leaf)
{
	if (get_rel_relkind(leaf) == RELKIND_FOREIGN_TABLE)
		return "a foreign table";
	if (get_rel_persistence(leaf) == RELPERSISTENCE_UNLOGGED)
		return "an unlogged table";
	return NULL;
}

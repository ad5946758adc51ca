/*
 * What the event triggers share: whether DDL concerns us at all, which indexes it concerns, and whether their keys are still keys.
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/relation.h"
#include "access/xact.h"
#include "catalog/pg_class.h"
#include "catalog/pg_index.h"
#include "catalog/pg_inherits.h"
#include "commands/extension.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"
#include "utils/syscache.h"

#include "compat.h"
#include "ddl_events.h"
#include "source.h"

const EventTriggerData *
event_data(FunctionCallInfo fcinfo)
{
	if (!CALLED_AS_EVENT_TRIGGER(fcinfo))
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_EVENT_TRIGGER_PROTOCOL_VIOLATED),
				 errmsg("function \"%s\" was not called by event trigger manager", get_func_name(fcinfo->flinfo->fn_oid))));
	return (const EventTriggerData *) fcinfo->context;
}

bool
nothing_to_watch(void)
{
	if (!catalog_installed())
		return true;
	/* Our own install or update script: old and new code are mixed. Scripts of others are watched as any DDL. */
	if (creating_extension && CurrentExtensionObject == catalog_extension())
		return true;
	return catalog_is_empty();
}

void
mark_all_stale(List *indexes, const char *reason)
{
	ListCell   *cell;

	foreach(cell, indexes)
		catalog_mark_stale(((S3vIndex *) lfirst(cell))->index_id, reason);
}

bool
is_carried(const S3vIndex *index, const char *column)
{
	if (strcmp(index->key_column, column) == 0 || strcmp(index->vector_column, column) == 0)
		return true;
	for (int i = 0; i < index->metadata_count; i++)
	{
		if (strcmp(index->metadata[i], column) == 0)
			return true;
	}
	return false;
}

/* ---- deleted rows ---- */

HeapTuple
deleted_row(Relation catalog, Oid index, AttrNumber column, Oid object)
{
	ScanKeyData key;
	SysScanDesc scan;
	HeapTuple	tuple;
	HeapTuple	found = NULL;

	ScanKeyInit(&key, column, BTEqualStrategyNumber, F_OIDEQ, ObjectIdGetDatum(object));
	scan = systable_beginscan(catalog, index, true, SnapshotAny, 1, &key);
	while (HeapTupleIsValid(tuple = systable_getnext(scan)))
	{
		if ((tuple->t_data->t_infomask & HEAP_XMAX_INVALID) == 0 &&
			TransactionIdIsCurrentTransactionId(HeapTupleHeaderGetUpdateXid(tuple->t_data)))
			found = heap_copytuple(tuple);
	}
	systable_endscan(scan);
	return found;
}

/* ---- which indexes ---- */

static bool
is_typed_table_of(Oid relid, Oid type_relid)
{
	HeapTuple	tuple = SearchSysCache1(RELOID, ObjectIdGetDatum(relid));
	Oid			type;

	if (!HeapTupleIsValid(tuple))
		return false;
	type = ((Form_pg_class) GETSTRUCT(tuple))->reloftype;
	ReleaseSysCache(tuple);
	return OidIsValid(type) && get_typ_typrelid(type) == type_relid;
}

List *
indexes_under(Oid relid)
{
	List	   *relations = find_all_inheritors(relid, NoLock, NULL);
	List	   *found = NIL;
	ListCell   *cell;

	foreach(cell, catalog_indexes(InvalidOid, NULL))
	{
		S3vIndex   *index = lfirst(cell);

		if (list_member_oid(relations, index->source) || is_typed_table_of(index->source, relid))
			found = lappend(found, index);
	}
	return found;
}

/* ---- keys ---- */

static bool
is_key(Relation rel, AttrNumber column)
{
	bool		deferrable;

	return source_key_is_unique(rel, column, &deferrable) && column_never_null(RelationGetDescr(rel), column - 1);
}

bool
catalog_key_enforced(const S3vIndex *index)
{
	AttrNumber	column = get_attnum(index->source, index->key_column);
	Relation	rel = try_relation_open(index->source, AccessShareLock);
	bool		enforced;

	if (rel == NULL)
		return false;
	enforced = column != InvalidAttrNumber && is_key(rel, column);
	relation_close(rel, AccessShareLock);
	return enforced;
}

void
check_keys(Oid source)
{
	ListCell   *cell;

	foreach(cell, catalog_indexes(source, NULL))
	{
		S3vIndex   *index = lfirst(cell);

		if (!catalog_key_enforced(index))
			catalog_mark_stale(index->index_id, "its key column is no longer unique and NOT NULL");
	}
}

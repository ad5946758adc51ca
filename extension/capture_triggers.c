/*
 * The triggers of capture on a source, put there with its first index and taken away with its last. On a partitioned one the row trigger's clones are
 * the server's affair; TRUNCATE triggers have no clones, so each leaf has one of its own, which serves all tables above.
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/relation.h"
#include "access/skey.h"
#include "access/table.h"
#include "access/xact.h"
#include "catalog/dependency.h"
#include "catalog/pg_authid.h"
#include "catalog/pg_class.h"
#include "catalog/pg_inherits.h"
#include "catalog/pg_trigger.h"
#include "commands/trigger.h"
#include "nodes/makefuncs.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/inval.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/syscache.h"

#include "catalog.h"
#include "partitions.h"

#define TRIGGER_KINDS 2
#define ROW_TRIGGER (TRIGGER_TYPE_ROW | TRIGGER_TYPE_AFTER | TRIGGER_TYPE_INSERT | TRIGGER_TYPE_DELETE | TRIGGER_TYPE_UPDATE)
#define TRUNCATE_TRIGGER (TRIGGER_TYPE_STATEMENT | TRIGGER_TYPE_AFTER | TRIGGER_TYPE_TRUNCATE)

/* ---- are they in place ---- */

/* Sees every change of its kind: nothing narrows it, delays it or switches it off. */
static bool
is_complete(const Trigger *trigger, int16 type)
{
	return trigger->tgtype == type && trigger->tgenabled == TRIGGER_FIRES_ALWAYS && trigger->tgqual == NULL &&
		trigger->tgnattr == 0 && !trigger->tgdeferrable;
}

/* Of a leaf all clones must be complete, whichever is the source's: a table between may have an index of its own. */
static bool
in_place(Oid relid, bool is_leaf)
{
	Relation	rel = try_relation_open(relid, AccessShareLock);
	Oid			function = catalog_capture_function();
	bool		rows = false;
	bool		weak = false;
	bool		truncate = false;

	if (rel == NULL)
		return false;
	for (int i = 0; rel->trigdesc != NULL && i < rel->trigdesc->numtriggers; i++)
	{
		const Trigger *trigger = &rel->trigdesc->triggers[i];

		if (trigger->tgfoid != function)
			continue;
		truncate |= is_complete(trigger, TRUNCATE_TRIGGER);
		if (trigger->tgisclone != is_leaf || !TRIGGER_FOR_ROW(trigger->tgtype))
			continue;
		rows |= is_complete(trigger, ROW_TRIGGER);
		weak |= is_leaf && !is_complete(trigger, ROW_TRIGGER);
	}
	relation_close(rel, AccessShareLock);
	return rows && truncate && !weak;
}

bool
catalog_capture_in_place(Oid source)
{
	ListCell   *cell;

	if (!in_place(source, false))
		return false;
	foreach(cell, partitions_leaves(source, AccessShareLock))
	{
		if (lfirst_oid(cell) != source && !in_place(lfirst_oid(cell), true))
			return false;
	}
	return true;
}

static bool
was_in_place(Oid relid, Snapshot snapshot)
{
	Relation	triggers = table_open(TriggerRelationId, AccessShareLock);
	Oid			function = catalog_capture_function();
	bool		rows = false;
	bool		truncate = false;
	ScanKeyData key;
	SysScanDesc scan;
	HeapTuple	tuple;

	ScanKeyInit(&key, Anum_pg_trigger_tgrelid, BTEqualStrategyNumber, F_OIDEQ, ObjectIdGetDatum(relid));
	scan = systable_beginscan(triggers, TriggerRelidNameIndexId, true, snapshot, 1, &key);
	while (HeapTupleIsValid(tuple = systable_getnext(scan)))
	{
		Form_pg_trigger trigger = (Form_pg_trigger) GETSTRUCT(tuple);

		if (trigger->tgfoid != function || trigger->tgenabled != TRIGGER_FIRES_ALWAYS ||
			(IsolationUsesXactSnapshot() && TransactionIdIsCurrentTransactionId(HeapTupleHeaderGetXmin(tuple->t_data))))
			continue;
		rows |= trigger->tgtype == ROW_TRIGGER;
		truncate |= trigger->tgtype == TRUNCATE_TRIGGER;
	}
	systable_endscan(scan);
	table_close(triggers, AccessShareLock);
	return rows && truncate;
}

/* Whoever became a partition after the snapshot left a mark that the snapshot does not see, or was empty. */
static List *
children_in(Oid relid, Snapshot snapshot)
{
	Relation	inherits = table_open(InheritsRelationId, AccessShareLock);
	List	   *children = NIL;
	ScanKeyData key;
	SysScanDesc scan;
	HeapTuple	tuple;

	ScanKeyInit(&key, Anum_pg_inherits_inhparent, BTEqualStrategyNumber, F_OIDEQ, ObjectIdGetDatum(relid));
	scan = systable_beginscan(inherits, InheritsParentIndexId, true, snapshot, 1, &key);
	while (HeapTupleIsValid(tuple = systable_getnext(scan)))
		children = lappend_oid(children, ((Form_pg_inherits) GETSTRUCT(tuple))->inhrelid);
	systable_endscan(scan);
	table_close(inherits, AccessShareLock);
	return children;
}

static bool
was_in_place_below(Oid relid, Snapshot snapshot)
{
	ListCell   *cell;

	foreach(cell, children_in(relid, snapshot))
	{
		char		kind = get_rel_relkind(lfirst_oid(cell));

		if (kind == RELKIND_PARTITIONED_TABLE ? !was_in_place_below(lfirst_oid(cell), snapshot) :
			kind == RELKIND_RELATION && !was_in_place(lfirst_oid(cell), snapshot))
			return false;
	}
	return true;
}

bool
catalog_capture_was_in_place(Oid source, Snapshot snapshot)
{
	return was_in_place(source, snapshot) &&
		(get_rel_relkind(source) != RELKIND_PARTITIONED_TABLE || was_in_place_below(source, snapshot));
}

bool
catalog_capture_weakened(Oid relid, const char *name)
{
	Relation	rel = try_relation_open(relid, AccessShareLock);
	Oid			function = catalog_capture_function();
	bool		weakened = false;

	if (rel == NULL)
		return false;
	for (int i = 0; rel->trigdesc != NULL && i < rel->trigdesc->numtriggers; i++)
	{
		const Trigger *trigger = &rel->trigdesc->triggers[i];

		if (trigger->tgfoid == function && (name == NULL || strcmp(trigger->tgname, name) == 0))
			weakened |= trigger->tgenabled != TRIGGER_FIRES_ALWAYS;
	}
	relation_close(rel, AccessShareLock);
	return weakened;
}

/* ---- finding ours ---- */

/* By function, not by name: a user may have renamed them. Clones come and go with what they are clones of. */
static List *
capture_triggers(Oid relid, bool truncate_only)
{
	Relation	rel = relation_open(relid, AccessShareLock);
	Oid			function = catalog_capture_function();
	List	   *triggers = NIL;

	for (int i = 0; rel->trigdesc != NULL && i < rel->trigdesc->numtriggers; i++)
	{
		const Trigger *trigger = &rel->trigdesc->triggers[i];

		if (trigger->tgfoid == function && !trigger->tgisclone && !(truncate_only && TRIGGER_FOR_ROW(trigger->tgtype)))
			triggers = lappend_oid(triggers, trigger->tgoid);
	}
	relation_close(rel, AccessShareLock);
	return triggers;
}

/* Ours to drop, whoever drops the index: no rights are asked, no event is told. */
static void
drop_triggers(List *triggers)
{
	ListCell   *cell;

	foreach(cell, triggers)
	{
		ObjectAddress address;

		ObjectAddressSet(address, TriggerRelationId, lfirst_oid(cell));
		performDeletion(&address, DROP_RESTRICT, PERFORM_DELETION_INTERNAL);
	}
}

/* ---- TRUNCATE triggers of leaves ---- */

static char *
free_trigger_name(Oid relid)
{
	char	   *name = pstrdup("s3v_capture_truncate");

	for (int i = 1; OidIsValid(get_trigger_oid(relid, name, true)); i++)
		name = psprintf("s3v_capture_truncate_%d", i);
	return name;
}

/* Not by a statement: event triggers of others need not hear of it, and nobody's rights are asked. */
void
catalog_capture_leaf(Oid leaf)
{
	CreateTrigStmt *statement;
	S3vOwnerScope scope;

	if (capture_triggers(leaf, true) != NIL)
		return;
	statement = makeNode(CreateTrigStmt);
	statement->trigname = free_trigger_name(leaf);
	statement->funcname = list_make1(makeString("s3v_capture"));
	statement->timing = TRIGGER_TYPE_AFTER;
	statement->events = TRIGGER_TYPE_TRUNCATE;
	catalog_enter_as(&scope, BOOTSTRAP_SUPERUSERID);
	(void) CreateTriggerFiringOn(statement, NULL, leaf, InvalidOid, InvalidOid, InvalidOid, catalog_capture_function(), InvalidOid, NULL, false,
								 false, TRIGGER_FIRES_ALWAYS);
	catalog_leave(&scope);
	CommandCounterIncrement();
}

void
catalog_release_leaf(Oid leaf)
{
	if (partitions_indexes(leaf) == NIL)
		drop_triggers(capture_triggers(leaf, true));
}

/* ---- all of them ---- */

void
catalog_remove_capture(Oid source)
{
	/* An index of a table above still wants to hear of a TRUNCATE. */
	List	   *shared = partitions_indexes(source) == NIL ? NIL : capture_triggers(source, true);
	ListCell   *cell;

	drop_triggers(list_difference_oid(capture_triggers(source, false), shared));
	foreach(cell, partitions_leaves(source, NoLock))
	{
		if (lfirst_oid(cell) != source && get_rel_relkind(lfirst_oid(cell)) == RELKIND_RELATION)
			catalog_release_leaf(lfirst_oid(cell));
	}
}

static void
create_trigger(Oid source, const char *name, const char *when)
{
	char	   *table = relation_quoted(source);
	char	   *function = quote_qualified_identifier(get_namespace_name(catalog_function_schema()), "s3v_capture");

	catalog_execute(psprintf("CREATE TRIGGER %s AFTER %s EXECUTE FUNCTION %s()", name, psprintf(when, table), function),
					0, NULL, NULL, NULL, NULL);
	catalog_execute(psprintf("ALTER TABLE %s ENABLE ALWAYS TRIGGER %s", table, name), 0, NULL, NULL, NULL, NULL);
}

/* ATTACH fails where a clone would meet a trigger of its own name, which a partition with an index of its own has. */
static const char *
row_trigger_name(Oid source)
{
	const S3vIndex *index;

	if (get_rel_relkind(source) != RELKIND_PARTITIONED_TABLE)
		return "s3v_capture";
	index = linitial(catalog_indexes(source, NULL));
	return psprintf("s3v_capture_%.8s", index->uuid);
}

static void
install_on_leaves(Oid source)
{
	ListCell   *cell;

	foreach(cell, partitions_leaves(source, NoLock))
	{
		if (lfirst_oid(cell) == source)
			continue;
		drop_triggers(capture_triggers(lfirst_oid(cell), true));
		catalog_capture_leaf(lfirst_oid(cell));
	}
}

void
catalog_install_capture(Oid source)
{
	if (!catalog_capture_in_place(source))
	{
		drop_triggers(capture_triggers(source, false));
		create_trigger(source, row_trigger_name(source), "INSERT OR UPDATE OR DELETE ON %s FOR EACH ROW");
		create_trigger(source, "s3v_capture_truncate", "TRUNCATE ON %s FOR EACH STATEMENT");
		install_on_leaves(source);
	}
	catalog_changed(source);
}

void
catalog_changed(Oid source)
{
	if (SearchSysCacheExists1(RELOID, ObjectIdGetDatum(source)))
		CacheInvalidateRelcacheByRelid(source);
}

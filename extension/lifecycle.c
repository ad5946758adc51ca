/*
 * Capture on a source, put there with its first index and taken away with its last; and what is left to do when an index has been
 * dropped.
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/relation.h"
#include "access/skey.h"
#include "access/table.h"
#include "access/xact.h"
#include "catalog/dependency.h"
#include "catalog/pg_class.h"
#include "catalog/pg_trigger.h"
#include "catalog/pg_type.h"
#include "commands/trigger.h"
#include "storage/lmgr.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/inval.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/syscache.h"
#include "utils/uuid.h"

#include "catalog.h"

#define TRIGGER_KINDS 2
#define ROW_TRIGGER (TRIGGER_TYPE_ROW | TRIGGER_TYPE_AFTER | TRIGGER_TYPE_INSERT | TRIGGER_TYPE_DELETE | TRIGGER_TYPE_UPDATE)
#define TRUNCATE_TRIGGER (TRIGGER_TYPE_STATEMENT | TRIGGER_TYPE_AFTER | TRIGGER_TYPE_TRUNCATE)

/* ---- capture ---- */

/* Sees every change of its kind: nothing narrows it, delays it or switches it off. */
static bool
is_complete(const Trigger *trigger, int16 type)
{
	return trigger->tgtype == type && trigger->tgenabled == TRIGGER_FIRES_ALWAYS && trigger->tgqual == NULL &&
		trigger->tgnattr == 0 && !trigger->tgdeferrable;
}

bool
catalog_capture_in_place(Oid source)
{
	Relation	rel = try_relation_open(source, AccessShareLock);
	Oid			function = catalog_capture_function();
	bool		rows = false;
	bool		truncate = false;

	if (rel == NULL)
		return false;
	for (int i = 0; rel->trigdesc != NULL && i < rel->trigdesc->numtriggers; i++)
	{
		const Trigger *trigger = &rel->trigdesc->triggers[i];

		if (trigger->tgfoid != function)
			continue;
		rows |= is_complete(trigger, ROW_TRIGGER);
		truncate |= is_complete(trigger, TRUNCATE_TRIGGER);
	}
	relation_close(rel, AccessShareLock);
	return rows && truncate;
}

bool
catalog_capture_was_in_place(Oid source, Snapshot snapshot)
{
	Relation	triggers = table_open(TriggerRelationId, AccessShareLock);
	Oid			function = catalog_capture_function();
	int			complete = 0;
	ScanKeyData key;
	SysScanDesc scan;
	HeapTuple	tuple;

	ScanKeyInit(&key, Anum_pg_trigger_tgrelid, BTEqualStrategyNumber, F_OIDEQ, ObjectIdGetDatum(source));
	scan = systable_beginscan(triggers, TriggerRelidNameIndexId, true, snapshot, 1, &key);
	while (HeapTupleIsValid(tuple = systable_getnext(scan)))
	{
		Form_pg_trigger trigger = (Form_pg_trigger) GETSTRUCT(tuple);

		if (trigger->tgfoid == function && trigger->tgenabled == TRIGGER_FIRES_ALWAYS &&
			(trigger->tgtype == ROW_TRIGGER || trigger->tgtype == TRUNCATE_TRIGGER) &&
			!(IsolationUsesXactSnapshot() && TransactionIdIsCurrentTransactionId(HeapTupleHeaderGetXmin(tuple->t_data))))
			complete++;
	}
	systable_endscan(scan);
	table_close(triggers, AccessShareLock);
	return complete == TRIGGER_KINDS;
}

bool
catalog_capture_weakened(Oid source, const char *name)
{
	Relation	rel = try_relation_open(source, AccessShareLock);
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

/* By function, not by name: a user may have renamed them. */
static List *
capture_triggers(Oid source)
{
	Relation	rel = relation_open(source, AccessShareLock);
	Oid			function = catalog_capture_function();
	List	   *triggers = NIL;

	for (int i = 0; rel->trigdesc != NULL && i < rel->trigdesc->numtriggers; i++)
	{
		if (rel->trigdesc->triggers[i].tgfoid == function)
			triggers = lappend_oid(triggers, rel->trigdesc->triggers[i].tgoid);
	}
	relation_close(rel, AccessShareLock);
	return triggers;
}

/* Ours to drop, whoever drops the index: no rights are asked, no event is told. */
static void
drop_object(Oid class, Oid object, DropBehavior behavior)
{
	ObjectAddress address;

	ObjectAddressSet(address, class, object);
	performDeletion(&address, behavior, PERFORM_DELETION_INTERNAL);
}

static void
remove_capture(Oid source)
{
	ListCell   *cell;

	foreach(cell, capture_triggers(source))
		drop_object(TriggerRelationId, lfirst_oid(cell), DROP_RESTRICT);
}

static char *
quoted_relation(Oid relid)
{
	return quote_qualified_identifier(get_namespace_name(get_rel_namespace(relid)), get_rel_name(relid));
}

static void
create_trigger(Oid source, const char *name, const char *when)
{
	char	   *table = quoted_relation(source);
	char	   *function = quote_qualified_identifier(get_namespace_name(catalog_function_schema()), "s3v_capture");

	catalog_execute(psprintf("CREATE TRIGGER %s AFTER %s EXECUTE FUNCTION %s()", name, psprintf(when, table), function),
					0, NULL, NULL, NULL, NULL);
	catalog_execute(psprintf("ALTER TABLE %s ENABLE ALWAYS TRIGGER %s", table, name), 0, NULL, NULL, NULL, NULL);
}

void
catalog_install_capture(Oid source)
{
	if (!catalog_capture_in_place(source))
	{
		remove_capture(source);
		create_trigger(source, "s3v_capture", "INSERT OR UPDATE OR DELETE ON %s FOR EACH ROW");
		create_trigger(source, "s3v_capture_truncate", "TRUNCATE ON %s FOR EACH STATEMENT");
	}
	catalog_changed(source);
}

void
catalog_changed(Oid source)
{
	if (SearchSysCacheExists1(RELOID, ObjectIdGetDatum(source)))
		CacheInvalidateRelcacheByRelid(source);
}

/* ---- after a drop ---- */

static void
delete_rows(Oid index_id)
{
	Oid			types[1] = {OIDOID};
	Datum		values[1];

	values[0] = ObjectIdGetDatum(index_id);
	catalog_execute_latest("DELETE FROM s3v.history WHERE index_id = $1", 1, types, values);
	catalog_execute_latest("DELETE FROM s3v.stale WHERE index_id = $1", 1, types, values);
	catalog_execute_latest("DELETE FROM s3v.version WHERE index_id = $1", 1, types, values);
	catalog_execute_latest("DELETE FROM s3v.index WHERE index_id = $1", 1, types, values);
}

/* The log goes on for the source's other indexes. */
static void
delete_log_rows(const S3vIndex *index)
{
	Oid			types[1] = {OIDOID};
	Datum		values[1];

	values[0] = ObjectIdGetDatum(index->index_id);
	catalog_execute_latest(psprintf("DELETE FROM %s WHERE index_id = $1", quoted_relation(index->log)), 1, types, values);
}

static void
leave_for_collection(const S3vIndex *index, const char *server_name)
{
	Oid			types[2] = {UUIDOID, NAMEOID};
	Datum		values[2];

	values[0] = DirectFunctionCall1(uuid_in, CStringGetDatum(index->uuid));
	values[1] = DirectFunctionCall1(namein, CStringGetDatum(server_name));
	catalog_execute_latest("INSERT INTO s3v.dropped (uuid, server) VALUES ($1, $2) ON CONFLICT DO NOTHING", 2, types, values);
}

/* Keeps the lock, and answers whether the table is still there. */
static bool
lock_source(Oid source)
{
	Relation	rel = try_relation_open(source, ShareUpdateExclusiveLock);

	if (rel == NULL)
		return false;
	relation_close(rel, NoLock);
	return true;
}

void
catalog_forget(Oid index_id, const char *server_name)
{
	S3vIndex   *index;
	bool		has_source;
	bool		has_log;

	index = catalog_index(index_id, NULL);
	if (index == NULL)
		return;
	/* No sync publishes while its index goes, and no two drops each leave capture to the other. In the order of sync_index(). */
	has_source = lock_source(index->source);
	catalog_lock_index(index_id, true);
	index = catalog_index(index_id, NULL);
	if (index == NULL)
		return;

	delete_rows(index_id);
	if (server_name != NULL)
		leave_for_collection(index, server_name);
	catalog_changed(index->source);
	has_log = SearchSysCacheExists1(RELOID, ObjectIdGetDatum(index->log));
	if (catalog_indexes(index->source, NULL) != NIL)
	{
		if (has_log)
			delete_log_rows(index);
		return;
	}
	if (has_source)
		remove_capture(index->source);
	if (has_log)
		drop_object(RelationRelationId, index->log, DROP_CASCADE);
}

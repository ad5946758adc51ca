/*
 * Event triggers ddl_command_end and table_rewrite: DDL that changes what an index carries, or lets changes of its source pass
 * unseen, marks the index stale; a renamed column is renamed in the bookkeeping.
 *
 * Decided by ALTER TABLE subcommand, never by what is missing: while a dump is restored, triggers and keys are missing for a long
 * time and all is well. Reads system catalogues without asking for rights: these functions run as whoever issued the command, and
 * must not fail it.
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "catalog/indexing.h"
#include "catalog/pg_inherits.h"
#include "catalog/pg_trigger.h"
#include "catalog/pg_type.h"
#include "commands/event_trigger.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "nodes/parsenodes.h"
#include "tcop/deparse_utility.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"

#include "compat.h"
#include "ddl_events.h"
#include "partitions.h"

/* ---- columns ---- */

static void
column_altered(Oid relid, const char *column)
{
	ListCell   *cell;

	foreach(cell, indexes_under(relid))
	{
		S3vIndex   *index = lfirst(cell);

		if (is_carried(index, column))
			catalog_mark_stale(index->index_id, psprintf("type or values of column \"%s\" were altered", column));
	}
}

static void
rename_column(const S3vIndex *index, const char *from, const char *to)
{
	Oid			types[3] = {OIDOID, NAMEOID, NAMEOID};
	Datum		values[3];

	values[0] = ObjectIdGetDatum(index->index_id);
	values[1] = DirectFunctionCall1(namein, CStringGetDatum(from));
	values[2] = DirectFunctionCall1(namein, CStringGetDatum(to));
	catalog_execute_latest("UPDATE s3v.index SET metadata = array_replace(metadata, $2, $3),"
						   " key_column = CASE WHEN key_column = $2 THEN $3 ELSE key_column END,"
						   " vector_column = CASE WHEN vector_column = $2 THEN $3 ELSE vector_column END"
						   " WHERE index_id = $1", 3, types, values);
	catalog_changed(index->source);
}

static void
column_renamed(Oid relid, const char *from, const char *to)
{
	ListCell   *cell;

	foreach(cell, indexes_under(relid))
	{
		S3vIndex   *index = lfirst(cell);

		/* ALTER TABLE ONLY may have left this table as it was. */
		if (is_carried(index, from) && get_attnum(index->source, from) == InvalidAttrNumber &&
			get_attnum(index->source, to) != InvalidAttrNumber)
			rename_column(index, from, to);
	}
}

/* A label of an enum is what filters compare: all rows that have it change, and no row trigger fires. */
static void
enum_label_renamed(Oid enum_type)
{
	ListCell   *cell;

	foreach(cell, catalog_indexes(InvalidOid, NULL))
	{
		S3vIndex   *index = lfirst(cell);

		for (int i = 0; i < index->metadata_count; i++)
		{
			AttrNumber	column = get_attnum(index->source, index->metadata[i]);

			if (column != InvalidAttrNumber && getBaseType(get_atttype(index->source, column)) == enum_type)
				catalog_mark_stale(index->index_id, psprintf("a label of column \"%s\" was renamed", index->metadata[i]));
		}
	}
}

/* ---- tables ---- */

/*
 * ENABLE TRIGGER is here too: it turns ALWAYS into ORIGIN. ENABLE ALWAYS TRIGGER is not: every restore says it. ALTER TABLE goes down to
 * partitions and children.
 */
static void
triggers_switched(Oid relid, const char *name)
{
	ListCell   *cell;

	foreach(cell, find_all_inheritors(relid, NoLock, NULL))
	{
		if (catalog_capture_weakened(lfirst_oid(cell), name))
			mark_all_stale(partitions_indexes(lfirst_oid(cell)), "a capture trigger no longer fires always");
	}
}

static void
triggers_checked(Oid relid)
{
	ListCell   *cell;

	foreach(cell, partitions_indexes(relid))
	{
		S3vIndex   *index = lfirst(cell);

		if (!catalog_capture_in_place(index->source))
			catalog_mark_stale(index->index_id, "a capture trigger was replaced");
	}
}

/* CREATE OR REPLACE TRIGGER may have put something else into the place of ours. Restores say CREATE TRIGGER. */
static void
trigger_replaced(Oid trigger)
{
	Relation	triggers = table_open(TriggerRelationId, AccessShareLock);
	ScanKeyData key;
	SysScanDesc scan;
	HeapTuple	tuple;

	ScanKeyInit(&key, Anum_pg_trigger_oid, BTEqualStrategyNumber, F_OIDEQ, ObjectIdGetDatum(trigger));
	scan = systable_beginscan(triggers, TriggerOidIndexId, true, NULL, 1, &key);
	while (HeapTupleIsValid(tuple = systable_getnext(scan)))
	{
		triggers_checked(((Form_pg_trigger) GETSTRUCT(tuple))->tgrelid);
	}
	systable_endscan(scan);
	table_close(triggers, AccessShareLock);
}

static void
owner_changed(Oid relid)
{
	List	   *indexes = catalog_indexes(relid, NULL);

	if (indexes != NIL)
		catalog_share_log(relid, ((S3vIndex *) linitial(indexes))->log);
}

static void
table_altered(Oid relid, const CollectedATSubcmd *subcommand)
{
	const AlterTableCmd *alter = castNode(AlterTableCmd, subcommand->parsetree);

	switch (alter->subtype)
	{
		CASE_VALUES_RECOMPUTED:
			column_altered(relid, alter->name);
			break;
		case AT_DropNotNull:
		case AT_DropConstraint:
			check_keys(relid);
			break;
		case AT_EnableTrig:
		case AT_EnableReplicaTrig:
		case AT_DisableTrig:
			triggers_switched(relid, alter->name);
			break;
		case AT_EnableTrigAll:
		case AT_EnableTrigUser:
		case AT_DisableTrigAll:
		case AT_DisableTrigUser:
			triggers_switched(relid, NULL);
			break;
		case AT_AttachPartition:
			partition_attached(relid, castNode(PartitionCmd, alter->def)->name);
			break;
		case AT_DetachPartition:
		case AT_DetachPartitionFinalize:
			partition_detached(relid, castNode(PartitionCmd, alter->def)->name);
			break;
		case AT_AddInherit:
			mark_all_stale(catalog_indexes(subcommand->address.objectId, NULL), "a child table was added");
			break;
		case AT_SetUnLogged:
			mark_all_stale(partitions_indexes(relid), get_rel_relispartition(relid) ?
						   psprintf("partition \"%s\" became an unlogged table", get_rel_name(relid)) : "its source became an unlogged table");
			break;
		case AT_ChangeOwner:
			owner_changed(relid);
			break;
		default:
			break;
	}
}

/* ---- ddl_command_end ---- */

/* The commands in the server's own form, which names each ALTER TABLE subcommand; they live as long as the event. */
static List *
collected_commands(void)
{
	MemoryContext context = CurrentMemoryContext;
	List	   *commands = NIL;
	S3vOwnerScope scope;

	catalog_enter(&scope);
	SPI_connect();
	if (SPI_execute("SELECT command FROM pg_catalog.pg_event_trigger_ddl_commands()", false, 0) != SPI_OK_SELECT)
		elog(ERROR, "could not read the commands of an event trigger");
	for (uint64 i = 0; i < SPI_processed; i++)
	{
		bool		is_null;
		Datum		command = SPI_getbinval(SPI_tuptable->vals[i], SPI_tuptable->tupdesc, 1, &is_null);
		MemoryContext before = MemoryContextSwitchTo(context);

		if (!is_null)
			commands = lappend(commands, DatumGetPointer(command));
		MemoryContextSwitchTo(before);
	}
	SPI_finish();
	catalog_leave(&scope);
	return commands;
}

static void
handle_simple_command(Oid object, Node *statement)
{
	if (IsA(statement, RenameStmt))
	{
		RenameStmt *rename = (RenameStmt *) statement;

		if (rename->renameType == OBJECT_COLUMN || rename->renameType == OBJECT_ATTRIBUTE)
			column_renamed(object, rename->subname, rename->newname);
	}
	else if (IsA(statement, CreateStmt) || IsA(statement, CreateForeignTableStmt))
		partition_created(object);
	else if (IsA(statement, CreateTrigStmt) && ((CreateTrigStmt *) statement)->replace)
		trigger_replaced(object);
	else if (IsA(statement, AlterEnumStmt) && ((AlterEnumStmt *) statement)->oldVal != NULL)
		enum_label_renamed(object);
}

static void
handle_command(const CollectedCommand *command)
{
	ListCell   *cell;

	if (command->type == SCT_Simple && command->parsetree != NULL)
		handle_simple_command(command->d.simple.address.objectId, command->parsetree);
	if (command->type != SCT_AlterTable)
		return;
	foreach(cell, command->d.alterTable.subcmds)
		table_altered(command->d.alterTable.objectId, lfirst(cell));
}

/* Where to look for objects of dropped indexes. */
static void
server_renamed(const RenameStmt *rename)
{
	Oid			types[2] = {NAMEOID, NAMEOID};
	Datum		values[2];

	values[0] = DirectFunctionCall1(namein, CStringGetDatum(strVal(rename->object)));
	values[1] = DirectFunctionCall1(namein, CStringGetDatum(rename->newname));
	catalog_execute_latest("UPDATE s3v.dropped SET server = $2 WHERE server = $1", 2, types, values);
}

PG_FUNCTION_INFO_V1(s3v_ddl_command_end);

Datum
s3v_ddl_command_end(PG_FUNCTION_ARGS)
{
	Node	   *statement = event_data(fcinfo)->parsetree;
	ListCell   *cell;

	if (nothing_to_watch())
		PG_RETURN_NULL();
	if (IsA(statement, RenameStmt) && ((RenameStmt *) statement)->renameType == OBJECT_FOREIGN_SERVER)
		server_renamed((RenameStmt *) statement);
	foreach(cell, collected_commands())
		handle_command(lfirst(cell));
	PG_RETURN_NULL();
}

/* ---- table_rewrite ---- */

PG_FUNCTION_INFO_V1(s3v_table_rewrite);

/*
 * Only a changed column can make an index stale: SET UNLOGGED is seen above, a volatile default fills a new column, and another
 * access method keeps all values. CLUSTER and VACUUM FULL do not even come here.
 */
Datum
s3v_table_rewrite(PG_FUNCTION_ARGS)
{
	Node	   *statement = event_data(fcinfo)->parsetree;
	ListCell   *cell;

	if (nothing_to_watch() || !IsA(statement, AlterTableStmt))
		PG_RETURN_NULL();
	if ((DatumGetInt32(OidFunctionCall0(F_PG_EVENT_TRIGGER_TABLE_REWRITE_REASON)) & AT_REWRITE_COLUMN_REWRITE) == 0)
		PG_RETURN_NULL();
	foreach(cell, ((AlterTableStmt *) statement)->cmds)
	{
		AlterTableCmd *alter = lfirst(cell);

		if (alter->subtype == AT_AlterColumnType)
			column_altered(DatumGetObjectId(OidFunctionCall0(F_PG_EVENT_TRIGGER_TABLE_REWRITE_OID)), alter->name);
	}
	PG_RETURN_NULL();
}

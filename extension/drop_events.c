/*
 * Event trigger sql_drop: a dropped index is forgotten, a dropped source takes its indexes along, and a dropped column, trigger,
 * key or change log makes an index stale.
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/reloptions.h"
#include "access/table.h"
#include "access/xact.h"
#include "catalog/dependency.h"
#include "catalog/indexing.h"
#include "catalog/pg_class.h"
#include "catalog/pg_foreign_server.h"
#include "catalog/pg_foreign_table.h"
#include "catalog/pg_index.h"
#include "catalog/pg_trigger.h"
#include "catalog/pg_type.h"
#include "commands/defrem.h"
#include "executor/spi.h"
#include "foreign/foreign.h"
#include "nodes/parsenodes.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"
#include "utils/syscache.h"

#include "../src/api/s3v_remote_c.h"
#include "columns.h"
#include "ddl_events.h"
#include "partitions.h"

/* ---- what was dropped ---- */

typedef struct Dropped
{
	ObjectAddress address;
	char	   *identity;		/* for messages */
} Dropped;

static List *
dropped_objects(void)
{
	MemoryContext context = CurrentMemoryContext;
	List	   *objects = NIL;
	S3vOwnerScope scope;

	catalog_enter(&scope);
	SPI_connect();
	if (SPI_execute("SELECT classid, objid, objsubid, object_identity FROM pg_catalog.pg_event_trigger_dropped_objects()"
					" WHERE classid IS NOT NULL AND objid IS NOT NULL", false, 0) != SPI_OK_SELECT)
		elog(ERROR, "could not read the dropped objects of an event trigger");
	for (uint64 i = 0; i < SPI_processed; i++)
	{
		HeapTuple	row = SPI_tuptable->vals[i];
		TupleDesc	columns = SPI_tuptable->tupdesc;
		bool		is_null;
		char	   *identity = SPI_getvalue(row, columns, 4);
		MemoryContext before = MemoryContextSwitchTo(context);
		Dropped    *dropped = palloc(sizeof(Dropped));

		dropped->address.classId = DatumGetObjectId(SPI_getbinval(row, columns, 1, &is_null));
		dropped->address.objectId = DatumGetObjectId(SPI_getbinval(row, columns, 2, &is_null));
		dropped->address.objectSubId = DatumGetInt32(SPI_getbinval(row, columns, 3, &is_null));
		dropped->identity = pstrdup(identity != NULL ? identity : "");
		objects = lappend(objects, dropped);
		MemoryContextSwitchTo(before);
	}
	SPI_finish();
	catalog_leave(&scope);
	return objects;
}

static bool
is_relation(const Dropped *dropped)
{
	return dropped->address.classId == RelationRelationId && dropped->address.objectSubId == 0;
}

/* ---- servers ---- */

/* Name and url of a server, dropped or not. */
typedef struct ServerOfIndex
{
	bool		dropped;
	char	   *name;
	char	   *url;
} ServerOfIndex;

static char *
url_of(Relation servers, HeapTuple tuple)
{
	bool		is_null;
	Datum		options = heap_getattr(tuple, Anum_pg_foreign_server_srvoptions, RelationGetDescr(servers), &is_null);
	ListCell   *cell;

	foreach(cell, is_null ? NIL : untransformRelOptions(options))
	{
		DefElem    *option = lfirst(cell);

		if (strcmp(option->defname, "url") == 0)
			return pstrdup(defGetString(option));
	}
	return pstrdup("");
}

static ServerOfIndex
read_dropped_server(Oid server_id)
{
	Relation	servers = table_open(ForeignServerRelationId, AccessShareLock);
	HeapTuple	tuple = deleted_row(servers, ForeignServerOidIndexId, Anum_pg_foreign_server_oid, server_id);
	ServerOfIndex server = {.dropped = true};

	if (HeapTupleIsValid(tuple))
	{
		server.name = pstrdup(NameStr(((Form_pg_foreign_server) GETSTRUCT(tuple))->srvname));
		server.url = url_of(servers, tuple);
	}
	table_close(servers, AccessShareLock);
	return server;
}

static ServerOfIndex
read_server(Oid server_id)
{
	ForeignServer *live = GetForeignServerExtended(server_id, FSV_MISSING_OK);
	ServerOfIndex server = {.dropped = false};

	if (live == NULL)
		return read_dropped_server(server_id);
	server.name = live->servername;
	return server;
}

static ServerOfIndex
server_of_dropped_index(Oid index_id)
{
	Relation	tables = table_open(ForeignTableRelationId, AccessShareLock);
	HeapTuple	tuple = deleted_row(tables, ForeignTableRelidIndexId, Anum_pg_foreign_table_ftrelid, index_id);
	ServerOfIndex server = {.dropped = true};

	if (HeapTupleIsValid(tuple))
		server = read_server(((Form_pg_foreign_table) GETSTRUCT(tuple))->ftserver);
	table_close(tables, AccessShareLock);
	return server;
}

/* How names of a service begin: "s3v-" and the digits of the uuid. */
static char *
remote_prefix(const char *uuid)
{
	StringInfoData name;

	initStringInfo(&name);
	appendStringInfoString(&name, "s3v-");
	for (const char *c = uuid; *c != '\0'; c++)
	{
		if (*c != '-')
			appendStringInfoChar(&name, *c);
	}
	return name.data;
}

static void
tell_of_objects(const char *index, const char *uuid, const char *url)
{
	if (url != NULL && s3v_url_is_remote(url))
	{
		ereport(NOTICE,
				(errmsg("remote indexes of dropped index %s remain in %s", index, url),
				 errdetail("Their names begin with \"%s\".", remote_prefix(uuid)),
				 errhint("Nothing refers to them any more. Delete them with the tools of the service.")));
		return;
	}
	ereport(NOTICE,
			(errmsg("objects of dropped index %s remain at %s/%s/", index, url != NULL ? url : "", uuid),
			 errhint("Nothing refers to them any more. Delete everything below that prefix with the tools of the store.")));
}

/*
 * Indexes dropped earlier, whose objects waited for s3v_gc on a server that is gone now. What s3v_fork left to others stays noted: another
 * server may have the same url.
 */
static void
server_dropped(Oid server_id)
{
	ServerOfIndex server = read_dropped_server(server_id);
	MemoryContext context = CurrentMemoryContext;
	List	   *uuids = NIL;
	ListCell   *cell;
	Oid			types[1] = {NAMEOID};
	Datum		values[1];
	S3vOwnerScope scope;

	if (server.name == NULL)
		return;
	values[0] = DirectFunctionCall1(namein, CStringGetDatum(server.name));
	catalog_enter(&scope);
	SPI_connect();
	if (SPI_execute_with_args("DELETE FROM s3v.dropped WHERE server = $1 AND isfinite(dropped_at) RETURNING uuid", 1, types, values, NULL, false, 0) !=
		SPI_OK_DELETE_RETURNING)
		elog(ERROR, "could not read the dropped indexes of server \"%s\"", server.name);
	for (uint64 i = 0; i < SPI_processed; i++)
	{
		char	   *uuid = SPI_getvalue(SPI_tuptable->vals[i], SPI_tuptable->tupdesc, 1);
		MemoryContext before = MemoryContextSwitchTo(context);

		uuids = lappend(uuids, pstrdup(uuid));
		MemoryContextSwitchTo(before);
	}
	SPI_finish();
	catalog_leave(&scope);
	foreach(cell, uuids)
		tell_of_objects(lfirst(cell), lfirst(cell), server.url);
}

/* ---- indexes and sources ---- */

static void
index_dropped(const Dropped *dropped)
{
	S3vIndex   *index = catalog_index(dropped->address.objectId, NULL);
	ServerOfIndex server;

	if (index == NULL)
		return;
	server = server_of_dropped_index(index->index_id);
	catalog_forget(index->index_id, server.dropped ? NULL : server.name);
	if (server.dropped)
		tell_of_objects(dropped->identity, index->uuid, server.url);
}

/* What the user said about dependent objects also holds for those of the indexes that go along. */
static DropBehavior
behavior_of(Node *statement)
{
	if (IsA(statement, DropStmt))
		return ((DropStmt *) statement)->behavior;
	if (IsA(statement, DropOwnedStmt))
		return ((DropOwnedStmt *) statement)->behavior;
	return DROP_RESTRICT;
}

static void
source_dropped(Oid source, DropBehavior behavior)
{
	ListCell   *cell;

	foreach(cell, catalog_indexes(source, NULL))
	{
		S3vIndex   *index = lfirst(cell);
		ServerOfIndex server = {.name = NULL};
		ObjectAddress address;

		/* Gone already, unseen, when event triggers were off. */
		if (SearchSysCacheExists1(RELOID, ObjectIdGetDatum(index->index_id)))
		{
			server = read_server(GetForeignTable(index->index_id)->serverid);
			ObjectAddressSet(address, RelationRelationId, index->index_id);
			performDeletion(&address, behavior, 0);
		}
		catalog_forget(index->index_id, server.name);
	}
}

/* ---- what an index needs ---- */

static void
column_dropped(Oid relid)
{
	ListCell   *cell;

	foreach(cell, catalog_indexes(relid, NULL))
	{
		S3vIndex   *index = lfirst(cell);
		bool		missing = get_attnum(relid, index->key_column) == InvalidAttrNumber ||
			get_attnum(relid, index->vector_column) == InvalidAttrNumber;

		/* From the last: the places of those before it stay. */
		for (int i = index->metadata_count - 1; i >= 0; i--)
		{
			if (get_attnum(relid, index->metadata[i]) == InvalidAttrNumber)
			{
				missing = true;
				columns_forget(index, i);
			}
		}
		if (missing)
			catalog_mark_stale(index->index_id, "a column that it uses was dropped");
	}
}

static void
trigger_dropped(Oid trigger)
{
	Relation	triggers = table_open(TriggerRelationId, AccessShareLock);
	HeapTuple	tuple = deleted_row(triggers, TriggerOidIndexId, Anum_pg_trigger_oid, trigger);

	if (HeapTupleIsValid(tuple))
	{
		Form_pg_trigger form = (Form_pg_trigger) GETSTRUCT(tuple);

		/* Clones go with what they are clones of, or with their table. */
		if (form->tgfoid == catalog_capture_function() && !OidIsValid(form->tgparentid))
			mark_all_stale(partitions_indexes(form->tgrelid), "a capture trigger was dropped");
	}
	table_close(triggers, AccessShareLock);
}

/* Was it an index that made a key column unique? */
static void
table_index_dropped(Oid relid)
{
	Relation	indexes = table_open(IndexRelationId, AccessShareLock);
	HeapTuple	tuple = deleted_row(indexes, IndexRelidIndexId, Anum_pg_index_indexrelid, relid);

	if (HeapTupleIsValid(tuple))
		check_keys(((Form_pg_index) GETSTRUCT(tuple))->indrelid);
	table_close(indexes, AccessShareLock);
}

static void
log_dropped(Oid relid)
{
	ListCell   *cell;

	foreach(cell, catalog_indexes(InvalidOid, NULL))
	{
		S3vIndex   *index = lfirst(cell);

		if (index->log == relid)
			catalog_mark_stale(index->index_id, "its change log was dropped");
	}
}

static void
need_dropped(const Dropped *dropped)
{
	if (is_relation(dropped))
	{
		table_index_dropped(dropped->address.objectId);
		log_dropped(dropped->address.objectId);
		partition_dropped(dropped->address.objectId, dropped->identity);
	}
	else if (dropped->address.classId == RelationRelationId)
		column_dropped(dropped->address.objectId);
	else if (dropped->address.classId == TriggerRelationId)
		trigger_dropped(dropped->address.objectId);
	else if (dropped->address.classId == ForeignServerRelationId)
		server_dropped(dropped->address.objectId);
}

/* ---- sql_drop ---- */

PG_FUNCTION_INFO_V1(s3v_sql_drop);

/* Indexes first, then sources, so that what is left of the bookkeeping is what can be missing something. */
Datum
s3v_sql_drop(PG_FUNCTION_ARGS)
{
	Node	   *statement = event_data(fcinfo)->parsetree;
	List	   *objects;
	ListCell   *cell;

	if (nothing_to_watch())
		PG_RETURN_NULL();
	objects = dropped_objects();
	foreach(cell, objects)
	{
		if (is_relation(lfirst(cell)))
			index_dropped(lfirst(cell));
	}
	foreach(cell, objects)
	{
		if (is_relation(lfirst(cell)))
			source_dropped(((Dropped *) lfirst(cell))->address.objectId, behavior_of(statement));
	}
	foreach(cell, objects)
		need_dropped(lfirst(cell));
	PG_RETURN_NULL();
}

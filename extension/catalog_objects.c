/*
 * The extension as the server knows it: its owner, schemas, tables and capture function; and fixed statements that run under its
 * owner.
 */
#include "postgres.h"

#include "catalog.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/skey.h"
#include "access/table.h"
#include "catalog/indexing.h"
#include "catalog/namespace.h"
#include "catalog/pg_class.h"
#include "catalog/pg_extension.h"
#include "catalog/pg_proc.h"
#include "commands/dbcommands.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "storage/lmgr.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/guc.h"
#include "utils/inval.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"
#include "utils/syscache.h"
#include "utils/varlena.h"

/* ---- objects ---- */

/* pg_extension has no cache and sends no invalidation, but schema s3v comes and goes with the extension. */
static struct
{
	bool		valid;
	Oid			extension;
	Oid			owner;
	Oid			function_schema;
	Oid			schema;
}			known;

static void
forget_extension(Datum arg, int cacheid, uint32 hashvalue)
{
	known.valid = false;
}

static void
look_up_extension(void)
{
	Relation	rel = table_open(ExtensionRelationId, AccessShareLock);
	ScanKeyData key;
	SysScanDesc scan;
	HeapTuple	tuple;

	ScanKeyInit(&key, Anum_pg_extension_extname, BTEqualStrategyNumber, F_NAMEEQ, CStringGetDatum("s3v"));
	scan = systable_beginscan(rel, ExtensionNameIndexId, true, NULL, 1, &key);
	tuple = systable_getnext(scan);
	if (HeapTupleIsValid(tuple))
	{
		Form_pg_extension form = (Form_pg_extension) GETSTRUCT(tuple);

		known.extension = form->oid;
		known.owner = form->extowner;
		known.function_schema = form->extnamespace;
		known.schema = get_namespace_oid("s3v", true);
		known.valid = OidIsValid(known.schema);
	}
	systable_endscan(scan);
	table_close(rel, AccessShareLock);
}

bool
catalog_installed(void)
{
	static bool watching = false;

	if (!watching)
	{
		CacheRegisterSyscacheCallback(NAMESPACEOID, forget_extension, (Datum) 0);
		watching = true;
	}
	if (!known.valid)
		look_up_extension();
	return known.valid;
}

static void
require_extension(void)
{
	if (!catalog_installed())
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("extension \"s3v\" is not installed in this database"),
				 errhint("Use CREATE EXTENSION s3v.")));
}

Oid
catalog_extension(void)
{
	require_extension();
	return known.extension;
}

Oid
catalog_owner(void)
{
	require_extension();
	return known.owner;
}

Oid
catalog_schema(void)
{
	require_extension();
	return known.schema;
}

Oid
catalog_function_schema(void)
{
	require_extension();
	return known.function_schema;
}

/* Tables that queries read. */
static struct
{
	const char *name;
	Oid			table;			/* InvalidOid: to be looked up */
}			read_often[] = {{"index"}, {"version"}, {"stale"}};

static void
forget_table(Datum arg, Oid relid)
{
	for (int i = 0; i < lengthof(read_often); i++)
	{
		if (!OidIsValid(relid) || relid == read_often[i].table)
			read_often[i].table = InvalidOid;
	}
}

static Oid *
kept_table(const char *name)
{
	static bool watching = false;

	if (!watching)
	{
		CacheRegisterRelcacheCallback(forget_table, (Datum) 0);
		watching = true;
	}
	for (int i = 0; i < lengthof(read_often); i++)
	{
		if (strcmp(name, read_often[i].name) == 0)
			return &read_often[i].table;
	}
	return NULL;
}

Oid
catalog_table(const char *name)
{
	Oid		   *kept = kept_table(name);
	Oid			table;

	if (kept != NULL && OidIsValid(*kept))
		return *kept;
	table = get_relname_relid(name, catalog_schema());
	if (!OidIsValid(table))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_TABLE),
				 errmsg("relation \"s3v.%s\" of extension \"s3v\" does not exist", name)));
	if (kept != NULL)
		*kept = table;
	return table;
}

Oid
catalog_primary_key(Relation rel)
{
	list_free(RelationGetIndexList(rel));	/* fills rd_pkindex */
	return rel->rd_pkindex;
}

Oid
catalog_capture_function(void)
{
	oidvector  *no_arguments = buildoidvector(NULL, 0);
	Oid			function = GetSysCacheOid3(PROCNAMEARGSNSP, Anum_pg_proc_oid, CStringGetDatum("s3v_capture"),
										   PointerGetDatum(no_arguments), ObjectIdGetDatum(catalog_function_schema()));

	if (!OidIsValid(function))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_FUNCTION),
				 errmsg("function s3v_capture() of extension \"s3v\" does not exist")));
	return function;
}

/* ---- statements ---- */

void
catalog_enter(S3vOwnerScope *scope)
{
	catalog_enter_as(scope, catalog_owner());
}

void
catalog_enter_as(S3vOwnerScope *scope, Oid role)
{
	scope->settings = NewGUCNestLevel();
	GetUserIdAndSecContext(&scope->user, &scope->security_context);
	SetUserIdAndSecContext(role, scope->security_context | SECURITY_LOCAL_USERID_CHANGE | SECURITY_RESTRICTED_OPERATION);
	(void) set_config_option("search_path", "pg_catalog, pg_temp", PGC_USERSET, PGC_S_SESSION, GUC_ACTION_SAVE, true, 0, false);
}

void
catalog_leave(const S3vOwnerScope *scope)
{
	AtEOXact_GUC(false, scope->settings);
	SetUserIdAndSecContext(scope->user, scope->security_context);
}

uint64
catalog_execute(const char *sql, int nargs, Oid *types, Datum *values, const char *nulls, Snapshot snapshot)
{
	S3vOwnerScope scope;
	SPIPlanPtr	plan;
	int			result;
	uint64		rows;

	catalog_enter(&scope);
	SPI_connect();
	plan = SPI_prepare(sql, nargs, types);
	if (plan == NULL)
		elog(ERROR, "could not prepare \"%s\": %s", sql, SPI_result_code_string(SPI_result));
	result = SPI_execute_snapshot(plan, values, nulls, snapshot, InvalidSnapshot, false, true, 0);
	if (result < 0)
		elog(ERROR, "could not execute \"%s\": %s", sql, SPI_result_code_string(result));
	rows = SPI_processed;
	SPI_finish();
	catalog_leave(&scope);
	return rows;
}

uint64
catalog_execute_latest(const char *sql, int nargs, Oid *types, Datum *values)
{
	Snapshot	latest = RegisterSnapshot(GetLatestSnapshot());
	uint64		rows = catalog_execute(sql, nargs, types, values, NULL, latest);

	UnregisterSnapshot(latest);
	return rows;
}

Oid
relation_owner(Oid relid)
{
	HeapTuple	tuple = SearchSysCache1(RELOID, ObjectIdGetDatum(relid));
	Oid			owner;

	if (!HeapTupleIsValid(tuple))
		return InvalidOid;
	owner = ((Form_pg_class) GETSTRUCT(tuple))->relowner;
	ReleaseSysCache(tuple);
	return owner;
}

RangeVar *
catalog_new_index_name(text *name)
{
	RangeVar   *parsed = makeRangeVarFromNameList(textToQualifiedNameList(name));

	if (parsed->catalogname != NULL && strcmp(parsed->catalogname, get_database_name(MyDatabaseId)) != 0)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("cross-database references are not implemented: \"%s\"", text_to_cstring(name))));
	return parsed;
}

char *
relation_quoted(Oid relid)
{
	return quote_qualified_identifier(get_namespace_name(get_rel_namespace(relid)), get_rel_name(relid));
}

bool
catalog_lock_index(Oid index_id, bool wait)
{
	if (wait)
	{
		LockDatabaseObject(RelationRelationId, index_id, 0, ExclusiveLock);
		return true;
	}
	return ConditionalLockDatabaseObject(RelationRelationId, index_id, 0, ExclusiveLock);
}

void
catalog_await_index(Oid index_id)
{
	LockDatabaseObject(RelationRelationId, index_id, 0, ExclusiveLock);
	UnlockDatabaseObject(RelationRelationId, index_id, 0, ExclusiveLock);
}

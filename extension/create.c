/* s3v_create_index: checks the source, makes the foreign table, captures changes from now on, builds version 1. */
#include "postgres.h"

#include "access/relation.h"
#include "access/xact.h"
#include "catalog/namespace.h"
#include "catalog/objectaddress.h"
#include "catalog/pg_class.h"
#include "catalog/pg_publication.h"
#include "catalog/pg_type.h"
#include "commands/defrem.h"
#include "executor/spi.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "nodes/parsenodes.h"
#include "utils/acl.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/snapmgr.h"

#include "boundary.h"
#include "catalog.h"
#include "compat.h"
#include "create.h"
#include "fault_point.h"
#include "remote.h"
#include "server.h"
#include "settings.h"
#include "source.h"
#include "sync.h"

PG_FUNCTION_INFO_V1(s3v_create_index);

/* ---- arguments ---- */

static const char *
metric_from_text(const char *text)
{
	static const struct
	{
		const char *name;
		const char *canonical;
	}			metrics[] = {{"cosine", "cosine"}, {"l2", "l2"}, {"euclidean", "l2"}, {"ip", "ip"}};
	int			i;

	for (i = 0; i < lengthof(metrics); i++)
	{
		if (strcmp(text, metrics[i].name) == 0)
			return metrics[i].canonical;
	}
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("unrecognized metric \"%s\"", text),
			 errhint("Valid metrics are: cosine, l2 (or euclidean), ip.")));
}

static s3v_metric
metric_of(const char *canonical)
{
	return strcmp(canonical, "ip") == 0 ? S3V_INNER_PRODUCT : strcmp(canonical, "l2") == 0 ? S3V_L2 : S3V_COSINE;
}

static void
require_argument(FunctionCallInfo fcinfo, int argument, const char *name)
{
	if (PG_ARGISNULL(argument))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("%s must not be null", name)));
}

static void
read_metadata_names(Creation *creation, ArrayType *array)
{
	Datum	   *elements;
	bool	   *nulls;
	int			i;
	int			j;

	creation->metadata_array = array;
	deconstruct_array(array, NAMEOID, NAMEDATALEN, false, TYPALIGN_CHAR, &elements, &nulls, &creation->metadata_count);
	creation->metadata = palloc(sizeof(char *) * (creation->metadata_count + 1));
	for (i = 0; i < creation->metadata_count; i++)
	{
		if (nulls[i])
			ereport(ERROR,
					(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
					 errmsg("metadata must not contain nulls")));
		creation->metadata[i] = pstrdup(NameStr(*DatumGetName(elements[i])));
		for (j = 0; j < i; j++)
		{
			if (strcmp(creation->metadata[i], creation->metadata[j]) == 0)
				ereport(ERROR,
						(errcode(ERRCODE_DUPLICATE_COLUMN),
						 errmsg("metadata column \"%s\" is named twice", creation->metadata[i])));
		}
	}
}

static Creation
read_arguments(FunctionCallInfo fcinfo)
{
	static const char *const names[] = {"index_name", "source", "vector_column", "server", NULL, "metric", "metadata", "options"};
	Creation	creation = {0};
	int			i;

	for (i = 0; i < lengthof(names); i++)
	{
		if (names[i] != NULL)
			require_argument(fcinfo, i, names[i]);
	}
	creation.name = catalog_new_index_name(PG_GETARG_TEXT_PP(0));
	creation.source = PG_GETARG_OID(1);
	creation.vector_column = pstrdup(NameStr(*PG_GETARG_NAME(2)));
	creation.server_name = pstrdup(NameStr(*PG_GETARG_NAME(3)));
	if (!PG_ARGISNULL(4))
		creation.key_column = pstrdup(NameStr(*PG_GETARG_NAME(4)));
	creation.metric = metric_from_text(text_to_cstring(PG_GETARG_TEXT_PP(5)));
	read_metadata_names(&creation, PG_GETARG_ARRAYTYPE_P(6));
	creation.options = settings_for_create(PG_GETARG_JSONB_P(7));
	return creation;
}

/* ---- making it ---- */

/* Of the key's column as metadata. The server would cut off what makes a long name another one. */
static char *
second_name(const char *name)
{
	static const char suffix[] = " (metadata)";

	return psprintf("%.*s%s", pg_mbcliplen(name, strlen(name), NAMEDATALEN - sizeof(suffix)), name, suffix);
}

/* As the caller, so that the server itself checks CREATE on the schema and USAGE on the server. */
static Oid
make_foreign_table(const Creation *creation, Relation rel)
{
	StringInfoData sql;
	const S3vSource *columns = creation->columns;
	const char *schema = creation->name->schemaname;
	ListCell   *cell;
	const char *separator = " OPTIONS (";
	Oid			namespace;
	Oid			index_id;
	int			i;

	if (schema == NULL)
		schema = get_namespace_name(RelationGetNamespace(rel));
	namespace = get_namespace_oid(schema, false);
	initStringInfo(&sql);
	appendStringInfo(&sql, "CREATE FOREIGN TABLE %s (", quote_qualified_identifier(schema, creation->name->relname));
	for (i = 0; i < 2 + columns->metadata_count; i++)
	{
		const S3vColumn *column = i == 0 ? &columns->key : i == 1 ? &columns->vector : &columns->metadata[i - 2];
		const char *name = column->name;

		/* The key may be metadata too, so that filters can name it; a table cannot have the column twice. */
		if (i >= 2 && strcmp(name, columns->key.name) == 0)
			name = second_name(name);
		appendStringInfo(&sql, "%s%s %s", i > 0 ? ", " : "", quote_identifier(name), source_declared_type(column));
	}
	appendStringInfo(&sql, ") SERVER %s", quote_identifier(creation->server_name));
	foreach(cell, creation->options.index_options)
	{
		DefElem    *option = lfirst(cell);

		appendStringInfo(&sql, "%s%s %s", separator, quote_identifier(option->defname),
						 quote_literal_cstr(defGetString(option)));
		separator = ", ";
	}
	if (creation->options.index_options != NIL)
		appendStringInfoChar(&sql, ')');

	if (SPI_connect() != SPI_OK_CONNECT)
		elog(ERROR, "SPI_connect failed");
	if (SPI_execute(sql.data, false, 0) != SPI_OK_UTILITY)
		elog(ERROR, "could not create foreign table");
	SPI_finish();
	index_id = get_relname_relid(creation->name->relname, namespace);
	if (!OidIsValid(index_id))
		elog(ERROR, "foreign table was not created");
	return index_id;
}

static void
register_index(const Creation *creation, Oid index_id, Oid log)
{
	Oid			types[8] = {REGCLASSOID, REGCLASSOID, REGCLASSOID, NAMEOID, NAMEOID, NAMEARRAYOID, TEXTOID, INT4OID};
	Datum		values[8];
	NameData	key;
	NameData	vector;

	namestrcpy(&key, creation->key_column);
	namestrcpy(&vector, creation->vector_column);
	values[0] = ObjectIdGetDatum(index_id);
	values[1] = ObjectIdGetDatum(creation->source);
	values[2] = ObjectIdGetDatum(log);
	values[3] = NameGetDatum(&key);
	values[4] = NameGetDatum(&vector);
	values[5] = PointerGetDatum(creation->metadata_array);
	values[6] = CStringGetTextDatum(creation->metric);
	values[7] = Int32GetDatum(creation->dimensions);
	(void) catalog_execute("INSERT INTO s3v.index (index_id, source, log, uuid, key_column, vector_column, metadata, metric, dimensions)"
						   " VALUES ($1, $2, $3, pg_catalog.gen_random_uuid(), $4, $5, $6, $7, $8)", 8, types, values, NULL, NULL);
	if (creation->remote)
		(void) catalog_execute("UPDATE s3v.index SET remote_names = metadata WHERE index_id = $1", 1, types, values, NULL, NULL);
	(void) catalog_execute("INSERT INTO s3v.version (index_id, version) VALUES ($1, 0)", 1, types, values, NULL, NULL);
}

/* So that every INSERT from now on is held to what the first sync will be. */
static void
register_nonfilterable(Oid index_id)
{
	Oid			types[2] = {REGCLASSOID, NAMEARRAYOID};
	Datum		values[2];

	CommandCounterIncrement();
	values[0] = ObjectIdGetDatum(index_id);
	(void) remote_creation(catalog_index(index_id, NULL), &values[1]);
	(void) catalog_execute("UPDATE s3v.index SET nonfilterable = $2 WHERE index_id = $1", 2, types, values, NULL, NULL);
}

static void
warn_of_publications(void)
{
	List	   *publications = GetAllTablesPublications();

	if (publications == NIL)
		return;
	ereport(WARNING,
			(errcode(ERRCODE_WARNING),
			 errmsg("publication \"%s\" is FOR ALL TABLES and also publishes the bookkeeping tables of s3v",
					get_publication_name(linitial_oid(publications), false)),
			 errhint("Publish the tables you mean, or leave schema s3v out on the subscriber.")));
}

static void
check_isolation(void)
{
	/* Rows committed between this transaction's snapshot and the triggers would be in neither the version nor the log. */
	if (IsolationUsesXactSnapshot())
		ereport(ERROR,
				(errcode(ERRCODE_ACTIVE_SQL_TRANSACTION),
				 errmsg("s3v_create_index cannot run at isolation level REPEATABLE READ or SERIALIZABLE"),
				 errhint("Use READ COMMITTED.")));
}

Datum
s3v_create_index(PG_FUNCTION_ARGS)
{
	Creation	creation = read_arguments(fcinfo);
	Relation	rel;
	Oid			index_id;
	Oid			log;

	PreventCommandIfReadOnly("s3v_create_index()");
	check_isolation();
	creation.server = server_named(creation.server_name);
	if (get_rel_name(creation.source) == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_TABLE),
				 errmsg("relation with OID %u does not exist", creation.source)));
	if (!relation_owned_by(creation.source, GetUserId()))
		aclcheck_error(ACLCHECK_NOT_OWNER, get_relkind_objtype(get_rel_relkind(creation.source)), get_rel_name(creation.source));

	/* Writers wait from here to the end of the transaction, readers never. A clean-up of unknown prefixes waits, too. */
	server_lock(creation.server);
	server_lock_prefixes(creation.server, ShareLock);
	rel = relation_open(creation.source, ShareRowExclusiveLock);
	FAULT_POINT("create.locked");
	create_check_source(rel);
	if (creation.key_column == NULL)
		creation.key_column = create_primary_key_column(rel);
	create_check_metadata(rel, &creation);
	creation.columns = source_describe(rel, creation.key_column, creation.vector_column, creation.metadata_count,
									   creation.metadata, false);
	create_check_key(rel, &creation.columns->key);
	creation.dimensions = create_choose_dimensions(&creation, rel);
	creation.remote = remote_server(creation.server);
	settings_check_kind(creation.options.index_options, creation.remote);
	if (creation.remote)
		remote_check_creation(metric_of(creation.metric), creation.dimensions, creation.metadata, creation.metadata_count,
							  creation.columns->key_kind, creation.options.index_options);

	index_id = make_foreign_table(&creation, rel);
	FAULT_POINT("create.table_made");
	log = catalog_create_log(creation.source);
	register_index(&creation, index_id, log);
	if (creation.remote)
		register_nonfilterable(index_id);
	relation_close(rel, NoLock);
	FAULT_POINT("create.registered");
	catalog_install_capture(creation.source);
	FAULT_POINT("create.triggers_made");
	CommandCounterIncrement();
	warn_of_publications();

	if (creation.options.build)
	{
		S3vSyncRequest request = {.mode = SYNC_CHANGES, .wait = true, .creating = true};

		(void) sync_index(index_id, &request);
		FAULT_POINT("create.built");
	}
	PG_RETURN_OID(index_id);
}

/* s3v_attach: a foreign table over a remote index that others made and write. Nothing is captured, synced or deleted there. */
#include "postgres.h"

#include "catalog/namespace.h"
#include "catalog/pg_class.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"

#include "boundary.h"
#include "catalog.h"
#include "compat.h"
#include "query.h"
#include "remote.h"
#include "server.h"

PG_FUNCTION_INFO_V1(s3v_attach);

static Oid
service_named(const char *name)
{
	Oid			server = server_named(name);

	/* Before anything is asked with credentials that are not the caller's own. */
	if (server_acl(server, GetUserId(), ACL_USAGE) != ACLCHECK_OK)
		aclcheck_error(ACLCHECK_NO_PRIV, OBJECT_FOREIGN_SERVER, name);
	if (!remote_server(server))
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("server \"%s\" is not of s3vectors://", name),
				 errhint("Only indexes of Amazon S3 Vectors can be attached.")));
	return server;
}

static s3v_remote_shape
describe(Oid server, const char *remote_name)
{
	S3vCall    *call = boundary_begin();
	s3v_remote_shape shape;
	s3v_error	err;

	boundary_check(call, s3v_remote_describe(boundary_env(call), server_store(server, GetUserId()), remote_name, &shape, &err), &err);
	return shape;
}

/* As the caller, so that the server itself checks CREATE on the schema. */
static void
make_foreign_table(const char *schema, const char *name, const char *server_name, const char *remote_name, const s3v_remote_shape *shape)
{
	char	   *sql = psprintf("CREATE FOREIGN TABLE %s (key pg_catalog.text, vector pg_catalog.float4[], metadata pg_catalog.jsonb)"
							   " SERVER %s OPTIONS (remote_index %s, metric '%s', dimensions '%d')",
							   quote_qualified_identifier(schema, name), quote_identifier(server_name),
							   quote_literal_cstr(remote_name), shape->metric == S3V_COSINE ? "cosine" : "l2", (int) shape->dimensions);

	if (SPI_connect() != SPI_OK_CONNECT)
		elog(ERROR, "SPI_connect failed");
	if (SPI_execute(sql, false, 0) != SPI_OK_UTILITY)
		elog(ERROR, "could not create foreign table");
	SPI_finish();
}

Datum
s3v_attach(PG_FUNCTION_ARGS)
{
	RangeVar   *name;
	char	   *server_name;
	char	   *remote_name;
	s3v_remote_shape shape;
	Oid			namespace;

	query_refuse_null(fcinfo, 0, "index_name");
	query_refuse_null(fcinfo, 1, "server");
	query_refuse_null(fcinfo, 2, "remote_index");
	PreventCommandIfReadOnly("s3v_attach()");
	name = catalog_new_index_name(PG_GETARG_TEXT_PP(0));
	server_name = NameStr(*PG_GETARG_NAME(1));
	remote_name = text_to_cstring(PG_GETARG_TEXT_PP(2));
	namespace = RangeVarGetCreationNamespace(name);
	shape = describe(service_named(server_name), remote_name);
	make_foreign_table(get_namespace_name(namespace), name->relname, server_name, remote_name, &shape);
	PG_RETURN_OID(get_relname_relid(name->relname, namespace));
}

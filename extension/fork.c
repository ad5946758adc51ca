/* s3v_fork: copies an index to a prefix of its own, and leaves the one that it had to whoever else uses it. */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/table.h"
#include "access/xact.h"
#include "catalog/dependency.h"
#include "catalog/indexing.h"
#include "catalog/pg_class.h"
#include "catalog/pg_foreign_server.h"
#include "catalog/pg_foreign_table.h"
#include "catalog/pg_type.h"
#include "fmgr.h"
#include "foreign/foreign.h"
#include "miscadmin.h"
#include "storage/lmgr.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/inval.h"
#include "utils/lsyscache.h"
#include "utils/snapmgr.h"
#include "utils/syscache.h"

#include "boundary.h"
#include "catalog.h"
#include "compat.h"
#include "fault_point.h"
#include "ownership.h"
#include "progress.h"
#include "remote.h"
#include "server.h"
#include "sync.h"

PG_FUNCTION_INFO_V1(s3v_fork);

typedef struct Fork
{
	Oid			index_id;
	Oid			from;			/* servers */
	Oid			to;
	S3vIndex   *index;			/* as they are before */
	S3vVersion *version;
	Datum		uuid;			/* of its prefix from now on */
} Fork;

/* ---- where to ---- */

static void
check_server(const Fork *fork)
{
	const char *name = GetForeignServer(fork->to)->servername;
	AclResult	result = server_acl(fork->to, GetUserId(), ACL_USAGE);

	if (result != ACLCHECK_OK)
		aclcheck_error(result, OBJECT_FOREIGN_SERVER, name);
	if (remote_server(fork->from) != remote_server(fork->to))
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("cannot copy index \"%s\" to server \"%s\"", get_rel_name(fork->index_id), name),
				 errdetail("Amazon S3 Vectors keeps vectors, other servers keep objects: neither can be made of the other."),
				 errhint("Create another index of the source there with s3v_create_index, and drop this one.")));
}

/* A foreign table cannot change its server by SQL. */
static void
move_foreign_table(const Fork *fork)
{
	Relation	tables;
	HeapTuple	tuple;

	if (fork->to == fork->from)
		return;
	tables = table_open(ForeignTableRelationId, RowExclusiveLock);
	tuple = SearchSysCacheCopy1(FOREIGNTABLEREL, ObjectIdGetDatum(fork->index_id));
	if (!HeapTupleIsValid(tuple))
		elog(ERROR, "cache lookup failed for foreign table %u", fork->index_id);
	((Form_pg_foreign_table) GETSTRUCT(tuple))->ftserver = fork->to;
	CatalogTupleUpdate(tables, &tuple->t_self, tuple);
	if (changeDependencyFor(RelationRelationId, fork->index_id, ForeignServerRelationId, fork->from, fork->to) != 1)
		elog(ERROR, "foreign table %u does not depend on its server", fork->index_id);
	table_close(tables, RowExclusiveLock);
	CacheInvalidateRelcacheByRelid(fork->index_id);
	CommandCounterIncrement();
}

/* ---- bookkeeping ---- */

static void
register_prefix(const Fork *fork)
{
	Oid			types[2] = {OIDOID, UUIDOID};
	Datum		values[2];

	values[0] = ObjectIdGetDatum(fork->index_id);
	values[1] = fork->uuid;
	if (catalog_execute("UPDATE s3v.index SET uuid = $2 WHERE index_id = $1", 2, types, values, NULL, NULL) != 1)
		ereport(ERROR,
				(errcode(ERRCODE_T_R_SERIALIZATION_FAILURE),
				 errmsg("index with OID %u was dropped by another transaction", fork->index_id)));
}

/* Versions before this one stay where they are: nobody asks for them here any more. */
static void
forget_history(const Fork *fork)
{
	Oid			types[1] = {OIDOID};
	Datum		values[1];

	values[0] = ObjectIdGetDatum(fork->index_id);
	(void) catalog_execute("DELETE FROM s3v.history h USING s3v.version v"
						   " WHERE h.index_id = $1 AND v.index_id = h.index_id AND h.version <> v.version", 1, types, values, NULL, NULL);
}

/*
 * The prefix it had may be another server's, of which this database is a copy: nothing tells a byte-for-byte copy from its original. So
 * s3v_gc is told of a drop that is never old enough.
 */
static void
leave_prefix(const Fork *fork)
{
	Oid			types[2] = {TEXTOID, NAMEOID};
	Datum		values[2];
	NameData	server;

	namestrcpy(&server, GetForeignServer(fork->from)->servername);
	values[0] = CStringGetTextDatum(fork->index->uuid);
	values[1] = NameGetDatum(&server);
	(void) catalog_execute("INSERT INTO s3v.dropped (uuid, server, dropped_at) VALUES ($1::pg_catalog.uuid, $2, 'infinity')"
						   " ON CONFLICT (uuid) DO UPDATE SET dropped_at = 'infinity'", 2, types, values, NULL, NULL);
	ereport(NOTICE,
			(errmsg("what index \"%s\" had on server \"%s\" is left to whoever else uses it", get_rel_name(fork->index_id), NameStr(server)),
			 errdetail("It lies under \"%s\", named %s; s3v_gc of this database will never delete it.", server_url(fork->from), fork->index->uuid),
			 errhint("When no other database uses it, delete it with the store's own tools.")));
}

/* ---- the copy ---- */

/* False when the version is not whole any more, or of a format that nobody writes any more. */
static bool
copy_version(const Fork *fork)
{
	S3vCall    *call = boundary_begin();
	s3v_store  *from = server_index_store(fork->index_id);
	s3v_store  *to = server_store(fork->to, relation_owner(fork->index_id));
	char	   *uuid = DatumGetCString(DirectFunctionCall1(uuid_out, fork->uuid));
	uint64		number = ownership_claim(call, to, uuid, 0, CLAIM_CONTINUE);
	s3v_error	err;
	s3v_code	code;

	progress_start(fork->index_id);
	boundary_on_progress(call, progress_report, NULL);
	code = s3v_fork_version(boundary_env(call), from, fork->index->uuid, fork->version->manifest, to, uuid, &err);
	if (code == S3V_OBJECT_MISSING || code == S3V_CORRUPTED || code == S3V_NOT_SUPPORTED)
	{
		boundary_check(call, S3V_OK, &err);
		ereport(WARNING,
				(errcode(boundary_sqlstate(code)),
				 errmsg("version " INT64_FORMAT " of index \"%s\" cannot be copied: the copy is built from its source",
						fork->version->version, get_rel_name(fork->index_id)),
				 errdetail_internal("%s", boundary_complaint(&err))));
	}
	else
		boundary_check(call, code, &err);
	progress_end();
	FAULT_POINT("fork.copied");
	ownership_record(fork->index_id, number);
	ownership_verify(call, to, uuid, number);
	return code == S3V_OK;
}

static void
build_anew(const Fork *fork)
{
	S3vSyncRequest request = {.mode = SYNC_REBUILD, .wait = true};

	CommandCounterIncrement();
	(void) sync_index(fork->index_id, &request);
}

static void
fork_index(Fork *fork)
{
	bool		built = fork->version->version > 0;
	bool		copied;

	fork->uuid = OidFunctionCall0(F_GEN_RANDOM_UUID);
	/* Amazon S3 Vectors copies nothing. The number in the version row goes on there, in a chain that is empty. */
	copied = built && !remote_server(fork->to) && copy_version(fork);
	register_prefix(fork);
	FAULT_POINT("fork.registered");
	if (built)
		leave_prefix(fork);
	move_foreign_table(fork);
	FAULT_POINT("fork.moved");
	if (built && !copied)
		build_anew(fork);
	forget_history(fork);
	catalog_changed(fork->index->source);
}

Datum
s3v_fork(PG_FUNCTION_ARGS)
{
	Fork		fork = {0};

	PreventCommandIfReadOnly("s3v_fork()");
	if (PG_ARGISNULL(0))
		PG_RETURN_VOID();
	fork.index_id = PG_GETARG_OID(0);
	fork.index = ownership_open(fork.index_id);
	fork.from = GetForeignTable(fork.index_id)->serverid;
	fork.to = PG_ARGISNULL(1) ? fork.from : server_named(NameStr(*PG_GETARG_NAME(1)));
	check_server(&fork);

	server_lock(fork.to);
	(void) sync_lock(fork.index_id, true);
	/* A clean-up of unknown prefixes waits until ours is known. It comes to them with locks of indexes that it had. */
	server_lock_prefixes(fork.to, ShareLock);
	FAULT_POINT("fork.locked");
	sync_check_isolation(fork.index_id);

	PushActiveSnapshot(GetLatestSnapshot());
	fork.index = catalog_index(fork.index_id, GetActiveSnapshot());
	fork.version = catalog_version(fork.index_id, GetActiveSnapshot());
	if (fork.index == NULL || fork.version == NULL || GetForeignTable(fork.index_id)->serverid != fork.from)
		ereport(ERROR,
				(errcode(ERRCODE_T_R_SERIALIZATION_FAILURE),
				 errmsg("index with OID %u was dropped or moved by another transaction", fork.index_id)));
	fork_index(&fork);
	PopActiveSnapshot();
	PG_RETURN_VOID();
}

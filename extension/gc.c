/* s3v_gc: deletes what nobody can need any more, under the sync's lock and after the fence. */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/skey.h"
#include "access/table.h"
#include "access/xact.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "foreign/foreign.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/fmgrprotos.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"

#include "boundary.h"
#include "catalog.h"
#include "compat.h"
#include "fault_point.h"
#include "guarded.h"
#include "ownership.h"
#include "retained.h"
#include "server.h"
#include "sync.h"

PG_FUNCTION_INFO_V1(s3v_gc);

/* Columns of s3v.dropped as sql/s3v.sql declares them. */
enum
{
	DROPPED_UUID = 1,
	DROPPED_SERVER,
	DROPPED_DROPPED_AT
};

/* One server's clean-up. */
typedef struct Collection
{
	Oid			server;
	char	   *server_name;
	int64		keep_seconds;
	s3v_collected total;
} Collection;

static void
add_collected(Collection *collection, const s3v_collected *more)
{
	collection->total.deleted += more->deleted;
	collection->total.bytes += more->bytes;
	collection->total.kept += more->kept;
	collection->total.foreign_objects += more->foreign_objects;
}

/* ---- one index ---- */

/* Under the sync's lock, then the latest committed state: an old snapshot would not know the newest version's objects. */
static void
collect_index(Collection *collection, Oid index_id)
{
	S3vIndex   *index;
	S3vVersion *version;
	S3vCall    *call = boundary_begin();
	s3v_store  *store;
	s3v_collected result = {0};
	s3v_error	err;
	s3v_code	code;
	Retained	retained;
	uint64		number;

	/* A sync at work, or one that was prepared and forgotten, must not hold up the others through us. */
	if (!catalog_lock_index(index_id, false))
	{
		ereport(NOTICE,
				(errmsg("skipping index \"%s\": a sync holds it", get_rel_name(index_id))));
		return;
	}
	FAULT_POINT("collect.lock_checked");
	if (!is_s3v_index(index_id))
		return;					/* dropped meanwhile: its folder is handled with the unknown ones, next time */
	PushActiveSnapshot(GetLatestSnapshot());
	index = catalog_index(index_id, GetActiveSnapshot());
	version = catalog_version(index_id, GetActiveSnapshot());
	if (index == NULL || version == NULL)
	{
		PopActiveSnapshot();
		return;
	}
	store = server_index_store(index_id);
	number = ownership_claim(call, store, index->uuid, version->owner, CLAIM_CONTINUE);
	FAULT_POINT("collect.owner_checked");
	retained = retained_read(index_id, collection->keep_seconds);
	/* The versions that replaced what goes must be durable first: a crash would bring the old ones back. */
	flush_all_wal();
	code = s3v_collect(boundary_env(call), store, index->uuid, 0, retained.manifests, retained.count, collection->keep_seconds, number,
					   &result, &err);
	if (code == S3V_OBJECT_MISSING || code == S3V_CORRUPTED)
	{
		/* Nobody can tell what that version needs: all of this index stays, and the other indexes do not wait for it. */
		boundary_check(call, S3V_OK, &err);
		ereport(WARNING,
				(errcode(ERRCODE_DATA_CORRUPTED),
				 errmsg("skipping index \"%s\": the manifest of a version that is kept cannot be read", get_rel_name(index_id)),
				 errdetail_internal("%s", boundary_complaint(&err)),
				 errhint("Run s3v_sync with mode 'reconcile' when it is of the present version; s3v_gc goes on when the version is older than keep.")));
	}
	else
	{
		boundary_check(call, code, &err);
		retained_forget_expired(index_id, &retained);
	}
	FAULT_POINT("collect.collected");
	ownership_record(index_id, number);
	ownership_verify(call, store, index->uuid, number);
	PopActiveSnapshot();
	add_collected(collection, &result);
}

/* ---- prefixes that no index names ---- */

static bool
is_known_uuid(const char *uuid)
{
	Oid			types[1] = {TEXTOID};
	Datum		values[1];
	S3vOwnerScope scope;
	bool		known;

	values[0] = CStringGetTextDatum(uuid);
	catalog_enter(&scope);
	if (SPI_connect() != SPI_OK_CONNECT)
		elog(ERROR, "SPI_connect failed");
	if (SPI_execute_with_args("SELECT FROM s3v.index WHERE uuid = $1::pg_catalog.uuid", 1, types, values, NULL, true, 1) != SPI_OK_SELECT)
		elog(ERROR, "could not read s3v.index");
	known = SPI_processed > 0;
	SPI_finish();
	catalog_leave(&scope);
	return known;
}

/*
 * Dropped by this very transaction, which may yet be rolled back, or within `keep`, and so perhaps wanted by who goes back in time:
 * objects would not come back with the index.
 */
static bool
may_come_back(const char *uuid, int64 keep_seconds)
{
	Relation	dropped = table_open(catalog_table("dropped"), AccessShareLock);
	Oid			primary_key = get_relname_relid("dropped_pkey", catalog_schema());
	ScanKeyData key;
	SysScanDesc scan;
	HeapTuple	tuple;
	bool		may = false;

	ScanKeyInit(&key, DROPPED_UUID, BTEqualStrategyNumber, F_UUID_EQ, DirectFunctionCall1(uuid_in, CStringGetDatum(uuid)));
	scan = systable_beginscan(dropped, primary_key, OidIsValid(primary_key), NULL, 1, &key);
	while (HeapTupleIsValid(tuple = systable_getnext(scan)))
	{
		bool		isnull;
		Datum		dropped_at = heap_getattr(tuple, DROPPED_DROPPED_AT, RelationGetDescr(dropped), &isnull);

		may |= TransactionIdIsCurrentTransactionId(HeapTupleHeaderGetXmin(tuple->t_data)) ||
			(GetCurrentTimestamp() - DatumGetTimestampTz(dropped_at)) / USECS_PER_SEC < keep_seconds;
	}
	systable_endscan(scan);
	table_close(dropped, AccessShareLock);
	return may;
}

/* Rows of dropped indexes of which the store has nothing (any more). */
static void
forget_absent(const Collection *collection, char (*uuids)[37], size_t count)
{
	Oid			types[3] = {NAMEOID, TEXTARRAYOID, FLOAT8OID};
	Datum		values[3];
	Datum	   *present = palloc(sizeof(Datum) * (count + 1));
	NameData	server;
	size_t		i;

	for (i = 0; i < count; i++)
		present[i] = CStringGetTextDatum(uuids[i]);
	namestrcpy(&server, collection->server_name);
	values[0] = NameGetDatum(&server);
	values[1] = PointerGetDatum(construct_array(present, (int) count, TEXTOID, -1, false, TYPALIGN_INT));
	values[2] = Float8GetDatum((double) collection->keep_seconds);
	(void) catalog_execute("DELETE FROM s3v.dropped WHERE server = $1 AND uuid::text <> ALL ($2)"
						   " AND dropped_at <= statement_timestamp() - make_interval(secs => $3)", 3, types, values, NULL, NULL);
}

static void
forget_dropped(const char *uuid)
{
	Oid			types[1] = {TEXTOID};
	Datum		values[1];

	values[0] = CStringGetTextDatum(uuid);
	(void) catalog_execute("DELETE FROM s3v.dropped WHERE uuid = $1::pg_catalog.uuid", 1, types, values, NULL, NULL);
	ownership_forget(uuid);
}

typedef struct UnknownPrefix
{
	Collection *collection;
	s3v_store  *store;
	const char *uuid;
} UnknownPrefix;

static void
collect_prefix(void *arg)
{
	UnknownPrefix *prefix = arg;
	S3vCall    *call = boundary_begin();
	s3v_collected result = {0};
	s3v_error	err;
	uint64		number = ownership_claim(call, prefix->store, prefix->uuid, 0, CLAIM_OWN);

	boundary_check(call, s3v_collect(boundary_env(call), prefix->store, prefix->uuid, 1, NULL, 0, prefix->collection->keep_seconds, number,
									 &result, &err), &err);
	add_collected(prefix->collection, &result);
	if (result.kept == 0 && result.foreign_objects == 0)
		forget_dropped(prefix->uuid);
}

/* One prefix without an index: dropped, or its creation never committed. Only when its marker is ours, known by the token file. */
static void
collect_unknown(Collection *collection, s3v_store *store, const char *uuid)
{
	UnknownPrefix prefix = {collection, store, uuid};
	ErrorData  *error = guarded_run(collect_prefix, &prefix);

	if (error == NULL)
		return;
	/* Somebody else's prefix is none of our business; everything else is. */
	if (error->sqlerrcode != ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE)
		ReThrowError(error);
	collection->total.foreign_objects++;
}

static void
collect_unknown_prefixes(Collection *collection)
{
	S3vCall    *call = boundary_begin();
	s3v_store  *store;
	char	  (*uuids)[37] = NULL;
	size_t		count = 0;
	uint64		strange = 0;
	s3v_error	err;
	size_t		i;

	/* Creations hold this lock in share mode until they commit: what is unknown now stays so. */
	server_lock_prefixes(collection->server, ExclusiveLock);
	FAULT_POINT("collect.server_locked");
	store = server_store(collection->server, GetUserId());
	boundary_check(call, s3v_store_indexes(boundary_env(call), store, &uuids, &count, &strange, &err), &err);
	PG_TRY();
	{
		collection->total.foreign_objects += strange;
		PushActiveSnapshot(GetLatestSnapshot());
		for (i = 0; i < count; i++)
		{
			CHECK_FOR_INTERRUPTS();
			if (is_known_uuid(uuids[i]) || may_come_back(uuids[i], collection->keep_seconds))
				continue;
			if (ownership_attempted(uuids[i]))
				collect_unknown(collection, store, uuids[i]);
			else
				collection->total.foreign_objects++;
		}
		forget_absent(collection, uuids, count);
		PopActiveSnapshot();
	}
	PG_FINALLY();
	{
		s3v_store_indexes_free(uuids);
	}
	PG_END_TRY();
}

/* ---- SQL functions ---- */

static Collection
collect_server(Oid server, int64 keep_seconds)
{
	Collection	collection = {0};
	List	   *indexes = catalog_indexes(InvalidOid, GetActiveSnapshot());
	ListCell   *cell;

	collection.server = server;
	collection.server_name = GetForeignServer(server)->servername;
	collection.keep_seconds = keep_seconds;
	foreach(cell, indexes)
	{
		const S3vIndex *index = lfirst(cell);

		CHECK_FOR_INTERRUPTS();
		if (is_s3v_index(index->index_id) && GetForeignTable(index->index_id)->serverid == server)
			collect_index(&collection, index->index_id);
	}
	collect_unknown_prefixes(&collection);
	return collection;
}

static void
put_collection(ReturnSetInfo *set, const Collection *collection)
{
	Datum		values[5];
	bool		nulls[5] = {false};
	NameData	name;

	namestrcpy(&name, collection->server_name);
	values[0] = NameGetDatum(&name);
	values[1] = Int64GetDatum(collection->total.deleted);
	values[2] = Int64GetDatum(collection->total.bytes);
	values[3] = Int64GetDatum(collection->total.kept);
	values[4] = Int64GetDatum(collection->total.foreign_objects);
	tuplestore_putvalues(set->setResult, set->setDesc, values, nulls);
}

static int64
seconds_of(const Interval *keep)
{
	int64		seconds = keep->time / USECS_PER_SEC + ((int64) keep->day + (int64) keep->month * DAYS_PER_MONTH) * SECS_PER_DAY;

	if (seconds < 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("keep must not be negative")));
	return seconds;
}

static void
check_server_owner(Oid server)
{
	if (!server_owned_by(server, GetUserId()))
		aclcheck_error(ACLCHECK_NOT_OWNER, OBJECT_FOREIGN_SERVER, GetForeignServer(server)->servername);
}

/* All servers of the wrapper that the caller owns. */
static List *
own_servers(void)
{
	List	   *servers = NIL;
	MemoryContext context = CurrentMemoryContext;
	Oid			user = GetUserId();
	Oid			types[1] = {OIDOID};
	Datum		values[1];
	S3vOwnerScope scope;
	uint64		i;

	values[0] = ObjectIdGetDatum(server_wrapper());
	catalog_enter(&scope);
	if (SPI_connect() != SPI_OK_CONNECT)
		elog(ERROR, "SPI_connect failed");
	if (SPI_execute_with_args("SELECT oid FROM pg_catalog.pg_foreign_server WHERE srvfdw = $1 ORDER BY srvname",
							  1, types, values, NULL, true, 0) != SPI_OK_SELECT)
		elog(ERROR, "could not read pg_foreign_server");
	for (i = 0; i < SPI_processed; i++)
	{
		bool		isnull;
		Oid			server = DatumGetObjectId(SPI_getbinval(SPI_tuptable->vals[i], SPI_tuptable->tupdesc, 1, &isnull));
		MemoryContext before;

		if (!server_owned_by(server, user))
			continue;
		before = MemoryContextSwitchTo(context);
		servers = lappend_oid(servers, server);
		MemoryContextSwitchTo(before);
	}
	SPI_finish();
	catalog_leave(&scope);
	return servers;
}

Datum
s3v_gc(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *set = (ReturnSetInfo *) fcinfo->resultinfo;
	int64		keep_seconds;
	List	   *servers;
	ListCell   *cell;

	InitMaterializedSRF(fcinfo, 0);
	PreventCommandIfReadOnly("s3v_gc()");
	if (PG_ARGISNULL(1))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("keep must not be null")));
	keep_seconds = seconds_of(PG_GETARG_INTERVAL_P(1));
	if (PG_ARGISNULL(0))
		servers = own_servers();
	else
	{
		Oid			server = server_named(NameStr(*PG_GETARG_NAME(0)));

		check_server_owner(server);
		servers = list_make1_oid(server);
	}
	foreach(cell, servers)
	{
		Collection	collection = collect_server(lfirst_oid(cell), keep_seconds);

		put_collection(set, &collection);
	}
	return (Datum) 0;
}

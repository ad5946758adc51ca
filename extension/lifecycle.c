/* What is left to do when an index has been dropped. */
#include "postgres.h"

#include "access/relation.h"
#include "catalog/dependency.h"
#include "catalog/pg_class.h"
#include "catalog/pg_type.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/rel.h"
#include "utils/syscache.h"
#include "utils/uuid.h"

#include "catalog.h"
#include "fault_point.h"

/* Ours to drop, whoever drops the index: no rights are asked, no event is told. */
static void
drop_log(Oid log)
{
	ObjectAddress address;

	ObjectAddressSet(address, RelationRelationId, log);
	performDeletion(&address, DROP_CASCADE, PERFORM_DELETION_INTERNAL);
}

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
	catalog_execute_latest(psprintf("DELETE FROM %s WHERE index_id = $1", relation_quoted(index->log)), 1, types, values);
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
	/* No sync publishes while its index goes, and no two drops each leave capture to the other. In the order of sync_lock(). */
	has_source = lock_source(index->source);
	catalog_lock_index(index_id, true);
	index = catalog_index(index_id, NULL);
	if (index == NULL)
		return;

	FAULT_POINT("drop.locked");
	delete_rows(index_id);
	if (server_name != NULL)
		leave_for_collection(index, server_name);
	FAULT_POINT("drop.forgotten");
	catalog_changed(index->source);
	has_log = SearchSysCacheExists1(RELOID, ObjectIdGetDatum(index->log));
	if (catalog_indexes(index->source, NULL) != NIL)
	{
		if (has_log)
			delete_log_rows(index);
		return;
	}
	if (has_source)
		catalog_remove_capture(index->source);
	FAULT_POINT("drop.capture_removed");
	if (has_log)
		drop_log(index->log);
	FAULT_POINT("drop.log_dropped");
}

/* s3v_adopt: takes over the prefix of an index that was restored, copied or promoted; and the marker's number in the version row. */
#include "postgres.h"

#include "catalog/pg_class.h"
#include "catalog/pg_type.h"
#include "fmgr.h"
#include "foreign/foreign.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/lsyscache.h"
#include "utils/snapmgr.h"
#include "utils/syscache.h"

#include "boundary.h"
#include "catalog.h"
#include "compat.h"
#include "fault_point.h"
#include "ownership.h"
#include "remote.h"
#include "server.h"
#include "sync.h"

PG_FUNCTION_INFO_V1(s3v_adopt);

void
ownership_record(Oid index_id, uint64 number)
{
	Oid			types[2] = {OIDOID, INT8OID};
	Datum		values[2];

	values[0] = ObjectIdGetDatum(index_id);
	values[1] = Int64GetDatum((int64) number);
	if (catalog_execute("UPDATE s3v.version SET owner = $2 WHERE index_id = $1", 2, types, values, NULL, NULL) != 1)
		ereport(ERROR,
				(errcode(ERRCODE_T_R_SERIALIZATION_FAILURE),
				 errmsg("index with OID %u was dropped or synced by another transaction", index_id)));
}

S3vIndex *
ownership_open(Oid index_id)
{
	S3vIndex   *index;
	S3vRemoteSettings attached;

	if (!is_s3v_index(index_id))
		ereport(ERROR,
				(errcode(ERRCODE_WRONG_OBJECT_TYPE),
				 errmsg("relation with OID %u is not an s3v index", index_id)));
	if (remote_attached(index_id, &attached))
		ereport(ERROR,
				(errcode(ERRCODE_WRONG_OBJECT_TYPE),
				 errmsg("\"%s\" is attached to an index that others write", get_rel_name(index_id))));
	index = catalog_index(index_id, NULL);
	if (index == NULL)
		catalog_refuse_unmade(index_id);
	if (!relation_owned_by(index->source, GetUserId()))
		aclcheck_error(ACLCHECK_NOT_OWNER, OBJECT_FOREIGN_TABLE, get_rel_name(index_id));
	return index;
}

Datum
s3v_adopt(PG_FUNCTION_ARGS)
{
	Oid			index_id = PG_GETARG_OID(0);
	S3vCall    *call = boundary_begin();
	S3vIndex   *index;
	S3vVersion *version;
	s3v_store  *store;
	uint64		number;

	PreventCommandIfReadOnly("s3v_adopt()");
	index = ownership_open(index_id);

	catalog_lock_index(index_id, true);
	FAULT_POINT("adopt.locked");
	PushActiveSnapshot(GetLatestSnapshot());
	version = catalog_version(index_id, GetActiveSnapshot());
	if (version == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("index \"%s\" has no version row", get_rel_name(index_id))));
	store = server_index_store(index_id);
	number = ownership_claim(call, store, index->uuid, version->owner, CLAIM_ADOPT);
	FAULT_POINT("adopt.claimed");
	ownership_record(index_id, number);
	FAULT_POINT("adopt.recorded");
	PopActiveSnapshot();
	PG_RETURN_VOID();
}

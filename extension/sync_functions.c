/* The SQL functions s3v_sync: the indexes of a table, or all of them; and s3v_optimize: one index, compacted as well. */
#include "postgres.h"

#include "catalog/objectaddress.h"
#include "catalog/pg_class.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "portability/instr_time.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"

#include "compat.h"
#include "guarded.h"
#include "settings.h"
#include "sync.h"

PG_FUNCTION_INFO_V1(s3v_sync);
PG_FUNCTION_INFO_V1(s3v_optimize);

static S3vSyncMode
mode_from_text(const char *text)
{
	if (strcmp(text, "changes") == 0)
		return SYNC_CHANGES;
	if (strcmp(text, "reconcile") == 0)
		return SYNC_RECONCILE;
	if (strcmp(text, "rebuild") == 0)
		return SYNC_REBUILD;
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("unrecognized mode \"%s\"", text),
			 errhint("Valid modes are: changes, reconcile, rebuild.")));
}

static void
put_result(ReturnSetInfo *set, Oid index_id, const S3vSyncResult *result, const char *error)
{
	Datum		values[7] = {0};
	bool		nulls[7] = {false};

	values[0] = ObjectIdGetDatum(index_id);
	values[1] = Int64GetDatum(result->version);
	values[2] = Int64GetDatum(result->upserted);
	values[3] = Int64GetDatum(result->deleted);
	values[4] = Int64GetDatum(result->bytes_written);
	values[5] = Int64GetDatum(result->requests);
	nulls[1] = nulls[2] = nulls[3] = nulls[4] = nulls[5] = error != NULL;
	if (error != NULL)
		values[6] = CStringGetTextDatum(error);
	else
		nulls[6] = true;
	tuplestore_putvalues(set->setResult, set->setDesc, values, nulls);
}

static void
check_owner(Oid source)
{
	if (!relation_owned_by(source, GetUserId()))
		aclcheck_error(ACLCHECK_NOT_OWNER, get_relkind_objtype(get_rel_relkind(source)), get_rel_name(source));
}

/* Of all indexes, those of tables that the caller owns. What was dropped since the list was read is nobody's error. */
static bool
is_to_sync(const S3vIndex *index)
{
	return catalog_index(index->index_id, NULL) != NULL && get_rel_name(index->source) != NULL &&
		relation_owned_by(index->source, GetUserId());
}

typedef struct GuardedSync
{
	const S3vIndex *index;
	const S3vSyncRequest *request;
	S3vSyncResult result;
} GuardedSync;

static void
sync_owned(void *arg)
{
	GuardedSync *sync = arg;

	check_owner(sync->index->source);
	sync->result = sync_index(sync->index->index_id, sync->request);
}

/* What fails is told in a WARNING and in the row. */
static void
sync_guarded(ReturnSetInfo *set, const S3vIndex *index, const S3vSyncRequest *request)
{
	GuardedSync sync = {.index = index, .request = request};
	const char *name = get_rel_name(index->index_id);
	ErrorData  *error = guarded_run(sync_owned, &sync);

	if (error != NULL)
	{
		guarded_warn(error, "sync", name);
		put_result(set, index->index_id, &sync.result, error->message);
	}
	else if (!sync.result.skipped)
		put_result(set, index->index_id, &sync.result, NULL);
}

/* What is left of the call's time is shared by the indexes that are left, so that no index waits for ever behind a busy one. */
static double
share_of_time(double max_seconds, const instr_time *started, int indexes_left)
{
	instr_time	now;

	if (max_seconds == 0)
		return 0;
	INSTR_TIME_SET_CURRENT(now);
	INSTR_TIME_SUBTRACT(now, *started);
	/* 0 would be no limit. */
	return Max(max_seconds - INSTR_TIME_GET_DOUBLE(now), 0.001) / indexes_left;
}

Datum
s3v_sync(PG_FUNCTION_ARGS)
{
	Oid			source = PG_ARGISNULL(0) ? InvalidOid : PG_GETARG_OID(0);
	S3vSyncMode mode = mode_from_text(PG_ARGISNULL(1) ? "changes" : text_to_cstring(PG_GETARG_TEXT_PP(1)));
	S3vSyncOptions options = settings_for_sync(PG_ARGISNULL(2) ? NULL : PG_GETARG_JSONB_P(2), mode == SYNC_CHANGES);
	S3vSyncRequest request = {.mode = mode, .wait = options.wait, .max_rows = options.max_rows};
	ReturnSetInfo *set = (ReturnSetInfo *) fcinfo->resultinfo;
	instr_time	started;
	List	   *indexes;
	ListCell   *cell;

	INSTR_TIME_SET_CURRENT(started);
	InitMaterializedSRF(fcinfo, 0);
	PreventCommandIfReadOnly("s3v_sync()");
	if (OidIsValid(source) && get_rel_name(source) != NULL)
		check_owner(source);
	indexes = catalog_indexes_named(source);
	foreach(cell, indexes)
	{
		const S3vIndex *index = lfirst(cell);

		CHECK_FOR_INTERRUPTS();
		request.max_seconds = share_of_time(options.max_seconds, &started, list_length(indexes) - foreach_current_index(cell));
		if (OidIsValid(source))
		{
			S3vSyncResult result = sync_index(index->index_id, &request);

			if (!result.skipped)
				put_result(set, index->index_id, &result, NULL);
		}
		else if (is_to_sync(index))
			sync_guarded(set, index, &request);
	}
	return (Datum) 0;
}

Datum
s3v_optimize(PG_FUNCTION_ARGS)
{
	Oid			index_id = PG_GETARG_OID(0);
	S3vSyncRequest request = {.mode = SYNC_CHANGES, .wait = true, .optimize = true};
	S3vIndex   *index;

	PreventCommandIfReadOnly("s3v_optimize()");
	index = catalog_index(index_id, NULL);
	if (index == NULL)
		ereport(ERROR,
				(errcode(get_rel_name(index_id) == NULL ? ERRCODE_UNDEFINED_TABLE : ERRCODE_WRONG_OBJECT_TYPE),
				 get_rel_name(index_id) == NULL ? errmsg("index with OID %u does not exist", index_id) :
				 errmsg("\"%s\" is not an s3v index", get_rel_name(index_id)),
				 errhint("Give the name that s3v_create_index was called with.")));
	check_owner(index->source);
	PG_RETURN_INT64(sync_index(index_id, &request).version);
}

/* s3v_check: what differs between sources and their indexes, and what the change log does not explain. Changes nothing. */
#include "postgres.h"

#include "access/table.h"
#include "access/xact.h"
#include "access/xlog.h"
#include "catalog/pg_namespace.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "storage/lmgr.h"
#include "utils/acl.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"

#include "boundary.h"
#include "compare.h"
#include "compat.h"
#include "guarded.h"
#include "known.h"
#include "partitions.h"
#include "progress.h"
#include "query.h"
#include "server.h"
#include "source_scan.h"
#include "sync.h"

PG_FUNCTION_INFO_V1(s3v_check);

typedef struct Findings
{
	int64		pending;
	int64		missing;
	int64		orphaned;
	int64		stale;
	int64		corrupt;
} Findings;

/* ---- what cannot be checked ---------------------------------------------------------------------------------------------- */

static void
refuse_moments(const S3vQuery *query)
{
	/* Inside the writing statement rows are visible before the triggers have logged them. */
	if (partitions_triggers_pending(query->index->source, query->leaves))
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_IN_USE),
				 errmsg("index \"%s\" cannot be checked while triggers are pending on its source",
						get_rel_name(query->index->index_id))));
	if (query->columns_dropped)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("a column of index \"%s\" was dropped since this snapshot was taken",
						get_rel_name(query->index->index_id)),
				 errhint("Run s3v_check in a new transaction.")));
	/* A TRUNCATE that this call waited for: every row would be missing in the table, and no log says so to this snapshot. */
	if (!sync_knows_files(query->index->source, query->snapshot))
		ereport(ERROR,
				(errcode(ERRCODE_T_R_SERIALIZATION_FAILURE),
				 errmsg("could not serialize access: the source of index \"%s\" was rewritten by another transaction",
						get_rel_name(query->index->index_id)),
				 errhint("Run s3v_check again.")));
}

/* ---- pending rows -------------------------------------------------------------------------------------------------------- */

typedef struct Pending
{
	const S3vSource *source;
	s3v_keys   *keys;
	bool		everything;
} Pending;

static bool
note_pending(void *arg, const char *key_text)
{
	Pending    *pending = arg;
	s3v_error	err;
	S3vKey		key;

	CHECK_FOR_INTERRUPTS();
	if (key_text == NULL)
	{
		pending->everything = true;
		return false;
	}
	key = key_from_text(key_text, pending->source->key.base_type, pending->source->key_kind);
	boundary_raise(s3v_keys_add(pending->keys, key.data, key.size, &err), &err);
	pfree(key.data);
	return true;
}

static int64
count_rows(const S3vQuery *query, Relation rel)
{
	S3vSourceScan *scan = source_scan_begin(rel, query->source, query->snapshot);
	int64		count = 0;

	while (source_scan_next(scan))
		count++;
	source_scan_end(scan);
	return count;
}

/* ---- one index ----------------------------------------------------------------------------------------------------------- */

static void
free_contents(void *contents)
{
	s3v_contents_free(contents);
}

/* Opens what is whole of the version; of what is not, the first complaint is told. */
static s3v_contents *
open_contents(const S3vQuery *query, S3vCall *call, Findings *findings)
{
	S3vHandle  *handle = handle_make(CurrentMemoryContext, free_contents);
	s3v_version_names names = query_version_names(query);
	s3v_damage	damage = {0};
	s3v_error	err;

	boundary_check(call, s3v_contents_open(boundary_env(call), server_index_store(query->index->index_id), &names,
										   query->version->manifest, (s3v_contents **) &handle->ptr, &damage, &err), &err);
	findings->corrupt = (int64) damage.objects;
	if (damage.complaint[0] != '\0')
		ereport(WARNING,
				(errcode(ERRCODE_DATA_CORRUPTED),
				 errmsg("index \"%s\" has damaged objects", get_rel_name(query->index->index_id)),
				 errdetail_internal("%s", damage.complaint),
				 RecoveryInProgress() ? 0 : errhint("Run s3v_sync with mode 'reconcile'.")));
	return handle->ptr;
}

/* Everything that a service keeps of the index. What others wrote there is orphaned. */
static s3v_contents *
open_remote_contents(const S3vQuery *query, S3vCall *call, Findings *findings)
{
	S3vHandle  *handle = handle_make(CurrentMemoryContext, free_contents);
	uint64_t	foreign = 0;
	s3v_error	err;

	boundary_check(call, s3v_remote_contents_open(boundary_env(call), server_index_store(query->index->index_id), query->remote,
												  query->version->manifest, (uint64) maintenance_work_mem * 1024,
												  (s3v_contents **) &handle->ptr, &foreign, &err), &err);
	findings->orphaned = (int64) foreign;
	return handle->ptr;
}

static void
read_pending(const S3vQuery *query, Pending *pending)
{
	pending->source = query->source;
	pending->keys = key_set_make();
	if (query->version == NULL || query->version->version == 0)
		pending->everything = true;
	else if (query->remote != NULL)
		catalog_log_scan_doubtful(query->index, query->version, query->snapshot, note_pending, pending);
	else
		catalog_log_scan(query->index, query->version, query->snapshot, note_pending, pending);
}

/* With its contents opened, unless it has none. */
static S3vComparison
start_comparison(const S3vQuery *query, Relation rel, Findings *findings)
{
	S3vComparison comparison = {.index = query->index, .source = query->source, .rel = rel, .snapshot = query->snapshot,
	.remote = query->remote};

	if (query->version == NULL || query->version->version == 0)
		return comparison;
	comparison.call = boundary_begin();
	comparison.contents = query->remote != NULL
		? open_remote_contents(query, comparison.call, findings)
		: open_contents(query, comparison.call, findings);
	return comparison;
}

static Findings
check_index(Oid index_id)
{
	S3vQueryArgs args = {.index_id = index_id, .k = 1};
	Findings	findings = {0};
	Pending		pending = {0};
	S3vComparison comparison;
	S3vQuery   *query;
	Relation	rel;

	refuse_row_security(known_index(index_id)->source->relid, "s3v_check compares with all rows of the table.");
	/* Who may query the index may have it checked. */
	query = query_open(&args);
	refuse_moments(query);
	query->version = catalog_version(index_id, query->snapshot);
	rel = table_open(query->index->source, NoLock);

	progress_start(index_id);
	comparison = start_comparison(query, rel, &findings);
	/* After a service was asked: what changed until it had answered is in the log. */
	read_pending(query, &pending);
	if (pending.everything)
		findings.pending = count_rows(query, rel);
	else
	{
		comparison.pending = pending.keys;
		compare_rows(&comparison, NULL, NULL);
		findings.pending = (int64) s3v_keys_count(pending.keys);
		findings.missing = comparison.missing;
		findings.orphaned += comparison.orphaned;
		findings.stale = comparison.stale;
	}
	progress_end();
	table_close(rel, NoLock);
	return findings;
}

static void
put_findings(ReturnSetInfo *set, Oid index_id, const Findings *findings)
{
	Datum		values[6];
	bool		nulls[6] = {false};

	values[0] = ObjectIdGetDatum(index_id);
	values[1] = Int64GetDatum(findings->pending);
	values[2] = Int64GetDatum(findings->missing);
	values[3] = Int64GetDatum(findings->orphaned);
	values[4] = Int64GetDatum(findings->stale);
	values[5] = Int64GetDatum(findings->corrupt);
	tuplestore_putvalues(set->setResult, set->setDesc, values, nulls);
}

static void
check_and_put(ReturnSetInfo *set, Oid index_id)
{
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "s3v check", ALLOCSET_DEFAULT_SIZES);
	MemoryContext before = MemoryContextSwitchTo(context);
	Findings	findings = check_index(index_id);

	MemoryContextSwitchTo(before);
	MemoryContextDelete(context);
	put_findings(set, index_id, &findings);
}

/* ---- all indexes --------------------------------------------------------------------------------------------------------- */

static bool
may_read_column(Oid table, const char *column)
{
	AttrNumber	number = get_attnum(table, column);

	return number != InvalidAttrNumber && pg_attribute_aclcheck(table, number, GetUserId(), ACL_SELECT) == ACLCHECK_OK;
}

/* The rights that a query asks for, without a complaint; what was dropped meanwhile nobody may read. */
static bool
may_read(const S3vIndex *index)
{
	Oid			user = GetUserId();
	bool		is_missing = false;

	if (pg_class_aclcheck_ext(index->index_id, user, ACL_SELECT, &is_missing) != ACLCHECK_OK ||
		get_rel_name(index->source) == NULL ||
		schema_acl(get_rel_namespace(index->source), user, ACL_USAGE) != ACLCHECK_OK)
		return false;
	if (pg_class_aclcheck_ext(index->source, user, ACL_SELECT, &is_missing) == ACLCHECK_OK)
		return true;
	for (int i = 0; i < index->metadata_count; i++)
	{
		if (!may_read_column(index->source, index->metadata[i]))
			return false;
	}
	return may_read_column(index->source, index->key_column) && may_read_column(index->source, index->vector_column);
}

typedef struct GuardedCheck
{
	Oid			index_id;
	Findings	findings;
} GuardedCheck;

static void
check_one(void *arg)
{
	GuardedCheck *check = arg;

	check->findings = check_index(check->index_id);
}

/* What fails is told in a WARNING. */
static void
check_guarded(ReturnSetInfo *set, const S3vIndex *index)
{
	MemoryContext work = AllocSetContextCreate(CurrentMemoryContext, "s3v check", ALLOCSET_DEFAULT_SIZES);
	MemoryContext before = MemoryContextSwitchTo(work);
	GuardedCheck check = {.index_id = index->index_id};
	const char *name = get_rel_name(index->index_id);
	ErrorData  *error = guarded_run(check_one, &check);

	MemoryContextSwitchTo(before);
	if (error != NULL)
		guarded_warn(error, "check", name);
	else
		put_findings(set, index->index_id, &check.findings);
	MemoryContextDelete(work);
}

Datum
s3v_check(PG_FUNCTION_ARGS)
{
	Oid			source = PG_ARGISNULL(0) ? InvalidOid : PG_GETARG_OID(0);
	ReturnSetInfo *set = (ReturnSetInfo *) fcinfo->resultinfo;
	List	   *indexes = catalog_indexes_named(source);
	ListCell   *cell;

	InitMaterializedSRF(fcinfo, 0);
	foreach(cell, indexes)
	{
		const S3vIndex *index = lfirst(cell);

		CHECK_FOR_INTERRUPTS();
		if (OidIsValid(source))
			check_and_put(set, index->index_id);
		else if (!may_read(index))
			continue;
		/* A parallel query has no subtransactions. */
		else if (IsInParallelMode())
			check_and_put(set, index->index_id);
		else
			check_guarded(set, index);
	}
	return (Datum) 0;
}

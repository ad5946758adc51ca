/*
 * s3v_query and its like: check rights, read version and change log under the active snapshot, add pending rows, have the index searched
 * (query_search.c), answer the k nearest.
 */
#include "postgres.h"

#include "access/xact.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"

#include "boundary.h"
#include "fault_point.h"
#include "known.h"
#include "partitions.h"
#include "query.h"
#include "server.h"
#include "stat.h"

/* With no more keys allowed than this, reading these rows is cheaper than any probe, and exact. */
#define FEW_KEYS 2000

/* The same of rows that policies let the caller see. */
#define FEW_VISIBLE 2000

S3vQuery *
query_open(const S3vQueryArgs *args)
{
	S3vQuery   *query = palloc0(sizeof(S3vQuery));
	const S3vKnownIndex *known = known_index(args->index_id);

	query->args = args;
	query->context = CurrentMemoryContext;
	query->row_context = AllocSetContextCreate(CurrentMemoryContext, "s3v source row", ALLOCSET_DEFAULT_SIZES);
	query->hits = hits_create(CurrentMemoryContext, args->k, args->query_count);
	query->to = args->query_count;
	/* The index and its version, the log and the source are all read under this one snapshot. */
	query->snapshot = GetActiveSnapshot();
	FAULT_POINT("query.snapshot");

	query->index = known->index;
	query->columns_dropped = known_columns_differ(known, query->snapshot);
	query->source = known->source;
	query->columns_match = known->columns_match;
	query->key_index = known->key_index;
	query->remote = known->remote;
	query->leaves = known->tree.leaves;
	query->detaching = known->tree.detaching;
	if (source_has_children(query->source->relid))
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("source \"%s\" of index \"%s\" has child tables", get_rel_name(query->source->relid),
						get_rel_name(query->index->index_id)),
				 errdetail("Their rows are not in the index.")));

	query_check_rights(query);
	query->settings = settings_resolve(known->options, args->options);
	if (query->settings.as_of_version > 0)
		as_of_prepare(query);
	if (args->filter != NULL)
		query->filter = metadata_filter(query->source, args->filter);
	if (args->keys != NULL)
		query->only = query_key_set(query->source, args->keys);
	return query;
}

/* Keys that changed since the version was made. */
typedef struct Pending
{
	bool		everything;		/* a TRUNCATE: all rows are pending */
	s3v_keys   *set;
	S3vKey	   *keys;
	int			count;
	int			allocated;
	const S3vSource *source;
} Pending;

static bool
note_pending(void *arg, const char *key_text)
{
	Pending    *pending = arg;
	s3v_error	err;
	S3vKey		key;

	if (key_text == NULL)
	{
		pending->everything = true;
		return false;
	}
	key = key_from_text(key_text, pending->source->key.base_type, pending->source->key_kind);
	if (s3v_keys_contains(pending->set, key.data, key.size))
	{
		pfree(key.data);
		return true;
	}
	boundary_raise(s3v_keys_add(pending->set, key.data, key.size, &err), &err);
	if (pending->count == pending->allocated)
	{
		pending->allocated = pending->allocated == 0 ? 64 : pending->allocated * 2;
		pending->keys = pending->keys == NULL
			? palloc(sizeof(S3vKey) * pending->allocated)
			: repalloc_huge(pending->keys, sizeof(S3vKey) * pending->allocated);
	}
	pending->keys[pending->count++] = key;
	return true;
}

static Pending *
pending_create(const S3vQuery *query)
{
	Pending    *pending = palloc0(sizeof(Pending));

	pending->set = key_set_make();
	pending->source = query->source;
	return pending;
}

static Pending *
read_pending(S3vQuery *query)
{
	Pending    *pending = pending_create(query);

	if (!query->settings.eventual)
		catalog_log_scan(query->index, query->version, query->snapshot, note_pending, pending);
	FAULT_POINT("query.log_read");
	return pending;
}

static bool
few_keys(const S3vQuery *query)
{
	return query->only != NULL && s3v_keys_count(query->only) <= FEW_KEYS;
}

/* Its vectors are somebody else's by now, who goes on writing them; the log says nothing of that. */
static const char *
reason_to_scan_remote(const S3vQuery *query)
{
	if (query->version->at_home)
		return NULL;
	ereport(WARNING,
			(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
			 errmsg("index \"%s\" was synced by another database: its source is scanned instead",
					get_rel_name(query->index->index_id)),
			 errhint("Take it over with s3v_adopt and run s3v_sync, or create an index of its own for this database.")));
	return "the index was synced by another database";
}

/* May the source have changed since the snapshot in ways that the snapshot does not hide? Partitions come and go for all at once. */
static bool
looks_back(const S3vQuery *query)
{
	return IsolationUsesXactSnapshot() || query->source->partitioned;
}

/* Marked since an old snapshot: what this transaction itself wrote after that is not in the log. */
static bool
is_stale(const S3vQuery *query, char **reason)
{
	Oid			index_id = query->index->index_id;

	return catalog_is_stale(index_id, query->snapshot, reason) || (looks_back(query) && catalog_is_stale(index_id, NULL, reason));
}

/* A mark that is gone again: the version of this snapshot is of the source as it was before. */
static bool
repaired_since(const S3vQuery *query)
{
	const S3vVersion *latest = catalog_version(query->index->index_id, NULL);

	return latest == NULL || latest->repaired != query->version->repaired;
}

/* Why the index cannot answer in this snapshot, or NULL when it can. */
static const char *
reason_to_scan(S3vQuery *query, Pending **pending)
{
	char	   *reason;

	*pending = NULL;
	if (few_keys(query))
		return "few keys are allowed: they are read from the source";
	if (query->row_security)
		query->visible_rows = query_visible_rows(query);
	if (query->row_security && query->visible_rows <= FEW_VISIBLE)
		return "few rows are visible to the caller: they are read from the source";
	if (query->version == NULL || query->version->version == 0)
		return "the index is not built yet in this snapshot: run s3v_sync";
	if (query->columns_dropped)
		return "a column of the index was dropped since this snapshot was taken";
	/* Inside the writing statement rows are visible before the triggers have logged them. */
	if (partitions_triggers_pending(query->index->source, query->leaves))
		return "triggers are pending on the source";
	if (query->detaching)
		return "a partition of the source is being detached";
	if (is_stale(query, &reason))
	{
		ereport(WARNING,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("index \"%s\" is stale: its source is scanned instead", get_rel_name(query->index->index_id)),
				 errdetail("%s", reason),
				 errhint("Run s3v_sync with mode 'reconcile'.")));
		return psprintf("the index is stale: %s", reason);
	}
	if (!query->columns_match)
	{
		ereport(WARNING,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("columns of index \"%s\" no longer have the types of its source: the source is scanned instead",
						get_rel_name(query->index->index_id)),
				 errhint("Run s3v_sync with mode 'reconcile'.")));
		return "columns of the index no longer have the types of its source";
	}
	if (query->remote != NULL)
		return reason_to_scan_remote(query);
	if (looks_back(query) && repaired_since(query))
		return "the index was repaired since this snapshot was taken";
	*pending = read_pending(query);
	if ((*pending)->everything)
		return "the source was truncated: all its rows are pending";
	return NULL;
}

/* Nothing found yet, and rows of the source are offered to every query. */
static void
start_anew(S3vQuery *query)
{
	for (int i = 0; i < query->args->query_count; i++)
		hits_clear(&query->hits[i]);
	query->from = 0;
	query->to = query->args->query_count;
}

static void
scan_instead(S3vQuery *query, const char *why)
{
	instr_time	start;
	int			i;

	INSTR_TIME_SET_CURRENT(start);
	query->work.path = PATH_SOURCE;
	query->work.status = MemoryContextStrdup(query->context, why);
	start_anew(query);
	if (few_keys(query))
	{
		Pending    *allowed = pending_create(query);
		Datum	   *elements;
		bool	   *nulls;
		int			count;

		/* Through a set again: a key named twice is one row. */
		deconstruct_array(query->args->keys, TEXTOID, -1, false, TYPALIGN_INT, &elements, &nulls, &count);
		for (i = 0; i < count; i++)
		{
			if (!nulls[i])
				note_pending(allowed, TextDatumGetCString(elements[i]));
		}
		query_read_keys(query, allowed->keys, allowed->count);
	}
	else if (query->filter == NULL || !query_scan_matches(query))
		query_scan_source(query);
	query->work.ms_source += milliseconds_since(&start);
}

/* What the index left out. */
static void
note_limits(S3vQuery *query)
{
	if (query->work.search.budget_reached)
	{
		query->work.status = "max_bytes was reached before every list that the query wanted was read";
		ereport(NOTICE,
				(errmsg("s3v.max_bytes was reached: nearer rows of index \"%s\" may be missing",
						get_rel_name(query->index->index_id))));
	}
	else if (query->settings.eventual)
		query->work.status = "consistency is eventual: changes since the last sync are left out";
}

/* By the index and the pending rows. NULL, or why the source shall be scanned instead. */
static const char *
answer_from_index(S3vQuery *query, const Pending *pending)
{
	const char *why;

	query->work.path = pending->count > 0 ? PATH_MIXED : PATH_INDEX;
	if (pending->count > 0)
	{
		instr_time	start;

		INSTR_TIME_SET_CURRENT(start);
		query->work.pending_merged = query_read_keys(query, pending->keys, pending->count);
		query->work.ms_source += milliseconds_since(&start);
	}
	why = query_search_index(query, pending->set);
	if (why == NULL)
		note_limits(query);
	return why;
}

static const char *
answer_from_service(S3vQuery *query)
{
	const char *why = query_search_remote(query);

	if (why == NULL && query->work.status == NULL)
		note_limits(query);
	return why;
}

/* By the few rows that pass the filter. The source is always right: neither version nor log are asked. */
static bool
answer_from_matches(S3vQuery *query, const instr_time *start)
{
	S3vMatches *matches;
	instr_time	reading;

	if (query->filter == NULL || few_keys(query))
		return false;
	matches = query_plan_matches(query);
	if (matches == NULL)
		return false;
	query->work.ms_catalog = milliseconds_since(start);
	INSTR_TIME_SET_CURRENT(reading);
	query->work.path = PATH_SOURCE;
	query->work.status = query_read_matches(query, matches);
	query->work.ms_source += milliseconds_since(&reading);
	if (query->work.status == NULL)
		start_anew(query);
	return query->work.status != NULL;
}

static void
answer_from_all(S3vQuery *query, const instr_time *start)
{
	Pending    *pending;
	const char *why = reason_to_scan(query, &pending);

	query->work.ms_catalog = milliseconds_since(start) - query->work.ms_source;
	if (why == NULL)
		why = query->remote != NULL ? answer_from_service(query) : answer_from_index(query, pending);
	if (why != NULL)
		scan_instead(query, why);
}

static void
answer_now(S3vQuery *query, const instr_time *start)
{
	query->version = catalog_version(query->index->index_id, query->snapshot);
	FAULT_POINT("query.pointer_read");
	if (SPI_connect() != SPI_OK_CONNECT)
		elog(ERROR, "SPI_connect failed");
	if (!answer_from_matches(query, start))
		answer_from_all(query, start);
	if (query->key_scan != NULL)
		key_scan_end(query->key_scan);
	SPI_finish();
}

static void
answer_as_of(S3vQuery *query, const instr_time *start)
{
	as_of_open(query);
	query->work.ms_catalog = milliseconds_since(start);
	(void) query_search_index(query, NULL);
	note_limits(query);
}

S3vQuery *
query_run(const S3vQueryArgs *args)
{
	S3vQuery   *query;
	instr_time	start;
	int			i;

	INSTR_TIME_SET_CURRENT(start);
	stat_begin();
	query = known_already(args->index_id) ? NULL : query_run_attached(args);
	if (query != NULL)
	{
		stat_note_query(args->query_count, &query->work);
		return query;
	}
	query = query_open(args);
	if (args->query_count == 0)
	{
		stat_note_query(0, &query->work);
		return query;
	}
	query_check_vectors(query);
	if (query->settings.as_of_version > 0)
		answer_as_of(query, &start);
	else
		answer_now(query, &start);
	FAULT_POINT("query.merged");
	for (i = 0; i < args->query_count; i++)
		hits_sort(&query->hits[i]);
	query->work.ms_total = milliseconds_since(&start);
	stat_note_query(args->query_count, &query->work);
	return query;
}

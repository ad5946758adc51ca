/*
 * s3v_query: checks rights, reads version and change log under the active snapshot, searches the index, ranks every candidate
 * against its source row, adds pending rows, answers the k nearest.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "commands/trigger.h"
#include "executor/spi.h"
#include "portability/instr_time.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"

#include "boundary.h"
#include "known.h"
#include "query.h"
#include "server.h"

/* With no more keys allowed than this, reading these rows is cheaper than any probe, and exact. */
#define FEW_KEYS 2000

static double
milliseconds_since(instr_time *start)
{
	instr_time	now;

	INSTR_TIME_SET_CURRENT(now);
	INSTR_TIME_SUBTRACT(now, *start);
	return INSTR_TIME_GET_MILLISEC(now);
}

/* What is known of the index, its source and settings; raises for every misuse. */
static void
open_query(S3vQuery *query)
{
	const S3vKnownIndex *known = known_index(query->args->index_id);

	query->index = known->index;
	query->columns_dropped = known_columns_differ(known, query->snapshot);
	query->source = known->source;
	query->columns_match = known->columns_match;
	query->key_index = known->key_index;
	if (source_has_children(query->source->relid))
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("source \"%s\" of index \"%s\" has child tables", get_rel_name(query->source->relid),
						get_rel_name(query->index->index_id)),
				 errdetail("Their rows are not in the index.")));

	query_check_rights(query);
	query->settings = settings_resolve(known->options, query->args->options);
	if (query->args->filter != NULL)
		query->filter = metadata_filter(query->source, query->args->filter);
	if (query->args->keys != NULL)
		query->only = query_key_set(query->source, query->args->keys);
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
	return pending;
}

/* Why the index cannot answer in this snapshot, or NULL when it can. */
static const char *
reason_to_scan(S3vQuery *query, Pending **pending)
{
	char	   *reason;

	*pending = NULL;
	if (query->only != NULL && s3v_keys_count(query->only) <= FEW_KEYS)
		return "few keys are allowed: they are read from the source";
	if (query->version == NULL || query->version->version == 0)
		return "the index is not built yet in this snapshot: run s3v_sync";
	if (query->columns_dropped)
		return "a column of the index was dropped since this snapshot was taken";
	/* Inside the writing statement rows are visible before the triggers have logged them. */
	if (AfterTriggerPendingOnRel(query->index->source))
		return "triggers are pending on the source";
	if (catalog_is_stale(query->index->index_id, query->snapshot, &reason))
	{
		ereport(WARNING,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("index \"%s\" is stale: its source is scanned instead", get_rel_name(query->index->index_id)),
				 errdetail("%s", reason),
				 errhint("Run s3v_sync with mode 'rebuild'.")));
		return psprintf("the index is stale: %s", reason);
	}
	if (!query->columns_match)
	{
		ereport(WARNING,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("columns of index \"%s\" no longer have the types of its source: the source is scanned instead",
						get_rel_name(query->index->index_id)),
				 errhint("Run s3v_sync with mode 'rebuild'.")));
		return "columns of the index no longer have the types of its source";
	}
	*pending = read_pending(query);
	if ((*pending)->everything)
		return "the source was truncated: all its rows are pending";
	return NULL;
}

static void
free_search(void *search)
{
	s3v_search_free(search);
}

static bool
matters(const S3vQuery *query, const s3v_candidate *candidate)
{
	return !hits_full(query->hits) || candidate->lower_bound <= hits_worst(query->hits);
}

/*
 * Ranks candidates against their source rows; false once no later one can matter. Each row may be the last that does, but starting a
 * statement costs more than reading some rows too many.
 */
static bool
rank(S3vQuery *query, const s3v_candidate *candidates, size_t found)
{
	size_t		at_once = key_scan_serves(query) ? 1 : found;
	S3vKey	   *keys = palloc(sizeof(S3vKey) * at_once);
	size_t		done = 0;
	size_t		count;

	do
	{
		for (count = 0; count < at_once && done < found && matters(query, &candidates[done]); count++, done++)
		{
			keys[count].data = (char *) candidates[done].key;
			keys[count].size = candidates[done].key_size;
		}
		query->work.reranked += query_read_keys(query, keys, count);
	} while (count > 0);
	pfree(keys);
	return done == found;
}

/* Asks for candidates until no later one can matter. */
static s3v_code
search_lists(S3vQuery *query, s3v_store *store, const Pending *pending, s3v_error *err, S3vCall *call)
{
	const S3vVersion *version = query->version;
	S3vHandle  *handle = handle_make(CurrentMemoryContext, free_search);
	s3v_version_names names = {0};
	s3v_search_options options = {0};
	s3v_code	code;
	int			want = query->args->k + Max(4, query->args->k / 10);

	names.index_uuid = query->index->uuid;
	names.base = version->base;
	names.base_length = version->base_bytes;
	names.delta = version->delta;
	names.delta_length = version->delta_bytes;
	options.k = query->args->k;
	options.probes = query->settings.probes;
	options.max_bytes = query->settings.max_bytes;
	options.in_flight_bytes = UINT64CONST(32) << 20;
	options.filter = query->filter;
	options.only = query->only;
	options.without = pending->set;

	code = s3v_search_open(boundary_env(call), store, &names, query->args->vector, query->args->dimensions, &options,
						   (s3v_search **) &handle->ptr, err);
	while (code == S3V_OK)
	{
		const s3v_candidate *candidates;
		size_t		found;
		instr_time	start;
		double		spent;
		bool		go_on;

		code = s3v_search_next(boundary_env(call), handle->ptr, want, &candidates, &found, err);
		if (code != S3V_OK)
			break;
		if (found == 0)
		{
			int			more = 0;

			/* Rows that the snapshot does not see, or that were dropped by a check, left too few. */
			if (!hits_full(query->hits))
				code = s3v_search_widen(boundary_env(call), handle->ptr, &more, err);
			if (!more)
				break;
			continue;
		}

		INSTR_TIME_SET_CURRENT(start);
		go_on = rank(query, candidates, found);
		spent = milliseconds_since(&start);
		query->work.ms_source += spent;
		query->work.ms_search -= spent;
		if (!go_on)
			break;
		want = Max(8, query->args->k / 4);
	}
	if (handle->ptr != NULL)
		s3v_search_stats_get(handle->ptr, &query->work.search);
	handle_release(handle);
	return code;
}

static void
note_sent(S3vQueryWork *work, s3v_store *store, const s3v_counters *before)
{
	s3v_counters now;

	s3v_store_counters(store, &now);
	work->sent.waves = now.waves - before->waves;
	work->sent.get_requests = now.get_requests - before->get_requests;
	work->sent.put_requests = now.put_requests - before->put_requests;
	work->sent.delete_requests = now.delete_requests - before->delete_requests;
	work->sent.bytes_read = now.bytes_read - before->bytes_read;
	work->sent.retries = now.retries - before->retries;
}

/* False when objects of the version are missing and the source shall be scanned instead. */
static bool
search_index(S3vQuery *query, const Pending *pending)
{
	s3v_store  *store = server_index_store(query->index->index_id);
	S3vCall    *call = boundary_begin();
	s3v_counters before;
	s3v_error	err;
	s3v_code	code;
	instr_time	start;
	bool		missing;

	s3v_store_counters(store, &before);
	INSTR_TIME_SET_CURRENT(start);
	code = search_lists(query, store, pending, &err, call);
	query->work.ms_search += milliseconds_since(&start);
	note_sent(&query->work, store, &before);
	missing = code == S3V_OBJECT_MISSING && !query->settings.missing_is_error;
	/* Also when the source can answer instead: a cancel that a callback caught would be lost. */
	boundary_check(call, missing ? S3V_OK : code, &err);
	if (missing)
		ereport(WARNING,
				(errcode(ERRCODE_UNDEFINED_FILE),
				 errmsg("objects of index \"%s\" are missing: its source is scanned instead",
						get_rel_name(query->index->index_id)),
				 errdetail("%s", err.message),
				 errhint("Run s3v_sync with mode 'rebuild' where the server is writable; s3v.on_missing = 'error' refuses instead.")));
	return !missing;
}

static void
scan_instead(S3vQuery *query, const char *why)
{
	instr_time	start;

	INSTR_TIME_SET_CURRENT(start);
	query->work.path = PATH_SOURCE;
	query->work.status = MemoryContextStrdup(query->context, why);
	hits_clear(query->hits);
	if (query->only != NULL && s3v_keys_count(query->only) <= FEW_KEYS)
	{
		Pending    *allowed = pending_create(query);
		Datum	   *elements;
		bool	   *nulls;
		int			count;
		int			i;

		/* Through a set again: a key named twice is one row. */
		deconstruct_array(query->args->keys, TEXTOID, -1, false, TYPALIGN_INT, &elements, &nulls, &count);
		for (i = 0; i < count; i++)
		{
			if (!nulls[i])
				note_pending(allowed, TextDatumGetCString(elements[i]));
		}
		query_read_keys(query, allowed->keys, allowed->count);
	}
	else
		query_scan_source(query);
	query->work.ms_source += milliseconds_since(&start);
}

S3vQuery *
query_run(const S3vQueryArgs *args)
{
	S3vQuery   *query = palloc0(sizeof(S3vQuery));
	Pending    *pending;
	const char *why;
	instr_time	start;

	query->args = args;
	query->context = CurrentMemoryContext;
	query->row_context = AllocSetContextCreate(CurrentMemoryContext, "s3v source row", ALLOCSET_DEFAULT_SIZES);
	query->hits = hits_create(CurrentMemoryContext, args->k);
	INSTR_TIME_SET_CURRENT(start);
	/* The index and its version, the log and the source are all read under this one snapshot. */
	query->snapshot = GetActiveSnapshot();
	open_query(query);
	if (args->vector_is_null)
		return query;
	query_check_vector(query);
	query->version = catalog_version(query->index->index_id, query->snapshot);

	if (SPI_connect() != SPI_OK_CONNECT)
		elog(ERROR, "SPI_connect failed");
	why = reason_to_scan(query, &pending);
	query->work.ms_catalog = milliseconds_since(&start);
	if (why == NULL)
	{
		query->work.path = pending->count > 0 ? PATH_MIXED : PATH_INDEX;
		if (pending->count > 0)
		{
			instr_time	read;

			INSTR_TIME_SET_CURRENT(read);
			query->work.pending_merged = query_read_keys(query, pending->keys, pending->count);
			query->work.ms_source += milliseconds_since(&read);
		}
		if (!search_index(query, pending))
			why = "objects of the version are missing from the store";
		else if (query->work.search.budget_reached)
		{
			query->work.status = "max_bytes was reached before every list that the query wanted was read";
			ereport(NOTICE,
					(errmsg("s3v.max_bytes was reached: nearer rows of index \"%s\" may be missing",
							get_rel_name(query->index->index_id))));
		}
	}
	if (why != NULL)
		scan_instead(query, why);
	if (query->key_scan != NULL)
		key_scan_end(query->key_scan);
	SPI_finish();
	hits_sort(query->hits);
	query->work.ms_total = milliseconds_since(&start);
	return query;
}

/* The part of a query between the core and the source: candidates come by lower bound, each is ranked against its source row. */
#include "postgres.h"

#include <math.h>

#include "miscadmin.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"

#include "boundary.h"
#include "query.h"
#include "server.h"
#include "settings.h"

/*
 * Most source rows that one query reads for its candidates: four times those that a rerank by estimates alone would read (20, or twice k).
 * Bounds end the reading far sooner, unless vectors lie so close together that their codes cannot tell them apart; the nearest by those
 * codes have then been read long before.
 */
static int64
most_reranked(int k)
{
	return 4 * Max(20, 2 * (int64) k);
}

/* Under row-level security: so many of the nearest rows are searched at most, to have enough visible ones. */
#define MOST_TO_REACH 10000.0

/* A search for fewer rows than should have been reached is repeated beyond this factor. */
#define ENOUGH_FARTHER 1.25

/* Candidates looked at by one statement. */
#define MOST_AT_ONCE 1000

/*
 * Under row-level security: once so many candidates were looked at in vain, scanning what the caller sees would have cost no more, and is
 * exact.
 */
static double
patience_of(const S3vQuery *query)
{
	return query->row_security ? Max(MOST_AT_ONCE, query->visible_rows) : INFINITY;
}

static void
free_search(void *search)
{
	s3v_search_free(search);
}

/* One of the queries on its way through the candidates. */
typedef struct Ranking
{
	S3vQuery   *query;
	int			number;			/* of the query, from 0 */
	S3vHits    *hits;
	int64		spare;			/* rows that may still be read once hits are full */
	double		patience;		/* candidates that may turn out to be invisible to the caller */
	int64		looked_at;
	int64		seen;			/* of these, rows that the caller sees */
} Ranking;

static bool
matters(const Ranking *ranking, const s3v_candidate *candidate)
{
	return !hits_full(ranking->hits) || candidate->lower_bound <= hits_worst(ranking->hits);
}

/*
 * Ranks candidates against their source rows; false once no more may be read. Each row may be the last that matters, but starting a
 * statement costs more than reading some rows too many. A candidate that does not matter is passed over, not the end: after lists were
 * scanned again, later ones may have lesser bounds.
 */
static bool
rank(Ranking *ranking, const s3v_candidate *candidates, size_t found)
{
	S3vQuery   *query = ranking->query;
	size_t		at_once = query_finds_by_key(query) ? 1 : found;
	S3vKey	   *keys = palloc(sizeof(S3vKey) * at_once);
	size_t		done = 0;
	size_t		count;
	int64		seen;

	do
	{
		bool		full = hits_full(ranking->hits);
		size_t		most = full ? Min(at_once, (size_t) ranking->spare) : at_once;

		for (count = 0; count < most && done < found; done++)
		{
			if (!matters(ranking, &candidates[done]))
				continue;
			keys[count].data = (char *) candidates[done].key;
			keys[count].size = candidates[done].key_size;
			count++;
		}
		seen = query_read_keys(query, keys, count);
		query->work.reranked += seen;
		ranking->patience -= count - seen;
		ranking->looked_at += count;
		ranking->seen += seen;
		/* What policies hide costs a look-up, but says nothing of how near the visible rows are. */
		if (full)
			ranking->spare -= query->row_security ? seen : count;
	} while (count > 0);
	pfree(keys);
	return !hits_full(ranking->hits) || ranking->spare > 0;
}

/* Asks for candidates of one query until no later one can matter. */
static s3v_code
rank_query(Ranking *ranking, S3vCall *call, s3v_search *search, s3v_error *err)
{
	S3vQueryWork *work = &ranking->query->work;
	int			k = ranking->query->args->k;
	size_t		want = (size_t) k + Max(4, k / 10);

	for (;;)
	{
		double		worst = hits_full(ranking->hits) ? hits_worst(ranking->hits) : INFINITY;
		const s3v_candidate *candidates;
		size_t		found;
		instr_time	start;
		double		spent;
		bool		go_on;
		s3v_code	code;

		code = s3v_search_next(boundary_env(call), search, ranking->number, want, worst, &candidates, &found, err);
		if (code != S3V_OK)
			return code;
		if (found == 0)
		{
			int			more = 0;

			/* Rows that the snapshot does not see, or that were dropped by a check, left too few. */
			if (!hits_full(ranking->hits))
				code = s3v_search_widen(boundary_env(call), search, ranking->number, &more, err);
			if (code != S3V_OK || !more)
				return code;
			continue;
		}

		INSTR_TIME_SET_CURRENT(start);
		go_on = rank(ranking, candidates, found);
		spent = milliseconds_since(&start);
		work->ms_source += spent;
		work->ms_search -= spent;
		if (!go_on || ranking->patience < 0)
			return S3V_OK;
		/* Statements want to be worth their start: few of these candidates are visible. */
		want = ranking->query->row_security ? Min(2 * want, MOST_AT_ONCE) : Max(8, k / 4);
	}
}

/* The vectors as the core takes them, row after row; they often lie so already. */
const float *
query_joined_vectors(const S3vQueryArgs *args, int dimensions)
{
	const S3vQueryVector *vectors = args->vectors;
	bool		joined = true;
	float	   *copy;
	int			i;

	for (i = 1; i < args->query_count && joined; i++)
		joined = vectors[i].values == vectors[i - 1].values + dimensions;
	if (joined)
		return vectors[0].values;
	copy = MemoryContextAllocHuge(CurrentMemoryContext, sizeof(float) * dimensions * args->query_count);
	for (i = 0; i < args->query_count; i++)
		memcpy(copy + (Size) i * dimensions, vectors[i].values, sizeof(float) * dimensions);
	return copy;
}

s3v_version_names
query_version_names(const S3vQuery *query)
{
	return catalog_version_names(query->index, query->version);
}

/* Ranges that the core may have on their way at once. */
#define IN_FLIGHT_BYTES (UINT64CONST(32) << 20)

/*
 * How many queries are searched together: as many as the memory of a hash table and half of what ranges in flight may take hold. What one
 * takes: candidates with their keys, and its rankings and buffers.
 */
static int
queries_at_once(int k)
{
	double		budget = (double) work_mem * hash_mem_multiplier * 1024 + IN_FLIGHT_BYTES / 2;
	double		each = 64.0 * 1024 + 256.0 * Max(4.0 * k, k + 64.0);

	return (int) Max(1.0, Min(budget / each, 10000.0));
}

static void
add_stats(s3v_search_stats *sum, const s3v_search_stats *stats)
{
	sum->lists_total = stats->lists_total;
	sum->lists_probed += stats->lists_probed;
	sum->entries_scanned += stats->entries_scanned;
	sum->entries_scored += stats->entries_scored;
	sum->entries_matched += stats->entries_matched;
	sum->exhausted = stats->exhausted;
	sum->budget_reached = sum->budget_reached || stats->budget_reached;
}

/* How many of the nearest rows are likely to have k visible ones among them. */
static double
nearest_to_reach(const S3vQuery *query, double share)
{
	return Max(query->args->k, Min(query->args->k / Max(share, 1e-6), MOST_TO_REACH));
}

static double
expected_share(const S3vQuery *query)
{
	if (!query->row_security || query->version == NULL || query->version->rows == 0)
		return 1;
	return Min(1, query->visible_rows / query->version->rows);
}

/* Lists of these queries are read together, when the first of them asks; then each ranks its own candidates. */
static s3v_code
search_lists(S3vQuery *query, const float *vectors, int first, int count, double *share, s3v_store *store, const s3v_keys *pending,
			 s3v_error *err, S3vCall *call, bool *gives_up)
{
	const S3vQueryArgs *args = query->args;
	S3vHandle  *handle = handle_make(CurrentMemoryContext, free_search);
	s3v_version_names names = query_version_names(query);
	s3v_search_options options = {0};
	bool		as_of = query->settings.as_of_version > 0;
	double		looked_at = 0;
	double		seen = 0;
	s3v_code	code;
	int			i;

	options.k = (uint64_t) nearest_to_reach(query, *share);
	options.probes = query->settings.probes;
	options.max_bytes = query->settings.max_bytes;
	options.in_flight_bytes = count > 1 ? IN_FLIGHT_BYTES / 2 : IN_FLIGHT_BYTES;
	options.filter = query->filter;
	options.only = query->only;
	options.without = pending;
	options.raw_from_store = as_of;

	code = s3v_search_open(boundary_env(call), store, &names, vectors + (Size) first * query->index->dimensions, count,
						   query->index->dimensions, &options, (s3v_search **) &handle->ptr, err);
	for (i = 0; i < count && code == S3V_OK; i++)
	{
		Ranking		ranking = {query, i, &query->hits[first + i], most_reranked(args->k) - args->k, patience_of(query), 0, 0};

		if (as_of)
		{
			code = as_of_rank(query, &query->hits[first + i], i, call, handle->ptr, err);
			continue;
		}
		query->from = first + i;
		query->to = first + i + 1;
		code = rank_query(&ranking, call, handle->ptr, err);
		looked_at += ranking.looked_at;
		seen += ranking.seen;
		if (ranking.patience < 0)
		{
			*gives_up = true;
			break;
		}
	}
	if (as_of && code == S3V_OK)
		code = as_of_read_metadata(query, &query->hits[first], count, call, handle->ptr, err);
	if (handle->ptr != NULL)
	{
		s3v_search_stats stats;

		s3v_search_stats_get(handle->ptr, &stats);
		add_stats(&query->work.search, &stats);
	}
	handle_release(handle);
	if (looked_at > 0)
		*share = seen / looked_at;
	return code;
}

/* Under row-level security once more, farther, where the caller sees fewer of the nearest rows than the planner expected. */
static s3v_code
search_visible(S3vQuery *query, const float *vectors, int first, int count, s3v_store *store, const s3v_keys *pending, s3v_error *err,
			   S3vCall *call, bool *gives_up)
{
	double		expected = expected_share(query);
	double		share = expected;
	s3v_code	code = search_lists(query, vectors, first, count, &share, store, pending, err, call, gives_up);

	if (!query->row_security || code != S3V_OK || *gives_up ||
		nearest_to_reach(query, share) <= ENOUGH_FARTHER * nearest_to_reach(query, expected))
		return code;
	for (int i = first; i < first + count; i++)
		query->hits[i].again = true;
	return search_lists(query, vectors, first, count, &share, store, pending, err, call, gives_up);
}

static s3v_code
search_all(S3vQuery *query, s3v_store *store, const s3v_keys *pending, s3v_error *err, S3vCall *call, bool *gives_up)
{
	int			total = query->args->query_count;
	int			at_once = queries_at_once(query->args->k);
	const float *vectors = query_joined_vectors(query->args, query->index->dimensions);
	s3v_code	code = S3V_OK;
	int			first;

	for (first = 0; first < total && code == S3V_OK && !*gives_up; first += at_once)
		code = search_visible(query, vectors, first, Min(at_once, total - first), store, pending, err, call, gives_up);
	return code;
}

/* Without a cache, queries are right and slow: somebody must hear why, but not with every query. */
static void
warn_of_cache(void)
{
	static bool warned = false;

	if (warned)
		return;
	warned = true;
	ereport(WARNING,
			(errcode(ERRCODE_IO_ERROR),
			 errmsg("could not write to the local cache in \"%s\"", s3v_setting_cache_dir),
			 errdetail("Queries ask the store for what they need. This session does not repeat the warning."),
			 errhint("Check that s3v.cache_dir is a directory of the server's own, and that its file system can be written to and has room.")));
}

void
query_note_sent(S3vQueryWork *work, s3v_store *store, const s3v_counters *before)
{
	s3v_counters now;

	s3v_store_counters(store, &now);
	work->sent.waves = now.waves - before->waves;
	work->sent.get_requests = now.get_requests - before->get_requests;
	work->sent.put_requests = now.put_requests - before->put_requests;
	work->sent.delete_requests = now.delete_requests - before->delete_requests;
	work->sent.bytes_read = now.bytes_read - before->bytes_read;
	work->sent.retries = now.retries - before->retries;
	work->sent.cache_hits = now.cache_hits - before->cache_hits;
	if (now.cache_failures > before->cache_failures)
		warn_of_cache();
}

const char *
query_warn_of_missing(const S3vQuery *query, const s3v_error *err)
{
	ereport(WARNING,
			(errcode(ERRCODE_UNDEFINED_FILE),
			 errmsg("objects of index \"%s\" are missing: its source is scanned instead", get_rel_name(query->index->index_id)),
			 errdetail("%s", err->message),
			 query->remote != NULL
			 ? errhint("Run s3v_sync with mode 'rebuild' where the server is writable; s3v.on_missing = 'error' refuses instead.")
			 : errhint("Run s3v_sync with mode 'reconcile' where the server is writable; s3v.on_missing = 'error' refuses instead.")));
	return "objects of the version are missing from the store";
}

const char *
query_search_index(S3vQuery *query, const s3v_keys *pending)
{
	s3v_store  *store = server_index_store(query->index->index_id);
	S3vCall    *call = boundary_begin();
	s3v_counters before;
	s3v_error	err;
	s3v_code	code;
	instr_time	start;
	bool		missing;
	bool		gives_up = false;

	s3v_store_counters(store, &before);
	INSTR_TIME_SET_CURRENT(start);
	code = search_all(query, store, pending, &err, call, &gives_up);
	query->work.ms_search += milliseconds_since(&start);
	query_note_sent(&query->work, store, &before);
	missing = code == S3V_OBJECT_MISSING && !query->settings.missing_is_error;
	/* Also when the source can answer instead: a cancel that a callback caught would be lost. */
	boundary_check(call, missing ? S3V_OK : code, &err);
	return missing ? query_warn_of_missing(query, &err) :
		gives_up ? "few candidates are visible to the caller: all visible rows are read from the source" :
		query->row_security && query->work.search.budget_reached ? "max_bytes was reached: all visible rows are read from the source" : NULL;
}

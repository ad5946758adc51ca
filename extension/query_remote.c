/*
 * The part of a query between the service and the source, for indexes on s3vectors://. The service's vectors have no versions: which of its
 * hits the snapshot may trust is decided after it answered, by the change log. docs/design/s3vectors.md says why that is exact.
 */
#include "postgres.h"

#include <math.h>

#include "access/xlog.h"
#include "miscadmin.h"
#include "utils/lsyscache.h"

#include "boundary.h"
#include "query.h"
#include "server.h"

/* Asked for beyond k where that costs no further page: vectors as near as the k-th, which the service rounds to float32. */
#define SPARE_HITS 4

/* Results of one page. */
#define PAGE 100

/* Keys looked up by one statement. */
#define MOST_AT_ONCE 1000

/* Keys that changed since the service had them as the snapshot does. */
typedef struct Doubtful
{
	const S3vSource *source;
	bool		everything;		/* a TRUNCATE: all rows are doubtful */
	s3v_keys   *set;
	S3vKey	   *keys;
	int			count;
	int			allocated;
} Doubtful;

static bool
note_key(void *arg, const char *key_text)
{
	Doubtful   *doubtful = arg;
	s3v_error	err;
	S3vKey		key;

	CHECK_FOR_INTERRUPTS();
	if (key_text == NULL)
	{
		doubtful->everything = true;
		return false;
	}
	key = key_from_text(key_text, doubtful->source->key.base_type, doubtful->source->key_kind);
	if (s3v_keys_contains(doubtful->set, key.data, key.size))
	{
		pfree(key.data);
		return true;
	}
	boundary_raise(s3v_keys_add(doubtful->set, key.data, key.size, &err), &err);
	if (doubtful->count == doubtful->allocated)
	{
		doubtful->allocated = Max(64, doubtful->allocated * 2);
		doubtful->keys = doubtful->keys == NULL ? palloc(sizeof(S3vKey) * doubtful->allocated) :
			repalloc_huge(doubtful->keys, sizeof(S3vKey) * doubtful->allocated);
	}
	doubtful->keys[doubtful->count++] = key;
	return true;
}

static Doubtful
read_doubtful(const S3vQuery *query)
{
	Doubtful	doubtful = {.source = query->source, .set = key_set_make()};

	if (!query->settings.eventual)
		catalog_log_scan_doubtful(query->index, query->version, query->snapshot, note_key, &doubtful);
	return doubtful;
}

/* ---- what may not be trusted at all -------------------------------------------------------------------------------------------- */

/* Changes that the log does not name, and that somebody told of since the snapshot was taken; NULL: none. */
static const char *
reason_not_to_trust(const S3vQuery *query)
{
	Oid			index_id = query->index->index_id;
	S3vVersion *latest = catalog_version(index_id, NULL);
	char	   *reason;

	if (latest == NULL)
		return "the index was dropped since this snapshot was taken";
	if (latest->manifest != NULL && strcmp(latest->manifest, query->version->manifest) == 0 && latest->repaired != query->version->repaired)
		return "the index was repaired since this snapshot was taken";
	if (catalog_is_stale(index_id, NULL, &reason))
	{
		ereport(WARNING,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("index \"%s\" is stale: its source is scanned instead", get_rel_name(index_id)),
				 errdetail("%s", reason),
				 errhint("Run s3v_sync with mode 'reconcile'.")));
		return psprintf("the index is stale: %s", reason);
	}
	return NULL;
}

/* ---- asking --------------------------------------------------------------------------------------------------------------------- */

typedef struct Asking
{
	S3vQuery   *query;
	S3vCall    *call;
	s3v_store  *store;
	const float *vectors;
	uint64	   *top_k;			/* of each query; 0: it is answered */
	bool		whole_round;	/* all queries are asked */
} Asking;

static void
free_search(void *search)
{
	s3v_remote_search_free(search);
}

/* Some are dropped from the answer because they changed; what is left of the page costs nothing. */
static uint64
first_top_k(const S3vQuery *query, int pending)
{
	uint64		least = (uint64) query->args->k + Min(pending, PAGE);
	uint64		pages = (least + PAGE - 1) / PAGE * PAGE;

	return Min(Min(least + SPARE_HITS, pages), S3V_MAX_REMOTE_K);
}

/* Rows of the hits that the snapshot may trust, from the source: it decides whether they are there, how far they are, and what they say. */
static void
take_hits(S3vQuery *query, const s3v_remote_hit *hits, size_t count, const Doubtful *doubtful)
{
	S3vKey	   *keys = palloc(sizeof(S3vKey) * Min(Max(count, 1), MOST_AT_ONCE));
	size_t		done = 0;

	while (done < count)
	{
		int			batch = 0;

		for (; batch < MOST_AT_ONCE && done < count; done++)
		{
			const s3v_remote_hit *hit = &hits[done];

			if (s3v_keys_contains(doubtful->set, hit->key, hit->key_size) ||
				(query->only != NULL && !s3v_keys_contains(query->only, hit->key, hit->key_size)))
				continue;
			keys[batch].data = unconstify(void *, hit->key);
			keys[batch++].size = (int) hit->key_size;
		}
		query->work.reranked += query_read_keys(query, keys, batch);
	}
	pfree(keys);
}

/*
 * The answer begins with the nearest: nothing that it leaves out is nearer than its farthest row. So k hits that are not farther are the
 * nearest of all.
 */
static bool
is_enough(const S3vQuery *query, const S3vHits *hits, bool whole)
{
	return whole || (hits_full(hits) && hits_worst(hits) <= query->farthest);
}

/* False when more has to be asked for, and can be. */
static bool
rank_answer(Asking *asking, s3v_remote_search *search, int number, const Doubtful *doubtful, bool *too_far)
{
	S3vQuery   *query = asking->query;
	S3vHits    *hits = &query->hits[number];
	const s3v_remote_hit *found;
	size_t		count;
	int			whole;
	s3v_error	err;

	boundary_raise(s3v_remote_search_hits(search, number, &found, &count, &whole, &err), &err);
	query->from = number;
	query->to = number + 1;
	if (!asking->whole_round)
	{
		hits_clear(hits);
		query->work.pending_merged += query_read_keys(query, doubtful->keys, doubtful->count);
	}
	query->farthest = -INFINITY;
	take_hits(query, found, count, doubtful);
	query->work.search.entries_matched += count;
	if (is_enough(query, hits, whole != 0))
	{
		asking->top_k[number] = 0;
		return true;
	}
	*too_far = asking->top_k[number] >= S3V_MAX_REMOTE_K;
	asking->top_k[number] = Min(asking->top_k[number] * 2, S3V_MAX_REMOTE_K);
	return false;
}

/* One round of requests; NULL with *done false: another is needed. */
static const char *
ask(Asking *asking, bool *done)
{
	S3vQuery   *query = asking->query;
	const S3vQueryArgs *args = query->args;
	S3vHandle  *handle = handle_make(CurrentMemoryContext, free_search);
	s3v_remote_search_options options = {.top_k = asking->top_k, .filter = query->filter};
	Doubtful	doubtful;
	const char *why;
	instr_time	start;
	s3v_error	err;
	s3v_code	code;
	bool		missing;
	bool		too_far = false;

	INSTR_TIME_SET_CURRENT(start);
	code = s3v_remote_search_open(boundary_env(asking->call), asking->store, query->remote, query->version->manifest, asking->vectors,
								  args->query_count, query->index->dimensions, &options, (s3v_remote_search **) &handle->ptr, &err);
	query->work.ms_search += milliseconds_since(&start);
	missing = code == S3V_OBJECT_MISSING && !query->settings.missing_is_error;
	boundary_check(asking->call, missing ? S3V_OK : code, &err);
	if (missing)
		return query_warn_of_missing(query, &err);

	/* From here on: what changed until the service answered is in the log. */
	INSTR_TIME_SET_CURRENT(start);
	doubtful = read_doubtful(query);
	if (doubtful.everything)
		return "the source was truncated: all its rows are pending";
	why = reason_not_to_trust(query);
	if (why != NULL)
		return why;
	if (asking->whole_round)
	{
		query->from = 0;
		query->to = args->query_count;
		query->work.pending_merged += query_read_keys(query, doubtful.keys, doubtful.count);
	}
	*done = true;
	for (int i = 0; i < args->query_count && !too_far; i++)
	{
		if (asking->top_k[i] > 0 && !rank_answer(asking, handle->ptr, i, &doubtful, &too_far))
			*done = false;
	}
	query->work.ms_source += milliseconds_since(&start);
	handle_release(handle);
	asking->whole_round = false;
	return too_far ? "the service names no more than 10,000 rows, too few of which may be hits: all rows are read from the source" : NULL;
}

const char *
query_search_remote(S3vQuery *query)
{
	const S3vQueryArgs *args = query->args;
	Asking		asking = {.query = query, .call = boundary_begin(), .whole_round = true};
	s3v_counters before;
	const char *why = NULL;
	int			pending;
	bool		done = false;

	if (args->k > S3V_MAX_REMOTE_K)
		return "the service names no more than 10,000 rows: all rows are read from the source";
	pending = read_doubtful(query).count;
	asking.store = server_index_store(query->index->index_id);
	asking.vectors = query_joined_vectors(args, query->index->dimensions);
	asking.top_k = palloc(sizeof(uint64) * args->query_count);
	for (int i = 0; i < args->query_count; i++)
		asking.top_k[i] = first_top_k(query, pending);
	s3v_store_counters(asking.store, &before);
	while (why == NULL && !done)
		why = ask(&asking, &done);
	query_note_sent(&query->work, asking.store, &before);
	query->work.path = query->work.pending_merged > 0 || pending > 0 ? PATH_MIXED : PATH_INDEX;
	if (why == NULL && RecoveryInProgress())
	{
		/* The service may be ahead of what was replayed here, and nothing here tells by which keys. */
		query->work.incomplete = true;
		query->work.status = "the service may be ahead of this standby: rows may be missing";
	}
	return why;
}

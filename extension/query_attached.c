/*
 * Queries of foreign tables that s3v_attach made: the service's own answer. There is no source that could say more, so distances are those of
 * the service, and whatever it forgot is missing.
 */
#include "postgres.h"

#include <math.h>

#include "catalog/pg_type.h"
#include "foreign/foreign.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/float.h"
#include "utils/fmgrprotos.h"
#include "utils/lsyscache.h"
#include "utils/snapmgr.h"

#include "boundary.h"
#include "compat.h"
#include "known.h"
#include "query.h"
#include "remote.h"
#include "server.h"
#include "stat.h"

static void
check_rights(Oid index_id)
{
	if (relation_acl(index_id, GetUserId(), ACL_SELECT) != ACLCHECK_OK)
		aclcheck_error(ACLCHECK_NO_PRIV, OBJECT_FOREIGN_TABLE, get_rel_name(index_id));
}

/* An index as far as the service tells of it: keys are text. */
static S3vQuery *
open_attached(const S3vQueryArgs *args, const S3vRemoteSettings *remote)
{
	S3vQuery   *query = palloc0(sizeof(S3vQuery));
	S3vIndex   *index = palloc0(sizeof(S3vIndex));
	S3vSource  *source = palloc0(sizeof(S3vSource));

	index->index_id = args->index_id;
	index->metric = remote->metric;
	index->dimensions = remote->dimensions;
	source->key.type = source->key.base_type = TEXTOID;
	source->key_kind = S3V_KEY_TEXT;
	query->args = args;
	query->context = CurrentMemoryContext;
	query->snapshot = GetActiveSnapshot();
	query->index = index;
	query->source = source;
	query->hits = hits_create(CurrentMemoryContext, args->k, args->query_count);
	query->settings = settings_resolve(GetForeignTable(args->index_id)->options, args->options);
	if (query->settings.as_of_version > 0)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("option \"as_of_version\" is not for indexes on s3vectors://"),
				 errdetail("Amazon S3 Vectors keeps no versions.")));
	if (args->keys != NULL)
		query->only = query_key_set(source, args->keys);
	return query;
}

static void
free_search(void *search)
{
	s3v_remote_search_free(search);
}

static Jsonb *
metadata_of(const s3v_remote_hit *hit)
{
	const char *text = hit->metadata != NULL ? metadata_from_utf8(hit->metadata) : "{}";

	return DatumGetJsonbP(DirectFunctionCall1(jsonb_in, CStringGetDatum(text)));
}

/* False when more has to be asked for. */
static bool
take_hits(S3vQuery *query, s3v_remote_search *search, int number)
{
	S3vHits    *hits = &query->hits[number];
	const s3v_remote_hit *found;
	size_t		count;
	int			whole;
	s3v_error	err;

	boundary_raise(s3v_remote_search_hits(search, number, &found, &count, &whole, &err), &err);
	hits_clear(hits);
	for (size_t i = 0; i < count; i++)
	{
		const s3v_remote_hit *hit = &found[i];
		double		distance = isnan(hit->distance) ? get_float8_infinity() : hit->distance;

		CHECK_FOR_INTERRUPTS();
		if (query->only != NULL && !s3v_keys_contains(query->only, hit->key, hit->key_size))
			continue;
		if (hits_wants(hits, distance, hit->key, hit->key_size))
			hits_add(hits, distance, hit->key, hit->key_size, metadata_of(hit));
	}
	return whole || hits_full(hits);
}

static bool
ask(S3vQuery *query, S3vCall *call, s3v_store *store, const char *name, const char *filter, uint64 *top_k)
{
	const S3vQueryArgs *args = query->args;
	S3vHandle  *handle = handle_make(CurrentMemoryContext, free_search);
	s3v_remote_search_options options = {.top_k = top_k, .filter_json = filter, .with_metadata = 1};
	bool		done = true;
	s3v_error	err;

	boundary_check(call, s3v_remote_search_open(boundary_env(call), store, NULL, name, query_joined_vectors(args, query->index->dimensions),
												args->query_count, query->index->dimensions, &options,
												(s3v_remote_search **) &handle->ptr, &err), &err);
	for (int i = 0; i < args->query_count; i++)
	{
		if (top_k[i] == 0)
			continue;
		if (take_hits(query, handle->ptr, i))
			top_k[i] = 0;
		else if (top_k[i] == S3V_MAX_REMOTE_K)
		{
			top_k[i] = 0;
			query->work.incomplete = true;
			query->work.status = "the service names no more than 10,000 rows: others may be missing";
		}
		else
		{
			top_k[i] = Min(top_k[i] * 2, S3V_MAX_REMOTE_K);
			done = false;
		}
	}
	handle_release(handle);
	return done;
}

static void
answer(S3vQuery *query, const char *name)
{
	const S3vQueryArgs *args = query->args;
	S3vCall    *call = boundary_begin();
	s3v_store  *store = server_index_store(args->index_id);
	uint64	   *top_k = palloc(sizeof(uint64) * args->query_count);
	const char *filter = NULL;
	s3v_counters before;

	if (args->k > S3V_MAX_REMOTE_K)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("k must be between 1 and %d, not %d", S3V_MAX_REMOTE_K, args->k),
				 errdetail("Amazon S3 Vectors names no more.")));
	if (args->filter != NULL)
		filter = metadata_to_utf8(JsonbToCString(NULL, &args->filter->root, VARSIZE(args->filter)));
	for (int i = 0; i < args->query_count; i++)
		top_k[i] = args->k;
	query->work.estimated = true;
	query->work.status = "the index is attached: distances and membership are those of the service";
	s3v_store_counters(store, &before);
	while (!ask(query, call, store, name, filter, top_k))
		;
	query_note_sent(&query->work, store, &before);
	for (int i = 0; i < args->query_count; i++)
		hits_sort(&query->hits[i]);
}

S3vQuery *
query_run_attached(const S3vQueryArgs *args)
{
	S3vRemoteSettings remote;
	S3vQuery   *query;
	instr_time	start;

	INSTR_TIME_SET_CURRENT(start);
	if (!remote_attached(args->index_id, &remote))
		return NULL;
	check_rights(args->index_id);
	query = open_attached(args, &remote);
	if (args->query_count == 0)
		return query;
	query_check_vectors(query);
	answer(query, remote.attached_to);
	query->work.ms_search = query->work.ms_total = milliseconds_since(&start);
	return query;
}

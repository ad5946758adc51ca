/*
 * Time travel: a query of one kept version alone. The source may have changed or gone since, so distances, metadata and who is a hit all
 * come from the version's objects.
 */
#include "postgres.h"

#include <math.h>

#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"

#include "boundary.h"
#include "catalog_scan.h"
#include "query.h"
#include "server.h"

/* Columns of s3v.history as sql/s3v.sql declares them. */
enum
{
	HISTORY_INDEX_ID = 1,
	HISTORY_VERSION,
	HISTORY_MANIFEST
};

void
as_of_prepare(S3vQuery *query)
{
	if (query->remote != NULL)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("option \"as_of_version\" is not for indexes on s3vectors://"),
				 errdetail("Amazon S3 Vectors keeps no versions.")));
	/* Policies decide by rows as they are now; those of then are not at hand. */
	if (query->row_security)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("option \"as_of_version\" is not for callers under row-level security"),
				 errdetail("Policies of table \"%s\" cannot be applied to rows as they were.", get_rel_name(query->index->source)),
				 errhint("Call it as a role that the policies do not restrict.")));
	/* Neither pending rows nor a scan of the source have a part in it. */
	query->settings.eventual = false;
	query->settings.missing_is_error = true;
}

/* ---- which version ------------------------------------------------------------------------------------------------------- */

static void
refuse_version(const S3vQuery *query, int64 oldest, int64 newest)
{
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("version " INT64_FORMAT " of index \"%s\" is not kept", query->settings.as_of_version,
					get_rel_name(query->index->index_id)),
			 newest > 0
			 ? errhint("Versions from " INT64_FORMAT " to " INT64_FORMAT " may be asked for; s3v.history lists those that are kept.",
					   oldest, newest)
			 : errhint("None is kept yet: run s3v_sync.")));
}

static char *
find_manifest(const S3vQuery *query)
{
	CatalogScan scan;
	char	   *manifest = NULL;
	int64		oldest = PG_INT64_MAX;
	int64		newest = 0;

	catalog_scan_begin(&scan, "history", NULL, HISTORY_INDEX_ID, query->index->index_id, query->snapshot);
	while (manifest == NULL && catalog_scan_next(&scan))
	{
		int64		version = DatumGetInt64(scan.values[HISTORY_VERSION - 1]);

		oldest = Min(oldest, version);
		newest = Max(newest, version);
		if (version == query->settings.as_of_version)
			manifest = catalog_text_of(&scan, HISTORY_MANIFEST);
	}
	catalog_scan_end(&scan);
	if (manifest == NULL)
		refuse_version(query, oldest, newest);
	return manifest;
}

/* Keys, vectors and metadata of the version are read as the index's columns have them. */
static void
check_shape(const S3vQuery *query, const s3v_version_shape *shape)
{
	const char *different = NULL;

	if (shape->dimensions != query->index->dimensions || shape->metric != query->index->metric)
		different = "its vectors had another number of dimensions or another metric";
	else if (shape->key_kind != query->source->key_kind)
		different = "its keys had another type";
	else if (shape->metadata_column_count != query->source->metadata_count)
		different = "it had another number of metadata columns";
	if (different != NULL)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("version " INT64_FORMAT " of index \"%s\" was made with other columns", query->settings.as_of_version,
						get_rel_name(query->index->index_id)),
				 errdetail("In that version, %s.", different)));
}

static S3vVersion *
version_of(int64 number, const s3v_version_names *names)
{
	S3vVersion *version = palloc0(sizeof(S3vVersion));

	version->version = number;
	version->base = pstrdup(names->base.id);
	version->base_bytes = names->base.length;
	version->delta_count = names->delta_count;
	version->deltas = palloc(sizeof(char *) * Max(version->delta_count, 1));
	version->delta_bytes = palloc(sizeof(int64) * Max(version->delta_count, 1));
	for (int i = 0; i < version->delta_count; i++)
	{
		version->deltas[i] = pstrdup(names->deltas[i].id);
		version->delta_bytes[i] = names->deltas[i].length;
	}
	return version;
}

void
as_of_open(S3vQuery *query)
{
	char	   *manifest = find_manifest(query);
	S3vCall    *call = boundary_begin();
	s3v_version_names names;
	s3v_version_shape shape;
	s3v_error	err;

	boundary_check(call, s3v_version_open(boundary_env(call), server_index_store(query->index->index_id), query->index->uuid, manifest,
										  &names, &shape, &err), &err);
	check_shape(query, &shape);
	query->version = version_of(query->settings.as_of_version, &names);
	query->work.path = PATH_INDEX;
	query->work.estimated = shape.raw != S3V_RAW_F32;
	if (query->work.estimated)
		query->work.status = psprintf("distances are estimated from %s: version " INT64_FORMAT " is read without the source",
									  shape.raw == S3V_RAW_F16 ? "rounded vectors" : "codes", query->version->version);
}

/* ---- its hits ------------------------------------------------------------------------------------------------------------ */

s3v_code
as_of_rank(S3vQuery *query, S3vHits *hits, int number, S3vCall *call, s3v_search *search, s3v_error *err)
{
	size_t		want = (size_t) query->args->k + Max(4, query->args->k / 10);

	for (;;)
	{
		double		worst = hits_full(hits) ? hits_worst(hits) : INFINITY;
		const s3v_candidate *candidates;
		size_t		found;
		s3v_code	code = s3v_search_next(boundary_env(call), search, number, want, worst, &candidates, &found, err);

		if (code != S3V_OK)
			return code;
		if (found == 0)
		{
			int			more = 0;

			if (!hits_full(hits))
				code = s3v_search_widen(boundary_env(call), search, number, &more, err);
			if (code != S3V_OK || !more)
				return code;
		}
		for (size_t i = 0; i < found; i++)
			hits_add_candidate(hits, &candidates[i]);
		want = Max(8, query->args->k / 4);
	}
}

static void
set_metadata(S3vQuery *query, S3vHit *hit, const s3v_bytes *row)
{
	MemoryContext before = MemoryContextSwitchTo(query->row_context);
	Jsonb	   *json = metadata_decode(query->source, row->data, row->size);

	hit->metadata = MemoryContextAlloc(query->context, VARSIZE(json));
	memcpy(hit->metadata, json, VARSIZE(json));
	MemoryContextSwitchTo(before);
	MemoryContextReset(query->row_context);
}

s3v_code
as_of_read_metadata(S3vQuery *query, S3vHits *hits, int count, S3vCall *call, s3v_search *search, s3v_error *err)
{
	Size		total = 0;
	Size		done = 0;
	s3v_place  *places;
	const s3v_bytes *rows;
	s3v_code	code;

	for (int q = 0; q < count; q++)
		total += hits[q].count;
	places = MemoryContextAllocHuge(CurrentMemoryContext, sizeof(s3v_place) * Max(total, 1));
	for (int q = 0; q < count; q++)
	{
		for (int i = 0; i < hits[q].count; i++)
			places[done++] = hits[q].items[i].place;
	}
	code = s3v_search_metadata(boundary_env(call), search, places, total, &rows, err);
	pfree(places);
	if (code != S3V_OK)
		return code;
	for (int q = 0; q < count; q++)
	{
		for (int i = 0; i < hits[q].count; i++)
			set_metadata(query, &hits[q].items[i], rows++);
	}
	return S3V_OK;
}

/* A sync that writes the index anew from all rows of its source. */
#include "postgres.h"

#include "access/xact.h"
#include "miscadmin.h"
#include "optimizer/cost.h"

#include "settings.h"
#include "sync_parts.h"

s3v_build_options
sync_build_options(const Sync *sync)
{
	S3vBuildSettings settings = settings_for_build(sync->index->index_id);
	s3v_build_options options = {0};

	options.index_uuid = sync->index->uuid;
	options.metric = sync->index->metric;
	options.dimensions = sync->index->dimensions;
	options.key_kind = sync->source->key_kind;
	options.metadata_columns = (const char *const *) sync->index->metadata;
	options.metadata_column_count = sync->index->metadata_count;
	options.lists = settings.lists;
	options.recall = settings.recall;
	options.bits = settings.bits;
	options.raw = settings.raw;
	options.soar = settings.soar;
	options.memory_bytes = (uint64) maintenance_work_mem * 1024;
	options.threads = 1 + max_parallel_maintenance_workers;
	return options;
}

static void
free_build(void *build)
{
	s3v_build_free(build);
}

typedef struct Build
{
	Sync	   *sync;
	s3v_build  *build;
	s3v_keys   *seen;			/* NULL: no key can be there twice */
	BadRows		bad;
} Build;

/* An old snapshot may show a row that others have deleted beside its successor, which this transaction made. */
static void
refuse_seen(const Build *build, const S3vKey *key)
{
	s3v_error	err;

	if (s3v_keys_contains(build->seen, key->data, key->size))
		sync_refuse_twin(build->sync, key);
	boundary_raise(s3v_keys_add(build->seen, key->data, key->size, &err), &err);
}

static void
add_row(void *arg, const Datum *values, const bool *nulls)
{
	Build	   *build = arg;
	Sync	   *sync = build->sync;
	s3v_error	err;
	SyncRow		row;

	switch (sync_read_row(sync, values, nulls, &row, &build->bad))
	{
		case ROW_SKIPPED:
			sync->skipped++;
			break;
		case ROW_FINE:
			if (build->seen != NULL)
				refuse_seen(build, &row.key);
			/* Once a row is bad the build is lost; the scan goes on only to name the others. */
			if (build->bad.count == 0)
				boundary_check(sync->call, s3v_build_add(build->build, row.key.data, row.key.size, row.vector, row.metadata.data,
														 row.metadata.len, &err), &err);
			break;
		case ROW_BAD:
			break;
	}
}

SyncOutcome
sync_build(Sync *sync)
{
	S3vHandle  *handle = handle_make(CurrentMemoryContext, free_build);
	s3v_build_options options = sync_build_options(sync);
	Build		build = {.sync = sync, .bad.context = CurrentMemoryContext};
	s3v_error	err;

	sync_claim(sync);
	sync->taken = sync->log_rows;
	sync->skipped = 0;
	boundary_check(sync->call, s3v_build_open(boundary_env(sync->call), sync->store, &options, (s3v_build **) &handle->ptr, &err),
				   &err);
	build.build = handle->ptr;
	if (IsolationUsesXactSnapshot())
		build.seen = key_set_make();
	sync_scan_source(sync, add_row, &build);
	sync_raise_bad_rows(sync, &build.bad);
	boundary_check(sync->call, s3v_build_finish(handle->ptr, &sync->built, &err), &err);
	handle_release(handle);
	sync->upserted = (int64) sync->built.rows;
	return OUTCOME_NEW_VERSION;
}

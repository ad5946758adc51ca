/* A sync that writes the index anew from all rows of its source. */
#include "postgres.h"

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

static s3v_code
add_row(void *build, const SyncRow *row, s3v_error *err)
{
	return s3v_build_add(build, row->key.data, row->key.size, row->vector, row->metadata.data, row->metadata.len, err);
}

SyncOutcome
sync_build(Sync *sync)
{
	S3vHandle  *handle = handle_make(CurrentMemoryContext, free_build);
	s3v_build_options options = sync_build_options(sync);
	s3v_error	err;

	sync_claim(sync);
	sync->taken = sync->log_rows;
	boundary_check(sync->call, s3v_build_open(boundary_env(sync->call), sync->store, &options, (s3v_build **) &handle->ptr, &err),
				   &err);
	(void) sync_feed_rows(sync, add_row, handle->ptr);
	boundary_check(sync->call, s3v_build_finish(handle->ptr, &sync->built, &err), &err);
	handle_release(handle);
	sync->upserted = (int64) sync->built.rows;
	return OUTCOME_NEW_VERSION;
}

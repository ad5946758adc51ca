/* The source of a sync: its rows as the sync's snapshot sees them, checked and handed to the build. */
#include "postgres.h"

#include "access/table.h"
#include "access/tableam.h"
#include "executor/tuptable.h"
#include "lib/stringinfo.h"
#include "miscadmin.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rel.h"

#include "sync_parts.h"

/* Keys named in the error about rows that the index cannot take. */
#define BAD_ROWS_NAMED 10

/* Rows that the index cannot take: counted, the first ones named. */
typedef struct BadRows
{
	int64		count;
	StringInfoData keys;
	char	   *first_complaint;
} BadRows;

static void
note_bad_row(BadRows *bad, const char *key, char *complaint)
{
	if (bad->count == 0)
	{
		initStringInfo(&bad->keys);
		bad->first_complaint = complaint;
	}
	if (bad->count < BAD_ROWS_NAMED)
		appendStringInfo(&bad->keys, "%s%s", bad->count > 0 ? ", " : "", key);
	bad->count++;
}

static void
raise_bad_rows(const Sync *sync, const BadRows *bad)
{
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg_plural("table \"%s\" has " INT64_FORMAT " row that index \"%s\" cannot take",
						   "table \"%s\" has " INT64_FORMAT " rows that index \"%s\" cannot take",
						   (unsigned long) bad->count, get_rel_name(sync->index->source), bad->count,
						   get_rel_name(sync->index->index_id)),
			 bad->count == 1
			 ? errdetail("Key %s: %s", bad->keys.data, bad->first_complaint)
			 : errdetail("Keys %s%s. The first: %s", bad->keys.data,
						 bad->count > BAD_ROWS_NAMED
						 ? psprintf(" and " INT64_FORMAT " more", bad->count - BAD_ROWS_NAMED) : "",
						 bad->first_complaint),
			 errhint("Correct or delete these rows, or set their vectors to NULL.")));
}

/* One row of the source, its columns deformed, into the build. */
static void
add_row(Sync *sync, const S3vSource *source, s3v_build *build, TupleTableSlot *slot, BadRows *bad, MemoryContext keep)
{
	Datum		key_value;
	Datum		vector_value;
	bool		key_null;
	bool		vector_null;
	const float *vector;
	int			dimensions;
	char	   *complaint;
	S3vKey		key;
	StringInfoData metadata;
	s3v_error	err;

	key_value = slot_getattr(slot, source->key.attnum, &key_null);
	vector_value = slot_getattr(slot, source->vector.attnum, &vector_null);
	if (vector_null || key_null)
	{
		sync->skipped++;
		return;
	}
	key = key_from_datum(key_value, source->key.base_type, source->key_kind);
	vector = vector_from_row(vector_value, source, &dimensions, &complaint);
	if (complaint == NULL)
		complaint = vector_complaint(vector, dimensions, sync->index->dimensions);
	if (complaint != NULL)
	{
		MemoryContext before = MemoryContextSwitchTo(keep);

		note_bad_row(bad, key_to_text(key.data, key.size, source->key_kind), pstrdup(complaint));
		MemoryContextSwitchTo(before);
		return;
	}
	if (sync->index->metric == S3V_COSINE && s3v_vector_check(vector, dimensions) == S3V_VECTOR_ZERO)
	{
		sync->skipped++;
		return;
	}

	initStringInfo(&metadata);
	if (source->metadata_count > 0)
	{
		Datum	   *values = palloc(sizeof(Datum) * source->metadata_count);
		bool	   *nulls = palloc(sizeof(bool) * source->metadata_count);
		int			i;

		for (i = 0; i < source->metadata_count; i++)
			values[i] = slot_getattr(slot, source->metadata[i].attnum, &nulls[i]);
		metadata_encode(&metadata, source, values, nulls);
	}
	if (s3v_keys_contains(sync->changed, key.data, key.size))
		sync->rows_changed_found++;
	/* Once a row is bad the build is lost; the scan goes on only to name the others. */
	if (bad->count == 0)
		boundary_check(sync->call, s3v_build_add(build, key.data, key.size, vector, metadata.data, metadata.len, &err), &err);
}

/* Reads the source in the sync's snapshot. No function of a user runs here: values come straight from the table. */
static void
read_source(Sync *sync, Relation rel, const S3vSource *source, s3v_build *build)
{
	TableScanDesc scan = table_beginscan(rel, sync->snapshot, 0, NULL);
	TupleTableSlot *slot = table_slot_create(rel, NULL);
	MemoryContext row_context = AllocSetContextCreate(CurrentMemoryContext, "s3v source row", ALLOCSET_DEFAULT_SIZES);
	MemoryContext keep = CurrentMemoryContext;
	BadRows		bad = {0};

	while (table_scan_getnextslot(scan, ForwardScanDirection, slot))
	{
		MemoryContext before = MemoryContextSwitchTo(row_context);

		CHECK_FOR_INTERRUPTS();
		add_row(sync, source, build, slot, &bad, keep);
		MemoryContextSwitchTo(before);
		MemoryContextReset(row_context);
	}
	ExecDropSingleTupleTableSlot(slot);
	table_endscan(scan);
	MemoryContextDelete(row_context);
	if (bad.count > 0)
		raise_bad_rows(sync, &bad);
}

/* As the source's owner, in a restricted operation with a pinned search_path: syncs run from pg_cron as anybody, superusers too. */
void
sync_read_source(Sync *sync, Relation rel, const S3vSource *source, s3v_build *build)
{
	Oid			user;
	int			context;
	int			nest = NewGUCNestLevel();

	GetUserIdAndSecContext(&user, &context);
	SetUserIdAndSecContext(rel->rd_rel->relowner, context | SECURITY_RESTRICTED_OPERATION);
	(void) set_config_option("search_path", "pg_catalog, pg_temp", PGC_USERSET, PGC_S_SESSION, GUC_ACTION_SAVE, true, 0, false);
	read_source(sync, rel, source, build);
	AtEOXact_GUC(false, nest);
	SetUserIdAndSecContext(user, context);
}

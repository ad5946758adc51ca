/* What a session knows of a row trigger, kept until the source's or the table's relcache entry is invalidated. */
#include "postgres.h"

#include "captured.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "catalog/pg_trigger.h"
#include "utils/fmgroids.h"
#include "utils/hsearch.h"
#include "utils/inval.h"
#include "utils/memutils.h"

#include "remote.h"

static HTAB *sources = NULL;

/* Only marks: an invalidation may arrive while the entry is in use. */
static void
invalidate(CapturedSource *source)
{
	source->valid = false;
	source->invalidations++;
}

static void
forget_source(Datum arg, Oid relid)
{
	CapturedSource *source;
	HASH_SEQ_STATUS all;

	hash_seq_init(&all, sources);
	while ((source = hash_seq_search(&all)) != NULL)
	{
		if (!OidIsValid(relid) || source->relid == relid || source->source == relid)
			invalidate(source);
	}
}

static void
start_cache(void)
{
	HASHCTL		control = {.keysize = sizeof(Oid), .entrysize = sizeof(CapturedSource)};

	if (sources != NULL)
		return;
	sources = hash_create("s3v sources", 16, &control, HASH_ELEM | HASH_BLOBS);
	CacheRegisterRelcacheCallback(forget_source, (Datum) 0);
}

/* pgvector refuses NaN and infinity itself; with a type modifier it refuses other dimensions too. */
static bool
vectors_need_check(const S3vIndex *index, const S3vSource *columns)
{
	bool		pgvector = columns->vector_kind == VECTOR_PGVECTOR || columns->vector_kind == VECTOR_PGHALFVEC;

	return !pgvector || vector_typmod_dimensions(&columns->vector) != index->dimensions;
}

/* What somebody created: the trigger itself, or what it is a clone of. Answers that one's table. */
static Oid
table_of_original(Oid trigger)
{
	Relation	triggers = table_open(TriggerRelationId, AccessShareLock);
	Oid			table = InvalidOid;

	while (OidIsValid(trigger))
	{
		ScanKeyData key;
		SysScanDesc scan;
		HeapTuple	tuple;

		ScanKeyInit(&key, Anum_pg_trigger_oid, BTEqualStrategyNumber, F_OIDEQ, ObjectIdGetDatum(trigger));
		scan = systable_beginscan(triggers, TriggerOidIndexId, true, NULL, 1, &key);
		tuple = systable_getnext(scan);
		if (!HeapTupleIsValid(tuple))
			elog(ERROR, "could not find trigger %u", trigger);
		table = ((Form_pg_trigger) GETSTRUCT(tuple))->tgrelid;
		trigger = ((Form_pg_trigger) GETSTRUCT(tuple))->tgparentid;
		systable_endscan(scan);
	}
	table_close(triggers, AccessShareLock);
	return table;
}

static void
read_indexes(CapturedSource *source, Relation rel)
{
	List	   *indexes = catalog_indexes(source->source, NULL);
	ListCell   *cell;

	source->indexes = palloc(sizeof(CapturedIndex) * Max(list_length(indexes), 1));
	foreach(cell, indexes)
	{
		CapturedIndex *captured = &source->indexes[source->count++];

		captured->index = lfirst(cell);
		captured->columns = source_describe(rel, captured->index->key_column, captured->index->vector_column,
											captured->index->metadata_count, captured->index->metadata, true);
		captured->check_vectors = captured->columns != NULL && vectors_need_check(captured->index, captured->columns);
		captured->remote = captured->columns != NULL && captured->index->remote_names != NULL
			? remote_schema(captured->index, captured->columns) : NULL;
	}
}

static void
refresh_source(CapturedSource *source, Relation rel)
{
	uint64		invalidations = source->invalidations;
	MemoryContext before;

	if (source->context != NULL)
		MemoryContextDelete(source->context);
	source->context = NULL;
	source->count = 0;
	source->source = table_of_original(source->trigger);
	source->context = AllocSetContextCreate(CacheMemoryContext, "s3v source", ALLOCSET_SMALL_SIZES);
	before = MemoryContextSwitchTo(source->context);
	read_indexes(source, rel);
	MemoryContextSwitchTo(before);
	/* Nothing is remembered of a table that is no source: the trigger may have been put on it by hand. */
	source->valid = source->count > 0 && source->invalidations == invalidations;
}

const CapturedSource *
captured_by(const Trigger *trigger, Relation rel)
{
	CapturedSource *source;
	bool		found;

	start_cache();
	source = hash_search(sources, &trigger->tgoid, HASH_ENTER, &found);
	if (!found)
	{
		source->relid = RelationGetRelid(rel);
		source->source = InvalidOid;
		source->valid = false;
		source->invalidations = 0;
		source->context = NULL;
	}
	if (!source->valid)
		refresh_source(source, rel);
	if (source->count == 0)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("table \"%s\" is not the source of an s3v index", RelationGetRelationName(rel)),
				 errhint("Drop the triggers of function s3v_capture() from the table.")));
	return source;
}

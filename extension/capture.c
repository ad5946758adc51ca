/*
 * s3v_capture(): the row and TRUNCATE triggers of a source. Writes the keys of changed rows to the change log in the writer's
 * transaction, and refuses vectors that the index could not take.
 *
 * Which indexes a table has comes from its oid alone, never from trigger arguments, so that the function does nothing anywhere
 * else. Columns are found by name in the table that fires: numbers differ after a restore.
 */
#include "postgres.h"

#include "access/relation.h"
#include "commands/trigger.h"
#include "executor/tuptable.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/datum.h"
#include "utils/hsearch.h"
#include "utils/inval.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/rls.h"

#include "catalog.h"
#include "compat.h"
#include "remote.h"
#include "source.h"

/* ---- what a session knows of a source ---- */

typedef struct CapturedIndex
{
	S3vIndex   *index;
	S3vSource  *columns;		/* NULL: one is gone or has another type */
	bool		check_vectors;	/* false where the column's type lets no bad vector in */
	s3v_remote *remote;			/* how rows go to the service, which does not take them all; NULL: the index is on another kind of server */
} CapturedIndex;

typedef struct CapturedSource
{
	Oid			relid;			/* hash key */
	bool		valid;
	uint64		invalidations;	/* so that one which arrives while we read is not overlooked */
	MemoryContext context;		/* holds indexes; NULL: nothing read yet */
	int			count;
	CapturedIndex *indexes;
} CapturedSource;

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

	if (OidIsValid(relid))
	{
		source = hash_search(sources, &relid, HASH_FIND, NULL);
		if (source != NULL)
			invalidate(source);
		return;
	}
	hash_seq_init(&all, sources);
	while ((source = hash_seq_search(&all)) != NULL)
		invalidate(source);
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

static void
read_indexes(CapturedSource *source, Relation rel)
{
	List	   *indexes = catalog_indexes(source->relid, NULL);
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
	source->context = AllocSetContextCreate(CacheMemoryContext, "s3v source", ALLOCSET_SMALL_SIZES);
	before = MemoryContextSwitchTo(source->context);
	read_indexes(source, rel);
	MemoryContextSwitchTo(before);
	/* Nothing is remembered of a table that is no source: the trigger may have been put on it by hand. */
	source->valid = source->count > 0 && source->invalidations == invalidations;
}

/*
 * The indexes of a table. Their rows are read as they are now, whatever the transaction's snapshot: under REPEATABLE READ an index
 * may be younger than the snapshot and older than this change. A new index cannot come while the writer holds its lock.
 */
static const CapturedSource *
indexes_of(Relation rel)
{
	Oid			relid = RelationGetRelid(rel);
	CapturedSource *source;
	bool		found;

	start_cache();
	source = hash_search(sources, &relid, HASH_ENTER, &found);
	if (!found)
	{
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

/* ---- writing ---- */

/* One trigger call; the log is opened when there is something to write. */
typedef struct Change
{
	Relation	rel;
	TupleTableSlot *old;		/* NULL: INSERT */
	TupleTableSlot *new;		/* NULL: DELETE */
	S3vLogWriter *log;
} Change;

static void
log_key(Change *change, const S3vIndex *index, const char *key, bool existed)
{
	if (change->log == NULL)
		change->log = catalog_log_open(index->log);
	if (change->log == NULL)
		catalog_mark_stale(index->index_id, "its change log is missing");
	else
		catalog_log_append(change->log, index->index_id, key, existed);
}

static void
finish(Change *change)
{
	if (change->log != NULL)
		catalog_log_close(change->log);
}

/* ---- rows ---- */

static bool
is_null(TupleTableSlot *slot, const S3vColumn *column)
{
	bool		null;

	(void) slot_getattr(slot, column->attnum, &null);
	return null;
}

/* By the bytes in the row: a value kept out of line that has the same pointer is the same, and is not fetched. */
static bool
differs(const Change *change, const S3vColumn *column)
{
	Form_pg_attribute attribute = TupleDescAttr(RelationGetDescr(change->rel), column->attnum - 1);
	bool		old_null;
	bool		new_null;
	Datum		old_value = slot_getattr(change->old, column->attnum, &old_null);
	Datum		new_value = slot_getattr(change->new, column->attnum, &new_null);

	if (old_null || new_null)
		return old_null != new_null;
	return !datumIsEqual(old_value, new_value, attribute->attbyval, attribute->attlen);
}

static bool
any_differs(const Change *change, const S3vSource *columns)
{
	if (differs(change, &columns->key) || differs(change, &columns->vector))
		return true;
	for (int i = 0; i < columns->metadata_count; i++)
	{
		if (differs(change, &columns->metadata[i]))
			return true;
	}
	return false;
}

static char *
key_of(TupleTableSlot *slot, const S3vSource *columns)
{
	bool		null;
	Datum		value = slot_getattr(slot, columns->key.attnum, &null);
	S3vKey		key = key_from_datum(value, columns->key.base_type, columns->key_kind);

	return key_to_text(key.data, key.size, columns->key_kind);
}

/* Whoever inserts a row knows its key; whoever updates one may be allowed to without reading it. */
static bool
may_see_key(const Change *change, const S3vSource *columns)
{
	Oid			relid = RelationGetRelid(change->rel);

	if (change->old == NULL)
		return true;
	return check_enable_rls(relid, InvalidOid, true) != RLS_ENABLED &&
		(relation_acl(relid, GetUserId(), ACL_SELECT) == ACLCHECK_OK ||
		 pg_attribute_aclcheck(relid, columns->key.attnum, GetUserId(), ACL_SELECT) == ACLCHECK_OK);
}

/* A row that a sync could not take: so no sync ever stumbles over one. */
static void
refuse_row(const Change *change, const CapturedIndex *captured, const char *complaint)
{
	const S3vSource *columns = captured->columns;

	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 may_see_key(change, columns)
			 ? errmsg("row with key \"%s\" of table \"%s\" does not fit index \"%s\"", key_of(change->new, columns),
					  RelationGetRelationName(change->rel), get_rel_name(captured->index->index_id))
			 : errmsg("a row of table \"%s\" does not fit index \"%s\"",
					  RelationGetRelationName(change->rel), get_rel_name(captured->index->index_id)),
			 errdetail_internal("%s", complaint),
			 errtablecol(change->rel, columns->vector.attnum)));
}

static void
check_vector(const Change *change, const CapturedIndex *captured)
{
	const S3vSource *columns = captured->columns;
	bool		null;
	Datum		value = slot_getattr(change->new, columns->vector.attnum, &null);
	int			dimensions;
	char	   *complaint;
	const float *vector = vector_from_row(value, columns, &dimensions, &complaint);

	if (vector != NULL)
		complaint = vector_complaint(vector, dimensions, captured->index->dimensions);
	if (complaint != NULL)
		refuse_row(change, captured, complaint);
}

/* What the service takes of key and metadata. */
static void
check_remote(const Change *change, const CapturedIndex *captured)
{
	const S3vSource *columns = captured->columns;
	Datum	   *values = palloc(sizeof(Datum) * Max(columns->metadata_count, 1));
	bool	   *nulls = palloc(sizeof(bool) * Max(columns->metadata_count, 1));
	bool		null;
	S3vKey		key = key_from_datum(slot_getattr(change->new, columns->key.attnum, &null), columns->key.base_type, columns->key_kind);
	StringInfoData metadata;
	char	   *complaint;

	for (int i = 0; i < columns->metadata_count; i++)
		values[i] = slot_getattr(change->new, columns->metadata[i].attnum, &nulls[i]);
	initStringInfo(&metadata);
	metadata_encode(&metadata, columns, values, nulls);
	complaint = remote_row_complaint(captured->remote, &key, metadata.data, metadata.len);
	if (complaint != NULL)
		refuse_row(change, captured, complaint);
}

/* A row without a vector is not in the index: only changes between having one and another, or none, count. */
static void
capture_row(Change *change, const CapturedIndex *captured)
{
	const S3vSource *columns = captured->columns;
	bool		had_vector;
	bool		has_vector;
	bool		had_null_key;
	bool		has_null_key;

	if (columns == NULL)
	{
		catalog_mark_stale(captured->index->index_id, "a column that it uses is gone or has another type");
		return;
	}
	had_vector = change->old != NULL && !is_null(change->old, &columns->vector);
	has_vector = change->new != NULL && !is_null(change->new, &columns->vector);
	if (!had_vector && !has_vector)
		return;
	if (change->old != NULL && change->new != NULL && !any_differs(change, columns))
		return;

	if (has_vector && captured->check_vectors && (!had_vector || differs(change, &columns->vector)))
		check_vector(change, captured);

	had_null_key = change->old != NULL && is_null(change->old, &columns->key);
	has_null_key = change->new != NULL && is_null(change->new, &columns->key);
	if (has_vector && !has_null_key && captured->remote != NULL)
		check_remote(change, captured);
	if (had_null_key || has_null_key)
		catalog_mark_stale(captured->index->index_id, "a row without a key was written");
	if (change->new != NULL && !has_null_key)
		log_key(change, captured->index, key_of(change->new, columns), had_vector && !differs(change, &columns->key));
	if (change->old != NULL && !had_null_key && (change->new == NULL || differs(change, &columns->key)))
		log_key(change, captured->index, key_of(change->old, columns), had_vector);
}

/* ---- the trigger ---- */

static Change
change_of(const TriggerData *trigger)
{
	Change		change = {.rel = trigger->tg_relation};

	if (TRIGGER_FIRED_BY_INSERT(trigger->tg_event))
		change.new = trigger->tg_trigslot;
	else
		change.old = trigger->tg_trigslot;
	if (TRIGGER_FIRED_BY_UPDATE(trigger->tg_event))
		change.new = trigger->tg_newslot;
	return change;
}

PG_FUNCTION_INFO_V1(s3v_capture);

Datum
s3v_capture(PG_FUNCTION_ARGS)
{
	TriggerData *trigger = (TriggerData *) fcinfo->context;
	const CapturedSource *source;
	Change		change;
	bool		truncated;

	if (!CALLED_AS_TRIGGER(fcinfo))
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
				 errmsg("function \"%s\" was not called by trigger manager", "s3v_capture")));
	truncated = TRIGGER_FIRED_BY_TRUNCATE(trigger->tg_event);
	if (!TRIGGER_FIRED_AFTER(trigger->tg_event) || TRIGGER_FIRED_FOR_ROW(trigger->tg_event) == truncated)
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
				 errmsg("function \"%s\" must be fired AFTER INSERT, UPDATE or DELETE for each row, or AFTER TRUNCATE",
						"s3v_capture")));

	source = indexes_of(trigger->tg_relation);
	change = change_of(trigger);
	for (int i = 0; i < source->count; i++)
	{
		if (truncated)
			log_key(&change, source->indexes[i].index, NULL, true);
		else
			capture_row(&change, &source->indexes[i]);
	}
	finish(&change);
	return PointerGetDatum(NULL);
}

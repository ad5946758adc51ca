/*
 * s3v_capture(): the row and TRUNCATE triggers of a source. Writes the keys of changed rows to the change log in the writer's
 * transaction, and refuses vectors that the index could not take.
 *
 * Which indexes a change concerns comes from the trigger and the oids of tables alone, never from trigger arguments, so that the function does
 * nothing anywhere else: a row trigger serves the table that it was created on, though it may be the clone of it on a partition; a TRUNCATE
 * trigger, which is never cloned, serves its table and all partitioned ones above. Columns are found by name in the table that fires: numbers
 * differ after a restore, and from one partition to the next.
 */
#include "postgres.h"

#include "commands/trigger.h"
#include "executor/tuptable.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/datum.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/rls.h"

#include "captured.h"
#include "catalog.h"
#include "compat.h"
#include "partitions.h"
#include "remote.h"
#include "source.h"

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

static bool
may_read_keys(Oid relid, AttrNumber key)
{
	return check_enable_rls(relid, InvalidOid, true) != RLS_ENABLED &&
		(relation_acl(relid, GetUserId(), ACL_SELECT) == ACLCHECK_OK ||
		 pg_attribute_aclcheck(relid, key, GetUserId(), ACL_SELECT) == ACLCHECK_OK);
}

/* Whoever inserts a row knows its key; whoever updates one may be allowed to without reading it. A partition's rows can be read through the source. */
static bool
may_see_key(const Change *change, const CapturedIndex *captured)
{
	const char *key = captured->index->key_column;
	Oid			source = captured->index->source;

	return change->old == NULL || may_read_keys(RelationGetRelid(change->rel), captured->columns->key.attnum) ||
		(source != RelationGetRelid(change->rel) && may_read_keys(source, get_attnum(source, key)));
}

/* A row that a sync could not take: so no sync ever stumbles over one. */
static void
refuse_row(const Change *change, const CapturedIndex *captured, const char *complaint)
{
	const S3vSource *columns = captured->columns;

	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 may_see_key(change, captured)
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

static void
capture_change(const TriggerData *trigger)
{
	const CapturedSource *source = captured_by(trigger->tg_trigger, trigger->tg_relation);
	Change		change = change_of(trigger);

	for (int i = 0; i < source->count; i++)
		capture_row(&change, &source->indexes[i]);
	finish(&change);
}

/* Of a partition that was detached while event triggers were off, the trigger is left: no reason to fail its owner's TRUNCATE. */
static void
capture_truncate(Relation rel)
{
	List	   *indexes = partitions_indexes(RelationGetRelid(rel));
	ListCell   *cell;

	if (indexes == NIL)
		ereport(WARNING,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("table \"%s\" is neither the source of an s3v index nor a partition of one", RelationGetRelationName(rel)),
				 errhint("Drop the triggers of function s3v_capture() from the table.")));
	foreach(cell, indexes)
	{
		Change		change = {.rel = rel};

		log_key(&change, lfirst(cell), NULL, true);
		finish(&change);
	}
}

PG_FUNCTION_INFO_V1(s3v_capture);

Datum
s3v_capture(PG_FUNCTION_ARGS)
{
	TriggerData *trigger = (TriggerData *) fcinfo->context;
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

	if (truncated)
		capture_truncate(trigger->tg_relation);
	else
		capture_change(trigger);
	return PointerGetDatum(NULL);
}

/*
 * A source and a version of its index, walked together in key order. What is sorted of a row are its key and the hash of what an entry
 * would be made of.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "executor/tuptable.h"
#include "lib/stringinfo.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/tuplesort.h"

#include "compare.h"
#include "progress.h"
#include "source_scan.h"

/* Rows from one report of progress to the next. */
#define ROWS_PER_REPORT 1024

/* pg_operator.h gives names to some operators only. */
#define BYTEA_LESS_OPERATOR 1957

enum
{
	ROW_KEY = 1,
	ROW_HASH,
	ROW_COLUMNS = ROW_HASH
};

/* Rows of the source that belong into the index, in key order. */
typedef struct Rows
{
	Tuplesortstate *sorted;
	TupleTableSlot *in;			/* virtual */
	TupleTableSlot *out;
	StringInfoData last;		/* key of the row before: one that stands there twice counts once */
	bool		started;
} Rows;

/* One side of the walk: a row, or an entry of the index. */
typedef struct Side
{
	bool		there;			/* false: the end */
	const void *key;
	size_t		size;
	uint64		hash;
} Side;

static bool
is_pending(const S3vComparison *comparison, const void *key, size_t size)
{
	return comparison->pending != NULL && s3v_keys_contains(comparison->pending, key, size);
}

static void
rows_begin(Rows *rows)
{
	TupleDesc	columns = CreateTemplateTupleDesc(ROW_COLUMNS);
	AttrNumber	key = ROW_KEY;
	Oid			less = BYTEA_LESS_OPERATOR;
	Oid			collation = InvalidOid;
	bool		nulls_first = false;

	TupleDescInitEntry(columns, ROW_KEY, "key", BYTEAOID, -1, 0);
	TupleDescInitEntry(columns, ROW_HASH, "hash", INT8OID, -1, 0);
	rows->sorted = tuplesort_begin_heap(columns, 1, &key, &less, &collation, &nulls_first, maintenance_work_mem, NULL, false);
	rows->in = MakeSingleTupleTableSlot(columns, &TTSOpsVirtual);
	rows->out = MakeSingleTupleTableSlot(columns, &TTSOpsMinimalTuple);
	initStringInfo(&rows->last);
	rows->started = false;
}

static void
rows_put(Rows *rows, const S3vKey *key, uint64 hash)
{
	bytea	   *bytes = palloc(VARHDRSZ + key->size);

	SET_VARSIZE(bytes, VARHDRSZ + key->size);
	memcpy(VARDATA(bytes), key->data, key->size);
	ExecClearTuple(rows->in);
	rows->in->tts_values[ROW_KEY - 1] = PointerGetDatum(bytes);
	rows->in->tts_values[ROW_HASH - 1] = Int64GetDatum((int64) hash);
	rows->in->tts_isnull[ROW_KEY - 1] = rows->in->tts_isnull[ROW_HASH - 1] = false;
	ExecStoreVirtualTuple(rows->in);
	tuplesort_puttupleslot(rows->sorted, rows->in);
}

/* The key lives until the next call. */
static Side
rows_next(Rows *rows)
{
	while (tuplesort_gettupleslot(rows->sorted, true, false, rows->out, NULL))
	{
		Side		row = {.there = true};
		bytea	   *key;
		bool		is_null;

		CHECK_FOR_INTERRUPTS();
		key = (bytea *) DatumGetPointer(slot_getattr(rows->out, ROW_KEY, &is_null));
		row.key = VARDATA_ANY(key);
		row.size = VARSIZE_ANY_EXHDR(key);
		row.hash = (uint64) DatumGetInt64(slot_getattr(rows->out, ROW_HASH, &is_null));
		if (rows->started && rows->last.len == row.size && memcmp(rows->last.data, row.key, row.size) == 0)
			continue;
		resetStringInfo(&rows->last);
		appendBinaryStringInfo(&rows->last, row.key, row.size);
		rows->started = true;
		return row;
	}
	return (Side) {.there = false};
}

static void
rows_end(Rows *rows)
{
	ExecDropSingleTupleTableSlot(rows->in);
	ExecDropSingleTupleTableSlot(rows->out);
	tuplesort_end(rows->sorted);
	pfree(rows->last.data);
}

/* ---- the source ---------------------------------------------------------------------------------------------------------- */

static void
refuse_row(const S3vComparison *comparison, const S3vKey *key, const char *complaint)
{
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("table \"%s\" has a row that index \"%s\" cannot take", RelationGetRelationName(comparison->rel),
					get_rel_name(comparison->index->index_id)),
			 errdetail("Key %s: %s", key_to_text(key->data, key->size, comparison->source->key_kind), complaint),
			 errhint("Correct or delete this row, or set its vector to NULL.")));
}

static uint64
content_hash(const S3vComparison *comparison, const S3vSourceScan *row, const float *vector, int dimensions)
{
	const S3vSource *source = comparison->source;
	StringInfoData metadata;
	uint64_t	hash;
	s3v_error	err;

	initStringInfo(&metadata);
	if (source->metadata_count > 0)
		metadata_encode(&metadata, source, row->values + 2, row->nulls + 2);
	if (comparison->remote == NULL)
		return s3v_content_hash(vector, dimensions, metadata.data, metadata.len);
	boundary_raise(s3v_remote_row_hash(comparison->remote, vector, metadata.data, metadata.len, &hash, &err), &err);
	return hash;
}

static void
add_row(S3vComparison *comparison, const S3vSourceScan *row, Rows *rows)
{
	const S3vSource *source = comparison->source;
	const float *vector;
	int			dimensions;
	char	   *complaint;
	S3vKey		key;

	if (row->nulls[0] || row->nulls[1])
	{
		comparison->skipped++;
		return;
	}
	key = key_from_datum(row->values[0], source->key.base_type, source->key_kind);
	vector = vector_from_row(row->values[1], source, &dimensions, &complaint);
	if (complaint == NULL)
		complaint = vector_complaint(vector, dimensions, comparison->index->dimensions);
	if (complaint != NULL)
		refuse_row(comparison, &key, complaint);
	if (comparison->index->metric == S3V_COSINE && s3v_vector_check(vector, dimensions) == S3V_VECTOR_ZERO)
	{
		comparison->skipped++;
		return;
	}
	comparison->rows++;
	if (!is_pending(comparison, key.data, key.size))
		rows_put(rows, &key, content_hash(comparison, row, vector, dimensions));
}

/* Values come straight from the table: no function of a user runs, and no policy applies. */
static void
read_source(S3vComparison *comparison, Rows *rows)
{
	S3vSourceScan *scan = source_scan_begin(comparison->rel, comparison->source, comparison->snapshot);
	MemoryContext row_context = AllocSetContextCreate(CurrentMemoryContext, "s3v source row", ALLOCSET_DEFAULT_SIZES);
	uint64		done = 0;

	while (source_scan_next(scan))
	{
		MemoryContext before = MemoryContextSwitchTo(row_context);

		if (done++ % ROWS_PER_REPORT == 0)
			progress_report(NULL, "reading the source", done, 0);
		add_row(comparison, scan, rows);
		MemoryContextSwitchTo(before);
		MemoryContextReset(row_context);
	}
	source_scan_end(scan);
	MemoryContextDelete(row_context);
	progress_report(NULL, "comparing", 0, 0);
	tuplesort_performsort(rows->sorted);
}

/* ---- the index ----------------------------------------------------------------------------------------------------------- */

/* The key lives until the next call. */
static Side
entries_next(const S3vComparison *comparison)
{
	Side		entry = {.there = false};
	uint64_t	hash;
	s3v_error	err;

	if (comparison->contents == NULL)
		return entry;
	do
	{
		CHECK_FOR_INTERRUPTS();
		boundary_check(comparison->call, s3v_contents_next(comparison->contents, &entry.key, &entry.size, &hash, &err), &err);
		entry.there = entry.key != NULL;
	} while (entry.there && is_pending(comparison, entry.key, entry.size));
	entry.hash = entry.there ? hash : 0;
	return entry;
}

/* ---- both ---------------------------------------------------------------------------------------------------------------- */

/* Less than, equal to, or greater than 0, as the row comes before, with, or after the entry; an end comes after everything. */
static int
compare_sides(const Side *row, const Side *entry)
{
	int			order;

	if (!row->there || !entry->there)
		return row->there ? -1 : 1;
	order = memcmp(row->key, entry->key, Min(row->size, entry->size));
	if (order == 0 && row->size != entry->size)
		order = row->size < entry->size ? -1 : 1;
	return order;
}

static void
tell(S3vDifferenceVisitor visit, void *arg, S3vDifference difference, const Side *side, int64 *count)
{
	++*count;
	if (visit != NULL)
		visit(arg, difference, side->key, side->size);
}

void
compare_rows(S3vComparison *comparison, S3vDifferenceVisitor visit, void *arg)
{
	Rows		rows;
	Side		row;
	Side		entry;

	comparison->missing = comparison->orphaned = comparison->stale = comparison->skipped = comparison->rows = 0;
	rows_begin(&rows);
	read_source(comparison, &rows);

	row = rows_next(&rows);
	entry = entries_next(comparison);
	while (row.there || entry.there)
	{
		int			order = compare_sides(&row, &entry);

		if (order < 0)
			tell(visit, arg, ROW_MISSING, &row, &comparison->missing);
		else if (order > 0)
			tell(visit, arg, ROW_ORPHANED, &entry, &comparison->orphaned);
		else if (row.hash != entry.hash)
			tell(visit, arg, ROW_STALE, &row, &comparison->stale);
		if (order <= 0)
			row = rows_next(&rows);
		if (order >= 0)
			entry = entries_next(comparison);
	}
	rows_end(&rows);
}

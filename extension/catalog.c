/*
 * Bookkeeping rows: which indexes there are, their versions and stale marks, read by index scans under a named snapshot.
 */
#include "postgres.h"

#include "catalog.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/skey.h"
#include "access/table.h"
#include "access/xact.h"
#include "access/xlog.h"
#include "catalog/indexing.h"
#include "catalog/pg_type.h"
#include "commands/sequence.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/fmgrprotos.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"
#include "utils/uuid.h"
#include "utils/xid8.h"

/* Columns as sql/s3v.sql declares them. */
enum
{
	INDEX_INDEX_ID = 1,
	INDEX_SOURCE,
	INDEX_LOG,
	INDEX_UUID,
	INDEX_KEY_COLUMN,
	INDEX_VECTOR_COLUMN,
	INDEX_METADATA,
	INDEX_METRIC,
	INDEX_DIMENSIONS
};

enum
{
	VERSION_INDEX_ID = 1,
	VERSION_VERSION,
	VERSION_MANIFEST,
	VERSION_BASE,
	VERSION_BASE_BYTES,
	VERSION_DELTA,
	VERSION_DELTA_BYTES,
	VERSION_ROWS,
	VERSION_SKIPPED,
	VERSION_LISTS,
	VERSION_SEGMENTS,
	VERSION_BYTES,
	VERSION_OWNER,
	VERSION_HI,
	VERSION_RUNNING,
	VERSION_SYSTEM_IDENTIFIER
};

enum
{
	STALE_INDEX_ID = 1,
	STALE_ID,
	STALE_REASON,
	STALE_MARKED_AT,
	STALE_COLUMNS = STALE_MARKED_AT
};

/* ---- scans ---- */

typedef struct CatalogScan
{
	Relation	rel;
	SysScanDesc rows;
} CatalogScan;

/* Rows of a table of schema s3v whose regclass column has that value (all, when InvalidOid). */
static void
scan_begin(CatalogScan *scan, const char *table, const char *index, AttrNumber column, Oid value, Snapshot snapshot)
{
	Oid			index_id = get_relname_relid(index, catalog_schema());
	ScanKeyData key;

	scan->rel = table_open(catalog_table(table), AccessShareLock);
	ScanKeyInit(&key, column, BTEqualStrategyNumber, F_OIDEQ, ObjectIdGetDatum(value));
	scan->rows = systable_beginscan(scan->rel, index_id, OidIsValid(index_id), snapshot, OidIsValid(value) ? 1 : 0, &key);
}

static void
scan_end(CatalogScan *scan)
{
	systable_endscan(scan->rows);
	table_close(scan->rel, AccessShareLock);
}

static Datum
column_of(const CatalogScan *scan, HeapTuple tuple, AttrNumber column, bool *is_null)
{
	return heap_getattr(tuple, column, RelationGetDescr(scan->rel), is_null);
}

/* 0 or NULL where the column is NULL. */
static int64
number_of(const CatalogScan *scan, HeapTuple tuple, AttrNumber column)
{
	bool		is_null;
	Datum		value = column_of(scan, tuple, column, &is_null);

	return is_null ? 0 : DatumGetInt64(value);
}

static Oid
oid_of(const CatalogScan *scan, HeapTuple tuple, AttrNumber column)
{
	bool		is_null;
	Datum		value = column_of(scan, tuple, column, &is_null);

	return is_null ? InvalidOid : DatumGetObjectId(value);
}

static char *
text_of(const CatalogScan *scan, HeapTuple tuple, AttrNumber column)
{
	bool		is_null;
	Datum		value = column_of(scan, tuple, column, &is_null);

	return is_null ? NULL : TextDatumGetCString(value);
}

static char *
name_of(const CatalogScan *scan, HeapTuple tuple, AttrNumber column)
{
	bool		is_null;
	Datum		value = column_of(scan, tuple, column, &is_null);

	return is_null ? NULL : pstrdup(NameStr(*DatumGetName(value)));
}

/* ---- indexes ---- */

static s3v_metric
metric_from_name(const char *name)
{
	if (strcmp(name, "cosine") == 0)
		return S3V_COSINE;
	if (strcmp(name, "l2") == 0)
		return S3V_L2;
	if (strcmp(name, "ip") == 0)
		return S3V_INNER_PRODUCT;
	ereport(ERROR,
			(errcode(ERRCODE_DATA_CORRUPTED),
			 errmsg("table \"s3v.index\" has an unknown metric \"%s\"", name)));
	return 0;					/* not reached */
}

static void
read_metadata_names(const CatalogScan *scan, HeapTuple tuple, S3vIndex *index)
{
	bool		is_null;
	Datum		array = column_of(scan, tuple, INDEX_METADATA, &is_null);
	Datum	   *names;

	deconstruct_array(DatumGetArrayTypeP(array), NAMEOID, NAMEDATALEN, false, TYPALIGN_CHAR, &names, NULL,
					  &index->metadata_count);
	index->metadata = palloc(sizeof(char *) * Max(index->metadata_count, 1));
	for (int i = 0; i < index->metadata_count; i++)
		index->metadata[i] = pstrdup(NameStr(*DatumGetName(names[i])));
}

static S3vIndex *
read_index(const CatalogScan *scan, HeapTuple tuple)
{
	S3vIndex   *index = palloc0(sizeof(S3vIndex));
	bool		is_null;
	Datum		uuid = column_of(scan, tuple, INDEX_UUID, &is_null);

	index->index_id = oid_of(scan, tuple, INDEX_INDEX_ID);
	index->source = oid_of(scan, tuple, INDEX_SOURCE);
	index->log = oid_of(scan, tuple, INDEX_LOG);
	strlcpy(index->uuid, DatumGetCString(DirectFunctionCall1(uuid_out, uuid)), sizeof(index->uuid));
	index->key_column = name_of(scan, tuple, INDEX_KEY_COLUMN);
	index->vector_column = name_of(scan, tuple, INDEX_VECTOR_COLUMN);
	read_metadata_names(scan, tuple, index);
	index->metric = metric_from_name(text_of(scan, tuple, INDEX_METRIC));
	index->dimensions = DatumGetInt32(column_of(scan, tuple, INDEX_DIMENSIONS, &is_null));
	return index;
}

S3vIndex *
catalog_index(Oid index_id, Snapshot snapshot)
{
	CatalogScan scan;
	HeapTuple	tuple;
	S3vIndex   *index = NULL;

	if (!OidIsValid(index_id))
		return NULL;
	scan_begin(&scan, "index", "index_pkey", INDEX_INDEX_ID, index_id, snapshot);
	tuple = systable_getnext(scan.rows);
	if (HeapTupleIsValid(tuple))
		index = read_index(&scan, tuple);
	scan_end(&scan);
	return index;
}

static int
compare_index_ids(const ListCell *a, const ListCell *b)
{
	Oid			left = ((S3vIndex *) lfirst(a))->index_id;
	Oid			right = ((S3vIndex *) lfirst(b))->index_id;

	return left < right ? -1 : left > right ? 1 : 0;
}

List *
catalog_indexes(Oid source, Snapshot snapshot)
{
	CatalogScan scan;
	HeapTuple	tuple;
	List	   *indexes = NIL;

	scan_begin(&scan, "index", "index_source_idx", INDEX_SOURCE, source, snapshot);
	while (HeapTupleIsValid(tuple = systable_getnext(scan.rows)))
		indexes = lappend(indexes, read_index(&scan, tuple));
	scan_end(&scan);
	list_sort(indexes, compare_index_ids);
	return indexes;
}

/* Also true when a table is missing: nothing here may get into the way of other people's DDL. */
static bool
has_no_rows(const char *table)
{
	Oid			relid = get_relname_relid(table, catalog_schema());
	Relation	rel;
	SysScanDesc scan;
	bool		empty;

	if (!OidIsValid(relid))
		return true;
	rel = table_open(relid, AccessShareLock);
	scan = systable_beginscan(rel, InvalidOid, false, NULL, 0, NULL);
	empty = !HeapTupleIsValid(systable_getnext(scan));
	systable_endscan(scan);
	table_close(rel, AccessShareLock);
	return empty;
}

bool
catalog_is_empty(void)
{
	return has_no_rows("index") && has_no_rows("dropped");
}

/* ---- versions ---- */

/* Transaction ids mean something only in the cluster that gave them out: after a restore the whole log is read. */
static void
read_log_bounds(const CatalogScan *scan, HeapTuple tuple, S3vVersion *version)
{
	bool		hi_null;
	bool		running_null;
	bool		system_null;
	Datum		hi = column_of(scan, tuple, VERSION_HI, &hi_null);
	Datum		running = column_of(scan, tuple, VERSION_RUNNING, &running_null);
	Datum		system = column_of(scan, tuple, VERSION_SYSTEM_IDENTIFIER, &system_null);
	Datum	   *xids;

	version->bounded = !hi_null && !running_null && !system_null &&
		DatumGetInt64(system) == (int64) GetSystemIdentifier();
	if (!version->bounded)
		return;

	version->hi = DatumGetFullTransactionId(hi);
	deconstruct_array(DatumGetArrayTypeP(running), XID8OID, sizeof(FullTransactionId), FLOAT8PASSBYVAL, TYPALIGN_DOUBLE, &xids,
					  NULL, &version->running_count);
	version->running = palloc(sizeof(FullTransactionId) * Max(version->running_count, 1));
	for (int i = 0; i < version->running_count; i++)
		version->running[i] = DatumGetFullTransactionId(xids[i]);
}

S3vVersion *
catalog_version(Oid index_id, Snapshot snapshot)
{
	CatalogScan scan;
	HeapTuple	tuple;
	S3vVersion *version = NULL;

	scan_begin(&scan, "version", "version_pkey", VERSION_INDEX_ID, index_id, snapshot);
	tuple = systable_getnext(scan.rows);
	if (HeapTupleIsValid(tuple))
	{
		version = palloc0(sizeof(S3vVersion));
		version->version = number_of(&scan, tuple, VERSION_VERSION);
		version->manifest = text_of(&scan, tuple, VERSION_MANIFEST);
		version->base = text_of(&scan, tuple, VERSION_BASE);
		version->base_bytes = number_of(&scan, tuple, VERSION_BASE_BYTES);
		version->delta = text_of(&scan, tuple, VERSION_DELTA);
		version->delta_bytes = number_of(&scan, tuple, VERSION_DELTA_BYTES);
		version->rows = number_of(&scan, tuple, VERSION_ROWS);
		version->skipped = number_of(&scan, tuple, VERSION_SKIPPED);
		version->owner = number_of(&scan, tuple, VERSION_OWNER);
		read_log_bounds(&scan, tuple, version);
		version->mine = TransactionIdIsCurrentTransactionId(HeapTupleHeaderGetXmin(tuple->t_data));
	}
	scan_end(&scan);
	return version;
}

/* ---- stale marks ---- */

bool
catalog_is_stale(Oid index_id, Snapshot snapshot, char **reason)
{
	CatalogScan scan;
	HeapTuple	tuple;
	bool		stale;

	scan_begin(&scan, "stale", "stale_pkey", STALE_INDEX_ID, index_id, snapshot);
	tuple = systable_getnext(scan.rows);
	stale = HeapTupleIsValid(tuple);
	if (stale && reason != NULL)
		*reason = text_of(&scan, tuple, STALE_REASON);
	scan_end(&scan);
	return stale;
}

/* Also sees what the running command wrote. */
static bool
marked_by_this_transaction(Oid index_id, const char *reason)
{
	CatalogScan scan;
	HeapTuple	tuple;
	bool		marked = false;

	scan_begin(&scan, "stale", "stale_pkey", STALE_INDEX_ID, index_id, SnapshotSelf);
	while (!marked && HeapTupleIsValid(tuple = systable_getnext(scan.rows)))
		marked = TransactionIdIsCurrentTransactionId(HeapTupleHeaderGetXmin(tuple->t_data)) &&
			strcmp(text_of(&scan, tuple, STALE_REASON), reason) == 0;
	scan_end(&scan);
	return marked;
}

void
catalog_mark_stale(Oid index_id, const char *reason)
{
	Relation	rel;
	HeapTuple	tuple;
	Datum		values[STALE_COLUMNS];
	bool		nulls[STALE_COLUMNS] = {false};

	if (marked_by_this_transaction(index_id, reason))
		return;

	rel = table_open(catalog_table("stale"), RowExclusiveLock);
	values[STALE_INDEX_ID - 1] = ObjectIdGetDatum(index_id);
	values[STALE_ID - 1] = Int64GetDatum(nextval_internal(catalog_table("change_id"), false));
	values[STALE_REASON - 1] = CStringGetTextDatum(reason);
	values[STALE_MARKED_AT - 1] = TimestampTzGetDatum(GetCurrentTransactionStartTimestamp());
	tuple = heap_form_tuple(RelationGetDescr(rel), values, nulls);
	CatalogTupleInsert(rel, tuple);
	heap_freetuple(tuple);
	table_close(rel, RowExclusiveLock);
}

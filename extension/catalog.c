/*
 * Bookkeeping rows: which indexes there are and their versions, read by index scans under a named snapshot.
 */
#include "postgres.h"

#include "catalog.h"
#include "catalog_scan.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/skey.h"
#include "access/table.h"
#include "access/xact.h"
#include "access/xlog.h"
#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/fmgrprotos.h"
#include "utils/lsyscache.h"
#include "utils/snapmgr.h"
#include "utils/rel.h"
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
	INDEX_DIMENSIONS,
	INDEX_REMOTE_NAMES,
	INDEX_NONFILTERABLE
};

enum
{
	VERSION_INDEX_ID = 1,
	VERSION_VERSION,
	VERSION_MANIFEST,
	VERSION_BASE,
	VERSION_BASE_BYTES,
	VERSION_DELTAS,
	VERSION_DELTA_BYTES,
	VERSION_ROWS,
	VERSION_SKIPPED,
	VERSION_LISTS,
	VERSION_SEGMENTS,
	VERSION_BYTES,
	VERSION_OWNER,
	VERSION_HI,
	VERSION_RUNNING,
	VERSION_SYSTEM_IDENTIFIER,
	VERSION_SYNCED_AT,
	VERSION_REPAIRED,
	VERSION_DATABASE
};

/* ---- scans ---- */

void
catalog_scan_begin(CatalogScan *scan, const char *table, const char *index_name, AttrNumber column, Oid value, Snapshot snapshot)
{
	ScanKeyData key;
	Oid			index;
	int			columns;

	scan->rel = table_open(catalog_table(table), AccessShareLock);
	index = index_name != NULL ? get_relname_relid(index_name, catalog_schema()) : catalog_primary_key(scan->rel);
	columns = RelationGetNumberOfAttributes(scan->rel);
	scan->values = palloc(sizeof(Datum) * columns);
	scan->nulls = palloc(sizeof(bool) * columns);
	ScanKeyInit(&key, column, BTEqualStrategyNumber, F_OIDEQ, ObjectIdGetDatum(value));
	scan->rows = systable_beginscan(scan->rel, index, OidIsValid(index), snapshot, OidIsValid(value) ? 1 : 0, &key);
}

bool
catalog_scan_next(CatalogScan *scan)
{
	scan->tuple = systable_getnext(scan->rows);
	if (!HeapTupleIsValid(scan->tuple))
		return false;
	heap_deform_tuple(scan->tuple, RelationGetDescr(scan->rel), scan->values, scan->nulls);
	return true;
}

void
catalog_scan_end(CatalogScan *scan)
{
	systable_endscan(scan->rows);
	table_close(scan->rel, AccessShareLock);
	pfree(scan->values);
	pfree(scan->nulls);
}

bool
catalog_written_by_this_transaction(const CatalogScan *scan)
{
	return TransactionIdIsCurrentTransactionId(HeapTupleHeaderGetXmin(scan->tuple->t_data));
}

/* 0 or NULL where the column is NULL. */
static int64
number_of(const CatalogScan *scan, AttrNumber column)
{
	return scan->nulls[column - 1] ? 0 : DatumGetInt64(scan->values[column - 1]);
}

static Oid
oid_of(const CatalogScan *scan, AttrNumber column)
{
	return scan->nulls[column - 1] ? InvalidOid : DatumGetObjectId(scan->values[column - 1]);
}

char *
catalog_text_of(const CatalogScan *scan, AttrNumber column)
{
	return scan->nulls[column - 1] ? NULL : TextDatumGetCString(scan->values[column - 1]);
}

static char *
name_of(const CatalogScan *scan, AttrNumber column)
{
	return scan->nulls[column - 1] ? NULL : pstrdup(NameStr(*DatumGetName(scan->values[column - 1])));
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

/* None where the column is NULL. */
static char **
names_of(const CatalogScan *scan, AttrNumber column, int *count)
{
	Datum	   *elements;
	char	  **names;

	*count = 0;
	if (scan->nulls[column - 1])
		return NULL;
	deconstruct_array(DatumGetArrayTypeP(scan->values[column - 1]), NAMEOID, NAMEDATALEN, false, TYPALIGN_CHAR, &elements, NULL, count);
	names = palloc(sizeof(char *) * Max(*count, 1));
	for (int i = 0; i < *count; i++)
		names[i] = pstrdup(NameStr(*DatumGetName(elements[i])));
	return names;
}

static bool
is_one_of(const char *name, char *const *names, int count)
{
	for (int i = 0; i < count; i++)
	{
		if (strcmp(name, names[i]) == 0)
			return true;
	}
	return false;
}

static void
read_remote_names(const CatalogScan *scan, S3vIndex *index)
{
	int			count;
	int			kept_count;
	char	  **kept = names_of(scan, INDEX_NONFILTERABLE, &kept_count);

	index->remote_names = names_of(scan, INDEX_REMOTE_NAMES, &count);
	if (index->remote_names == NULL)
		return;
	if (count != index->metadata_count)
		ereport(ERROR,
				(errcode(ERRCODE_DATA_CORRUPTED),
				 errmsg("table \"s3v.index\" names %d metadata columns and %d on the service", index->metadata_count, count)));
	index->nonfilterable = palloc0(sizeof(bool) * Max(count, 1));
	for (int i = 0; i < count; i++)
		index->nonfilterable[i] = is_one_of(index->remote_names[i], kept, kept_count);
}

static S3vIndex *
read_index(const CatalogScan *scan)
{
	S3vIndex   *index = palloc0(sizeof(S3vIndex));
	Datum		uuid = scan->values[INDEX_UUID - 1];

	index->index_id = oid_of(scan, INDEX_INDEX_ID);
	index->source = oid_of(scan, INDEX_SOURCE);
	index->log = oid_of(scan, INDEX_LOG);
	strlcpy(index->uuid, DatumGetCString(DirectFunctionCall1(uuid_out, uuid)), sizeof(index->uuid));
	index->key_column = name_of(scan, INDEX_KEY_COLUMN);
	index->vector_column = name_of(scan, INDEX_VECTOR_COLUMN);
	index->metadata = names_of(scan, INDEX_METADATA, &index->metadata_count);
	read_remote_names(scan, index);
	index->metric = metric_from_name(catalog_text_of(scan, INDEX_METRIC));
	index->dimensions = DatumGetInt32(scan->values[INDEX_DIMENSIONS - 1]);
	index->xmin = HeapTupleHeaderGetXmin(scan->tuple->t_data);
	return index;
}

S3vIndex *
catalog_index(Oid index_id, Snapshot snapshot)
{
	CatalogScan scan;
	S3vIndex   *index = NULL;

	if (!OidIsValid(index_id))
		return NULL;
	catalog_scan_begin(&scan, "index", NULL, INDEX_INDEX_ID, index_id, snapshot);
	if (catalog_scan_next(&scan))
		index = read_index(&scan);
	catalog_scan_end(&scan);
	return index;
}

void
catalog_refuse_unmade(Oid index_id)
{
	ereport(ERROR,
			(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
			 errmsg("foreign table \"%s\" was not made by s3v_create_index", get_rel_name(index_id)),
			 errhint("Drop it, and create the index with s3v_create_index.")));
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
	List	   *indexes = NIL;

	catalog_scan_begin(&scan, "index", "index_source_idx", INDEX_SOURCE, source, snapshot);
	while (catalog_scan_next(&scan))
		indexes = lappend(indexes, read_index(&scan));
	catalog_scan_end(&scan);
	list_sort(indexes, compare_index_ids);
	return indexes;
}

List *
catalog_indexes_named(Oid source)
{
	List	   *indexes;

	if (OidIsValid(source) && get_rel_name(source) == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_TABLE),
				 errmsg("relation with OID %u does not exist", source)));
	indexes = catalog_indexes(source, GetActiveSnapshot());
	if (OidIsValid(source) && indexes == NIL)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("table \"%s\" has no s3v index", get_rel_name(source)),
				 errhint("Name the source table, not the index. Create an index with s3v_create_index.")));
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
read_log_bounds(const CatalogScan *scan, S3vVersion *version)
{
	const Datum *values = scan->values;
	const bool *nulls = scan->nulls;
	Datum	   *xids;

	version->bounded = !nulls[VERSION_HI - 1] && !nulls[VERSION_RUNNING - 1] && !nulls[VERSION_SYSTEM_IDENTIFIER - 1] &&
		DatumGetInt64(values[VERSION_SYSTEM_IDENTIFIER - 1]) == (int64) GetSystemIdentifier();
	if (!version->bounded)
		return;

	version->hi = DatumGetFullTransactionId(values[VERSION_HI - 1]);
	deconstruct_array(DatumGetArrayTypeP(values[VERSION_RUNNING - 1]), XID8OID, sizeof(FullTransactionId), FLOAT8PASSBYVAL, TYPALIGN_DOUBLE, &xids,
					  NULL, &version->running_count);
	version->running = palloc(sizeof(FullTransactionId) * Max(version->running_count, 1));
	for (int i = 0; i < version->running_count; i++)
		version->running[i] = DatumGetFullTransactionId(xids[i]);
}

static void
read_deltas(const CatalogScan *scan, S3vVersion *version)
{
	Datum	   *names;
	Datum	   *lengths;
	int			length_count;

	deconstruct_array(DatumGetArrayTypeP(scan->values[VERSION_DELTAS - 1]), TEXTOID, -1, false, TYPALIGN_INT, &names, NULL,
					  &version->delta_count);
	deconstruct_array(DatumGetArrayTypeP(scan->values[VERSION_DELTA_BYTES - 1]), INT8OID, sizeof(int64), FLOAT8PASSBYVAL, TYPALIGN_DOUBLE,
					  &lengths, NULL, &length_count);
	if (length_count != version->delta_count || version->delta_count > S3V_MAX_DELTAS)
		ereport(ERROR,
				(errcode(ERRCODE_DATA_CORRUPTED),
				 errmsg("table \"s3v.version\" names %d deltas and %d lengths of deltas", version->delta_count, length_count)));
	version->deltas = palloc(sizeof(char *) * Max(version->delta_count, 1));
	version->delta_bytes = palloc(sizeof(int64) * Max(version->delta_count, 1));
	for (int i = 0; i < version->delta_count; i++)
	{
		version->deltas[i] = TextDatumGetCString(names[i]);
		version->delta_bytes[i] = DatumGetInt64(lengths[i]);
	}
}

S3vVersion *
catalog_version(Oid index_id, Snapshot snapshot)
{
	CatalogScan scan;
	S3vVersion *version = NULL;

	catalog_scan_begin(&scan, "version", NULL, VERSION_INDEX_ID, index_id, snapshot);
	if (catalog_scan_next(&scan))
	{
		version = palloc0(sizeof(S3vVersion));
		version->version = number_of(&scan, VERSION_VERSION);
		version->manifest = catalog_text_of(&scan, VERSION_MANIFEST);
		version->base = catalog_text_of(&scan, VERSION_BASE);
		version->base_bytes = number_of(&scan, VERSION_BASE_BYTES);
		read_deltas(&scan, version);
		version->rows = number_of(&scan, VERSION_ROWS);
		version->skipped = number_of(&scan, VERSION_SKIPPED);
		version->bytes = number_of(&scan, VERSION_BYTES);
		version->owner = number_of(&scan, VERSION_OWNER);
		read_log_bounds(&scan, version);
		version->mine = catalog_written_by_this_transaction(&scan);
		version->repaired = number_of(&scan, VERSION_REPAIRED);
		version->at_home = version->bounded && oid_of(&scan, VERSION_DATABASE) == MyDatabaseId;
	}
	catalog_scan_end(&scan);
	return version;
}

static s3v_object_name
object_name(const char *id, int64 length)
{
	s3v_object_name name = {.length = length};

	strlcpy(name.id, id, sizeof(name.id));
	return name;
}

s3v_version_names
catalog_version_names(const S3vIndex *index, const S3vVersion *version)
{
	s3v_version_names names = {.index_uuid = index->uuid, .delta_count = version->delta_count};

	names.base = object_name(version->base, version->base_bytes);
	for (int i = 0; i < version->delta_count; i++)
		names.deltas[i] = object_name(version->deltas[i], version->delta_bytes[i]);
	return names;
}

/*
 * The change log: one table for each source, written row by row without SPI, read by range of transaction ids and never through
 * the planner, which may scan all dead rows when it last saw the log empty.
 */
#include "postgres.h"

#include "catalog.h"
#include "compat.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/relation.h"
#include "access/skey.h"
#include "access/table.h"
#include "access/xact.h"
#include "catalog/indexing.h"
#include "catalog/pg_class.h"
#include "catalog/pg_type.h"
#include "commands/sequence.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/rls.h"
#include "utils/snapmgr.h"
#include "utils/syscache.h"
#include "utils/xid8.h"

enum
{
	LOG_INDEX_ID = 1,
	LOG_XID,
	LOG_ID,
	LOG_KEY,
	LOG_EXISTED,
	LOG_SYNCED,
	LOG_COLUMNS = LOG_SYNCED
};

#define LOG_NAME_BYTES 6

/* ---- transaction ids ---- */

FullTransactionId
catalog_full_xid(TransactionId xid)
{
	FullTransactionId next = ReadNextFullTransactionId();
	uint32		epoch = EpochFromFullTransactionId(next);

	if (xid > XidFromFullTransactionId(next))
		epoch--;
	return FullTransactionIdFromEpochAndXid(epoch, xid);
}

/* ---- the table ---- */

void
catalog_share_log(Oid source, Oid log)
{
	Oid			source_owner = relation_owner(source);
	List	   *roles;

	if (!OidIsValid(source_owner) || !OidIsValid(relation_owner(log)))
		return;
	roles = catalog_grantees(log);
	if (source_owner == relation_owner(log) ? roles == NIL : list_length(roles) == 1 && linitial_oid(roles) == source_owner)
		return;
	catalog_revoke_all(log);
	if (source_owner != relation_owner(log))
		catalog_execute(psprintf("GRANT SELECT ON TABLE %s TO %s", relation_quoted(log), quote_identifier(GetUserNameFromId(source_owner, false))),
						0, NULL, NULL, NULL, NULL);
}

/* A source has one log: indexes whose log somebody dropped go on with the new one. */
static void
adopt_log(Oid source, Oid log)
{
	Oid			types[2] = {OIDOID, OIDOID};
	Datum		values[2];

	values[0] = ObjectIdGetDatum(source);
	values[1] = ObjectIdGetDatum(log);
	catalog_execute_latest("UPDATE s3v.index SET log = $2 WHERE source = $1", 2, types, values);
}

Oid
catalog_create_log(Oid source)
{
	List	   *indexes = catalog_indexes(source, NULL);
	uint8		random[LOG_NAME_BYTES];
	char		name[NAMEDATALEN] = "log_";
	Oid			log;

	if (indexes != NIL && OidIsValid(relation_owner(((S3vIndex *) linitial(indexes))->log)))
	{
		log = ((S3vIndex *) linitial(indexes))->log;
		catalog_share_log(source, log);
		return log;
	}

	if (!pg_strong_random(random, sizeof(random)))
		ereport(ERROR,
				(errcode(ERRCODE_INTERNAL_ERROR),
				 errmsg("could not generate random values")));
	(void) hex_encode((const char *) random, sizeof(random), name + strlen("log_"));
	name[strlen("log_") + 2 * sizeof(random)] = '\0';

	/* Heap and no other access method: capture inserts without asking. */
	catalog_execute(psprintf("CREATE TABLE s3v.%s (index_id regclass, xid xid8, id bigint, key text,"
							 " existed boolean, synced xid8, PRIMARY KEY (index_id, xid, id)) USING heap", name),
					0, NULL, NULL, NULL, NULL);
	log = catalog_table(name);
	catalog_execute(psprintf("COMMENT ON TABLE s3v.%s IS 'change log of the indexes of one table: keys that changed since the"
							 " last sync; NULL: all. On s3vectors:// synced rows stay for a while'", name),
					0, NULL, NULL, NULL, NULL);
	catalog_share_log(source, log);
	adopt_log(source, log);
	return log;
}

/* ---- writing ---- */

struct S3vLogWriter
{
	Relation	rel;
	CatalogIndexState indexes;
	Oid			sequence;
};

S3vLogWriter *
catalog_log_open(Oid log)
{
	Relation	rel = try_relation_open(log, RowExclusiveLock);
	S3vLogWriter *writer;

	if (rel == NULL)
		return NULL;
	writer = palloc(sizeof(S3vLogWriter));
	writer->rel = rel;
	writer->indexes = CatalogOpenIndexes(rel);
	writer->sequence = catalog_table("change_id");
	return writer;
}

void
catalog_log_append(S3vLogWriter *writer, Oid index_id, const char *key, bool existed)
{
	Datum		values[LOG_COLUMNS] = {0};
	bool		nulls[LOG_COLUMNS] = {false};
	HeapTuple	tuple;

	values[LOG_INDEX_ID - 1] = ObjectIdGetDatum(index_id);
	values[LOG_XID - 1] = FullTransactionIdGetDatum(GetTopFullTransactionId());
	values[LOG_ID - 1] = Int64GetDatum(nextval_internal(writer->sequence, false));
	if (key != NULL)
		values[LOG_KEY - 1] = CStringGetTextDatum(key);
	else
		nulls[LOG_KEY - 1] = true;
	values[LOG_EXISTED - 1] = BoolGetDatum(existed);
	nulls[LOG_SYNCED - 1] = true;
	tuple = heap_form_tuple(RelationGetDescr(writer->rel), values, nulls);
	CatalogTupleInsertWithInfo(writer->rel, tuple, writer->indexes);
	heap_freetuple(tuple);
}

void
catalog_log_close(S3vLogWriter *writer)
{
	CatalogCloseIndexes(writer->indexes);
	/* The lock stays until the transaction ends, as after any insert. */
	relation_close(writer->rel, NoLock);
	pfree(writer);
}

/* ---- reading ---- */

typedef struct LogScan
{
	Relation	rel;
	Oid			primary_key;
	Oid			index_id;
	Snapshot	snapshot;
	Snapshot	reader;			/* NULL: the snapshot itself */
	S3vLogRowVisitor visit;
	void	   *arg;
} LogScan;

/*
 * Has a sync consumed the row that the reader sees, too? A stamp that the scan's snapshot shows is of a committed sync, or of one of this
 * very transaction, which a reader may be older or younger than.
 */
static bool
is_consumed(const LogScan *log, FullTransactionId synced)
{
	TransactionId xid = XidFromFullTransactionId(synced);

	if (log->reader == NULL)
		return true;
	if (FullTransactionIdPrecedes(synced, catalog_full_xid(log->reader->xmin)))
		return true;
	return !TransactionIdIsCurrentTransactionId(xid) && !XidInMVCCSnapshot(xid, log->reader);
}

/* Rows of the index that match the keys, the first of which is the index itself. False: the visitor has enough. */
static bool
scan_range(const LogScan *log, ScanKey keys, int key_count)
{
	SysScanDesc scan;
	HeapTuple	tuple;
	bool		more = true;

	ScanKeyInit(&keys[0], LOG_INDEX_ID, BTEqualStrategyNumber, F_OIDEQ, ObjectIdGetDatum(log->index_id));
	scan = systable_beginscan(log->rel, log->primary_key, OidIsValid(log->primary_key), log->snapshot, key_count, keys);
	while (more && HeapTupleIsValid(tuple = systable_getnext(scan)))
	{
		TupleDesc	columns = RelationGetDescr(log->rel);
		S3vLogRow	row;
		bool		is_null;
		Datum		value = heap_getattr(tuple, LOG_SYNCED, columns, &is_null);
		char	   *key;

		if (!is_null && is_consumed(log, DatumGetFullTransactionId(value)))
			continue;
		value = heap_getattr(tuple, LOG_KEY, columns, &is_null);
		key = is_null ? NULL : TextDatumGetCString(value);
		row.key = key;
		row.existed = DatumGetBool(heap_getattr(tuple, LOG_EXISTED, columns, &is_null));
		row.xid = DatumGetFullTransactionId(heap_getattr(tuple, LOG_XID, columns, &is_null));
		row.id = DatumGetInt64(heap_getattr(tuple, LOG_ID, columns, &is_null));
		more = log->visit(log->arg, &row);
		if (key != NULL)
			pfree(key);
	}
	systable_endscan(scan);
	return more;
}

static bool
scan_transaction(const LogScan *log, FullTransactionId xid)
{
	ScanKeyData keys[2];

	ScanKeyInit(&keys[1], LOG_XID, BTEqualStrategyNumber, F_XID8EQ, FullTransactionIdGetDatum(xid));
	return scan_range(log, keys, 2);
}

static bool
scan_from(const LogScan *log, FullTransactionId hi)
{
	ScanKeyData keys[2];

	ScanKeyInit(&keys[1], LOG_XID, BTGreaterEqualStrategyNumber, F_XID8GE, FullTransactionIdGetDatum(hi));
	return scan_range(log, keys, 2);
}

static void
scan_log(LogScan log, const S3vIndex *index, const S3vVersion *version, bool ordered)
{
	bool		more = true;

	log.rel = try_relation_open(index->log, AccessShareLock);
	if (log.rel == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("change log of index \"%s\" does not exist", get_rel_name(index->index_id)),
				 errhint("Drop the index and create it again.")));
	log.primary_key = catalog_primary_key(log.rel);
	if (ordered && !OidIsValid(log.primary_key))
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("change log \"%s\" has no primary key", RelationGetRelationName(log.rel)),
				 errhint("ALTER TABLE %s ADD PRIMARY KEY (index_id, xid, id).", relation_quoted(index->log))));

	if (version != NULL && version->bounded)
	{
		for (int i = 0; more && i < version->running_count; i++)
		{
			if (FullTransactionIdPrecedes(version->running[i], version->hi))
				more = scan_transaction(&log, version->running[i]);
		}
		if (more)
			scan_from(&log, version->hi);
	}
	else
	{
		ScanKeyData key;

		scan_range(&log, &key, 1);
	}
	relation_close(log.rel, AccessShareLock);
}

void
catalog_log_scan_rows(const S3vIndex *index, const S3vVersion *version, Snapshot snapshot, bool ordered, S3vLogRowVisitor visit, void *arg)
{
	LogScan		log = {.index_id = index->index_id, .snapshot = snapshot, .visit = visit, .arg = arg};

	scan_log(log, index, version, ordered);
}

typedef struct KeyVisit
{
	S3vLogVisitor visit;
	void	   *arg;
} KeyVisit;

static bool
visit_key(void *arg, const S3vLogRow *row)
{
	const KeyVisit *keys = arg;

	return keys->visit(keys->arg, row->key);
}

void
catalog_log_scan(const S3vIndex *index, const S3vVersion *version, Snapshot snapshot, S3vLogVisitor visit, void *arg)
{
	KeyVisit	keys = {visit, arg};

	catalog_log_scan_rows(index, version, snapshot, false, visit_key, &keys);
}

void
catalog_log_scan_doubtful(const S3vIndex *index, const S3vVersion *version, Snapshot reader, S3vLogVisitor visit, void *arg)
{
	KeyVisit	keys = {visit, arg};
	/* No snapshot: a new one for each range, which also a parallel query may take. */
	LogScan		log = {.index_id = index->index_id, .reader = reader, .visit = visit_key, .arg = &keys};

	scan_log(log, index, version, false);
}

/* ---- s3v.pending ---- */

static bool
count_row(void *arg, const char *key)
{
	CHECK_FOR_INTERRUPTS();
	++*(int64 *) arg;
	return true;
}

PG_FUNCTION_INFO_V1(s3v_pending);

Datum
s3v_pending(PG_FUNCTION_ARGS)
{
	Oid			index_id = PG_GETARG_OID(0);
	Snapshot	snapshot = GetActiveSnapshot();
	S3vIndex   *index;
	int64		pending = 0;
	bool		is_missing = false;

	/* Numbers tell of rows: only to those who may read the index and something of the table, and all its rows. */
	if (pg_class_aclcheck_ext(index_id, GetUserId(), ACL_SELECT, &is_missing) != ACLCHECK_OK)
		PG_RETURN_NULL();
	index = catalog_index(index_id, snapshot);
	if (index == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_WRONG_OBJECT_TYPE),
				 errmsg("\"%s\" is not an s3v index", get_rel_name(index_id))));
	if (check_enable_rls(index->source, InvalidOid, true) == RLS_ENABLED ||
		(relation_acl(index->source, GetUserId(), ACL_SELECT) != ACLCHECK_OK &&
		 pg_attribute_aclcheck_all(index->source, GetUserId(), ACL_SELECT, ACLMASK_ANY) != ACLCHECK_OK))
		PG_RETURN_NULL();
	/* Dropped by hand: the index is stale, and the view s3v_indexes goes on. */
	if (get_rel_name(index->log) == NULL)
		PG_RETURN_NULL();

	catalog_log_scan(index, catalog_version(index_id, snapshot), snapshot, count_row, &pending);
	PG_RETURN_INT64(pending);
}

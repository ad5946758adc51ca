/*
 * Indexes that this session has queried. What is kept of one is read again after an invalidation of its foreign table or of its source:
 * DDL sends them, and so does every change of s3v.index (catalog_changed). A partitioned source is its whole tree but for the leaves: who
 * comes or goes invalidates the table above.
 */
#include "postgres.h"

#include "known.h"
#include "remote.h"

#include "access/table.h"
#include "access/transam.h"
#include "access/xact.h"
#include "foreign/foreign.h"
#include "storage/lmgr.h"
#include "utils/hsearch.h"
#include "utils/inval.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

#include "columns.h"
#include "server.h"

typedef struct KnownEntry
{
	Oid			index_id;		/* hash key */
	Oid			source;
	bool		valid;
	bool		reading;		/* what it depends on is not known yet */
	uint64		invalidations;	/* so that one which arrives while we read is not overlooked */
	MemoryContext context;		/* holds known; NULL: nothing read yet */
	S3vKnownIndex *known;
} KnownEntry;

static HTAB *entries = NULL;

static bool
depends_on(const KnownEntry *entry, Oid relid)
{
	return !OidIsValid(relid) || relid == entry->index_id || relid == entry->source || entry->reading ||
		(entry->known != NULL && list_member_oid(entry->known->tree.tables, relid));
}

/* Only marks: an invalidation may arrive while the entry is in use. */
static void
forget_relation(Datum arg, Oid relid)
{
	HASH_SEQ_STATUS all;
	KnownEntry *entry;

	hash_seq_init(&all, entries);
	while ((entry = hash_seq_search(&all)) != NULL)
	{
		if (!depends_on(entry, relid))
			continue;
		entry->valid = false;
		entry->invalidations++;
	}
}

static KnownEntry *
entry_of(Oid index_id)
{
	HASHCTL		control = {.keysize = sizeof(Oid), .entrysize = sizeof(KnownEntry)};
	KnownEntry *entry;
	bool		found;

	if (entries == NULL)
	{
		entries = hash_create("s3v known indexes", 16, &control, HASH_ELEM | HASH_BLOBS);
		CacheRegisterRelcacheCallback(forget_relation, (Datum) 0);
	}
	entry = hash_search(entries, &index_id, HASH_ENTER, &found);
	if (!found)
	{
		entry->source = InvalidOid;
		entry->valid = false;
		entry->reading = false;
		entry->invalidations = 0;
		entry->context = NULL;
		entry->known = NULL;
	}
	return entry;
}

/* ---- reading ---- */

static void
check_is_index(Oid index_id)
{
	char	   *name = get_rel_name(index_id);

	if (name == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_TABLE),
				 errmsg("index with OID %u does not exist", index_id)));
	if (!is_s3v_index(index_id))
		ereport(ERROR,
				(errcode(ERRCODE_WRONG_OBJECT_TYPE),
				 errmsg("\"%s\" is not an s3v index", name),
				 errhint("Give the name that s3v_create_index was called with.")));
}

/* The index's row; its source is locked, so that columns, which are found by name, are those of now. */
static S3vIndex *
read_row(KnownEntry *entry)
{
	S3vIndex   *index = catalog_index(entry->index_id, NULL);
	S3vRemoteSettings attached;

	if (index != NULL)
	{
		entry->source = index->source;
		LockRelationOid(index->source, AccessShareLock);
		index = catalog_index(entry->index_id, NULL);
	}
	if (index == NULL && remote_attached(entry->index_id, &attached))
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("index \"%s\" is attached: it has no source", get_rel_name(entry->index_id)),
				 errhint("Only queries are possible; the index belongs to whoever writes it.")));
	if (index == NULL)
		catalog_refuse_unmade(entry->index_id);
	return index;
}

/* What comes or goes meanwhile is told to a table that is not among the known ones yet. An error leaves the entry merely forgetful. */
static S3vPartitions
read_tree(KnownEntry *entry, const S3vSource *source)
{
	entry->reading = source->partitioned;
	return partitions_read(source->relid, NoLock);
}

static S3vKnownIndex *
read_known(KnownEntry *entry)
{
	S3vKnownIndex *known = palloc0(sizeof(S3vKnownIndex));
	S3vIndex   *index = read_row(entry);
	S3vSource  *source;
	Relation	rel = table_open(index->source, NoLock);

	source = source_describe(rel, index->key_column, index->vector_column, index->metadata_count, index->metadata, false);
	known->key_index = source_key_index(rel, source);
	table_close(rel, NoLock);
	known->tree = read_tree(entry, source);
	known->index = index;
	known->source = source;
	known->options = GetForeignTable(entry->index_id)->options;
	known->columns_match = columns_match(index, source);
	if (remote_index(entry->index_id) && index->remote_names != NULL)
		known->remote = remote_schema(index, source);
	return known;
}

static void
refresh(KnownEntry *entry)
{
	uint64		invalidations = entry->invalidations;
	MemoryContext context;
	MemoryContext before;

	check_is_index(entry->index_id);
	/* A child of the caller's until all went well. */
	context = AllocSetContextCreate(CurrentMemoryContext, "s3v known index", ALLOCSET_SMALL_SIZES);
	before = MemoryContextSwitchTo(context);
	entry->known = read_known(entry);
	entry->reading = false;
	MemoryContextSwitchTo(before);
	MemoryContextSetParent(context, CacheMemoryContext);

	/* An outer query of this transaction may still look at it. */
	if (entry->context != NULL)
		MemoryContextSetParent(entry->context, TopTransactionContext);
	entry->context = context;
	entry->valid = entry->invalidations == invalidations;
}

bool
known_already(Oid index_id)
{
	return entry_of(index_id)->valid;
}

const S3vKnownIndex *
known_index(Oid index_id)
{
	KnownEntry *entry = entry_of(index_id);

	/* Options that another session has committed hold from now on, though we wait for no lock of theirs. */
	AcceptInvalidationMessages();
	if (entry->valid)
		LockRelationOid(entry->source, AccessShareLock);	/* which may bring an invalidation */
	if (!entry->valid)
		refresh(entry);
	return entry->known;
}

/* Almost always the snapshot sees the very row that is known. */
static bool
sees_row(const S3vIndex *index, Snapshot snapshot)
{
	if (!TransactionIdIsNormal(index->xmin))
		return true;
	return !TransactionIdIsCurrentTransactionId(index->xmin) && !XidInMVCCSnapshot(index->xmin, snapshot);
}

bool
known_columns_differ(const S3vKnownIndex *known, Snapshot snapshot)
{
	S3vIndex   *seen;

	if (sees_row(known->index, snapshot))
		return false;
	seen = catalog_index(known->index->index_id, snapshot);
	/* An index younger than the snapshot has no version there: its source is scanned. */
	return seen != NULL && seen->metadata_count != known->index->metadata_count;
}

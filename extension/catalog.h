/*
 * Bookkeeping rows: indexes, versions, change log, stale marks. Every reader names its snapshot, which must be active or
 * registered; NULL means the latest: what is committed now and what this transaction did.
 */
#ifndef S3V_CATALOG_H
#define S3V_CATALOG_H

#include "postgres.h"

#include "access/transam.h"
#include "nodes/pg_list.h"
#include "nodes/primnodes.h"
#include "utils/relcache.h"
#include "utils/snapshot.h"

#include "../src/api/s3v_c.h"

typedef struct S3vIndex
{
	Oid			index_id;
	Oid			source;
	Oid			log;
	char		uuid[37];
	char	   *key_column;
	char	   *vector_column;
	int			metadata_count;
	char	  **metadata;
	s3v_metric	metric;
	int			dimensions;
	char	  **remote_names;	/* s3vectors:// alone, else NULL: names of the metadata on the service */
	bool	   *nonfilterable;	/* likewise, for each of them */
	TransactionId xmin;			/* of its row */
} S3vIndex;

typedef struct S3vVersion
{
	int64		version;		/* 0: nothing built yet */
	char	   *manifest;
	char	   *base;
	int64		base_bytes;
	int			delta_count;
	char	  **deltas;
	int64	   *delta_bytes;
	int64		rows;
	int64		skipped;
	int64		bytes;
	int64		owner;
	bool		bounded;		/* hi and running are valid here: the recorded system identifier is this cluster's */
	FullTransactionId hi;
	int			running_count;
	FullTransactionId *running;
	bool		mine;			/* the row was written by the current transaction */
	int64		repaired;		/* the last version that repaired rows which no log row names */
	bool		at_home;		/* s3vectors:// alone: this very database synced it; in a copy the log does not say what the service has */
} S3vVersion;

/* Objects of the extension, looked up once and again after invalidation. Raise 42704 when the extension is not installed here. */
extern Oid	catalog_owner(void);	/* role that owns the extension */
extern Oid	catalog_schema(void);	/* schema s3v */
extern Oid	catalog_table(const char *name);	/* a table of schema s3v */
extern Oid	catalog_primary_key(Relation rel);	/* its index; InvalidOid: none */
extern Oid	catalog_function_schema(void);	/* where the functions live */
extern Oid	catalog_capture_function(void);
extern bool catalog_installed(void);	/* without raising */
extern Oid	relation_owner(Oid relid);	/* InvalidOid when the relation is gone */
extern char *relation_quoted(Oid relid);	/* schema and name, quoted for a statement */
extern Oid	catalog_extension(void);

/* The name of an index to be, with its schema if it has one, as SQL writes it; raises 0A000 when it names another database. */
extern RangeVar *catalog_new_index_name(text *name);

/* The index's own lock: a heavyweight object lock, no relation lock, so that readers never wait. False: somebody else has it. */
extern bool catalog_lock_index(Oid index_id, bool wait);
extern void catalog_await_index(Oid index_id);	/* until nobody has it, or had a moment ago */

/* NULL when there is no such row in that snapshot. Allocated in the current memory context. */
extern S3vIndex *catalog_index(Oid index_id, Snapshot snapshot);
extern S3vVersion *catalog_version(Oid index_id, Snapshot snapshot);

/* Raises 55000: the foreign table has no row. */
extern void catalog_refuse_unmade(Oid index_id) __attribute__((noreturn));

/* The version's objects as the core names them; index_uuid is a view of the index's. REQUIRES: it is built. */
extern s3v_version_names catalog_version_names(const S3vIndex *index, const S3vVersion *version);

/* S3vIndex of every index of the source (all, when InvalidOid), by index_id. */
extern List *catalog_indexes(Oid source, Snapshot snapshot);

/* The same under the active snapshot, for a source that a user named: raises 42P01 and 42704 for one that does not exist or has none. */
extern List *catalog_indexes_named(Oid source);

/* True when there is no index, nor objects of a dropped one to collect: then DDL needs no looking at. Never raises. */
extern bool catalog_is_empty(void);

/* ---- stale marks (stale_marks.c) ---- */

extern bool catalog_is_stale(Oid index_id, Snapshot snapshot, char **reason);

/*
 * Marks by a row, never by a flag on the version: concurrent DDL then never fails with 40001, and no rebuild clears what it did
 * not see. A transaction marks once for each reason.
 */
extern void catalog_mark_stale(Oid index_id, const char *reason);

/* A 32-bit transaction id of the recent past, with its epoch. (log.c) */
extern FullTransactionId catalog_full_xid(TransactionId xid);

typedef struct S3vLogRow
{
	FullTransactionId xid;
	int64		id;
	const char *key;			/* NULL: everything */
	bool		existed;		/* had a vector before the change */
} S3vLogRow;

/*
 * The change log of one index as a snapshot sees it, by range of transaction ids: consumed rows that cannot be removed yet are
 * skipped, and so are those that a sync has stamped. `version` bounds it (NULL: everything). Ordered, rows come by (xid, id), and version->running must ascend; raises 55000 when the
 * log has lost its primary key. visit() answers false to stop.
 */
typedef bool (*S3vLogRowVisitor) (void *arg, const S3vLogRow *row);
extern void catalog_log_scan_rows(const S3vIndex *index, const S3vVersion *version, Snapshot snapshot, bool ordered, S3vLogRowVisitor visit,
								  void *arg);

/* The same in no order, keys alone; NULL for an "everything" row. */
typedef bool (*S3vLogVisitor) (void *arg, const char *key);
extern void catalog_log_scan(const S3vIndex *index, const S3vVersion *version, Snapshot snapshot, S3vLogVisitor visit, void *arg);

/*
 * As catalog_log_scan(), for an index on s3vectors://, whose vectors have no versions: the rows that the *latest* snapshot shows, but for those
 * of which `reader` (whose version row `version` is) sees that a sync has consumed them. Keys that none of them names are on the service
 * as the reader's snapshot sees them: docs/design/s3vectors.md.
 */
extern void catalog_log_scan_doubtful(const S3vIndex *index, const S3vVersion *version, Snapshot reader, S3vLogVisitor visit, void *arg);

/*
 * One log row for each key (NULL: everything), in the current transaction. Cheap: no SPI, no rights, no command counter. Open
 * answers NULL when the table is gone.
 */
typedef struct S3vLogWriter S3vLogWriter;
extern S3vLogWriter *catalog_log_open(Oid log);
extern void catalog_log_append(S3vLogWriter *writer, Oid index_id, const char *key, bool existed);
extern void catalog_log_close(S3vLogWriter *writer);

/* Makes the change log of a source, or finds the one it has. Readable by the source's owner; a member of nothing. */
extern Oid	catalog_create_log(Oid source);

/*
 * Gives SELECT on the log to whoever owns the source now, and to nobody else; nothing happens when it is so. REASSIGN OWNED fires
 * no event trigger, so it is done again with every new index.
 */
extern void catalog_share_log(Oid source, Oid log);

/* Who may do anything with a relation of ours besides its owner, and taking all of it away; also what default privileges brought in. */
extern List *catalog_grantees(Oid relid);
extern void catalog_revoke_all(Oid relid);

/*
 * From enter to leave, work is done as the extension's owner, in a restricted operation with a pinned search_path. An error in
 * between needs no care: the end of the (sub)transaction puts everything back.
 */
typedef struct S3vOwnerScope
{
	Oid			user;
	int			security_context;
	int			settings;
} S3vOwnerScope;
extern void catalog_enter(S3vOwnerScope *scope);
extern void catalog_enter_as(S3vOwnerScope *scope, Oid role);	/* as somebody else, the same */
extern void catalog_leave(const S3vOwnerScope *scope);

/*
 * Runs a fixed statement through SPI in such a scope; returns rows processed. With a snapshot, the statement sees exactly that
 * (and what this transaction did since); NULL: as any statement of the transaction.
 */
extern uint64 catalog_execute(const char *sql, int nargs, Oid *types, Datum *values, const char *nulls, Snapshot snapshot);

/* As catalog_execute(), on the latest snapshot whatever the isolation level: for rows that DDL has to find. */
extern uint64 catalog_execute_latest(const char *sql, int nargs, Oid *types, Datum *values);

/* ---- capture on a source (capture_triggers.c) ---- */

/* True when row and TRUNCATE triggers are on the source, and on all its leaves, of our function, enabled ALWAYS. */
extern bool catalog_capture_in_place(Oid source);

/*
 * The same as of a snapshot, and not, where that is of the whole transaction, by this very one: rows that others committed between that snapshot and now, while capture was
 * off, are seen by nobody.
 */
extern bool catalog_capture_was_in_place(Oid source, Snapshot snapshot);

/* True when the table has a trigger of our function (of that name, unless NULL) that does not fire always. */
extern bool catalog_capture_weakened(Oid relid, const char *trigger);

/* True while a unique index and NOT NULL make the index's key column a key. (event_support.c) */
extern bool catalog_key_enforced(const S3vIndex *index);

/*
 * Puts the triggers on the source unless they are in place. Call it for every new index, in the transaction that writes its row
 * in s3v.index and under a lock that keeps writers out, but with the source closed (it says ALTER TABLE): it also tells all
 * sessions to look the source's indexes up again.
 */
extern void catalog_install_capture(Oid source);

/* Takes them away again, but for what other sources need. REQUIRES: the source's rows in s3v.index are gone. */
extern void catalog_remove_capture(Oid source);

/* The TRUNCATE trigger of a leaf: put there unless it has one; taken away unless it serves somebody. Ask for nobody's rights. */
extern void catalog_capture_leaf(Oid leaf);
extern void catalog_release_leaf(Oid leaf);

/* After rows of s3v.index changed: all sessions forget what they know of the source's indexes. */
extern void catalog_changed(Oid source);

/*
 * After an index was dropped (lifecycle.c): its rows go, its capture and its log too when it was the source's last one; its uuid to s3v.dropped
 * for s3v_gc (server_name NULL: the server is gone, nobody can collect there).
 */
extern void catalog_forget(Oid index_id, const char *server_name);

#endif

/* The parts of a sync: what it carries from step to step, and the steps that stand in files of their own. */
#ifndef S3V_SYNC_PARTS_H
#define S3V_SYNC_PARTS_H

#include "postgres.h"

#include "lib/stringinfo.h"
#include "portability/instr_time.h"
#include "utils/rel.h"

#include "boundary.h"
#include "../src/api/s3v_remote_c.h"
#include "catalog.h"
#include "source.h"
#include "sync.h"

/* One sync while it runs. */
typedef struct Sync
{
	const S3vSyncRequest *request;
	instr_time	started;
	S3vIndex   *index;
	S3vVersion *version;		/* as the snapshot sees it */
	Snapshot	snapshot;
	Relation	rel;			/* the source */
	S3vSource  *source;
	bool		stale;			/* marked so in the snapshot */

	/* The change log: the rows that the snapshot sees, and which of them this sync consumes. */
	int64		log_rows;
	bool		everything;		/* one of them says: all rows */
	int64		taken;			/* consumed: all, or a prefix in the order of (xid, id) */
	S3vLogRow	last_taken;		/* its end, when rows are left; key is not set */
	FullTransactionId first_left;	/* of the lowest row left, when rows are left */

	S3vCall    *call;
	s3v_store  *store;
	s3v_counters before;
	uint64		owner;			/* marker claimed; 0: none, nothing was written */
	bool		own_changes;	/* log rows of this very transaction are among those that the snapshot sees */
	int64		existed;		/* keys taken that had a vector before */

	/* On s3vectors:// alone. */
	s3v_remote *remote;			/* NULL: the index is on another kind of server */
	char	   *remote_name;	/* of the remote index that will be published */
	bool		repaired;		/* it was changed by what no log row names */
	s3v_remote_written written;

	/* What the version row will say. */
	s3v_version built;
	int64		skipped;
	int64		upserted;
	int64		deleted;
} Sync;

typedef enum SyncOutcome
{
	OUTCOME_NOTHING,			/* the version row stands as it is */
	OUTCOME_SAME_OBJECTS,		/* the version stands, but what its readers have to look at in the log has changed */
	OUTCOME_NEW_VERSION,		/* sync->built */
	OUTCOME_BUILD				/* nothing was done: only a build from the whole source helps */
} SyncOutcome;

static inline bool
sync_leaves_rows(const Sync *sync)
{
	return sync->taken < sync->log_rows;
}

/* Before anything is written: the next number of the owner's chain. Does nothing when it has been claimed. (sync.c) */
extern void sync_claim(Sync *sync);

/* What a build and an update have in common; views of the sync. (sync_build.c) */
extern s3v_build_options sync_build_options(const Sync *sync);

/* The whole index anew, from all rows of the source. (sync_build.c) */
extern SyncOutcome sync_build(Sync *sync);

/* Counts the log rows that the snapshot sees. (sync_changes.c) */
extern void sync_survey_log(Sync *sync);

/* The changes that the log names, up to the request's limits. (sync_changes.c) */
extern SyncOutcome sync_changes(Sync *sync);

/* The differences between source and index. (sync_reconcile.c) */
extern SyncOutcome sync_reconcile(Sync *sync);

/* All that a sync does on s3vectors://; columns_match: the types are those of before. (sync_remote.c) */
extern SyncOutcome sync_remote(Sync *sync, bool columns_match);

/* A writer into the remote index, in the current memory context. (sync_remote.c) */
extern S3vHandle *sync_remote_writer(Sync *sync, const char *name);

/* ---- what publications have in common (sync_publish.c) ---- */

/* For readers: all log rows below, but for those of the running transactions, are consumed or rolled back. */
extern FullTransactionId sync_upper_bound(const Sync *sync);
extern Datum sync_running_array(const Sync *sync);

/* An UPDATE of s3v.version, of just the row that the snapshot saw; else 40001. */
extern void sync_update_version(const Sync *sync, const char *sql, int nargs, Oid *types, Datum *values);

/* The version that is published, among those whose objects are kept; the one before it is retired. */
extern void sync_add_history(const Sync *sync, const char *manifest);

/* Runs a statement over the change log (sync_log_name(), quoted) by its index. */
extern const char *sync_log_name(const Sync *sync);
extern uint64 sync_change_log(const Sync *sync, const char *sql, int nargs, Oid *types, Datum *values);

/*
 * The same for "DELETE FROM log" or "UPDATE log SET ...", of exactly the rows that were taken; else 40001. The arrays have room for
 * SYNC_LOG_ARGUMENTS; nargs are used.
 */
#define SYNC_LOG_ARGUMENTS 8
extern void sync_take_log(const Sync *sync, const char *sql, int nargs, Oid *types, Datum *values);

/* The publication of a sync on s3vectors://. (sync_publish_remote.c) */
extern void sync_publish_remote(const Sync *sync, SyncOutcome outcome);

/* ---- rows of the source (sync_source.c) ---- */

/* Rows that the index cannot take: counted, the first ones named. */
typedef struct BadRows
{
	int64		count;
	StringInfoData keys;
	char	   *first_complaint;
	MemoryContext context;		/* of both */
} BadRows;

typedef struct SyncRow
{
	S3vKey		key;
	const float *vector;
	StringInfoData metadata;
} SyncRow;

typedef enum SyncRowKind
{
	ROW_FINE,
	ROW_SKIPPED,				/* no vector, or a zero one under cosine: not in the index */
	ROW_BAD						/* noted */
} SyncRowKind;

/* values: key, vector, metadata... Fills *row when it is fine; in the current memory context, or views of the values. */
extern SyncRowKind sync_read_row(const Sync *sync, const Datum *values, const bool *nulls, SyncRow *row, BadRows *bad);

/* Raises 40001: under REPEATABLE READ a key can be visible twice, and an index has it once. (sync_source.c) */
extern void sync_refuse_twin(const Sync *sync, const S3vKey *key);

/* Raises 22023 naming up to ten keys, unless there are none. */
extern void sync_raise_bad_rows(const Sync *sync, const BadRows *bad);

/*
 * Every row of the source under the sync's snapshot (key, vector, metadata...), each in a memory context of its own. No function of a user
 * runs: values come straight from the table.
 */
typedef void (*SyncRowVisitor) (void *arg, const Datum *values, const bool *nulls);
extern void sync_scan_source(const Sync *sync, SyncRowVisitor visit, void *arg);

/*
 * The same for a build: rows that belong into the index go to `take`, until one is bad; then the others that are bad are looked for, and 22023
 * is raised. Sets sync->skipped, answers how many were taken.
 */
typedef s3v_code (*SyncRowTaker) (void *taker, const SyncRow *row, s3v_error *err);
extern int64 sync_feed_rows(Sync *sync, SyncRowTaker take, void *taker);

/* ---- an update of the version (sync_update.c) ---- */

typedef struct SyncUpdate SyncUpdate;

/* In the current memory context, as the source's owner. NULL: the version is of another kind than the index now, only a build helps. */
extern SyncUpdate *sync_update_begin(Sync *sync);

/* The same into a remote index; never NULL. sync_update_end() then sets sync->written. */
extern SyncUpdate *sync_update_begin_remote(Sync *sync, const char *name);

/* The key has changed: its row is put as the snapshot sees it, or goes. Each key once. */
extern void sync_update_key(SyncUpdate *update, const S3vKey *key);

/* The key goes. */
extern void sync_update_remove(SyncUpdate *update, const S3vKey *key);

/* Vectors of a remote index that somebody else wrote. */
extern void sync_update_remove_foreign(SyncUpdate *update, const s3v_contents *contents);

/* What is damaged of the version goes, whatever its keys are. */
extern void sync_update_discard_damaged(SyncUpdate *update, const s3v_contents *contents);

/* Compacts and writes; fills what the version row will say. */
extern SyncOutcome sync_update_end(SyncUpdate *update);

/* ---- publication (sync_publish.c) ---- */

/* Deletes exactly the log rows that were taken; raises 40001 when there are more or fewer. */
extern void sync_consume_log(const Sync *sync);
extern void sync_delete_stale_marks(const Sync *sync);

/* The version row and its history: with the commit, readers see the new version. */
extern void sync_publish_version(const Sync *sync);

/* The version row alone: the same objects, read with less of the log. */
extern void sync_publish_same_objects(const Sync *sync);

#endif

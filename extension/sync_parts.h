/* The parts of a sync: what it carries from step to step, and the steps that stand in files of their own. */
#ifndef S3V_SYNC_PARTS_H
#define S3V_SYNC_PARTS_H

#include "postgres.h"

#include "utils/rel.h"

#include "boundary.h"
#include "catalog.h"
#include "source.h"

/* One sync while it runs. */
typedef struct Sync
{
	S3vIndex   *index;
	S3vVersion *version;		/* as the snapshot sees it */
	Snapshot	snapshot;
	S3vCall    *call;
	s3v_store  *store;
	s3v_counters before;
	s3v_keys   *changed;		/* distinct keys in the log */
	int64		log_rows;		/* seen by the snapshot */
	bool		everything;		/* the log says: all rows */
	int64		rows_changed_found; /* changed keys that the source still has */
	int64		skipped;		/* source rows that are not in the index */
	uint64		owner;			/* marker claimed */
	s3v_version built;
} Sync;

/*
 * Reads the source in the sync's snapshot into the build, as the source's owner. Raises 22023 naming up to ten keys when rows do not
 * fit the index. (sync_source.c)
 */
extern void sync_read_source(Sync *sync, Relation rel, const S3vSource *source, s3v_build *build);

/* Deletes exactly the log rows that were read; raises 40001 when there are more or fewer. (sync_publish.c) */
extern void sync_consume_log(const Sync *sync);
extern void sync_delete_stale_marks(const Sync *sync);

/* The version row and its history: with the commit, readers see the new version. (sync_publish.c) */
extern void sync_publish_version(const Sync *sync);

#endif

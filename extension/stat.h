/*
 * Sums of what queries and syncs of this database did, for s3v_stat: one slot for each backend in a small file, written with pwrite; no
 * preload needed. It is information, never a reason to fail.
 */
#ifndef S3V_STAT_H
#define S3V_STAT_H

#include "postgres.h"

#include "query.h"
#include "sync.h"

/*
 * A query or a sync begins, which a note of its own must end. Where none comes because it raised, the end of its (sub)transaction counts an
 * error. They may nest.
 */
extern void stat_begin(void);

/* `count` queries, done as one piece of work. */
extern void stat_note_query(int count, const S3vQueryWork *work);

/* A sync that was skipped counts as none. */
extern void stat_note_sync(const S3vSyncResult *result);

#endif

/* Bringing one index up to date. */
#ifndef S3V_SYNC_H
#define S3V_SYNC_H

#include "postgres.h"

#include "access/transam.h"

#include "catalog.h"

typedef enum S3vSyncMode
{
	SYNC_CHANGES,				/* consume the change log; nothing to do: nothing is written */
	SYNC_RECONCILE,				/* compare with the source, repair what differs or is damaged, whatever the log says */
	SYNC_REBUILD				/* train and write afresh, whatever the log says */
} S3vSyncMode;

typedef struct S3vSyncRequest
{
	S3vSyncMode mode;
	bool		wait;			/* false: skip an index that another sync holds */
	bool		creating;		/* by s3v_create_index, which holds the source's lock already and whose version row is its own */
	/* Of SYNC_CHANGES: */
	bool		optimize;		/* compact whatever a fresh build would leave better, also when nothing changed */
	int64		max_rows;		/* log rows consumed at most; 0: all that are visible */
	double		max_seconds;	/* no log rows are taken once half of this is over; 0: no limit */
} S3vSyncRequest;

typedef struct S3vSyncResult
{
	bool		skipped;		/* another sync holds the index, and waiting was not wanted */
	int64		version;
	int64		upserted;
	int64		deleted;
	int64		bytes_written;
	int64		requests;
} S3vSyncResult;

/*
 * Publishes with the commit of the current transaction. Takes the index's lock (held to the end of the transaction), then a
 * fresh snapshot; runs all its SQL under exactly that one.
 */
extern S3vSyncResult sync_index(Oid index_id, const S3vSyncRequest *request);

/* Source and index, in the order of a sync; held to the end of the transaction. False: another one has the index, and waiting was not wanted. */
extern bool sync_lock(Oid index_id, bool wait);

/* Under REPEATABLE READ and above: raises 40001 / 25001 when the transaction's snapshot is too old to publish from. */
extern void sync_check_isolation(Oid index_id);

/* Are a table and all its leaves in the files that this snapshot shows? It sees no rows in those that came later. */
extern bool sync_knows_files(Oid source, Snapshot snapshot);

#endif

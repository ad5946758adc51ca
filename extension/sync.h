/* Bringing one index up to date. */
#ifndef S3V_SYNC_H
#define S3V_SYNC_H

#include "postgres.h"

#include "access/transam.h"

#include "catalog.h"

typedef enum S3vSyncMode
{
	SYNC_CHANGES,				/* consume the change log; nothing to do: nothing is written */
	SYNC_REBUILD				/* train and write afresh, whatever the log says */
} S3vSyncMode;

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
 * fresh snapshot; runs all its SQL under exactly that one. `creating`: called by s3v_create_index, which holds the source's
 * lock already and whose version row is its own.
 */
extern S3vSyncResult sync_index(Oid index_id, S3vSyncMode mode, bool wait, bool creating);

/* A 32-bit transaction id of the recent past, with its epoch. (sync_snapshot.c) */
extern FullTransactionId widen_xid(TransactionId xid);

/* Under REPEATABLE READ and above: raises 40001 / 25001 when the transaction's snapshot is too old to publish from. */
extern void sync_check_isolation(Oid index_id);

#endif

/* Rows of a source by key, straight through the key's unique index: what the server's own plan does, without its executor. */
#ifndef S3V_KEY_SCAN_H
#define S3V_KEY_SCAN_H

#include "postgres.h"

#include "utils/snapshot.h"

#include "source.h"

typedef struct S3vKeyScan S3vKeyScan;

/* One row: key, vector, metadata... They live during the call, which is in the memory context of key_scan_read(). */
typedef void (*S3vKeyScanVisitor) (void *arg, const Datum *values, const bool *nulls);

/*
 * In the current memory context, which is current again at its end. REQUIRES: the source is locked, and whoever reads it this way may read these
 * columns of all its rows. NULL when the index (that source_key_index() found; InvalidOid: none) does not serve under this snapshot. Leaves are opened
 * when a key asks for them, and locked for the transaction.
 */
extern S3vKeyScan *key_scan_open(const S3vSource *source, Oid key_index, Snapshot snapshot);

/* Do the parts of the index in all leaves serve as well? Opens them all. */
extern bool key_scan_serves_everywhere(S3vKeyScan *scan);

/*
 * Of one key there can be two rows under REPEATABLE READ: deleted by a later transaction, inserted again by ours. False, and nothing visited, when
 * a leaf's part of the index does not serve under this snapshot.
 */
extern bool key_scan_read(S3vKeyScan *scan, const S3vKey *key, S3vKeyScanVisitor visit, void *arg);

extern void key_scan_end(S3vKeyScan *scan);

#endif

/* Differences between a source and a version of its index, by key and content hash: neither codes nor vectors of the store are read. */
#ifndef S3V_COMPARE_H
#define S3V_COMPARE_H

#include "postgres.h"

#include "utils/rel.h"
#include "utils/snapshot.h"

#include "../src/api/s3v_remote_c.h"
#include "boundary.h"
#include "catalog.h"
#include "source.h"

typedef enum S3vDifference
{
	ROW_MISSING,				/* the source has it, the index has not */
	ROW_ORPHANED,				/* the index has it, the source has not (or not as a row that belongs into the index) */
	ROW_STALE					/* both have it, with other content */
} S3vDifference;

typedef struct S3vComparison
{
	const S3vIndex *index;
	const S3vSource *source;
	Relation	rel;			/* the source, open */
	Snapshot	snapshot;
	S3vCall    *call;
	s3v_contents *contents;		/* of the version; NULL: it has nothing that can be read */
	const s3v_remote *remote;	/* the contents are of a service; NULL: of a store */
	const s3v_keys *pending;	/* keys that are left out; NULL: none */
	/* answers */
	int64		missing;
	int64		orphaned;
	int64		stale;
	int64		rows;			/* source rows that belong into the index */
	int64		skipped;		/* source rows that do not belong into the index: no vector, or a zero one under cosine */
} S3vComparison;

/* The key's bytes live during the call only. */
typedef void (*S3vDifferenceVisitor) (void *arg, S3vDifference difference, const void *key, size_t size);

/*
 * Reads the source by a direct scan under the snapshot (no function of a user runs) and sorts keys and hashes within
 * maintenance_work_mem, then walks both in key order. `visit` may be NULL. Of a row that the index could not take (another dimension, NaN) the
 * source is to blame: raises 22023 with its key.
 */
extern void compare_rows(S3vComparison *comparison, S3vDifferenceVisitor visit, void *arg);

#endif

/* All rows of a source, straight from its tables: no function of a user runs, and no policy applies. */
#ifndef S3V_SOURCE_SCAN_H
#define S3V_SOURCE_SCAN_H

#include "postgres.h"

#include "nodes/pg_list.h"
#include "utils/rel.h"
#include "utils/snapshot.h"

#include "source.h"

typedef struct S3vSourceScan
{
	/* The present row: key, vector, metadata..., until the next. */
	Datum	   *values;
	bool	   *nulls;

	const S3vSource *source;
	Relation	rel;			/* the source */
	Snapshot	snapshot;
	List	   *leaves;			/* Oid: those not read yet */
	Relation	leaf;			/* being read; NULL: none */
	S3vSource  *columns;		/* as they stand in it */
	struct TableScanDescData *scan;
	struct TupleTableSlot *slot;
} S3vSourceScan;

/* In the current memory context. REQUIRES: rel, the source, is locked; the leaves of a partitioned one are locked here, for the transaction. */
extern S3vSourceScan *source_scan_begin(Relation rel, const S3vSource *source, Snapshot snapshot);

/* The next row in whatever order; false at the end. Leaves nothing in the current memory context. Raises 55000 for a leaf that is a foreign table. */
extern bool source_scan_next(S3vSourceScan *scan);

extern void source_scan_end(S3vSourceScan *scan);

#endif

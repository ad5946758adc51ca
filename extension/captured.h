/* What a session knows of a row trigger: the indexes that it serves, and how their columns stand in the table that it is on. */
#ifndef S3V_CAPTURED_H
#define S3V_CAPTURED_H

#include "postgres.h"

#include "utils/rel.h"
#include "utils/reltrigger.h"

#include "../src/api/s3v_remote_c.h"
#include "catalog.h"
#include "source.h"

typedef struct CapturedIndex
{
	S3vIndex   *index;
	S3vSource  *columns;		/* NULL: one is gone or has another type */
	bool		check_vectors;	/* false where the column's type lets no bad vector in */
	s3v_remote *remote;			/* how rows go to the service, which does not take them all; NULL: the index is on another kind of server */
} CapturedIndex;

typedef struct CapturedSource
{
	Oid			trigger;		/* hash key */
	Oid			relid;			/* the table it is on */
	Oid			source;			/* the table it serves */
	bool		valid;
	uint64		invalidations;	/* so that one which arrives while we read is not overlooked */
	MemoryContext context;		/* holds indexes; NULL: nothing read yet */
	int			count;
	CapturedIndex *indexes;
} CapturedSource;

/*
 * The indexes that a row trigger serves. Their rows are read as they are now, whatever the transaction's snapshot: under REPEATABLE READ an index
 * may be younger than the snapshot and older than this change. A new index cannot come while the writer holds its lock. Raises 55000 when there is none.
 */
extern const CapturedSource *captured_by(const Trigger *trigger, Relation rel);

#endif

/* What a session knows of an index from one query to the next: everything that neither snapshot nor caller decide. */
#ifndef S3V_KNOWN_H
#define S3V_KNOWN_H

#include "postgres.h"

#include "access/transam.h"
#include "nodes/pg_list.h"

#include "../src/api/s3v_remote_c.h"
#include "catalog.h"
#include "partitions.h"
#include "source.h"

typedef struct S3vKnownIndex
{
	const S3vIndex *index;		/* its row as it is now, whatever the snapshot */
	const S3vSource *source;
	List	   *options;		/* DefElem: OPTIONS of the foreign table */
	bool		columns_match;	/* the foreign table has the types of the source */
	Oid			key_index;		/* index of the source that finds a row by its key; InvalidOid: none that serves */
	S3vPartitions tree;			/* of the source */
	s3v_remote *remote;			/* how rows go to the service; NULL: the index is not on s3vectors:// */
} S3vKnownIndex;

/*
 * Keeps the source locked, so that what is known stays true: until the transaction ends, which is also how long it may be looked at. Raises 42P01,
 * 42809, 55000 for what is no index, and what source_describe() raises.
 */
extern const S3vKnownIndex *known_index(Oid index_id);

/* Would known_index() answer at once? */
extern bool known_already(Oid index_id);

/* Has an index other metadata columns than its row says that the snapshot sees? */
extern bool known_columns_differ(const S3vKnownIndex *known, Snapshot snapshot);

#endif

/* Partitioned sources: which tables hold their rows, and whose rows a partition holds. */
#ifndef S3V_PARTITIONS_H
#define S3V_PARTITIONS_H

#include "postgres.h"

#include "nodes/pg_list.h"
#include "storage/lockdefs.h"

typedef struct S3vPartitions
{
	List	   *tables;			/* Oid: the source, and every partitioned table below it */
	List	   *leaves;			/* Oid: what holds its rows; the source itself where it has no partitions */
	bool		detaching;		/* DETACH CONCURRENTLY is under way: the snapshot decides whether that partition counts */
} S3vPartitions;

/*
 * The tree as it is now, each part locked. A partition that is being detached counts when the active snapshot says so. With a lock, whatever a
 * snapshot taken before shows is there, and the caches know of it.
 */
extern S3vPartitions partitions_read(Oid source, LOCKMODE lockmode);

/* The leaves alone. */
extern List *partitions_leaves(Oid source, LOCKMODE lockmode);

/* Partitioned tables above, the nearest first; also the one it is just being detached from. NIL for what is no partition. */
extern List *partitions_above(Oid relid);

/* S3vIndex of the table itself and of all partitioned tables above it: whose rows it holds. */
extern List *partitions_indexes(Oid relid);

/* Whether changes of the source's rows wait for their row triggers to log them. */
extern bool partitions_triggers_pending(Oid source, const List *leaves);

/* What no leaf may be: a word for messages, or NULL. */
extern const char *partitions_unfit(Oid leaf);

#endif

/* In which partition of a table a key must be, told by the partition descriptor. */
#ifndef S3V_PARTITION_ROUTE_H
#define S3V_PARTITION_ROUTE_H

#include "postgres.h"

#include "partitioning/partdesc.h"
#include "utils/rel.h"

#include "source.h"

/*
 * Can it be told: the table is partitioned by the key alone, with the server's own functions? No function of a user runs in a sync, and theirs may mean
 * something else by "equal".
 */
extern bool partition_route_known(Relation rel, const S3vSource *source);

/* The partition's number in the descriptor, or -1: none takes it. REQUIRES: partition_route_known(). */
extern int	partition_route(Relation rel, PartitionDesc partitions, Datum key);

#endif

/* What the event triggers share. */
#ifndef S3V_DDL_EVENTS_H
#define S3V_DDL_EVENTS_H

#include "postgres.h"

#include "commands/event_trigger.h"
#include "fmgr.h"
#include "nodes/pg_list.h"
#include "nodes/primnodes.h"
#include "utils/rel.h"

#include "catalog.h"

/* Raises unless called by the event trigger manager. */
extern const EventTriggerData *event_data(FunctionCallInfo fcinfo);

/* True when DDL cannot concern us: no extension, no index, or our own script runs. */
extern bool nothing_to_watch(void);

/* Every S3vIndex of the list. */
extern void mark_all_stale(List *indexes, const char *reason);

/* Whether the index uses a column of that name. */
extern bool is_carried(const S3vIndex *index, const char *column);

/* Indexes whose source is that relation, inherits from it, or is a table of that composite type. */
extern List *indexes_under(Oid relid);

/* Marks the source's indexes whose key column is no longer a key. */
extern void check_keys(Oid source);

/*
 * The catalogue row that the running command deleted, or NULL. By now no snapshot shows it, but it stays in place until the transaction
 * ends, and nothing else tells which table a dropped trigger was on, or which server a dropped index.
 */
extern HeapTuple deleted_row(Relation catalog, Oid index, AttrNumber column, Oid object);

/* ---- partitions (ddl_partitions.c): their tables' indexes, and those of all tables above ---- */

/* A table was created: as a partition, or as a child of another kind. */
extern void partition_created(Oid relid);

/* ALTER TABLE parent ATTACH or DETACH PARTITION. */
extern void partition_attached(Oid parent, const RangeVar *name);
extern void partition_detached(Oid parent, const RangeVar *name);

/* A table was dropped: maybe a partition. */
extern void partition_dropped(Oid relid, const char *identity);

#endif

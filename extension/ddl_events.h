/* What the event triggers share. */
#ifndef S3V_DDL_EVENTS_H
#define S3V_DDL_EVENTS_H

#include "postgres.h"

#include "commands/event_trigger.h"
#include "fmgr.h"
#include "nodes/pg_list.h"

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

#endif

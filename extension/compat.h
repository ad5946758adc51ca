/* Every difference between PostgreSQL's releases that s3v meets, 15 to 18, in this one place. */
#ifndef S3V_COMPAT_H
#define S3V_COMPAT_H

#include "postgres.h"

#if PG_VERSION_NUM < 150000
#error "s3v needs PostgreSQL 15 or later"
#endif

#include "access/tupdesc.h"
#include "access/xlog.h"
#include "catalog/pg_class.h"
#include "catalog/pg_foreign_server.h"
#include "catalog/pg_namespace.h"
#include "miscadmin.h"
#include "replication/message.h"
#include "utils/acl.h"
#include "utils/guc.h"
#include "utils/guc_tables.h"
#include "utils/pg_locale.h"

/* MyBackendId, PG_TEMP_FILE_PREFIX, TransactionTimeout: what 17 has moved */
#if PG_VERSION_NUM < 170000
#include "storage/backendid.h"
#include "storage/fd.h"
#else
#include "common/file_utils.h"
#include "storage/proc.h"
#endif

#if PG_VERSION_NUM < 160000
#define relation_owned_by(relid, role) pg_class_ownercheck(relid, role)
#define relation_acl(relid, role, mode) pg_class_aclcheck(relid, role, mode)
#define server_acl(oid, role, mode) pg_foreign_server_aclcheck(oid, role, mode)
#define schema_acl(oid, role, mode) pg_namespace_aclcheck(oid, role, mode)
#define server_owned_by(oid, role) pg_foreign_server_ownercheck(oid, role)
#else
#define relation_owned_by(relid, role) object_ownercheck(RelationRelationId, relid, role)
#define relation_acl(relid, role, mode) pg_class_aclcheck(relid, role, mode)
#define server_acl(oid, role, mode) object_aclcheck(ForeignServerRelationId, oid, role, mode)
#define schema_acl(oid, role, mode) object_aclcheck(NamespaceRelationId, oid, role, mode)
#define server_owned_by(oid, role) object_ownercheck(ForeignServerRelationId, oid, role)
#endif

/* Everything that was committed so far, asynchronously as well, survives a crash. */
#if PG_VERSION_NUM < 170000
#define flush_all_wal() XLogFlush(LogLogicalMessage("s3v", "", 0, false))
#else
#define flush_all_wal() ((void) LogLogicalMessage("s3v", "", 0, false, true))
#endif

/* The subcommands of ALTER COLUMN that give every row another value; 17 can change the expression of a generated column. */
#if PG_VERSION_NUM < 170000
#define CASE_VALUES_RECOMPUTED case AT_AlterColumnType
#else
#define CASE_VALUES_RECOMPUTED case AT_AlterColumnType: case AT_SetExpression
#endif

/* Before 18 no column has it. */
#if PG_VERSION_NUM < 180000
#define ATTRIBUTE_GENERATED_VIRTUAL 'v'
#endif

/* Says which library and version this is, where the server can show it. */
#ifdef PG_MODULE_MAGIC_EXT
#define S3V_MODULE_MAGIC PG_MODULE_MAGIC_EXT(.name = "s3v", .version = S3V_VERSION)
#else
#define S3V_MODULE_MAGIC PG_MODULE_MAGIC
#endif

/* The server's own record of a setting, which says where its value comes from. */
#if PG_VERSION_NUM < 160000
static inline struct config_generic *
find_setting(const char *name)
{
	struct config_generic **settings = get_guc_variables();

	for (int i = 0; i < GetNumConfigOptions(); i++)
	{
		if (strcmp(settings[i]->name, name) == 0)
			return settings[i];
	}
	elog(ERROR, "setting \"%s\" does not exist", name);
}
#else
#define find_setting(name) find_option(name, false, false, ERROR)
#endif

/* 18 counts its buffers for EXPLAIN, which has no line for us. */
#if PG_VERSION_NUM < 180000
#define index_beginscan_of(rel, index, snapshot, keys) index_beginscan(rel, index, snapshot, keys, 0)
#else
#define index_beginscan_of(rel, index, snapshot, keys) index_beginscan(rel, index, snapshot, NULL, keys, 0)
#endif

/* No row has NULL in that column, numbered from 0. Since 18 a constraint may not have been checked for the rows that were there. */
#if PG_VERSION_NUM < 180000
#define column_never_null(columns, i) (TupleDescAttr(columns, i)->attnotnull)
#else
#define column_never_null(columns, i) (TupleDescCompactAttr(columns, i)->attnullability == ATTNULLABLE_VALID)
#endif

/* All columns that an index of the relation names; since 16 without those of BRIN indexes alone. */
#if PG_VERSION_NUM < 160000
#define INDEXED_COLUMNS INDEX_ATTR_BITMAP_ALL
#else
#define INDEXED_COLUMNS INDEX_ATTR_BITMAP_HOT_BLOCKING
#endif

/* Text is ordered by its bytes. */
#if PG_VERSION_NUM < 180000
#define collation_is_c(collation) lc_collate_is_c(collation)
#else
#define collation_is_c(collation) (pg_newlocale_from_collation(collation)->collate_is_c)
#endif

/* A way of reading that enable_seqscan and its like forbid; before 18 its cost says so. */
#if PG_VERSION_NUM < 180000
#define plan_is_disabled(plan) false
#else
#define plan_is_disabled(plan) ((plan)->disabled_nodes > 0)
#endif

/* A plan from its first row to its last. */
#if PG_VERSION_NUM < 180000
#define run_forward(query) ExecutorRun(query, ForwardScanDirection, 0, true)
#else
#define run_forward(query) ExecutorRun(query, ForwardScanDirection, 0)
#endif

/* The next interrupt ends the process. */
#if PG_VERSION_NUM < 170000
#define TERMINATION_PENDING (ProcDiePending || ClientConnectionLost)
#else
#define TERMINATION_PENDING (ProcDiePending || ClientConnectionLost || (TransactionTimeoutPending && TransactionTimeout > 0))
#endif

/* The number of the top-level transaction within this session. */
#if PG_VERSION_NUM < 170000
#define S3V_LOCAL_TRANSACTION (MyProc->lxid)
#else
#define S3V_LOCAL_TRANSACTION (MyProc->vxid.lxid)
#endif

/* What the statistics system knows about the backend with that number, from 1; may be NULL. */
#if PG_VERSION_NUM < 160000
#define backend_entry(number) pgstat_fetch_stat_local_beentry(number)
#else
#define backend_entry(number) pgstat_get_local_beentry_by_index(number)
#endif

/* The backend's slot number, 0 and up. */
#if PG_VERSION_NUM < 170000
#define S3V_BACKEND_SLOT (MyBackendId - 1)
#else
#define S3V_BACKEND_SLOT (MyProcNumber)
#endif

#endif

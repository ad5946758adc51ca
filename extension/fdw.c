/*
 * The wrapper's handler. An index is a foreign table for its name, owner, rights and comment; its rows are reached through s3v_query
 * alone, so whatever reads or writes it as a table is refused, at planning time where possible.
 */
#include "postgres.h"

#include "commands/explain.h"
#include "fmgr.h"
#include "foreign/fdwapi.h"
#include "foreign/foreign.h"
#include "nodes/parsenodes.h"
#include "nodes/pathnodes.h"
#include "optimizer/optimizer.h"
#include "parser/parsetree.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"

#include "catalog.h"

PG_FUNCTION_INFO_V1(s3v_fdw_handler);

static void
refuse_read(Oid relid)
{
	char	   *name = relation_quoted(relid);

	ereport(ERROR,
			(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
			 errmsg("cannot read vector index \"%s\" as a table", get_rel_name(relid)),
			 errhint("Search it with s3v_query(%s, vector, k).", quote_literal_cstr(name))));
}

static void
refuse_write(Oid relid)
{
	ereport(ERROR,
			(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
			 errmsg("cannot write to vector index \"%s\"", get_rel_name(relid)),
			 errhint("Write to its source table; the index follows.")));
}

static void
get_rel_size(PlannerInfo *root, RelOptInfo *baserel, Oid foreigntableid)
{
	bool		is_written = bms_is_member(baserel->relid, root->all_result_relids);

	if (is_written)
		refuse_write(foreigntableid);
	refuse_read(foreigntableid);
}

/* The planner asks for these, but never gets past the one above. */
static void
get_paths(PlannerInfo *root, RelOptInfo *baserel, Oid foreigntableid)
{
	refuse_read(foreigntableid);
}

static ForeignScan *
get_plan(PlannerInfo *root, RelOptInfo *baserel, Oid foreigntableid, ForeignPath *best_path, List *tlist, List *scan_clauses,
		 Plan *outer_plan)
{
	refuse_read(foreigntableid);
	pg_unreachable();
}

static void
begin_scan(ForeignScanState *node, int eflags)
{
	refuse_read(RelationGetRelid(node->ss.ss_currentRelation));
}

static TupleTableSlot *
iterate_scan(ForeignScanState *node)
{
	refuse_read(RelationGetRelid(node->ss.ss_currentRelation));
	pg_unreachable();
}

static void
rescan(ForeignScanState *node)
{
	refuse_read(RelationGetRelid(node->ss.ss_currentRelation));
}

static void
end_scan(ForeignScanState *node)
{
}

static List *
plan_modify(PlannerInfo *root, ModifyTable *plan, Index result_relation, int subplan_index)
{
	refuse_write(planner_rt_fetch(result_relation, root)->relid);
	pg_unreachable();
}

/* COPY, and rows routed to a partition: neither is planned. */
static void
begin_insert(ModifyTableState *mtstate, ResultRelInfo *rinfo)
{
	refuse_write(RelationGetRelid(rinfo->ri_RelationDesc));
}

/* Without it COPY would be refused by the server, with no hint. */
static TupleTableSlot *
exec_insert(EState *estate, ResultRelInfo *rinfo, TupleTableSlot *slot, TupleTableSlot *plan_slot)
{
	refuse_write(RelationGetRelid(rinfo->ri_RelationDesc));
	pg_unreachable();
}

static void
exec_truncate(List *rels, DropBehavior behavior, bool restart_seqs)
{
	refuse_write(RelationGetRelid((Relation) linitial(rels)));
}

static int
acquire_no_rows(Relation relation, int elevel, HeapTuple *rows, int targrows, double *totalrows, double *totaldeadrows)
{
	*totalrows = 0;
	*totaldeadrows = 0;
	return 0;
}

/* An empty sample: ANALYZE of an index does nothing, and does not warn. */
static bool
analyze(Relation relation, AcquireSampleRowsFunc *func, BlockNumber *totalpages)
{
	*func = acquire_no_rows;
	*totalpages = 0;
	return true;
}

static List *
import_schema(ImportForeignSchemaStmt *stmt, Oid server)
{
	ereport(ERROR,
			(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
			 errmsg("IMPORT FOREIGN SCHEMA is not supported by s3v"),
			 errhint("Make indexes with s3v_create_index.")));
}

Datum
s3v_fdw_handler(PG_FUNCTION_ARGS)
{
	FdwRoutine *routine = makeNode(FdwRoutine);

	routine->GetForeignRelSize = get_rel_size;
	routine->GetForeignPaths = get_paths;
	routine->GetForeignPlan = get_plan;
	routine->BeginForeignScan = begin_scan;
	routine->IterateForeignScan = iterate_scan;
	routine->ReScanForeignScan = rescan;
	routine->EndForeignScan = end_scan;
	routine->PlanForeignModify = plan_modify;
	routine->BeginForeignInsert = begin_insert;
	routine->ExecForeignInsert = exec_insert;
	routine->ExecForeignTruncate = exec_truncate;
	routine->AnalyzeForeignTable = analyze;
	routine->ImportForeignSchema = import_schema;
	PG_RETURN_POINTER(routine);
}

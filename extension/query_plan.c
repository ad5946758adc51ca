/*
 * Filters through the source's own indexes. Where PostgreSQL's planner expects few rows to pass, and finds them without reading much else,
 * they are read and ranked: exact, and no dearer than a search, which reads rows to rank its candidates as well.
 */
#include "postgres.h"

#include "access/table.h"
#include "catalog/pg_class.h"
#include "optimizer/optimizer.h"
#include "storage/bufmgr.h"
#include "utils/rel.h"
#include "utils/spccache.h"

#include "compat.h"
#include "filter_sql.h"
#include "plans.h"
#include "query.h"

/*
 * Rows that are worth reading one by one take what a warm search does, or a little more, and are exact. Measured: a row takes 1.5 us, and a
 * hundredth of one for each dimension.
 */
#define WORTH_US 4000.0
#define ROW_US 1.5
#define DIMENSION_US 0.01

/* Where so many times more come than would have been few, the planner was wrong, and the index answers. */
#define PATIENCE 2

/* A search of the index reads so many rows of the source at least, to rank its candidates; so much may be read besides the rows that pass. */
#define ROWS_OF_A_SEARCH 25

struct S3vMatches
{
	S3vCondition condition;
	double		few;
	const char *sql;
	ParamListInfo arguments;
	CachedPlan *planned;		/* NULL: no row can pass */
};

/* What the planner takes for a row found in an index, and then read wherever it lies. */
static double
cost_of_row(Relation rel)
{
	double		random_page_cost;

	get_tablespace_page_costs(rel->rd_rel->reltablespace, &random_page_cost, NULL);
	return random_page_cost + cpu_tuple_cost + cpu_index_tuple_cost + cpu_operator_cost;
}

/* Asked before any planning: could an index of the source find rows by this condition, or is reading them all a trifle? */
static bool
may_be_cheap(Relation rel, const S3vCondition *condition)
{
	Bitmapset  *indexed;
	double		seq_page_cost;

	if (rel->rd_rel->relkind != RELKIND_RELATION || condition->sql.len == 0)
		return false;
	get_tablespace_page_costs(rel->rd_rel->reltablespace, NULL, &seq_page_cost);
	if (RelationGetNumberOfBlocks(rel) * seq_page_cost <= ROWS_OF_A_SEARCH * cost_of_row(rel))
		return true;
	indexed = RelationGetIndexAttrBitmap(rel, INDEXED_COLUMNS);
	return bms_overlap(indexed, condition->columns);
}

/*
 * An index may cost a page of its own and one of the table for each row, and what a search reads of the source. Sequential reading has no
 * more than the latter: beside reading at random, which the planner takes for reading from a disk, a large table would look cheap.
 */
static bool
is_cheap(const Plan *plan, double few, double row_cost)
{
	double		allowed = ROWS_OF_A_SEARCH * row_cost;

	if (IsA(plan, IndexScan) || IsA(plan, BitmapHeapScan))
		allowed += 2 * row_cost * plan->plan_rows;
	return plan->plan_rows <= few && plan->total_cost <= allowed && !plan_is_disabled(plan);
}

static S3vMatches *
find_condition(const S3vQuery *query, Relation rel)
{
	S3vMatches *matches = palloc(sizeof(S3vMatches));

	filter_condition(query->source, RelationGetDescr(rel), query->args->filter, &matches->condition);
	matches->few = Max(WORTH_US / (ROW_US + DIMENSION_US * query->index->dimensions), 2.0 * query->args->k);
	matches->planned = NULL;
	return matches;
}

static void
plan_reading(const S3vQuery *query, S3vMatches *matches)
{
	const S3vCondition *condition = &matches->condition;

	matches->sql = psprintf("%s WHERE %s", source_select(query->source), condition->sql.data);
	matches->arguments = makeParamList(condition->count);
	for (int i = 0; i < condition->count; i++)
	{
		ParamExternData *argument = &matches->arguments->params[i];

		argument->value = condition->values[i];
		argument->isnull = false;
		argument->pflags = PARAM_FLAG_CONST;
		argument->ptype = condition->types[i];
	}
	matches->planned = plan_statement(plan_get_custom(matches->sql, condition->count, condition->types), matches->arguments);
}

S3vMatches *
query_plan_matches(S3vQuery *query)
{
	Relation	rel = table_open(query->source->relid, NoLock);
	S3vMatches *matches = find_condition(query, rel);
	bool		cheap = matches->condition.never;

	if (!cheap && may_be_cheap(rel, &matches->condition))
	{
		plan_reading(query, matches);
		cheap = is_cheap(planned_statement(matches->planned)->planTree, matches->few, cost_of_row(rel));
		if (!cheap)
			plan_release(matches->planned);
	}
	table_close(rel, NoLock);
	return cheap ? matches : NULL;
}

const char *
query_read_matches(S3vQuery *query, S3vMatches *matches)
{
	bool		all;

	if (matches->condition.never)
		return "no row can pass the filter";
	all = query_read_statement(query, matches->sql, matches->planned, matches->arguments, (int64) (PATIENCE * matches->few));
	plan_release(matches->planned);
	return all ? "few rows pass the filter: they are read from the source" : NULL;
}

bool
query_scan_matches(S3vQuery *query)
{
	Relation	rel = table_open(query->source->relid, NoLock);
	S3vMatches *matches = find_condition(query, rel);

	table_close(rel, NoLock);
	if (matches->condition.never)
		return true;
	if (matches->condition.sql.len == 0)
		return false;
	plan_reading(query, matches);
	(void) query_read_statement(query, matches->sql, matches->planned, matches->arguments, PG_INT64_MAX);
	plan_release(matches->planned);
	return true;
}

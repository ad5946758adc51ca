/*
 * Row-level security of the source. Where it applies to the caller, each row comes through a statement that the server plans and runs for
 * them, so policies hold as for any SELECT; what the index says of other rows stays inside.
 */
#include "postgres.h"

#include "executor/spi.h"
#include "utils/lsyscache.h"
#include "utils/plancache.h"
#include "utils/resowner.h"
#include "utils/rls.h"

#include "plans.h"
#include "query.h"

double
query_visible_rows(const S3vQuery *query)
{
	CachedPlan *plan = SPI_plan_get_cached_plan(plan_get(source_select(query->source), 0, NULL));
	double		rows;

	if (plan == NULL)
		elog(ERROR, "could not plan a scan of the source");
	rows = linitial_node(PlannedStmt, plan->stmt_list)->planTree->plan_rows;
	ReleaseCachedPlan(plan, CurrentResourceOwner);
	return rows;
}

void
refuse_row_security(Oid source, const char *detail)
{
	if (check_enable_rls(source, InvalidOid, false) == RLS_ENABLED)
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("row-level security of table \"%s\" applies to the caller", get_rel_name(source)),
				 errdetail_internal("%s", detail),
				 errhint("Call it as a role that the policies do not restrict.")));
}

/*
 * Row-level security of the source. Where it applies to the caller, each row comes through a statement that the server plans and runs for
 * them, so policies hold as for any SELECT; what the index says of other rows stays inside.
 */
#include "postgres.h"

#include "executor/spi.h"
#include "utils/lsyscache.h"
#include "utils/rls.h"

#include "plans.h"
#include "query.h"

double
query_visible_rows(const S3vQuery *query)
{
	CachedPlan *planned = plan_statement(plan_get(source_select(query->source), 0, NULL), NULL);
	double		rows = planned_statement(planned)->planTree->plan_rows;

	plan_release(planned);
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

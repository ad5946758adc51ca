/* Prepared statements kept for the session, by their text. */
#ifndef S3V_PLANS_H
#define S3V_PLANS_H

#include "postgres.h"

#include "executor/spi.h"
#include "nodes/params.h"
#include "nodes/plannodes.h"
#include "utils/plancache.h"

/*
 * The saved plan for sql with these argument types, prepared when it is not there yet. REQUIRES: SPI is connected. PostgreSQL
 * plans anew what DDL, or a role under row security, invalidated; rights are checked at each execution. Holds until SPI_finish().
 */
extern SPIPlanPtr plan_get(const char *sql, int nargs, const Oid *types);

/* The same for statements whose texts come in any number: planned for the values of each execution, and kept apart from the others. */
extern SPIPlanPtr plan_get_custom(const char *sql, int nargs, const Oid *types);

/* As the planner would execute it now, under locks; with these arguments, or NULL where they are not known. */
extern CachedPlan *plan_statement(SPIPlanPtr plan, ParamListInfo arguments);
extern void plan_release(CachedPlan *planned);

static inline PlannedStmt *
planned_statement(const CachedPlan *planned)
{
	return linitial_node(PlannedStmt, planned->stmt_list);
}

#endif

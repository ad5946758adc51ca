/* Prepared statements kept for the session, by their text. */
#include "postgres.h"

#include "common/hashfn.h"
#include "nodes/parsenodes.h"
#include "storage/proc.h"
#include "utils/guc.h"
#include "utils/memutils.h"
#include "utils/plancache.h"
#include "utils/resowner.h"

#include "compat.h"
#include "plans.h"

/* More texts than any session needs; beyond it the oldest make room. */
#define PLANS_KEPT 64

typedef struct KeptPlan
{
	uint64		hash;
	char	   *sql;
	int			nargs;
	Oid		   *types;
	SPIPlanPtr	plan;			/* NULL: a free place */
	LocalTransactionId used_in;
} KeptPlan;

typedef struct KeptPlans
{
	int			cursor_options;
	int			next_victim;
	KeptPlan	items[PLANS_KEPT];
} KeptPlans;

static KeptPlans fixed_plans = {0};
static KeptPlans custom_plans = {CURSOR_OPT_CUSTOM_PLAN};

static KeptPlan *
find_plan(KeptPlans *kept, uint64 hash, const char *sql, int nargs, const Oid *types)
{
	for (int i = 0; i < PLANS_KEPT; i++)
	{
		KeptPlan   *item = &kept->items[i];

		if (item->plan != NULL && item->hash == hash && item->nargs == nargs &&
			(nargs == 0 || memcmp(item->types, types, sizeof(Oid) * nargs) == 0) && strcmp(item->sql, sql) == 0)
			return item;
	}
	return NULL;
}

/*
 * A place for one more; NULL when all are of this transaction: an outer query of it may be about to use any of them, and be in the
 * functions of a policy meanwhile.
 */
static KeptPlan *
make_room(KeptPlans *kept)
{
	for (int i = 0; i < PLANS_KEPT; i++)
	{
		KeptPlan   *item = &kept->items[(kept->next_victim + i) % PLANS_KEPT];

		if (item->plan != NULL && item->used_in == S3V_LOCAL_TRANSACTION)
			continue;
		kept->next_victim = (kept->next_victim + i + 1) % PLANS_KEPT;
		if (item->plan != NULL)
		{
			SPI_freeplan(item->plan);
			item->plan = NULL;
			pfree(item->sql);
			pfree(item->types);
		}
		return item;
	}
	return NULL;
}

static void
keep(KeptPlan *item, uint64 hash, const char *sql, int nargs, const Oid *types, SPIPlanPtr plan)
{
	item->sql = MemoryContextStrdup(TopMemoryContext, sql);
	item->types = MemoryContextAlloc(TopMemoryContext, sizeof(Oid) * Max(nargs, 1));
	if (nargs > 0)
		memcpy(item->types, types, sizeof(Oid) * nargs);
	SPI_keepplan(plan);
	item->hash = hash;
	item->nargs = nargs;
	item->used_in = S3V_LOCAL_TRANSACTION;
	item->plan = plan;
}

static SPIPlanPtr
get(KeptPlans *kept, const char *sql, int nargs, const Oid *types)
{
	uint64		hash = hash_bytes_extended((const unsigned char *) sql, strlen(sql), nargs);
	KeptPlan   *item = find_plan(kept, hash, sql, nargs, types);
	SPIPlanPtr	plan;

	if (item != NULL)
	{
		item->used_in = S3V_LOCAL_TRANSACTION;
		return item->plan;
	}
	plan = SPI_prepare_cursor(sql, nargs, (Oid *) types, kept->cursor_options);
	if (plan == NULL)
		elog(ERROR, "could not prepare statement: %s", SPI_result_code_string(SPI_result));
	item = make_room(kept);
	if (item != NULL)
		keep(item, hash, sql, nargs, types, plan);
	return plan;
}

SPIPlanPtr
plan_get(const char *sql, int nargs, const Oid *types)
{
	return get(&fixed_plans, sql, nargs, types);
}

SPIPlanPtr
plan_get_custom(const char *sql, int nargs, const Oid *types)
{
	return get(&custom_plans, sql, nargs, types);
}

/* A setting of the user's goes before the wish for a custom plan; what we ask the planner is about these very values. */
static bool
allow_custom_plans(const CachedPlanSource *source, int *nest_level)
{
	if ((source->cursor_options & CURSOR_OPT_CUSTOM_PLAN) == 0 || plan_cache_mode != PLAN_CACHE_MODE_FORCE_GENERIC_PLAN)
		return false;
	*nest_level = NewGUCNestLevel();
	(void) set_config_option("plan_cache_mode", "auto", PGC_USERSET, PGC_S_SESSION, GUC_ACTION_SAVE, true, 0, false);
	return true;
}

CachedPlan *
plan_statement(SPIPlanPtr plan, ParamListInfo arguments)
{
	CachedPlanSource *source = linitial(SPI_plan_get_plan_sources(plan));
	int			nest_level = 0;
	bool		is_set = allow_custom_plans(source, &nest_level);
	CachedPlan *planned = GetCachedPlan(source, arguments, source->is_saved ? CurrentResourceOwner : NULL, NULL);

	if (is_set)
		AtEOXact_GUC(true, nest_level);
	return planned;
}

void
plan_release(CachedPlan *planned)
{
	ReleaseCachedPlan(planned, planned->is_saved ? CurrentResourceOwner : NULL);
}

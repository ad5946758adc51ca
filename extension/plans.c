/* Prepared statements kept for the session, by their text. */
#include "postgres.h"

#include "common/hashfn.h"
#include "utils/memutils.h"

#include "plans.h"

/* More texts than any session needs; beyond it the oldest make room. */
#define PLANS_KEPT 64

typedef struct KeptPlan
{
	uint64		hash;
	char	   *sql;
	Oid			type;			/* of the only argument; InvalidOid without */
	SPIPlanPtr	plan;
} KeptPlan;

static KeptPlan kept[PLANS_KEPT];
static int	next_victim = 0;

SPIPlanPtr
plan_get(const char *sql, int nargs, const Oid *types)
{
	uint64		hash = hash_bytes_extended((const unsigned char *) sql, strlen(sql), nargs);
	Oid			type = nargs > 0 ? types[0] : InvalidOid;
	KeptPlan   *slot;
	SPIPlanPtr	plan;
	char	   *copy;
	int			i;

	Assert(nargs <= 1);
	for (i = 0; i < PLANS_KEPT; i++)
	{
		if (kept[i].plan != NULL && kept[i].hash == hash && kept[i].type == type && strcmp(kept[i].sql, sql) == 0)
			return kept[i].plan;
	}

	plan = SPI_prepare(sql, nargs, (Oid *) types);
	if (plan == NULL)
		elog(ERROR, "could not prepare statement: %s", SPI_result_code_string(SPI_result));
	copy = MemoryContextStrdup(TopMemoryContext, sql);
	SPI_keepplan(plan);

	slot = &kept[next_victim];
	next_victim = (next_victim + 1) % PLANS_KEPT;
	if (slot->plan != NULL)
	{
		SPI_freeplan(slot->plan);
		pfree(slot->sql);
	}
	slot->hash = hash;
	slot->sql = copy;
	slot->type = type;
	slot->plan = plan;
	return plan;
}

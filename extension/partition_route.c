/* In which partition of a table a key must be: what the executor does with a row that is inserted, without its executor. */
#include "postgres.h"

#include "partition_route.h"

#include "access/transam.h"
#include "catalog/partition.h"
#include "catalog/pg_type.h"
#include "partitioning/partbounds.h"
#include "utils/lsyscache.h"
#include "utils/partcache.h"

bool
partition_route_known(Relation rel, const S3vSource *source)
{
	PartitionKey key = RelationGetPartitionKey(rel);
	Oid			type = source->key.base_type == VARCHAROID ? TEXTOID : source->key.base_type;

	return key->partnatts == 1 && key->partattrs[0] == get_attnum(RelationGetRelid(rel), source->key.name) &&
		key->partopcintype[0] == type && key->partsupfunc[0].fn_oid < FirstGenbkiObjectId;
}

static int
by_hash(PartitionKey key, PartitionBoundInfo bounds, Datum value)
{
	bool		is_null = false;
	uint64		hash = compute_partition_hash_value(1, key->partsupfunc, key->partcollation, &value, &is_null);

	return bounds->indexes[hash % bounds->nindexes];
}

static int
by_list(PartitionKey key, PartitionBoundInfo bounds, Datum value)
{
	bool		is_equal = false;
	int			offset = partition_list_bsearch(key->partsupfunc, key->partcollation, bounds, value, &is_equal);

	return offset >= 0 && is_equal ? bounds->indexes[offset] : -1;
}

/* The bound found is the last that is not greater: its partition ends with the next one. */
static int
by_range(PartitionKey key, PartitionBoundInfo bounds, Datum value)
{
	bool		is_equal = false;
	int			offset = partition_range_datum_bsearch(key->partsupfunc, key->partcollation, bounds, 1, &value, &is_equal);

	return bounds->indexes[offset + 1];
}

int
partition_route(Relation rel, PartitionDesc partitions, Datum value)
{
	PartitionKey key = RelationGetPartitionKey(rel);
	PartitionBoundInfo bounds = partitions->boundinfo;
	int			found;

	if (partitions->nparts == 0)
		return -1;
	switch (key->strategy)
	{
		case PARTITION_STRATEGY_HASH:
			return by_hash(key, bounds, value);
		case PARTITION_STRATEGY_LIST:
			found = by_list(key, bounds, value);
			break;
		default:
			found = by_range(key, bounds, value);
			break;
	}
	return found >= 0 ? found : bounds->default_index;
}

/* s3v_warm: fills the local cache with what queries of an index read. */
#include "postgres.h"

#include "utils/lsyscache.h"

#include "boundary.h"
#include "query.h"
#include "server.h"

PG_FUNCTION_INFO_V1(s3v_warm_index);

/* The setting without which nothing is kept, or NULL. */
static const char *
missing_setting(void)
{
	if (s3v_setting_cache_size == 0)
		return "s3v.cache_size is 0";
	if (s3v_setting_cache_dir[0] == '\0')
		return "s3v.cache_dir is empty";
	return NULL;
}

Datum
s3v_warm_index(PG_FUNCTION_ARGS)
{
	S3vQueryArgs args = {.index_id = PG_GETARG_OID(0), .k = 1};
	/* Who may query the index may have it fetched. */
	S3vQuery   *query = query_open(&args);
	const char *why = missing_setting();
	s3v_version_names names;
	uint64_t	fetched = 0;
	S3vCall    *call;
	s3v_store  *store;
	s3v_error	err;

	refuse_row_security(query->source->relid, "s3v_warm tells the size of the whole index.");
	query->version = catalog_version(args.index_id, query->snapshot);
	if (query->remote != NULL)
		why = "Amazon S3 Vectors keeps its vectors to itself";
	if (why == NULL && (query->version == NULL || query->version->version == 0))
		why = "the index is not built yet in this snapshot: run s3v_sync";
	if (why != NULL)
	{
		ereport(NOTICE,
				(errmsg("nothing of index \"%s\" was fetched", get_rel_name(args.index_id)),
				 errdetail_internal("%s", why)));
		PG_RETURN_INT64(0);
	}

	names = query_version_names(query);
	store = server_index_store(args.index_id);
	call = boundary_begin();
	/* Room is left for what else is asked meanwhile: a full cache drops what was not used for longest. */
	boundary_check(call, s3v_warm(boundary_env(call), store, &names, (uint64) s3v_setting_cache_size * 1024 / 10 * 9, &fetched, &err),
				   &err);
	PG_RETURN_INT64(fetched);
}

/* What a query checks before the first request is sent: the caller's rights, and the query vectors. */
#include "postgres.h"

#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/lsyscache.h"
#include "utils/rls.h"

#include "compat.h"
#include "query.h"

/* SELECT on the index, and on every column of the source that a hit is made of: checked before the first request is sent. */
void
query_check_rights(S3vQuery *query)
{
	Oid			user = GetUserId();
	Oid			source = query->index->source;
	const char *source_name = get_rel_name(source);

	if (relation_acl(query->index->index_id, user, ACL_SELECT) != ACLCHECK_OK)
		aclcheck_error(ACLCHECK_NO_PRIV, OBJECT_FOREIGN_TABLE, get_rel_name(query->index->index_id));
	if (schema_acl(get_rel_namespace(source), user, ACL_USAGE) != ACLCHECK_OK)
		aclcheck_error(ACLCHECK_NO_PRIV, OBJECT_SCHEMA, get_namespace_name(get_rel_namespace(source)));
	if (relation_acl(source, user, ACL_SELECT) != ACLCHECK_OK)
	{
		int			i;

		if (pg_attribute_aclcheck(source, query->source->key.attnum, user, ACL_SELECT) != ACLCHECK_OK ||
			pg_attribute_aclcheck(source, query->source->vector.attnum, user, ACL_SELECT) != ACLCHECK_OK)
			aclcheck_error(ACLCHECK_NO_PRIV, OBJECT_TABLE, source_name);
		for (i = 0; i < query->source->metadata_count; i++)
		{
			if (pg_attribute_aclcheck(source, query->source->metadata[i].attnum, user, ACL_SELECT) != ACLCHECK_OK)
				aclcheck_error(ACLCHECK_NO_PRIV, OBJECT_TABLE, source_name);
		}
	}
	query->row_security = check_enable_rls(source, InvalidOid, false) == RLS_ENABLED;
}

/* Which of many, where there are many. */
static int
number_of(const S3vQueryVector *vector)
{
	return vector->number > 0 ? errdetail("It is query %d.", vector->number) : 0;
}

static void
check_vector(const S3vQuery *query, const S3vQueryVector *vector)
{
	if (vector->dimensions != query->index->dimensions)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("query vector has %d dimensions, but index \"%s\" has %d",
						vector->dimensions, get_rel_name(query->index->index_id), query->index->dimensions),
				 number_of(vector)));
	switch (s3v_vector_check(vector->values, vector->dimensions))
	{
		case S3V_VECTOR_NOT_FINITE:
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("query vector contains NaN or infinity"),
					 number_of(vector)));
			break;
		case S3V_VECTOR_ZERO:
			if (query->index->metric == S3V_COSINE)
				ereport(ERROR,
						(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						 errmsg("query vector is zero, which has no cosine distance to anything"),
						 number_of(vector),
						 errhint("Use an index with metric l2 or ip for vectors that may be zero.")));
			break;
		case S3V_VECTOR_FINE:
			break;
	}
}

void
query_check_vectors(const S3vQuery *query)
{
	int			i;

	for (i = 0; i < query->args->query_count; i++)
		check_vector(query, &query->args->vectors[i]);
}

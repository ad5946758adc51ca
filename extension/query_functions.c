/* The SQL functions that answer with hits: s3v_query, s3v_query_as, s3v_query_many. */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "funcapi.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"

#include "compat.h"
#include "query.h"

PG_FUNCTION_INFO_V1(s3v_query);
PG_FUNCTION_INFO_V1(s3v_query_as);
PG_FUNCTION_INFO_V1(s3v_query_many);

/* The key of a hit in the type that the caller asked for. */
static Datum
key_as(const S3vQuery *query, const S3vHit *hit, Oid type)
{
	char	   *text;
	Oid			input;
	Oid			ioparam;

	/* A domain goes through its input function, which checks its constraints. */
	if (type == query->source->key.base_type)
		return key_to_datum(hit->key, hit->key_size, query->source->key.base_type, query->source->key_kind);
	text = key_to_text(hit->key, hit->key_size, query->source->key_kind);
	if (type == TEXTOID)
		return CStringGetTextDatum(text);
	getTypeInputInfo(type, &input, &ioparam);
	return OidInputFunctionCall(input, text, ioparam, -1);
}

/* Rows (key, distance, metadata), with the number of the query before them where there are many. */
static void
put_hits(FunctionCallInfo fcinfo, const S3vQuery *query, bool many)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	int			key_column = many ? 1 : 0;
	Oid			key_type = TupleDescAttr(result->setDesc, key_column)->atttypid;
	int			q;
	int			i;

	for (q = 0; q < query->args->query_count; q++)
	{
		for (i = 0; i < query->hits[q].count; i++)
		{
			const S3vHit *hit = &query->hits[q].items[i];
			Datum		values[4];
			bool		nulls[4] = {false, false, false, false};

			values[0] = Int32GetDatum(query->args->vectors[q].number);
			values[key_column] = key_as(query, hit, key_type);
			values[key_column + 1] = Float8GetDatum(hit->distance);
			values[key_column + 2] = JsonbPGetDatum(hit->metadata);
			tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
		}
	}
}

Datum
s3v_query(PG_FUNCTION_ARGS)
{
	S3vQueryArgs args = query_arguments(fcinfo, 0);

	InitMaterializedSRF(fcinfo, MAT_SRF_USE_EXPECTED_DESC);
	put_hits(fcinfo, query_run(&args), false);
	return (Datum) 0;
}

Datum
s3v_query_as(PG_FUNCTION_ARGS)
{
	S3vQueryArgs args = query_arguments(fcinfo, 1);

	InitMaterializedSRF(fcinfo, MAT_SRF_USE_EXPECTED_DESC);
	put_hits(fcinfo, query_run(&args), false);
	return (Datum) 0;
}

Datum
s3v_query_many(PG_FUNCTION_ARGS)
{
	S3vQueryArgs args = query_many_arguments(fcinfo);

	InitMaterializedSRF(fcinfo, MAT_SRF_USE_EXPECTED_DESC);
	put_hits(fcinfo, query_run(&args), true);
	return (Datum) 0;
}

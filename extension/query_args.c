/* Arguments of the query functions, of whatever type they came. */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "utils/array.h"
#include "utils/builtins.h"

#include "boundary.h"
#include "query.h"

/* The type the caller gave for an "any..." argument. */
static Oid
argument_type(FunctionCallInfo fcinfo, int argument)
{
	Oid			type = get_fn_expr_argtype(fcinfo->flinfo, argument);

	if (!OidIsValid(type))
		ereport(ERROR,
				(errcode(ERRCODE_INDETERMINATE_DATATYPE),
				 errmsg("could not determine the type of argument %d", argument + 1)));
	return type;
}

void
query_refuse_null(FunctionCallInfo fcinfo, int argument, const char *name)
{
	if (PG_ARGISNULL(argument))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("%s must not be null", name)));
}

void
query_check_k(int k)
{
	if (k < 1 || k > s3v_setting_max_k)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("k must be between 1 and %d, not %d", s3v_setting_max_k, k),
				 k > s3v_setting_max_k
				 ? errhint("A superuser may raise the setting s3v.max_k.") : 0));
}

/* All but the vectors. */
static S3vQueryArgs
common_arguments(FunctionCallInfo fcinfo, int shift)
{
	S3vQueryArgs args = {0};
	int			k = 2 + shift;
	int			filter = 3 + shift;
	int			keys = 4 + shift;
	int			options = 5 + shift;

	query_refuse_null(fcinfo, 0, "index");
	query_refuse_null(fcinfo, k, "k");
	args.index_id = PG_GETARG_OID(0);
	args.k = PG_GETARG_INT32(k);
	query_check_k(args.k);
	if (!PG_ARGISNULL(filter))
		args.filter = PG_GETARG_JSONB_P(filter);
	if (!PG_ARGISNULL(keys))
		args.keys = PG_GETARG_ARRAYTYPE_P(keys);
	if (!PG_ARGISNULL(options))
		args.options = PG_GETARG_JSONB_P(options);
	return args;
}

S3vQueryArgs
query_arguments(FunctionCallInfo fcinfo, int shift)
{
	S3vQueryArgs args = common_arguments(fcinfo, shift);
	int			vector = 1 + shift;

	if (!PG_ARGISNULL(vector))
	{
		Oid			type = argument_type(fcinfo, vector);
		int			kind = vector_kind_of(type);

		if (kind < 0)
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("a query vector cannot be of type %s", format_type_be(type)),
					 errhint("Use real[], double precision[], numeric[], integer[], pgvector's vector or halfvec, or text such as '[1,2,3]'.")));
		args.query_count = 1;
		args.vectors = palloc0(sizeof(S3vQueryVector));
		args.vectors->values = vector_from_datum(PG_GETARG_DATUM(vector), type, (S3vVectorKind) kind, &args.vectors->dimensions);
	}
	return args;
}

S3vQueryArgs
query_many_arguments(FunctionCallInfo fcinfo)
{
	S3vQueryArgs args = common_arguments(fcinfo, 0);

	if (!PG_ARGISNULL(1))
		args.vectors = query_vectors(PG_GETARG_DATUM(1), argument_type(fcinfo, 1), &args.query_count);
	return args;
}

s3v_keys *
query_key_set(const S3vSource *source, ArrayType *keys)
{
	s3v_keys   *set = key_set_make();
	s3v_error	err;
	Datum	   *elements;
	bool	   *nulls;
	int			count;
	int			i;

	deconstruct_array(keys, TEXTOID, -1, false, TYPALIGN_INT, &elements, &nulls, &count);
	for (i = 0; i < count; i++)
	{
		char	   *key_text;
		S3vKey		key;

		/* No row has a NULL key. */
		if (nulls[i])
			continue;
		key_text = TextDatumGetCString(elements[i]);
		key = key_from_text(key_text, source->key.base_type, source->key_kind);
		boundary_raise(s3v_keys_add(set, key.data, key.size, &err), &err);
		pfree(key_text);
	}
	return set;
}

/* The vectors of s3v_query_many: an array of numbers in two dimensions, or one of whatever else is a vector. */
#include "postgres.h"

#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"

#include "query.h"

/* As many as one wave is good for: each query keeps candidates of its own in memory. */
#define MAX_QUERIES 10000

static void
check_count(int count)
{
	if (count > MAX_QUERIES)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("%d query vectors are more than the %d that one call takes", count, MAX_QUERIES),
				 errhint("Split them among several calls.")));
}

static void
name_query(void *number)
{
	errcontext("query %d", *(const int *) number);
}

/* One vector for each element that is not NULL. */
static S3vQueryVector *
vectors_of_elements(ArrayType *array, S3vVectorKind kind, int *count)
{
	Oid			type = ARR_ELEMTYPE(array);
	ErrorContextCallback context;
	S3vQueryVector *vectors;
	Datum	   *elements;
	bool	   *nulls;
	int16		typlen;
	bool		typbyval;
	char		typalign;
	int			number;
	int			total;

	if (ARR_NDIM(array) != 1)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("query vectors of type %s must be a one-dimensional array, not one of %d dimensions",
						format_type_be(type), ARR_NDIM(array))));
	check_count(ArrayGetNItems(ARR_NDIM(array), ARR_DIMS(array)));
	get_typlenbyvalalign(type, &typlen, &typbyval, &typalign);
	deconstruct_array(array, type, typlen, typbyval, typalign, &elements, &nulls, &total);

	context.callback = name_query;
	context.arg = &number;
	context.previous = error_context_stack;
	error_context_stack = &context;
	vectors = palloc(sizeof(S3vQueryVector) * total);
	*count = 0;
	for (number = 1; number <= total; number++)
	{
		S3vQueryVector *vector = &vectors[*count];

		if (nulls[number - 1])
			continue;
		vector->values = vector_from_datum(elements[number - 1], type, kind, &vector->dimensions);
		vector->number = number;
		(*count)++;
	}
	error_context_stack = context.previous;
	return vectors;
}

/* One vector for each row of a matrix. */
static S3vQueryVector *
vectors_of_rows(ArrayType *array, S3vVectorKind kind, int *count)
{
	S3vQueryVector *vectors;
	const float *values;
	int			dimensions;
	int			i;

	if (ARR_NDIM(array) != 2)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("query vectors must be a two-dimensional array, not one of %d dimension%s", ARR_NDIM(array),
						ARR_NDIM(array) == 1 ? "" : "s"),
				 ARR_NDIM(array) == 1
				 ? errhint("Write ARRAY[...] of vectors, or call s3v_query with a single one.")
				 : errhint("Give one row for each vector.")));
	*count = ARR_DIMS(array)[0];
	dimensions = ARR_DIMS(array)[1];
	check_count(*count);
	values = vectors_from_matrix(array, kind);
	vectors = palloc(sizeof(S3vQueryVector) * *count);
	for (i = 0; i < *count; i++)
	{
		vectors[i].values = values + (Size) i * dimensions;
		vectors[i].dimensions = dimensions;
		vectors[i].number = i + 1;
	}
	return vectors;
}

S3vQueryVector *
query_vectors(Datum value, Oid type, int *count)
{
	Oid			element = get_element_type(getBaseType(type));
	int			element_kind = OidIsValid(element) ? vector_kind_of(element) : -1;
	int			row_kind = vector_kind_of(type);
	ArrayType  *array;

	if (element_kind < 0 && (row_kind < 0 || !OidIsValid(element)))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("query vectors cannot be of type %s", format_type_be(type)),
				 errhint("Use an array of real[], double precision[], numeric[] or integer[], of pgvector's vector or halfvec, or of text such as '[1,2,3]'.")));
	array = DatumGetArrayTypeP(value);
	*count = 0;
	if (ArrayGetNItems(ARR_NDIM(array), ARR_DIMS(array)) == 0)
		return NULL;
	return element_kind >= 0 ? vectors_of_elements(array, (S3vVectorKind) element_kind, count)
		: vectors_of_rows(array, (S3vVectorKind) row_kind, count);
}

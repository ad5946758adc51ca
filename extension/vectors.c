/*
 * Vectors on their way to the core: arrays, pgvector's types and text (vector_text.c), as float32 values.
 */
#include "postgres.h"

#include "vector_parts.h"

#include <math.h>

#include "access/htup_details.h"
#include "catalog/dependency.h"
#include "catalog/pg_type.h"
#include "commands/extension.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/inval.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"

#define MAX_DIMENSIONS 16000

/* What vector and halfvec of pgvector begin with; the elements follow. */
typedef struct PgvectorHeader
{
	int32		vl_len_;		/* varlena header */
	int16		dimensions;
	int16		unused;
} PgvectorHeader;

/* ---- types ---- */

/* pgvector's types once found; the extension may be in any schema, or come and go within a session. */
static Oid	pgvector_vector = InvalidOid;
static Oid	pgvector_halfvec = InvalidOid;

static void
forget_pgvector(Datum arg, int cacheid, uint32 hashvalue)
{
	pgvector_vector = InvalidOid;
	pgvector_halfvec = InvalidOid;
}

/*
 * Only a base type, which takes a superuser to make: the owner of a trusted extension could add any other type of that name to
 * it, and we read the bytes of its values.
 */
static bool
is_pgvector_type(Oid type, const char *name)
{
	HeapTuple	tuple = SearchSysCache1(TYPEOID, ObjectIdGetDatum(type));
	Form_pg_type form;
	bool		fits;
	Oid			extension;
	char	   *extension_name;

	if (!HeapTupleIsValid(tuple))
		return false;
	form = (Form_pg_type) GETSTRUCT(tuple);
	fits = form->typtype == TYPTYPE_BASE && form->typlen == -1 && strcmp(NameStr(form->typname), name) == 0;
	ReleaseSysCache(tuple);
	if (!fits)
		return false;

	extension = getExtensionOfObject(TypeRelationId, type);
	if (!OidIsValid(extension))
		return false;
	extension_name = get_extension_name(extension);
	return extension_name != NULL && strcmp(extension_name, "vector") == 0;
}

static int
pgvector_kind_of(Oid type)
{
	static bool watching = false;

	if (!watching)
	{
		CacheRegisterSyscacheCallback(TYPEOID, forget_pgvector, (Datum) 0);
		watching = true;
	}
	if (type == pgvector_vector)
		return VECTOR_PGVECTOR;
	if (type == pgvector_halfvec)
		return VECTOR_PGHALFVEC;
	if (is_pgvector_type(type, "vector"))
	{
		pgvector_vector = type;
		return VECTOR_PGVECTOR;
	}
	if (is_pgvector_type(type, "halfvec"))
	{
		pgvector_halfvec = type;
		return VECTOR_PGHALFVEC;
	}
	return -1;
}

int
vector_kind_of(Oid type)
{
	Oid			base_type;
	Oid			element;

	/* What almost all vectors are needs no look at the catalogues. */
	if (type == FLOAT4ARRAYOID)
		return VECTOR_FLOAT4_ARRAY;
	base_type = getBaseType(type);
	if (base_type == TEXTOID || base_type == VARCHAROID || base_type == BPCHAROID)
		return VECTOR_TEXT;

	element = get_element_type(base_type);
	if (!OidIsValid(element))
		return pgvector_kind_of(base_type);
	switch (getBaseType(element))
	{
		case FLOAT4OID:
			return VECTOR_FLOAT4_ARRAY;
		case FLOAT8OID:
			return VECTOR_FLOAT8_ARRAY;
		case NUMERICOID:
			return VECTOR_NUMERIC_ARRAY;
		case INT2OID:
		case INT4OID:
		case INT8OID:
			return VECTOR_INT_ARRAY;
		default:
			return -1;
	}
}

bool
vector_kind_is_stored(int kind)
{
	return kind == VECTOR_FLOAT4_ARRAY || kind == VECTOR_FLOAT8_ARRAY || kind == VECTOR_PGVECTOR ||
		kind == VECTOR_PGHALFVEC;
}

int
vector_typmod_dimensions(const S3vColumn *column)
{
	if (column->typmod <= 0 || pgvector_kind_of(column->base_type) < 0)
		return 0;
	return column->typmod;
}

/* ---- values ---- */

float *
vector_allocate(int count)
{
	return palloc(Max(count, 1) * sizeof(float));
}

bool
vector_has_too_many(int dimensions, VectorProblem *problem)
{
	if (dimensions <= MAX_DIMENSIONS)
		return false;
	problem->sqlstate = ERRCODE_PROGRAM_LIMIT_EXCEEDED;
	problem->detail = psprintf("The vector has %d dimensions, more than the %d that s3v takes.", dimensions, MAX_DIMENSIONS);
	return true;
}

void
vector_refuse_subscripts(VectorProblem *problem)
{
	problem->sqlstate = ERRCODE_ARRAY_SUBSCRIPT_ERROR;
	problem->detail = pstrdup("The vector must be a one-dimensional array.");
}

void
vector_refuse_nulls(VectorProblem *problem)
{
	problem->sqlstate = ERRCODE_NULL_VALUE_NOT_ALLOWED;
	problem->detail = pstrdup("The vector has NULL elements.");
}

static void
convert_numerics(ArrayType *array, float *values)
{
	Datum	   *elements;
	int			count;

	deconstruct_array(array, ARR_ELEMTYPE(array), -1, false, TYPALIGN_INT, &elements, NULL, &count);
	for (int i = 0; i < count; i++)
	{
		char	   *text = DatumGetCString(DirectFunctionCall1(numeric_out, elements[i]));

		/* From the digits, as the text form is: through double, some values would be rounded twice. */
		values[i] = strtof(text, NULL);
		pfree(text);
	}
	pfree(elements);
}

static void
convert_integers(ArrayType *array, int count, float *values)
{
	const void *data = ARR_DATA_PTR(array);
	Oid			element = getBaseType(ARR_ELEMTYPE(array));

	for (int i = 0; i < count; i++)
	{
		if (element == INT2OID)
			values[i] = (float) ((const int16 *) data)[i];
		else if (element == INT4OID)
			values[i] = (float) ((const int32 *) data)[i];
		else
			values[i] = (float) ((const int64 *) data)[i];
	}
}

/* All elements in row-major order; in the array itself where they lie there as they are. */
static const float *
element_values(ArrayType *array, S3vVectorKind kind, int count)
{
	float	   *values;

	if (kind == VECTOR_FLOAT4_ARRAY)
		return (const float *) ARR_DATA_PTR(array);
	values = vector_allocate(count);
	if (kind == VECTOR_FLOAT8_ARRAY)
	{
		for (int i = 0; i < count; i++)
			values[i] = (float) ((const double *) ARR_DATA_PTR(array))[i];
	}
	else if (kind == VECTOR_NUMERIC_ARRAY)
		convert_numerics(array, values);
	else
		convert_integers(array, count, values);
	return values;
}

static const float *
array_values(ArrayType *array, S3vVectorKind kind, int *dimensions, VectorProblem *problem)
{
	int			count = ArrayGetNItems(ARR_NDIM(array), ARR_DIMS(array));

	if (ARR_NDIM(array) > 1)
		vector_refuse_subscripts(problem);
	else if (array_contains_nulls(array))
		vector_refuse_nulls(problem);
	if (problem->sqlstate != 0 || vector_has_too_many(count, problem))
		return NULL;

	*dimensions = count;
	return element_values(array, kind, count);
}

/* Exact: every half has its float. */
static float
half_to_float(uint16 half)
{
	uint32		sign = (uint32) (half & 0x8000) << 16;
	uint32		exponent = (half >> 10) & 0x1F;
	uint32		mantissa = half & 0x3FF;
	uint32		bits;
	float		value;

	if (exponent == 0)
	{
		value = ldexpf((float) mantissa, -24);
		return sign == 0 ? value : -value;
	}
	if (exponent == 0x1F)
		bits = sign | 0x7F800000 | (mantissa << 13);
	else
		bits = sign | ((exponent + 127 - 15) << 23) | (mantissa << 13);
	memcpy(&value, &bits, sizeof(value));
	return value;
}

static const float *
pgvector_values(const PgvectorHeader *header, S3vVectorKind kind, int *dimensions, VectorProblem *problem)
{
	int			count = header->dimensions;
	Size		element = kind == VECTOR_PGVECTOR ? sizeof(float) : sizeof(uint16);
	const char *data = (const char *) header + sizeof(PgvectorHeader);
	float	   *values;

	if (VARSIZE(header) < sizeof(PgvectorHeader) || count < 0 ||
		VARSIZE(header) != sizeof(PgvectorHeader) + count * element)
		ereport(ERROR,
				(errcode(ERRCODE_DATA_CORRUPTED),
				 errmsg("vector of %zu bytes has an unknown layout", (Size) VARSIZE(header))));
	if (vector_has_too_many(count, problem))
		return NULL;

	*dimensions = count;
	if (kind == VECTOR_PGVECTOR)
		return (const float *) data;
	values = vector_allocate(count);
	for (int i = 0; i < count; i++)
		values[i] = half_to_float(((const uint16 *) data)[i]);
	return values;
}

/* ---- what callers use ---- */

static const float *
convert(Datum value, S3vVectorKind kind, int *dimensions, VectorProblem *problem)
{
	void	   *flat;
	const float *values;

	if (kind == VECTOR_TEXT)
	{
		flat = TextDatumGetCString(value);
		values = vector_text_values(flat, dimensions, problem);
		pfree(flat);
		return values;
	}

	flat = PG_DETOAST_DATUM(value);
	if (kind == VECTOR_PGVECTOR || kind == VECTOR_PGHALFVEC)
		values = pgvector_values(flat, kind, dimensions, problem);
	else
		values = array_values(flat, kind, dimensions, problem);
	if (values == NULL && flat != DatumGetPointer(value))
		pfree(flat);
	return values;
}

static void
raise_problem(const VectorProblem *problem)
{
	ereport(ERROR,
			(errcode(problem->sqlstate),
			 errmsg("invalid vector"),
			 errdetail_internal("%s", problem->detail)));
}

const float *
vector_from_datum(Datum value, Oid type, S3vVectorKind kind, int *dimensions)
{
	VectorProblem problem = {0};
	const float *values = convert(value, kind, dimensions, &problem);

	if (values == NULL)
		raise_problem(&problem);
	return values;
}

const float *
vectors_from_matrix(ArrayType *array, S3vVectorKind kind)
{
	VectorProblem problem = {0};

	if (array_contains_nulls(array))
		vector_refuse_nulls(&problem);
	if (problem.sqlstate != 0 || vector_has_too_many(ARR_DIMS(array)[1], &problem))
		raise_problem(&problem);
	return element_values(array, kind, ARR_DIMS(array)[0] * ARR_DIMS(array)[1]);
}

const float *
vector_from_row(Datum value, const S3vSource *source, int *dimensions, char **complaint)
{
	VectorProblem problem = {0};
	const float *values = convert(value, source->vector_kind, dimensions, &problem);

	*complaint = problem.detail;
	return values;
}

char *
vector_complaint(const float *values, int count, int dimensions)
{
	if (count != dimensions)
		return psprintf("The vector has %d dimension%s, the index %d.", count, count == 1 ? "" : "s", dimensions);
	for (int i = 0; i < count; i++)
	{
		if (isnan(values[i]))
			return psprintf("Element %d of the vector is NaN.", i + 1);
		if (isinf(values[i]))
			return psprintf("Element %d of the vector is infinite or too large for a 4-byte float.", i + 1);
	}
	return NULL;
}

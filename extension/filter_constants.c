/* Scalars of a filter as constants of SQL types: what the core's comparison means (src/filter/number.h), in the type's own values. */
#include "postgres.h"

#include <float.h>
#include <math.h>

#include "access/htup_details.h"
#include "catalog/pg_cast.h"
#include "catalog/pg_enum.h"
#include "catalog/pg_type.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/catcache.h"
#include "utils/fmgrprotos.h"
#include "utils/lsyscache.h"
#include "utils/numeric.h"
#include "utils/syscache.h"

#include "filter_sql.h"

/* ---- numbers ---- */

static Datum
integer_datum(Oid type, int64 value)
{
	return type == INT2OID ? Int16GetDatum((int16) value) :
		type == INT4OID ? Int32GetDatum((int32) value) : Int64GetDatum(value);
}

static int64
least_of(Oid type)
{
	return type == INT2OID ? PG_INT16_MIN : type == INT4OID ? PG_INT32_MIN : PG_INT64_MIN;
}

static int64
greatest_of(Oid type)
{
	return type == INT2OID ? PG_INT16_MAX : type == INT4OID ? PG_INT32_MAX : PG_INT64_MAX;
}

static int
compare_numeric(Numeric a, Numeric b)
{
	return DatumGetInt32(DirectFunctionCall2(numeric_cmp, NumericGetDatum(a), NumericGetDatum(b)));
}

static Numeric
floor_of(Numeric number)
{
	return DatumGetNumeric(DirectFunctionCall1(numeric_floor, NumericGetDatum(number)));
}

/* -1, 0 or 1: below, among or above the values of the type. */
static int
place_among(Oid type, Numeric number)
{
	if (compare_numeric(number, int64_to_numeric(least_of(type))) < 0)
		return -1;
	return compare_numeric(number, int64_to_numeric(greatest_of(type))) > 0;
}

static int64
to_int64(Numeric number)
{
	return DatumGetInt64(DirectFunctionCall1(numeric_int8, NumericGetDatum(number)));
}

S3vBound
filter_greatest_integer(Oid type, Numeric number, bool or_equal, Datum *value)
{
	Numeric		whole = floor_of(number);
	int			place = place_among(type, whole);
	int64		bound;

	if (place != 0)
		return place < 0 ? BOUND_NONE : BOUND_ALL;
	bound = to_int64(whole);
	if (!or_equal && compare_numeric(whole, number) == 0)
	{
		if (bound == least_of(type))
			return BOUND_NONE;
		bound--;
	}
	*value = integer_datum(type, bound);
	return bound == greatest_of(type) ? BOUND_ALL : BOUND_FOUND;
}

S3vBound
filter_least_integer(Oid type, Numeric number, bool or_equal, Datum *value)
{
	Numeric		whole = floor_of(number);
	int			place = place_among(type, whole);
	int64		bound;

	if (place != 0)
		return place < 0 ? BOUND_ALL : BOUND_NONE;
	bound = to_int64(whole);
	if (!or_equal || compare_numeric(whole, number) != 0)
	{
		if (bound == greatest_of(type))
			return BOUND_NONE;
		bound++;
	}
	*value = integer_datum(type, bound);
	return bound == least_of(type) ? BOUND_ALL : BOUND_FOUND;
}

static S3vConstant
integer_constant(Oid type, Numeric number, Datum *value)
{
	Numeric		whole = floor_of(number);

	if (compare_numeric(whole, number) != 0 || place_among(type, whole) != 0)
		return CONSTANT_NONE;
	*value = integer_datum(type, to_int64(whole));
	return CONSTANT_FOUND;
}

/* Binary floating point is compared with the nearest double. */
static S3vConstant
float_constant(Oid type, Numeric number, Datum *value)
{
	char	   *text = DatumGetCString(DirectFunctionCall1(numeric_out, NumericGetDatum(number)));
	double		nearest = strtod(text, NULL);
	bool		is_zero = compare_numeric(number, int64_to_numeric(0)) == 0;

	pfree(text);
	/* Where doubles become sparse, readers of numbers differ in what they round to. */
	if (isinf(nearest) || (fabs(nearest) < DBL_MIN && !is_zero))
		return CONSTANT_UNCERTAIN;
	if (type == FLOAT4OID && (fabs(nearest) > FLT_MAX || (double) (float) nearest != nearest))
		return CONSTANT_NONE;
	*value = type == FLOAT4OID ? Float4GetDatum((float) nearest) : Float8GetDatum(nearest);
	return CONSTANT_FOUND;
}

static S3vConstant
number_constant(Oid type, Numeric number, Datum *value)
{
	switch (type)
	{
		case INT2OID:
		case INT4OID:
		case INT8OID:
			return integer_constant(type, number, value);
		case FLOAT4OID:
		case FLOAT8OID:
			return float_constant(type, number, value);
		case NUMERICOID:
			*value = NumericGetDatum(number);
			return CONSTANT_FOUND;
		default:
			return CONSTANT_NONE;
	}
}

/* ---- strings ---- */

/* As uuid_out prints it; other spellings are equal to none. */
static S3vConstant
uuid_constant(const char *text, int size, Datum *value)
{
	if (size != 36)
		return CONSTANT_NONE;
	for (int i = 0; i < size; i++)
	{
		bool		is_hyphen = i == 8 || i == 13 || i == 18 || i == 23;

		if (is_hyphen ? text[i] != '-' : strchr("0123456789abcdef", text[i]) == NULL)
			return CONSTANT_NONE;
	}
	*value = DirectFunctionCall1(uuid_in, CStringGetDatum(text));
	return CONSTANT_FOUND;
}

static S3vConstant
enum_constant(Oid type, const char *label, int size, Datum *value)
{
	HeapTuple	tuple;

	if (size >= NAMEDATALEN)
		return CONSTANT_NONE;
	tuple = SearchSysCache2(ENUMTYPOIDNAME, ObjectIdGetDatum(type), CStringGetDatum(label));
	if (!HeapTupleIsValid(tuple))
		return CONSTANT_NONE;
	*value = ObjectIdGetDatum(((Form_pg_enum) GETSTRUCT(tuple))->oid);
	ReleaseSysCache(tuple);
	return CONSTANT_FOUND;
}

static S3vConstant
string_constant(Oid type, const char *data, int size, Datum *value)
{
	char	   *text;

	switch (type)
	{
		case TEXTOID:
		case VARCHAROID:
		case BPCHAROID:
			*value = PointerGetDatum(cstring_to_text_with_len(data, size));
			return CONSTANT_FOUND;
		case DATEOID:
		case TIMESTAMPOID:
		case TIMESTAMPTZOID:
			*value = metadata_time_from_text(pnstrdup(data, size), type);
			return CONSTANT_FOUND;
		default:
			break;
	}
	text = pnstrdup(data, size);
	if (type == UUIDOID)
		return uuid_constant(text, size, value);
	return get_typtype(type) == TYPTYPE_ENUM ? enum_constant(type, text, size, value) : CONSTANT_NONE;
}

S3vConstant
filter_constant(Oid type, const JsonbValue *scalar, Datum *value)
{
	switch (scalar->type)
	{
		case jbvString:
			return string_constant(type, scalar->val.string.val, scalar->val.string.len, value);
		case jbvNumeric:
			return number_constant(type, scalar->val.numeric, value);
		case jbvBool:
			*value = BoolGetDatum(scalar->val.boolean);
			return type == BOOLOID ? CONSTANT_FOUND : CONSTANT_NONE;
		default:
			return CONSTANT_UNCERTAIN;
	}
}

/* ---- types and their values ---- */

/* Then "=" of that type may be taken for another type's, by way of a function of whoever made the type. */
static bool
has_implicit_cast(Oid type)
{
	CatCList   *casts = SearchSysCacheList1(CASTSOURCETARGET, ObjectIdGetDatum(type));
	bool		found = false;

	for (int i = 0; i < casts->n_members; i++)
		found |= ((Form_pg_cast) GETSTRUCT(&casts->members[i]->tuple))->castcontext == COERCION_CODE_IMPLICIT;
	ReleaseSysCacheList(casts);
	return found;
}

Oid
filter_compared_as(const S3vColumn *column)
{
	Oid			element;

	switch (column->kind)
	{
		case S3V_COLUMN_LIST:
			element = get_element_type(column->base_type);
			return getBaseType(element) == element ? element : InvalidOid;
		case S3V_COLUMN_JSON:
			return InvalidOid;
		default:
			break;
	}
	switch (column->base_type)
	{
		case VARCHAROID:
		case NAMEOID:
			return TEXTOID;
		case FLOAT4OID:
			return FLOAT8OID;
		default:
			return type_is_enum(column->base_type) && has_implicit_cast(column->base_type) ? InvalidOid : column->base_type;
	}
}

Datum
filter_array(Oid type, Datum *values, int count)
{
	int16		length;
	bool		by_value;
	char		alignment;

	get_typlenbyvalalign(type, &length, &by_value, &alignment);
	return PointerGetDatum(construct_array(values, count, type, length, by_value, alignment));
}

Datum
filter_prefix_pattern(const char *prefix, int size)
{
	StringInfoData pattern;

	initStringInfo(&pattern);
	for (int i = 0; i < size; i++)
	{
		if (strchr("%_\\", prefix[i]) != NULL)
			appendStringInfoChar(&pattern, '\\');
		appendStringInfoChar(&pattern, prefix[i]);
	}
	appendStringInfoChar(&pattern, '%');
	return PointerGetDatum(cstring_to_text_with_len(pattern.data, pattern.len));
}

/*
 * Metadata of a row as bytes for segments and filters (src/format/metadata.h).
 */
#include "postgres.h"

#include "source.h"

#include "access/htup_details.h"
#include "catalog/pg_type.h"
#include "mb/pg_wchar.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/date.h"
#include "utils/fmgrprotos.h"
#include "utils/lsyscache.h"
#include "utils/numeric.h"
#include "utils/timestamp.h"

static s3v_column_kind
scalar_kind_of(Oid type)
{
	switch (type)
	{
		case TEXTOID:
		case VARCHAROID:
		case BPCHAROID:
		case NAMEOID:
			return S3V_COLUMN_TEXT;
		case BOOLOID:
			return S3V_COLUMN_BOOLEAN;
		case INT2OID:
		case INT4OID:
		case INT8OID:
		case FLOAT4OID:
		case FLOAT8OID:
		case NUMERICOID:
			return S3V_COLUMN_NUMBER;
		case DATEOID:
		case TIMESTAMPOID:
		case TIMESTAMPTZOID:
			return S3V_COLUMN_TIME;
		case UUIDOID:
			return S3V_COLUMN_LABEL;
		default:
			return get_typtype(type) == TYPTYPE_ENUM ? S3V_COLUMN_LABEL : 0;
	}
}

static bool
can_be_element(Oid type)
{
	s3v_column_kind kind = scalar_kind_of(type);

	return kind == S3V_COLUMN_NUMBER || kind == S3V_COLUMN_BOOLEAN || type == TEXTOID || type == VARCHAROID;
}

int
metadata_kind_of(Oid type)
{
	Oid			base_type = getBaseType(type);
	Oid			element = get_element_type(base_type);

	if (OidIsValid(element))
		return can_be_element(getBaseType(element)) ? S3V_COLUMN_LIST : 0;
	if (base_type == JSONBOID)
		return S3V_COLUMN_JSON;
	return scalar_kind_of(base_type);
}

/* ---- values as bytes ---- */

static void
append_tag(StringInfo out, int tag)
{
	appendStringInfoCharMacro(out, (char) tag);
}

static void
store_u32(char *to, uint32 value)
{
	for (int i = 0; i < 4; i++)
		to[i] = (char) (value >> (8 * i));
}

static void
append_u32(StringInfo out, uint32 value)
{
	char		bytes[4];

	store_u32(bytes, value);
	appendBinaryStringInfo(out, bytes, sizeof(bytes));
}

static void
append_u64(StringInfo out, int tag, uint64 value)
{
	append_tag(out, tag);
	append_u32(out, (uint32) value);
	append_u32(out, (uint32) (value >> 32));
}

static void
append_float(StringInfo out, double value)
{
	uint64		bits;

	memcpy(&bits, &value, sizeof(bits));
	append_u64(out, S3V_TAG_FLOAT, bits);
}

/* The bytes of an SQL_ASCII database go as they are: their encoding is known to nobody. */
static bool
is_utf8_already(void)
{
	return GetDatabaseEncoding() == PG_UTF8 || GetDatabaseEncoding() == PG_SQL_ASCII;
}

const char *
metadata_to_utf8(const char *text)
{
	return is_utf8_already() ? text : pg_server_to_any(text, strlen(text), PG_UTF8);
}

const char *
metadata_from_utf8(const char *text)
{
	return is_utf8_already() ? text : pg_any_to_server(text, strlen(text), PG_UTF8);
}

static void
append_text(StringInfo out, int tag, const char *data, int size)
{
	char	   *converted = NULL;

	if (!is_utf8_already())
	{
		converted = pg_server_to_any(data, size, PG_UTF8);
		if (converted == data)
			converted = NULL;
		else
		{
			data = converted;
			size = strlen(converted);
		}
	}
	append_tag(out, tag);
	append_u32(out, size);
	appendBinaryStringInfo(out, data, size);
	if (converted != NULL)
		pfree(converted);
}

/* What the type's output function prints. */
static void
append_printed(StringInfo out, int tag, PGFunction output, Datum value)
{
	char	   *text = DatumGetCString(DirectFunctionCall1(output, value));

	append_text(out, tag, text, strlen(text));
	pfree(text);
}

/*
 * Dates reach farther than int64 microseconds, to the year 5,874,897. The days beyond lie a microsecond apart there, so that order
 * and equality hold for them as well.
 */
static int64
date_as_microseconds(DateADT date)
{
	const int64 last_day = PG_INT64_MAX / USECS_PER_DAY;

	if (DATE_IS_NOBEGIN(date))
		return PG_INT64_MIN;
	if (DATE_IS_NOEND(date))
		return PG_INT64_MAX;
	if (date > last_day)
		return last_day * USECS_PER_DAY + (date - last_day);
	return date * USECS_PER_DAY;
}

/* Infinite timestamps are the ends of int64 already. */
int64
metadata_time(Datum value, Oid type)
{
	return type == DATEOID ? date_as_microseconds(DatumGetDateADT(value)) : DatumGetInt64(value);
}

static void
append_scalar(StringInfo out, Datum value, Oid type)
{
	text	   *string;
	int			size;

	switch (type)
	{
		case TEXTOID:
		case VARCHAROID:
		case BPCHAROID:
			string = DatumGetTextPP(value);
			size = VARSIZE_ANY_EXHDR(string);
			/* Padding is no part of a character(n) value: neither = nor a cast to text sees it. */
			if (type == BPCHAROID)
				size = bpchartruelen(VARDATA_ANY(string), size);
			append_text(out, S3V_TAG_TEXT, VARDATA_ANY(string), size);
			if ((Pointer) string != DatumGetPointer(value))
				pfree(string);
			break;
		case NAMEOID:
			append_text(out, S3V_TAG_TEXT, NameStr(*DatumGetName(value)), strlen(NameStr(*DatumGetName(value))));
			break;
		case BOOLOID:
			append_tag(out, DatumGetBool(value) ? S3V_TAG_TRUE : S3V_TAG_FALSE);
			break;
		case INT2OID:
			append_u64(out, S3V_TAG_INTEGER, (uint64) (int64) DatumGetInt16(value));
			break;
		case INT4OID:
			append_u64(out, S3V_TAG_INTEGER, (uint64) (int64) DatumGetInt32(value));
			break;
		case INT8OID:
			append_u64(out, S3V_TAG_INTEGER, (uint64) DatumGetInt64(value));
			break;
		case FLOAT4OID:
			append_float(out, DatumGetFloat4(value));
			break;
		case FLOAT8OID:
			append_float(out, DatumGetFloat8(value));
			break;
		case NUMERICOID:
			append_printed(out, S3V_TAG_DECIMAL, numeric_out, value);
			break;
		case DATEOID:
		case TIMESTAMPOID:
		case TIMESTAMPTZOID:
			append_u64(out, S3V_TAG_TIME, (uint64) metadata_time(value, type));
			break;
		case UUIDOID:
			append_printed(out, S3V_TAG_TEXT, uuid_out, value);
			break;
		default:
			append_printed(out, S3V_TAG_TEXT, enum_out, value);
			break;
	}
}

/* Of every number of dimensions, flattened. */
static void
append_array(StringInfo out, Datum value)
{
	ArrayType  *array = DatumGetArrayTypeP(value);
	Oid			element = ARR_ELEMTYPE(array);
	int16		length;
	bool		by_value;
	char		alignment;
	Datum	   *elements;
	bool	   *nulls;
	int			count;
	int			count_at;
	uint32		kept = 0;

	get_typlenbyvalalign(element, &length, &by_value, &alignment);
	deconstruct_array(array, element, length, by_value, alignment, &elements, &nulls, &count);
	element = getBaseType(element);

	append_tag(out, S3V_TAG_LIST);
	count_at = out->len;
	append_u32(out, 0);
	for (int i = 0; i < count; i++)
	{
		if (nulls[i])
			continue;
		append_scalar(out, elements[i], element);
		kept++;
	}
	store_u32(out->data + count_at, kept);

	pfree(elements);
	pfree(nulls);
	if ((Pointer) array != DatumGetPointer(value))
		pfree(array);
}

/* ---- jsonb as bytes ---- */

/* False for a null or a container, which filters cannot look into. */
static bool
append_json_scalar(StringInfo out, const JsonbValue *value)
{
	switch (value->type)
	{
		case jbvString:
			append_text(out, S3V_TAG_TEXT, value->val.string.val, value->val.string.len);
			return true;
		case jbvNumeric:
			append_printed(out, S3V_TAG_DECIMAL, numeric_out, NumericGetDatum(value->val.numeric));
			return true;
		case jbvBool:
			append_tag(out, value->val.boolean ? S3V_TAG_TRUE : S3V_TAG_FALSE);
			return true;
		default:
			return false;
	}
}

static bool
append_json_list(StringInfo out, JsonbContainer *list)
{
	JsonbIterator *iterator = JsonbIteratorInit(list);
	JsonbValue	value;
	JsonbIteratorToken token;
	bool		fits = true;

	append_tag(out, S3V_TAG_LIST);
	append_u32(out, JsonContainerSize(list));
	while (fits && (token = JsonbIteratorNext(&iterator, &value, true)) != WJB_DONE)
	{
		if (token == WJB_ELEM)
			fits = append_json_scalar(out, &value);
	}
	return fits;
}

static void
append_json(StringInfo out, Datum value)
{
	Jsonb	   *json = DatumGetJsonbP(value);
	JsonbContainer *root = &json->root;
	JsonbValue	scalar;
	int			start = out->len;
	bool		fits = false;
	char	   *text;

	if (JsonContainerIsScalar(root))
	{
		JsonbExtractScalar(root, &scalar);
		fits = append_json_scalar(out, &scalar);
	}
	else if (JsonContainerIsArray(root))
		fits = append_json_list(out, root);

	if (!fits)
	{
		out->len = start;
		text = JsonbToCString(NULL, root, VARSIZE(json));
		append_text(out, S3V_TAG_JSON, text, strlen(text));
		pfree(text);
	}
	if ((Pointer) json != DatumGetPointer(value))
		pfree(json);
}

void
metadata_encode(StringInfo out, const S3vSource *source, const Datum *values, const bool *nulls)
{
	for (int i = 0; i < source->metadata_count; i++)
	{
		const S3vColumn *column = &source->metadata[i];

		if (nulls[i])
			append_tag(out, S3V_TAG_NULL);
		else if (column->kind == S3V_COLUMN_LIST)
			append_array(out, values[i]);
		else if (column->kind == S3V_COLUMN_JSON)
			append_json(out, values[i]);
		else
			append_scalar(out, values[i], column->base_type);
	}
}

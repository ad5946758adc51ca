/*
 * Metadata as a version of the index has it (src/format/metadata.h), turned back into the jsonb that the row gave. Bytes come from a store:
 * nothing of them is believed.
 */
#include "postgres.h"

#include "source.h"

#include "catalog/pg_type.h"
#include "mb/pg_wchar.h"
#include "utils/builtins.h"
#include "utils/date.h"
#include "utils/fmgrprotos.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/numeric.h"
#include "utils/timestamp.h"

typedef struct Reader
{
	const unsigned char *at;
	Size		left;
	const S3vColumn *column;	/* being read */
} Reader;

static void
refuse_bytes(const Reader *reader, const char *detail)
{
	ereport(ERROR,
			(errcode(ERRCODE_DATA_CORRUPTED),
			 errmsg("corrupted metadata of column \"%s\" in the index", reader->column->name),
			 errdetail_internal("%s", detail)));
}

/* The column had another type when the version was made. */
static void
refuse_type(const Reader *reader)
{
	ereport(ERROR,
			(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
			 errmsg("column \"%s\" had another type when this version of the index was made", reader->column->name)));
}

/* ---- bytes --------------------------------------------------------------------------------------------------------------- */

static const unsigned char *
take(Reader *reader, Size size)
{
	const unsigned char *taken = reader->at;

	if (size > reader->left)
		refuse_bytes(reader, psprintf("It wants %zu bytes where %zu are left.", size, reader->left));
	reader->at += size;
	reader->left -= size;
	return taken;
}

static uint32
take_u32(Reader *reader)
{
	const unsigned char *bytes = take(reader, 4);

	return (uint32) bytes[0] | (uint32) bytes[1] << 8 | (uint32) bytes[2] << 16 | (uint32) bytes[3] << 24;
}

static uint64
take_u64(Reader *reader)
{
	uint64		low = take_u32(reader);

	return low | (uint64) take_u32(reader) << 32;
}

static double
take_float(Reader *reader)
{
	uint64		bits = take_u64(reader);
	double		value;

	memcpy(&value, &bits, sizeof(value));
	return value;
}

/* In the server's encoding. */
static const char *
take_text(Reader *reader)
{
	uint32		size = take_u32(reader);
	const char *bytes = (const char *) take(reader, size);
	int			encoding = GetDatabaseEncoding() == PG_SQL_ASCII ? PG_SQL_ASCII : PG_UTF8;

	if (size > MaxAllocSize / MAX_CONVERSION_GROWTH || !pg_verify_mbstr(encoding, bytes, size, true))
		refuse_bytes(reader, psprintf("A text of %u bytes is none in encoding %s.", size, pg_encoding_to_char(encoding)));
	return metadata_from_utf8(pnstrdup(bytes, size));
}

/* ---- values -------------------------------------------------------------------------------------------------------------- */

/* Could metadata_encode() have made a value with this tag of a column of that kind? Numbers of one type are as good as those of another. */
static bool
fits(int tag, s3v_column_kind kind)
{
	switch (tag)
	{
		case S3V_TAG_FALSE:
		case S3V_TAG_TRUE:
			return kind == S3V_COLUMN_BOOLEAN || kind == S3V_COLUMN_JSON;
		case S3V_TAG_INTEGER:
		case S3V_TAG_FLOAT:
		case S3V_TAG_DECIMAL:
			return kind == S3V_COLUMN_NUMBER || kind == S3V_COLUMN_JSON;
		case S3V_TAG_TEXT:
			return kind == S3V_COLUMN_TEXT || kind == S3V_COLUMN_LABEL || kind == S3V_COLUMN_JSON;
		case S3V_TAG_TIME:
			return kind == S3V_COLUMN_TIME;
		case S3V_TAG_LIST:
			return kind == S3V_COLUMN_LIST || kind == S3V_COLUMN_JSON;
		case S3V_TAG_JSON:
			return kind == S3V_COLUMN_JSON;
		default:
			return true;		/* no tag at all: read_scalar() refuses it */
	}
}

/* A character(n) value shows its padding, which is not stored. */
static Datum
text_value(const char *text, Oid type, int32 typmod)
{
	StringInfoData padded;
	int			missing;

	if (type != BPCHAROID || typmod < (int32) VARHDRSZ)
		return CStringGetTextDatum(text);
	missing = (typmod - VARHDRSZ) - pg_mbstrlen(text);
	initStringInfo(&padded);
	appendStringInfoString(&padded, text);
	if (missing > 0)
		appendStringInfoSpaces(&padded, missing);
	return CStringGetTextDatum(padded.data);
}

/* The way back from date_as_microseconds() in metadata.c. */
static Datum
date_value(const Reader *reader, int64 microseconds)
{
	const int64 last_day = PG_INT64_MAX / USECS_PER_DAY;
	int64		date = microseconds / USECS_PER_DAY;

	if (microseconds == PG_INT64_MIN)
		return DateADTGetDatum(DATEVAL_NOBEGIN);
	if (microseconds == PG_INT64_MAX)
		return DateADTGetDatum(DATEVAL_NOEND);
	if (date == last_day)
		date += microseconds % USECS_PER_DAY;
	else if (microseconds % USECS_PER_DAY < 0)
		date--;
	if (!IS_VALID_DATE(date))
		refuse_bytes(reader, "The date is out of range.");
	return DateADTGetDatum((DateADT) date);
}

static Datum
time_value(const Reader *reader, int64 microseconds, Oid type)
{
	if (type == DATEOID)
		return date_value(reader, microseconds);
	if (!TIMESTAMP_NOT_FINITE(microseconds) && !IS_VALID_TIMESTAMP(microseconds))
		refuse_bytes(reader, "The timestamp is out of range.");
	return TimestampTzGetDatum(microseconds);
}

/* Neither a null nor a list. As the live row's: through the value that the tag stands for. */
static void
read_scalar(Reader *reader, int tag, Oid type, int32 typmod, JsonbValue *json)
{
	double		number;

	switch (tag)
	{
		case S3V_TAG_FALSE:
		case S3V_TAG_TRUE:
			metadata_json_value(json, BOOLOID, BoolGetDatum(tag == S3V_TAG_TRUE));
			break;
		case S3V_TAG_INTEGER:
			metadata_json_value(json, INT8OID, Int64GetDatum((int64) take_u64(reader)));
			break;
		case S3V_TAG_FLOAT:
			number = take_float(reader);
			/* A real prints with fewer digits. */
			if (type == FLOAT4OID && (double) (float4) number == number)
				metadata_json_value(json, FLOAT4OID, Float4GetDatum((float4) number));
			else
				metadata_json_value(json, FLOAT8OID, Float8GetDatum(number));
			break;
		case S3V_TAG_DECIMAL:
			metadata_json_value(json, NUMERICOID,
								DirectFunctionCall3(numeric_in, CStringGetDatum(take_text(reader)), ObjectIdGetDatum(InvalidOid),
													Int32GetDatum(-1)));
			break;
		case S3V_TAG_TEXT:
			metadata_json_value(json, TEXTOID, text_value(take_text(reader), type, typmod));
			break;
		case S3V_TAG_TIME:
			metadata_json_value(json, type, time_value(reader, (int64) take_u64(reader), type));
			break;
		case S3V_TAG_JSON:
			metadata_json_value(json, JSONBOID, DirectFunctionCall1(jsonb_in, CStringGetDatum(take_text(reader))));
			break;
		default:
			refuse_bytes(reader, psprintf("Unknown value tag %d.", tag));
	}
}

/* One dimension, without NULLs: this is what is stored of an array. */
static void
read_list(Reader *reader, JsonbParseState **state)
{
	const S3vColumn *column = reader->column;
	bool		is_array = column->kind == S3V_COLUMN_LIST;
	Oid			type = is_array ? getBaseType(get_element_type(column->base_type)) : JSONBOID;
	s3v_column_kind kind = is_array ? (s3v_column_kind) metadata_kind_of(type) : S3V_COLUMN_JSON;
	uint32		count = take_u32(reader);

	pushJsonbValue(state, WJB_BEGIN_ARRAY, NULL);
	for (uint32 i = 0; i < count; i++)
	{
		int			tag = *take(reader, 1);
		JsonbValue	json;

		if (tag == S3V_TAG_NULL || tag >= S3V_TAG_LIST)
			refuse_bytes(reader, psprintf("A list has an element with tag %d.", tag));
		if (!fits(tag, kind))
			refuse_type(reader);
		read_scalar(reader, tag, type, -1, &json);
		pushJsonbValue(state, WJB_ELEM, &json);
	}
	pushJsonbValue(state, WJB_END_ARRAY, NULL);
}

static void
read_column(Reader *reader, JsonbParseState **state)
{
	const S3vColumn *column = reader->column;
	int			tag = *take(reader, 1);
	JsonbValue	json;

	if (tag == S3V_TAG_NULL)
		return;
	if (!fits(tag, column->kind))
		refuse_type(reader);
	json.type = jbvString;
	json.val.string.val = column->name;
	json.val.string.len = strlen(column->name);
	pushJsonbValue(state, WJB_KEY, &json);
	if (tag == S3V_TAG_LIST)
	{
		read_list(reader, state);
		return;
	}
	read_scalar(reader, tag, column->base_type, column->typmod, &json);
	pushJsonbValue(state, WJB_VALUE, &json);
}

Jsonb *
metadata_decode(const S3vSource *source, const void *row, Size size)
{
	Reader		reader = {.at = row, .left = size};
	JsonbParseState *state = NULL;

	pushJsonbValue(&state, WJB_BEGIN_OBJECT, NULL);
	for (int i = 0; i < source->metadata_count; i++)
	{
		reader.column = &source->metadata[i];
		read_column(&reader, &state);
	}
	if (reader.left > 0 && source->metadata_count > 0)
		refuse_bytes(&reader, psprintf("%zu bytes follow the last column.", reader.left));
	return JsonbValueToJsonb(pushJsonbValue(&state, WJB_END_OBJECT, NULL));
}

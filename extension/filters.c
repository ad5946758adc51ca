/*
 * Filters of queries: compiled by the core, with the server's own reading of dates and times.
 */
#include "postgres.h"

#include "source.h"

#include "boundary.h"

#include "catalog/pg_type.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/numeric.h"

/* What the core takes (src/filter/json_tree.h). */
#define MAX_FILTER_BYTES (64 * 1024)

typedef struct TimeParser
{
	const S3vSource *source;
	MemoryContext context;
	ErrorData  *error;			/* caught, and no answer to the core's question: a cancel, out of memory */
} TimeParser;

Datum
metadata_time_from_text(const char *text, Oid type)
{
	PGFunction	input = type == DATEOID ? date_in : type == TIMESTAMPOID ? timestamp_in : timestamptz_in;

	return DirectFunctionCall3(input, CStringGetDatum(text), ObjectIdGetDatum(InvalidOid), Int32GetDatum(-1));
}

/* An s3v_parse_time: called by the core, so nothing may be raised past it. */
static int
parse_time(void *arg, int column, const char *text, int64_t *microseconds)
{
	TimeParser *parser = arg;
	Oid			type = parser->source->metadata[column].base_type;
	volatile int failed = 1;

	if (parser->error != NULL)
		return failed;
	PG_TRY();
	{
		*microseconds = metadata_time(metadata_time_from_text(metadata_from_utf8(text), type), type);
		failed = 0;
	}
	PG_CATCH();
	{
		ErrorData  *error;

		MemoryContextSwitchTo(parser->context);
		error = CopyErrorData();
		FlushErrorState();
		if (ERRCODE_TO_CATEGORY(error->sqlerrcode) == ERRCODE_DATA_EXCEPTION)
			FreeErrorData(error);
		else
			parser->error = error;
	}
	PG_END_TRY();
	return failed;
}

/*
 * Whether the keys and values alone exceed the bound. Asked before the text is made, which can be huge where the jsonb is small:
 * 1e131071 takes it 12 bytes.
 */
static bool
is_too_long(Jsonb *filter)
{
	JsonbIterator *iterator = JsonbIteratorInit(&filter->root);
	JsonbValue	value;
	JsonbIteratorToken token;
	Size		bytes = 0;

	while (bytes <= MAX_FILTER_BYTES && (token = JsonbIteratorNext(&iterator, &value, false)) != WJB_DONE)
	{
		bytes++;
		if (token != WJB_KEY && token != WJB_VALUE && token != WJB_ELEM)
			continue;
		if (value.type == jbvString)
			bytes += value.val.string.len;
		else if (value.type == jbvNumeric)
		{
			char	   *number = DatumGetCString(DirectFunctionCall1(numeric_out, NumericGetDatum(value.val.numeric)));

			bytes += strlen(number);
			pfree(number);
		}
	}
	return bytes > MAX_FILTER_BYTES;
}

static void
release_filter(void *filter)
{
	s3v_filter_free(filter);
}

/* The core reads UTF-8 only. */
static s3v_column *
filter_columns(const S3vSource *source)
{
	s3v_column *columns = palloc(Max(source->metadata_count, 1) * sizeof(s3v_column));

	for (int i = 0; i < source->metadata_count; i++)
	{
		columns[i].name = metadata_to_utf8(source->metadata[i].name);
		columns[i].kind = source->metadata[i].kind;
	}
	return columns;
}

s3v_filter *
metadata_filter(const S3vSource *source, Jsonb *filter)
{
	S3vHandle  *handle;
	TimeParser	parser = {source, CurrentMemoryContext, NULL};
	s3v_column *columns = filter_columns(source);
	const char *text;
	s3v_filter *compiled = NULL;
	s3v_code	code;
	s3v_error	err;

	if (is_too_long(filter))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("filter is too long"),
				 errhint("A filter may have 64 KiB of text.")));
	text = metadata_to_utf8(JsonbToCString(NULL, &filter->root, VARSIZE(filter)));

	handle = handle_make(CurrentMemoryContext, release_filter);
	code = s3v_filter_compile(text, columns, source->metadata_count, parse_time, &parser, &compiled, &err);
	handle->ptr = compiled;

	if (parser.error != NULL)
		ReThrowError(parser.error);
	boundary_raise(code, &err);
	return compiled;
}

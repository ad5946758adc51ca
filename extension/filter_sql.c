/*
 * Filters as conditions of SQL. A condition lets through every row that its filter passes, and may let through others, for whoever reads the
 * rows applies the filter again: what SQL cannot say for certain, or no index could make use of, is left out or becomes IS NOT NULL.
 */
#include "postgres.h"

#include "access/sysattr.h"
#include "catalog/pg_type.h"
#include "mb/pg_wchar.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"

#include "compat.h"
#include "filter_sql.h"

/* With more values in one $in, estimating how many rows have them takes longer than what it saves. */
#define MOST_VALUES 100

/* Of the rows there may be: how many a part of the filter can let through. */
typedef enum Outlook
{
	PASSES_NONE,				/* nothing was written */
	PASSES_SOME,				/* a condition was */
	PASSES_ALL					/* nothing was */
} Outlook;

typedef struct Writer
{
	const S3vSource *source;
	TupleDesc	columns;
	S3vCondition *out;
} Writer;

/* ---- pieces of text ---- */

typedef struct Mark
{
	int			length;
	int			count;
} Mark;

static Mark
mark_here(const Writer *writer)
{
	Mark		mark = {writer->out->sql.len, writer->out->count};

	return mark;
}

static void
go_back(Writer *writer, Mark mark)
{
	writer->out->sql.len = mark.length;
	writer->out->sql.data[mark.length] = '\0';
	writer->out->count = mark.count;
}

static Form_pg_attribute
attribute_of(const Writer *writer, const S3vColumn *column)
{
	return TupleDescAttr(writer->columns, column->attnum - 1);
}

/* Operators for enums and arrays do not look through domains. */
static void
put_column(Writer *writer, const S3vColumn *column)
{
	StringInfo	sql = &writer->out->sql;
	const char *name = quote_identifier(column->name);

	writer->out->columns = bms_add_member(writer->out->columns, column->attnum - FirstLowInvalidHeapAttributeNumber);
	if (column->type == column->base_type)
		appendStringInfoString(sql, name);
	else
		appendStringInfo(sql, "CAST(%s AS %s)", name,
						 format_type_extended(column->base_type, -1, FORMAT_TYPE_TYPEMOD_GIVEN | FORMAT_TYPE_FORCE_QUALIFY));
}

/* Of every operator but $exists the value must be there. */
static Outlook
put_presence(Writer *writer, const S3vColumn *column, bool present)
{
	if (present && column_never_null(writer->columns, column->attnum - 1))
		return PASSES_ALL;
	put_column(writer, column);
	appendStringInfoString(&writer->out->sql, present ? " IS NOT NULL" : " IS NULL");
	return PASSES_SOME;
}

/* `operand`: a format for the number of the constant. */
static Outlook
put_comparison(Writer *writer, const S3vColumn *column, const char *operator, const char *operand, Oid type, Datum value)
{
	S3vCondition *out = writer->out;

	if (out->count == CONDITION_CONSTANTS)
		return PASSES_ALL;
	put_column(writer, column);
	appendStringInfo(&out->sql, " OPERATOR(pg_catalog.%s) ", operator);
	out->types[out->count] = type;
	out->values[out->count] = value;
	out->count++;
	appendStringInfo(&out->sql, operand, out->count);
	return PASSES_SOME;
}

/* ---- $eq and $in ---- */

/* Some encodings have two spellings of what is one character to the core; where not, equal bytes are equal there and here. */
static bool
spells_characters_once(void)
{
	return GetDatabaseEncoding() == PG_UTF8 || pg_database_encoding_max_length() == 1;
}

static Outlook
put_any_of(Writer *writer, const S3vColumn *column, const JsonbValue *scalars, int count)
{
	Oid			type = filter_compared_as(column);
	Datum	   *values = palloc(sizeof(Datum) * count);
	int			found = 0;

	if (!OidIsValid(type))
		return put_presence(writer, column, true);
	for (int i = 0; i < count; i++)
	{
		if (scalars[i].type == jbvString && !spells_characters_once())
			return put_presence(writer, column, true);
		switch (filter_constant(type, &scalars[i], &values[found]))
		{
			case CONSTANT_FOUND:
				found++;
				break;
			case CONSTANT_NONE:
				break;
			case CONSTANT_UNCERTAIN:
				return put_presence(writer, column, true);
		}
	}
	if (found == 0)
		return PASSES_NONE;
	if (column->kind == S3V_COLUMN_LIST)
		return put_comparison(writer, column, "&&", "$%d", get_array_type(type), filter_array(type, values, found));
	if (found == 1)
		return put_comparison(writer, column, "=", "$%d", type, values[0]);
	return put_comparison(writer, column, "=", "ANY ($%d)", get_array_type(type), filter_array(type, values, found));
}

/* A jsonb array contains a scalar when one of its elements is equal to it, a jsonb scalar when it is itself. */
static Outlook
put_jsonb(Writer *writer, const S3vColumn *column, const JsonbValue *scalars, int count)
{
	JsonbValue	scalar = scalars[0];

	if (count != 1 || (scalar.type == jbvString && !spells_characters_once()))
		return put_presence(writer, column, true);
	return put_comparison(writer, column, "@>", "$%d", JSONBOID, JsonbPGetDatum(JsonbValueToJsonb(&scalar)));
}

static Outlook
put_equality(Writer *writer, const S3vColumn *column, const JsonbValue *scalars, int count)
{
	if (count > MOST_VALUES)
		return put_presence(writer, column, true);
	if (column->kind == S3V_COLUMN_JSON)
		return put_jsonb(writer, column, scalars, count);
	return put_any_of(writer, column, scalars, count);
}

static Outlook
put_listed(Writer *writer, const S3vColumn *column, const JsonbValue *list)
{
	JsonbIterator *iterator = JsonbIteratorInit(list->val.binary.data);
	JsonbValue *scalars = palloc(sizeof(JsonbValue) * JsonContainerSize(list->val.binary.data));
	JsonbValue	value;
	JsonbIteratorToken token;
	int			count = 0;

	while ((token = JsonbIteratorNext(&iterator, &value, true)) != WJB_DONE)
	{
		if (token == WJB_ELEM)
			scalars[count++] = value;
	}
	return put_equality(writer, column, scalars, count);
}

/* ---- $lt and its like, $startsWith ---- */

/*
 * Bytes are in the order of the core, which is that of UTF-8; a column of another collation has it in indexes that say so alone. The operand is
 * text, and so character(n) is compared without its padding.
 */
static Outlook
put_text_order(Writer *writer, const S3vColumn *column, const char *operator, const JsonbValue *scalar)
{
	bool		ordered = collation_is_c(attribute_of(writer, column)->attcollation);
	Datum		value;

	if (GetDatabaseEncoding() != PG_UTF8 && GetDatabaseEncoding() != PG_SQL_ASCII)
		return put_presence(writer, column, true);
	(void) filter_constant(TEXTOID, scalar, &value);
	return put_comparison(writer, column, operator, ordered ? "$%d" : "$%d COLLATE pg_catalog.\"C\"", TEXTOID, value);
}

static Outlook
put_integer_order(Writer *writer, const S3vColumn *column, const char *operator, Numeric number)
{
	bool		is_less = operator[0] == '<';
	bool		or_equal = operator[1] == '=';
	Datum		value;

	switch (is_less ? filter_greatest_integer(column->base_type, number, or_equal, &value) :
			filter_least_integer(column->base_type, number, or_equal, &value))
	{
		case BOUND_NONE:
			return PASSES_NONE;
		case BOUND_ALL:
			return put_presence(writer, column, true);
		case BOUND_FOUND:
			break;
	}
	return put_comparison(writer, column, is_less ? "<=" : ">=", "$%d", column->base_type, value);
}

static Outlook
put_order(Writer *writer, const S3vColumn *column, const char *operator, const JsonbValue *scalar)
{
	Oid			type = filter_compared_as(column);
	Datum		value;

	if (!OidIsValid(type))
		return put_presence(writer, column, true);
	if (column->kind == S3V_COLUMN_TEXT)
		return scalar->type == jbvString ? put_text_order(writer, column, operator, scalar) : PASSES_NONE;
	if (type == INT2OID || type == INT4OID || type == INT8OID)
		return put_integer_order(writer, column, operator, scalar->val.numeric);
	if (filter_constant(type, scalar, &value) != CONSTANT_FOUND)
		return put_presence(writer, column, true);
	return put_comparison(writer, column, operator, "$%d", type, value);
}

static Outlook
put_prefix(Writer *writer, const S3vColumn *column, const JsonbValue *prefix)
{
	Oid			collation = attribute_of(writer, column)->attcollation;

	if (column->kind != S3V_COLUMN_TEXT || !spells_characters_once() || !get_collation_isdeterministic(collation))
		return put_presence(writer, column, true);
	return put_comparison(writer, column, "~~", "$%d", TEXTOID,
						  filter_prefix_pattern(prefix->val.string.val, prefix->val.string.len));
}

/* ---- the filter ---- */

static bool
is_string(const JsonbValue *value, const char *text)
{
	return value->val.string.len == strlen(text) && memcmp(value->val.string.val, text, value->val.string.len) == 0;
}

static Outlook
put_operator(Writer *writer, const S3vColumn *column, const JsonbValue *name, const JsonbValue *operand)
{
	static const struct
	{
		const char *name;
		const char *operator;
	}			orders[] = {{"$lt", "<"}, {"$lte", "<="}, {"$gt", ">"}, {"$gte", ">="}};

	for (int i = 0; i < lengthof(orders); i++)
	{
		if (is_string(name, orders[i].name))
			return put_order(writer, column, orders[i].operator, operand);
	}
	if (is_string(name, "$eq"))
		return put_equality(writer, column, operand, 1);
	if (is_string(name, "$in"))
		return put_listed(writer, column, operand);
	if (is_string(name, "$startsWith"))
		return put_prefix(writer, column, operand);
	if (is_string(name, "$exists"))
		return put_presence(writer, column, operand->val.boolean);
	return put_presence(writer, column, true);
}

static const S3vColumn *
find_column(const Writer *writer, const JsonbValue *name)
{
	for (int i = 0; i < writer->source->metadata_count; i++)
	{
		if (is_string(name, writer->source->metadata[i].name))
			return &writer->source->metadata[i];
	}
	elog(ERROR, "filter names a column that is none of the index");
}

static Outlook put_member(Writer *writer, const S3vColumn *column, const JsonbValue *name, const JsonbValue *value);

/*
 * All members of an object (of a filter; with a column, of what is asked of that column), or all elements of a list of filters. One that
 * nothing is known of may be missing from an AND.
 */
static Outlook
put_all(Writer *writer, const S3vColumn *column, JsonbContainer *container)
{
	JsonbIterator *iterator = JsonbIteratorInit(container);
	Mark		start = mark_here(writer);
	bool		some = false;
	JsonbValue	name = {.type = jbvNull};
	JsonbValue	value;
	JsonbIteratorToken token;

	while ((token = JsonbIteratorNext(&iterator, &value, true)) != WJB_DONE)
	{
		Mark		before = mark_here(writer);
		Outlook		outlook;

		if (token == WJB_KEY)
			name = value;
		if (token != WJB_VALUE && token != WJB_ELEM)
			continue;
		if (some)
			appendStringInfoString(&writer->out->sql, " AND ");
		outlook = token == WJB_ELEM ? put_all(writer, NULL, value.val.binary.data) : put_member(writer, column, &name, &value);
		if (outlook != PASSES_SOME)
			go_back(writer, outlook == PASSES_NONE ? start : before);
		if (outlook == PASSES_NONE)
			return PASSES_NONE;
		some = some || outlook == PASSES_SOME;
	}
	return some ? PASSES_SOME : PASSES_ALL;
}

/* An OR, though, is known in all its parts or not at all. */
static Outlook
put_any(Writer *writer, JsonbContainer *filters)
{
	JsonbIterator *iterator = JsonbIteratorInit(filters);
	Mark		start = mark_here(writer);
	bool		some = false;
	JsonbValue	value;
	JsonbIteratorToken token;

	while ((token = JsonbIteratorNext(&iterator, &value, true)) != WJB_DONE)
	{
		Mark		before = mark_here(writer);
		Outlook		outlook;

		if (token != WJB_ELEM)
			continue;
		appendStringInfoString(&writer->out->sql, some ? " OR " : "(");
		outlook = put_all(writer, NULL, value.val.binary.data);
		if (outlook != PASSES_SOME)
			go_back(writer, outlook == PASSES_ALL ? start : before);
		if (outlook == PASSES_ALL)
			return PASSES_ALL;
		some = some || outlook == PASSES_SOME;
	}
	if (!some)
		return PASSES_NONE;
	appendStringInfoChar(&writer->out->sql, ')');
	return PASSES_SOME;
}

static Outlook
put_member(Writer *writer, const S3vColumn *column, const JsonbValue *name, const JsonbValue *value)
{
	if (column != NULL)
		return put_operator(writer, column, name, value);
	if (is_string(name, "$and"))
		return put_all(writer, NULL, value->val.binary.data);
	if (is_string(name, "$or"))
		return put_any(writer, value->val.binary.data);
	column = find_column(writer, name);
	if (value->type == jbvBinary)
		return put_all(writer, column, value->val.binary.data);
	return put_equality(writer, column, value, 1);
}

void
filter_condition(const S3vSource *source, TupleDesc columns, Jsonb *filter, S3vCondition *condition)
{
	Writer		writer = {source, columns, condition};

	condition->count = 0;
	condition->columns = NULL;
	initStringInfo(&condition->sql);
	condition->never = put_all(&writer, NULL, &filter->root) == PASSES_NONE;
}

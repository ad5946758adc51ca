/*
 * Metadata of a row as jsonb for users.
 */
#include "postgres.h"

#include "source.h"

#include "catalog/pg_type.h"
#include "nodes/makefuncs.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/fmgrprotos.h"
#include "utils/lsyscache.h"
#include "utils/numeric.h"

/* to_jsonb() learns its argument's type from the expression that calls it. */
static Jsonb *
call_to_jsonb(Datum value, Oid type)
{
	FmgrInfo	function;
	List	   *arguments = list_make1(makeNullConst(type, -1, InvalidOid));

	fmgr_info(F_TO_JSONB, &function);
	fmgr_info_set_expr((Node *) makeFuncExpr(F_TO_JSONB, JSONBOID, arguments, InvalidOid, InvalidOid, COERCE_EXPLICIT_CALL),
					   &function);
	return DatumGetJsonbP(FunctionCall1(&function, value));
}

static void
set_string(JsonbValue *json, const char *data, int size)
{
	json->type = jbvString;
	json->val.string.val = unconstify(char *, data);
	json->val.string.len = size;
}

static void
set_integer(JsonbValue *json, int64 value)
{
	json->type = jbvNumeric;
	json->val.numeric = int64_to_numeric(value);
}

static void
set_jsonb(JsonbValue *json, Jsonb *value)
{
	if (JsonContainerIsScalar(&value->root))
	{
		JsonbExtractScalar(&value->root, json);
		return;
	}
	json->type = jbvBinary;
	json->val.binary.data = &value->root;
	json->val.binary.len = VARSIZE(value) - VARHDRSZ;
}

/* As to_jsonb() has it; what most columns are, without its look at the catalogues. */
void
metadata_json_value(JsonbValue *json, Oid type, Datum value)
{
	text	   *string;
	char	   *label;

	switch (type)
	{
		case TEXTOID:
		case VARCHAROID:
			string = DatumGetTextPP(value);
			set_string(json, VARDATA_ANY(string), VARSIZE_ANY_EXHDR(string));
			break;
		case BOOLOID:
			json->type = jbvBool;
			json->val.boolean = DatumGetBool(value);
			break;
		case INT2OID:
			set_integer(json, DatumGetInt16(value));
			break;
		case INT4OID:
			set_integer(json, DatumGetInt32(value));
			break;
		case INT8OID:
			set_integer(json, DatumGetInt64(value));
			break;
		case NUMERICOID:
			json->type = jbvNumeric;
			json->val.numeric = DatumGetNumeric(value);
			/* JSON has no such numbers: strings. */
			if (numeric_is_nan(json->val.numeric) || numeric_is_inf(json->val.numeric))
				set_jsonb(json, call_to_jsonb(value, NUMERICOID));
			break;
		case JSONBOID:
			set_jsonb(json, DatumGetJsonbP(value));
			break;
		default:
			if (get_typtype(type) != TYPTYPE_ENUM)
			{
				set_jsonb(json, call_to_jsonb(value, type));
				break;
			}

			/*
			 * Not as the enum itself: there to_jsonb() would run a cast to json that the type's owner made, with the rights of whoever
			 * queries.
			 */
			label = DatumGetCString(DirectFunctionCall1(enum_out, value));
			set_string(json, label, strlen(label));
			break;
	}
}

static Jsonb *
empty_object(void)
{
	Jsonb	   *json = palloc(VARHDRSZ + sizeof(JsonbContainer));

	SET_VARSIZE(json, VARHDRSZ + sizeof(JsonbContainer));
	json->root.header = JB_FOBJECT;
	return json;
}

Jsonb *
metadata_to_jsonb(const S3vSource *source, const Datum *values, const bool *nulls)
{
	JsonbParseState *object = NULL;
	JsonbValue	key;
	JsonbValue	value;

	/* Most indexes have none. */
	if (source->metadata_count == 0)
		return empty_object();
	pushJsonbValue(&object, WJB_BEGIN_OBJECT, NULL);
	for (int i = 0; i < source->metadata_count; i++)
	{
		const S3vColumn *column = &source->metadata[i];

		if (nulls[i])
			continue;
		set_string(&key, column->name, strlen(column->name));
		pushJsonbValue(&object, WJB_KEY, &key);
		metadata_json_value(&value, column->base_type, values[i]);
		pushJsonbValue(&object, WJB_VALUE, &value);
	}
	return JsonbValueToJsonb(pushJsonbValue(&object, WJB_END_OBJECT, NULL));
}

/* Options that a call gives as jsonb. */
#include "postgres.h"

#include "lib/stringinfo.h"
#include "nodes/makefuncs.h"
#include "utils/builtins.h"
#include "utils/numeric.h"

#include "option_json.h"

static char *
scalar_to_text(const char *name, const JsonbValue *value)
{
	switch (value->type)
	{
		case jbvString:
			return pnstrdup(value->val.string.val, value->val.string.len);
		case jbvNumeric:
			return DatumGetCString(DirectFunctionCall1(numeric_out, NumericGetDatum(value->val.numeric)));
		case jbvBool:
			return pstrdup(value->val.boolean ? "true" : "false");
		default:
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("value of option \"%s\" must be a string, a number or a boolean", name)));
	}
}

/* A list of names as the text that option_names() reads. */
static char *
list_to_text(const char *name, JsonbContainer *list)
{
	JsonbIterator *iterator = JsonbIteratorInit(list);
	JsonbIteratorToken token;
	JsonbValue	value;
	StringInfoData text;

	initStringInfo(&text);
	while ((token = JsonbIteratorNext(&iterator, &value, true)) != WJB_DONE)
	{
		if (token == WJB_ELEM)
			appendStringInfo(&text, "%c%s", text.len == 0 ? '{' : ',', quote_identifier(scalar_to_text(name, &value)));
	}
	return text.len == 0 ? "{}" : psprintf("%s}", text.data);
}

static char *
value_to_text(const char *name, const JsonbValue *value)
{
	if (value->type == jbvBinary && JsonContainerIsArray(value->val.binary.data) && strcmp(name, "nonfilterable") == 0)
		return list_to_text(name, value->val.binary.data);
	return scalar_to_text(name, value);
}

List *
options_from_jsonb(Jsonb *json)
{
	JsonbIterator *iterator;
	JsonbValue	value;
	JsonbIteratorToken token;
	List	   *result = NIL;
	char	   *name = NULL;

	if (json == NULL)
		return NIL;
	if (!JB_ROOT_IS_OBJECT(json))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("options must be a JSON object"),
				 errhint("Write them as '{\"name\": value, ...}'.")));
	iterator = JsonbIteratorInit(&json->root);
	while ((token = JsonbIteratorNext(&iterator, &value, true)) != WJB_DONE)
	{
		if (token == WJB_KEY)
			name = pnstrdup(value.val.string.val, value.val.string.len);
		else if (token == WJB_VALUE)
			result = lappend(result, makeDefElem(name, (Node *) makeString(value_to_text(name, &value)), -1));
	}
	return result;
}

/* Members of a jsonb object under construction. */
#include "postgres.h"

#include "utils/builtins.h"
#include "utils/numeric.h"

#include "json_put.h"

void
json_put_key(JsonbParseState **state, const char *name)
{
	JsonbValue	key;

	key.type = jbvString;
	key.val.string.val = (char *) name;
	key.val.string.len = strlen(name);
	pushJsonbValue(state, WJB_KEY, &key);
}

void
json_put_text(JsonbParseState **state, const char *name, const char *text)
{
	JsonbValue	value;

	json_put_key(state, name);
	if (text == NULL)
		value.type = jbvNull;
	else
	{
		value.type = jbvString;
		value.val.string.val = (char *) text;
		value.val.string.len = strlen(text);
	}
	pushJsonbValue(state, WJB_VALUE, &value);
}

void
json_put_bool(JsonbParseState **state, const char *name, bool flag)
{
	JsonbValue	value;

	json_put_key(state, name);
	value.type = jbvBool;
	value.val.boolean = flag;
	pushJsonbValue(state, WJB_VALUE, &value);
}

/* A number from its text, so that what is printed is what was meant. */
void
json_put_number(JsonbParseState **state, const char *name, const char *text)
{
	JsonbValue	value;

	json_put_key(state, name);
	value.type = jbvNumeric;
	value.val.numeric = DatumGetNumeric(DirectFunctionCall3(numeric_in, CStringGetDatum(text),
															ObjectIdGetDatum(InvalidOid), Int32GetDatum(-1)));
	pushJsonbValue(state, WJB_VALUE, &value);
}

void
json_put_count(JsonbParseState **state, const char *name, uint64 count)
{
	json_put_number(state, name, psprintf(UINT64_FORMAT, count));
}

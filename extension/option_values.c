/* Values of options. */
#include "postgres.h"

#include <math.h>

#include "lib/stringinfo.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/varlena.h"

#include "option_values.h"

void
invalid_option_value(const char *name, const char *value, const char *valid)
{
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("invalid value for option \"%s\": \"%s\"", name, value),
			 errhint("Valid values are %s.", valid)));
}

int64
option_integer(const char *name, const char *value, int64 min, int64 max)
{
	double		result;

	/* Not parse_int(): that rounds 1.5 to 2. */
	if (!parse_real(value, &result, 0, NULL) || isnan(result) || result < min || result > max || result != floor(result))
		invalid_option_value(name, value, psprintf("integers from " INT64_FORMAT " to " INT64_FORMAT, min, max));
	return (int64) result;
}

int64
option_size(const char *name, const char *value)
{
	int			result;

	if (!parse_int(value, &result, GUC_UNIT_KB, NULL) || result < 0)
		invalid_option_value(name, value, "0 and sizes below 2TB in B, kB, MB, GB, such as 64MB; a number without a unit is in kB");
	return (int64) result * 1024;
}

double
option_fraction(const char *name, const char *value, double min, double max)
{
	double		result;

	if (!parse_real(value, &result, 0, NULL) || isnan(result) || result < min || result > max)
		invalid_option_value(name, value, psprintf("numbers from %g to %g", min, max));
	return result;
}

bool
option_boolean(const char *name, const char *value)
{
	bool		result;

	if (!parse_bool(value, &result))
		invalid_option_value(name, value, "true and false");
	return result;
}

int
option_choice(const char *name, const char *value, const char *const *choices)
{
	StringInfoData valid;

	initStringInfo(&valid);
	for (int i = 0; choices[i] != NULL; i++)
	{
		if (pg_strcasecmp(value, choices[i]) == 0)
			return i;
		appendStringInfo(&valid, "%s\"%s\"", i == 0 ? "" : choices[i + 1] != NULL ? ", " : " and ", choices[i]);
	}
	invalid_option_value(name, value, valid.data);
	return 0;
}

/* Read by hand: the array type's own input raises what it likes. */
char **
option_names(const char *name, const char *value, int *count)
{
	Size		length = strlen(value);
	char	   *inner;
	List	   *elements;
	ListCell   *cell;
	char	  **names;

	if (length < 2 || value[0] != '{' || value[length - 1] != '}')
		invalid_option_value(name, value, "lists of columns such as {body,\"Long Name\"}");
	inner = pnstrdup(value + 1, length - 2);
	if (!SplitIdentifierString(inner, ',', &elements))
		invalid_option_value(name, value, "lists of columns such as {body,\"Long Name\"}");
	names = palloc(sizeof(char *) * Max(list_length(elements), 1));
	*count = 0;
	foreach(cell, elements)
		names[(*count)++] = pstrdup(lfirst(cell));
	return names;
}

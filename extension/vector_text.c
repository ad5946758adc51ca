/* Vectors as users write them: '[1,2,3]' as pgvector has it, or '{1,2,3}' as an array. */
#include "postgres.h"

#include "vector_parts.h"

#include "mb/pg_wchar.h"

#define MAX_QUOTED_BYTES 20

static const char *
skip_spaces(const char *at)
{
	while (*at == ' ' || (*at >= '\t' && *at <= '\r'))
		at++;
	return at;
}

static void
refuse_text(const char *at)
{
	int			rest = strnlen(at, MAX_QUOTED_BYTES + MAX_MULTIBYTE_CHAR_LEN);

	ereport(ERROR,
			(errcode(ERRCODE_INVALID_TEXT_REPRESENTATION),
			 rest == 0 ? errmsg("invalid input syntax for a vector: unexpected end of text")
			 : errmsg("invalid input syntax for a vector at \"%.*s\"", pg_mbcliplen(at, rest, MAX_QUOTED_BYTES), at),
			 errhint("Write a vector as '[1,2,3]' or '{1,2,3}'.")));
}

float *
vector_text_values(const char *text, int *dimensions, VectorProblem *problem)
{
	const char *at = skip_spaces(text);
	bool		is_array = *at == '{';
	char		close = is_array ? '}' : ']';
	int			capacity = 1;
	int			count = 0;
	float	   *values;

	if (*at != '[' && *at != '{')
		refuse_text(at);
	for (const char *comma = at; (comma = strchr(comma, ',')) != NULL; comma++)
		capacity++;
	if (vector_has_too_many(capacity, problem))
		return NULL;

	values = vector_allocate(capacity);
	at = skip_spaces(at + 1);
	while (*at != close || count > 0)
	{
		char	   *end;

		if (is_array && *at == '{')
			vector_refuse_subscripts(problem);
		else if (is_array && pg_strncasecmp(at, "null", 4) == 0)
			vector_refuse_nulls(problem);
		if (problem->sqlstate != 0)
			return NULL;

		values[count++] = strtof(at, &end);
		if (end == at)
			refuse_text(at);
		at = skip_spaces(end);
		if (*at == close)
			break;
		if (*at != ',')
			refuse_text(at);
		at = skip_spaces(at + 1);
	}
	at = skip_spaces(at + 1);
	if (*at != '\0')
		refuse_text(at);
	*dimensions = count;
	return values;
}

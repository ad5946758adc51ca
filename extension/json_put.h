/* Members of a jsonb object under construction, one after another. Names and texts are not copied. */
#ifndef S3V_JSON_PUT_H
#define S3V_JSON_PUT_H

#include "postgres.h"

#include "utils/jsonb.h"

extern void json_put_key(JsonbParseState **state, const char *name);	/* its value follows */
extern void json_put_text(JsonbParseState **state, const char *name, const char *text); /* NULL: null */
extern void json_put_bool(JsonbParseState **state, const char *name, bool flag);
extern void json_put_number(JsonbParseState **state, const char *name, const char *text);	/* as it shall be printed */
extern void json_put_count(JsonbParseState **state, const char *name, uint64 count);

#endif

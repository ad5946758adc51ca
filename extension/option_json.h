/* Options that a call gives as jsonb, in the form that OPTIONS of a foreign table have. */
#ifndef S3V_OPTION_JSON_H
#define S3V_OPTION_JSON_H

#include "postgres.h"

#include "nodes/pg_list.h"
#include "utils/jsonb.h"

/* DefElem for each member: name and String; NIL for NULL. Names and values are not looked at. Raises 22023 for what is no object of such values. */
extern List *options_from_jsonb(Jsonb *json);

#endif

/* Filters as conditions of SQL, for the planner and the indexes of the source. */
#ifndef S3V_FILTER_SQL_H
#define S3V_FILTER_SQL_H

#include "postgres.h"

#include "access/tupdesc.h"
#include "lib/stringinfo.h"
#include "nodes/bitmapset.h"
#include "utils/jsonb.h"

#include "source.h"

/* Most constants of one condition; beyond, parts of the filter are left out: planning takes time for each. */
#define CONDITION_CONSTANTS 16

/* What every row that passes a filter meets, and others may. */
typedef struct S3vCondition
{
	bool		never;			/* no row passes */
	StringInfoData sql;			/* empty: nothing is known of the rows that pass */
	int			count;			/* $1, $2... in it; none is NULL */
	Oid			types[CONDITION_CONSTANTS];
	Datum		values[CONDITION_CONSTANTS];
	Bitmapset  *columns;		/* named in it, offset by FirstLowInvalidHeapAttributeNumber */
} S3vCondition;

/*
 * Of a filter that metadata_filter() has taken. The text depends on the filter's shape alone, and everything in it is qualified. In the
 * current memory context. (filter_sql.c)
 */
extern void filter_condition(const S3vSource *source, TupleDesc columns, Jsonb *filter, S3vCondition *condition);

/* ---- constants (filter_constants.c) ---- */

typedef enum S3vConstant
{
	CONSTANT_FOUND,
	CONSTANT_NONE,				/* no value of the type is equal to it */
	CONSTANT_UNCERTAIN
} S3vConstant;

/* What the column's scalars, or the elements of its arrays, are compared as; InvalidOid: SQL cannot. */
extern Oid	filter_compared_as(const S3vColumn *column);

/* The value of that type that a filter's scalar is equal to. */
extern S3vConstant filter_constant(Oid type, const JsonbValue *scalar, Datum *value);

/* An array of it. */
extern Datum filter_array(Oid type, Datum *values, int count);

typedef enum S3vBound
{
	BOUND_FOUND,
	BOUND_NONE,					/* no value of the type lies there */
	BOUND_ALL					/* every one does */
} S3vBound;

/* The least integer that is greater than `number` (or equal, with or_equal). */
extern S3vBound filter_least_integer(Oid type, Numeric number, bool or_equal, Datum *value);

/* The greatest integer that is less than `number` (or equal, with or_equal). */
extern S3vBound filter_greatest_integer(Oid type, Numeric number, bool or_equal, Datum *value);

/* The pattern of LIKE for all that starts with a text. */
extern Datum filter_prefix_pattern(const char *prefix, int size);

#endif

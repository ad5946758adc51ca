/* How many rows the planner may expect of s3v_query, s3v_query_as and s3v_query_many. */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/pg_class.h"
#include "nodes/nodeFuncs.h"
#include "nodes/supportnodes.h"
#include "optimizer/optimizer.h"
#include "utils/array.h"
#include "utils/snapmgr.h"
#include "utils/syscache.h"

#include "catalog.h"

/* Queries of one call, when the planner cannot know. */
#define SUPPOSED_QUERIES 10

PG_FUNCTION_INFO_V1(s3v_query_support);
PG_FUNCTION_INFO_V1(s3v_query_many_support);

/* Rows of the index's source, as ANALYZE left them; negative when unknown. */
static double
source_rows_of(Node *index_argument)
{
	S3vIndex   *index;
	HeapTuple	tuple;
	double		rows;

	if (!IsA(index_argument, Const) || ((Const *) index_argument)->constisnull || !ActiveSnapshotSet() ||
		!catalog_installed())
		return -1;
	index = catalog_index(DatumGetObjectId(((Const *) index_argument)->constvalue), GetActiveSnapshot());
	if (index == NULL)
		return -1;
	tuple = SearchSysCache1(RELOID, ObjectIdGetDatum(index->source));
	if (!HeapTupleIsValid(tuple))
		return -1;
	rows = ((Form_pg_class) GETSTRUCT(tuple))->reltuples;
	ReleaseSysCache(tuple);
	return rows;
}

/* Elements of an array argument in its first dimension; negative when unknown. */
static double
elements_of(Node *argument)
{
	if (IsA(argument, Const) && !((Const *) argument)->constisnull)
	{
		ArrayType  *array = DatumGetArrayTypeP(((Const *) argument)->constvalue);

		return ARR_NDIM(array) == 0 ? 0 : ARR_DIMS(array)[0];
	}
	if (IsA(argument, ArrayExpr))
		return list_length(((ArrayExpr *) argument)->elements);
	return -1;
}

/* min(k, rows, keys), as far as the planner can know them; `first` is the place of k among the arguments. */
static double
rows_of_query(PlannerInfo *root, List *arguments, int first)
{
	Node	   *k = estimate_expression_value(root, list_nth(arguments, first));
	double		rows = 10;
	double		bound;

	if (IsA(k, Const) && !((Const *) k)->constisnull)
		rows = DatumGetInt32(((Const *) k)->constvalue);
	bound = source_rows_of(estimate_expression_value(root, linitial(arguments)));
	if (bound >= 0)
		rows = Min(rows, bound);
	bound = elements_of(estimate_expression_value(root, list_nth(arguments, first + 2)));
	if (bound >= 0)
		rows = Min(rows, bound);
	return rows;
}

/* NULL when the request is another, or the call none with `least` to `most` arguments. */
static SupportRequestRows *
rows_request(Node *raw, int least, int most)
{
	SupportRequestRows *request = (SupportRequestRows *) raw;
	int			count;

	if (!IsA(raw, SupportRequestRows) || !is_funcclause(request->node))
		return NULL;
	count = list_length(((FuncExpr *) request->node)->args);
	return count >= least && count <= most ? request : NULL;
}

Datum
s3v_query_support(PG_FUNCTION_ARGS)
{
	SupportRequestRows *request = rows_request((Node *) PG_GETARG_POINTER(0), 6, 7);
	List	   *arguments;

	if (request == NULL)
		PG_RETURN_POINTER(NULL);
	arguments = ((FuncExpr *) request->node)->args;
	/* s3v_query_as has one argument more before k. */
	request->rows = Max(rows_of_query(request->root, arguments, list_length(arguments) == 7 ? 3 : 2), 1);
	PG_RETURN_POINTER(request);
}

Datum
s3v_query_many_support(PG_FUNCTION_ARGS)
{
	SupportRequestRows *request = rows_request((Node *) PG_GETARG_POINTER(0), 6, 6);
	List	   *arguments;
	double		queries;

	if (request == NULL)
		PG_RETURN_POINTER(NULL);
	arguments = ((FuncExpr *) request->node)->args;
	queries = elements_of(estimate_expression_value(request->root, lsecond(arguments)));
	if (queries < 0)
		queries = SUPPOSED_QUERIES;
	request->rows = Max(queries * rows_of_query(request->root, arguments, 2), 1);
	PG_RETURN_POINTER(request);
}

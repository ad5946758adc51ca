/* The SQL functions of a query: s3v_query, s3v_query_as, s3v_explain, and their row estimate. */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "funcapi.h"
#include "nodes/nodeFuncs.h"
#include "nodes/supportnodes.h"
#include "optimizer/optimizer.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/snapmgr.h"
#include "utils/syscache.h"
#include "catalog/pg_class.h"

#include "boundary.h"
#include "compat.h"
#include "plans.h"
#include "query.h"

PG_FUNCTION_INFO_V1(s3v_query);
PG_FUNCTION_INFO_V1(s3v_query_as);
PG_FUNCTION_INFO_V1(s3v_explain);
PG_FUNCTION_INFO_V1(s3v_query_support);

/* The key of a hit in the type that the caller asked for. */
static Datum
key_as(const S3vQuery *query, const S3vHit *hit, Oid type)
{
	char	   *text;
	Oid			input;
	Oid			ioparam;

	/* A domain goes through its input function, which checks its constraints. */
	if (type == query->source->key.base_type)
		return key_to_datum(hit->key, hit->key_size, query->source->key.base_type, query->source->key_kind);
	text = key_to_text(hit->key, hit->key_size, query->source->key_kind);
	if (type == TEXTOID)
		return CStringGetTextDatum(text);
	getTypeInputInfo(type, &input, &ioparam);
	return OidInputFunctionCall(input, text, ioparam, -1);
}

static void
put_hits(FunctionCallInfo fcinfo, const S3vQuery *query)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	Oid			key_type = TupleDescAttr(result->setDesc, 0)->atttypid;
	int			i;

	for (i = 0; i < query->hits->count; i++)
	{
		const S3vHit *hit = &query->hits->items[i];
		Datum		values[3];
		bool		nulls[3] = {false, false, false};

		values[0] = key_as(query, hit, key_type);
		values[1] = Float8GetDatum(hit->distance);
		values[2] = JsonbPGetDatum(hit->metadata);
		nulls[2] = hit->metadata == NULL;
		tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
	}
}

Datum
s3v_query(PG_FUNCTION_ARGS)
{
	S3vQueryArgs args = query_arguments(fcinfo, 0);

	InitMaterializedSRF(fcinfo, MAT_SRF_USE_EXPECTED_DESC);
	put_hits(fcinfo, query_run(&args));
	return (Datum) 0;
}

Datum
s3v_query_as(PG_FUNCTION_ARGS)
{
	S3vQueryArgs args = query_arguments(fcinfo, 1);

	InitMaterializedSRF(fcinfo, MAT_SRF_USE_EXPECTED_DESC);
	put_hits(fcinfo, query_run(&args));
	return (Datum) 0;
}

/* ---- s3v_explain ---- */

static void
put_key(JsonbParseState **state, const char *name)
{
	JsonbValue	key;

	key.type = jbvString;
	key.val.string.val = (char *) name;
	key.val.string.len = strlen(name);
	pushJsonbValue(state, WJB_KEY, &key);
}

static void
put_text(JsonbParseState **state, const char *name, const char *text)
{
	JsonbValue	value;

	put_key(state, name);
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

static void
put_bool(JsonbParseState **state, const char *name, bool flag)
{
	JsonbValue	value;

	put_key(state, name);
	value.type = jbvBool;
	value.val.boolean = flag;
	pushJsonbValue(state, WJB_VALUE, &value);
}

/* A number from its text, so that what is printed is what was meant. */
static void
put_number(JsonbParseState **state, const char *name, const char *text)
{
	JsonbValue	value;

	put_key(state, name);
	value.type = jbvNumeric;
	value.val.numeric = DatumGetNumeric(DirectFunctionCall3(numeric_in, CStringGetDatum(text),
															ObjectIdGetDatum(InvalidOid), Int32GetDatum(-1)));
	pushJsonbValue(state, WJB_VALUE, &value);
}

static void
put_count(JsonbParseState **state, const char *name, uint64 count)
{
	put_number(state, name, psprintf(UINT64_FORMAT, count));
}

static void
put_milliseconds(JsonbParseState **state, const char *name, double ms)
{
	put_number(state, name, psprintf("%.3f", Max(ms, 0)));
}

/* Dollars for one request of that kind; -1 where the price table has no such row. */
static double
price_of(const char *item)
{
	Oid			type = TEXTOID;
	Datum		argument = CStringGetTextDatum(item);
	double		price = -1;
	bool		isnull;

	SPI_connect();
	if (SPI_execute_plan(plan_get("SELECT usd FROM s3v.price WHERE item OPERATOR(pg_catalog.=) $1", 1, &type),
						 &argument, NULL, true, 1) == SPI_OK_SELECT && SPI_processed == 1)
		price = DatumGetFloat8(SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, &isnull));
	SPI_finish();
	return price;
}

Datum
s3v_explain(PG_FUNCTION_ARGS)
{
	static const char *const path_names[] = {"index", "mixed", "source"};
	S3vQueryArgs args = query_arguments(fcinfo, 0);
	S3vQuery   *query = query_run(&args);
	const S3vQueryWork *work = &query->work;
	JsonbParseState *state = NULL;
	double		price = price_of("s3.get");

	pushJsonbValue(&state, WJB_BEGIN_OBJECT, NULL);
	put_text(&state, "path", path_names[work->path]);
	put_bool(&state, "exact", true);
	put_text(&state, "status", work->status);
	put_count(&state, "hits", query->hits->count);
	put_count(&state, "version", query->version != NULL ? query->version->version : 0);
	put_count(&state, "waves", work->sent.waves);
	put_count(&state, "requests", work->sent.get_requests);
	put_count(&state, "bytes", work->sent.bytes_read);
	put_count(&state, "retries", work->sent.retries);
	put_count(&state, "cache_hits", work->search.cache_hits);
	put_count(&state, "lists", work->search.lists_total);
	put_count(&state, "lists_probed", work->search.lists_probed);
	put_count(&state, "entries_scanned", work->search.entries_scanned);
	put_count(&state, "entries_matched", work->search.entries_matched);
	put_count(&state, "reranked", work->reranked);
	put_count(&state, "source_rows", work->source_rows);
	put_count(&state, "pending_merged", work->pending_merged);
	put_key(&state, "ms");
	pushJsonbValue(&state, WJB_BEGIN_OBJECT, NULL);
	put_milliseconds(&state, "catalog", work->ms_catalog);
	put_milliseconds(&state, "search", work->ms_search);
	put_milliseconds(&state, "source", work->ms_source);
	put_milliseconds(&state, "total", work->ms_total);
	pushJsonbValue(&state, WJB_END_OBJECT, NULL);
	if (price >= 0)
		put_number(&state, "request_cost_usd", psprintf("%.10f", price * work->sent.get_requests));
	else
		put_text(&state, "request_cost_usd", NULL);
	PG_RETURN_JSONB_P(JsonbValueToJsonb(pushJsonbValue(&state, WJB_END_OBJECT, NULL)));
}

/* ---- row estimate ---- */

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

/* Elements of the keys argument; negative when unknown. */
static double
keys_of(Node *keys_argument)
{
	if (IsA(keys_argument, Const) && !((Const *) keys_argument)->constisnull)
	{
		ArrayType  *array = DatumGetArrayTypeP(((Const *) keys_argument)->constvalue);

		return ArrayGetNItems(ARR_NDIM(array), ARR_DIMS(array));
	}
	if (IsA(keys_argument, ArrayExpr))
		return list_length(((ArrayExpr *) keys_argument)->elements);
	return -1;
}

/* min(k, rows, keys), as far as the planner can know them. */
Datum
s3v_query_support(PG_FUNCTION_ARGS)
{
	Node	   *raw = (Node *) PG_GETARG_POINTER(0);
	SupportRequestRows *request;
	List	   *arguments;
	int			shift;
	Node	   *k;
	double		rows = 10;
	double		bound;

	if (!IsA(raw, SupportRequestRows))
		PG_RETURN_POINTER(NULL);
	request = (SupportRequestRows *) raw;
	if (!is_funcclause(request->node))
		PG_RETURN_POINTER(NULL);
	arguments = ((FuncExpr *) request->node)->args;
	shift = list_length(arguments) == 7 ? 1 : 0;	/* s3v_query_as has one argument more */
	if (list_length(arguments) != 6 + shift)
		PG_RETURN_POINTER(NULL);

	k = estimate_expression_value(request->root, list_nth(arguments, 2 + shift));
	if (IsA(k, Const) && !((Const *) k)->constisnull)
		rows = DatumGetInt32(((Const *) k)->constvalue);
	bound = source_rows_of(estimate_expression_value(request->root, linitial(arguments)));
	if (bound >= 0)
		rows = Min(rows, bound);
	bound = keys_of(estimate_expression_value(request->root, list_nth(arguments, 4 + shift)));
	if (bound >= 0)
		rows = Min(rows, bound);
	request->rows = Max(rows, 1);
	PG_RETURN_POINTER(request);
}

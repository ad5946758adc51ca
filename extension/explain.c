/* s3v_explain: runs a query and tells what it did. */
#include "postgres.h"

#include "utils/builtins.h"

#include "cost_sample.h"
#include "json_put.h"
#include "query.h"
#include "remote.h"

PG_FUNCTION_INFO_V1(s3v_explain);

static void
put_milliseconds(JsonbParseState **state, const char *name, double ms)
{
	json_put_number(state, name, psprintf("%.3f", Max(ms, 0)));
}

/* Dollars of what the query sent; -1 where the price table lacks a row, or nobody here knows how large the index is. */
static double
request_cost(S3vQuery *query)
{
	Oid			index_id = query->args->index_id;
	S3vPrices  *prices = prices_read();
	S3vRemoteSettings settings;

	if (remote_attached(index_id, &settings))
		return -1;
	if (remote_index(index_id))
		return cost_of_sent(query, prices);
	return prices->usd[PRICE_S3_GET] < 0 ? -1 : prices->usd[PRICE_S3_GET] * query->work.sent.get_requests;
}

static void
put_total(JsonbParseState **state, const S3vQuery *query)
{
	json_put_key(state, "ms");
	pushJsonbValue(state, WJB_BEGIN_OBJECT, NULL);
	put_milliseconds(state, "total", query->work.ms_total);
	pushJsonbValue(state, WJB_END_OBJECT, NULL);
}

/* Under row-level security: all other numbers are of rows that the caller may not see as well. */
static Datum
explain_visible(const S3vQuery *query)
{
	JsonbParseState *state = NULL;

	pushJsonbValue(&state, WJB_BEGIN_OBJECT, NULL);
	json_put_count(&state, "hits", query->args->query_count > 0 ? query->hits->count : 0);
	put_total(&state, query);
	PG_RETURN_JSONB_P(JsonbValueToJsonb(pushJsonbValue(&state, WJB_END_OBJECT, NULL)));
}

Datum
s3v_explain(PG_FUNCTION_ARGS)
{
	static const char *const path_names[] = {"index", "mixed", "source"};
	S3vQueryArgs args = query_arguments(fcinfo, 0);
	S3vQuery   *query = query_run(&args);
	const S3vQueryWork *work = &query->work;
	JsonbParseState *state = NULL;
	double		cost;

	if (query->row_security)
		return explain_visible(query);
	cost = request_cost(query);
	pushJsonbValue(&state, WJB_BEGIN_OBJECT, NULL);
	json_put_text(&state, "path", path_names[work->path]);
	json_put_bool(&state, "exact", !work->search.budget_reached && !query->settings.eventual && !work->estimated && !work->incomplete);
	json_put_text(&state, "status", work->status);
	json_put_count(&state, "hits", args.query_count > 0 ? query->hits->count : 0);
	json_put_count(&state, "version", query->version != NULL ? query->version->version : 0);
	json_put_count(&state, "waves", work->sent.waves);
	json_put_count(&state, "requests", work->sent.get_requests);
	json_put_count(&state, "bytes", work->sent.bytes_read);
	json_put_count(&state, "retries", work->sent.retries);
	json_put_count(&state, "cache_hits", work->sent.cache_hits);
	json_put_count(&state, "lists", work->search.lists_total);
	json_put_count(&state, "lists_probed", work->search.lists_probed);
	json_put_count(&state, "entries_scanned", work->search.entries_scanned);
	json_put_count(&state, "entries_scored", work->search.entries_scored);
	json_put_count(&state, "entries_matched", work->search.entries_matched);
	json_put_count(&state, "reranked", work->reranked);
	json_put_count(&state, "source_rows", work->source_rows);
	json_put_count(&state, "pending_merged", work->pending_merged);
	json_put_key(&state, "ms");
	pushJsonbValue(&state, WJB_BEGIN_OBJECT, NULL);
	put_milliseconds(&state, "catalog", work->ms_catalog);
	put_milliseconds(&state, "search", work->ms_search);
	put_milliseconds(&state, "source", work->ms_source);
	put_milliseconds(&state, "total", work->ms_total);
	pushJsonbValue(&state, WJB_END_OBJECT, NULL);
	if (cost >= 0)
		json_put_number(&state, "request_cost_usd", psprintf("%.10f", cost));
	else
		json_put_text(&state, "request_cost_usd", NULL);
	PG_RETURN_JSONB_P(JsonbValueToJsonb(pushJsonbValue(&state, WJB_END_OBJECT, NULL)));
}

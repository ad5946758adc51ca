/* s3v_cost: dollars of an index for a month and for a million queries, and what the same vectors cost elsewhere: docs/design/cost.md. */
#include "postgres.h"

#include <math.h>

#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "foreign/foreign.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"

#include "cost_sample.h"
#include "json_put.h"
#include "known.h"
#include "plans.h"
#include "remote.h"
#include "server.h"

/* Rows of the source that are asked with, once the navigation tier is there. */
#define MEASURED_QUERIES 10

PG_FUNCTION_INFO_V1(s3v_cost);

typedef enum CostKind
{
	COST_FILE,
	COST_S3,
	COST_SERVICE,
	COST_PGVECTOR,
	COST_QDRANT,
	COST_KINDS
} CostKind;

static const char *const kind_names[COST_KINDS] = {"file", "s3", "s3vectors", "pgvector_hnsw_ram", "qdrant_ram"};

typedef struct CostReport
{
	Oid			index_id;
	CostKind	kind;
	int64		version;
	double		queries;		/* a month */
	S3vCostFacts facts;
	const char *basis;			/* where the requests and bytes of a query come from */
} CostReport;

/* ---- what is known of the index --------------------------------------------------------------------------------------------- */

static void
refuse_attached(Oid index_id)
{
	S3vRemoteSettings settings;

	if (remote_attached(index_id, &settings))
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("cannot tell the cost of \"%s\"", get_rel_name(index_id)),
				 errdetail("It is attached to an index that others write: how many vectors that has is not known here."),
				 errhint("Use the bill of whoever owns the vector bucket.")));
}

static CostKind
kind_of(Oid index_id)
{
	const char *url = server_url(GetForeignTable(index_id)->serverid);

	if (s3v_url_is_remote(url))
		return COST_SERVICE;
	return strncmp(url, "file:", strlen("file:")) == 0 ? COST_FILE : COST_S3;
}

static double
count_from(uint64 row, int column)
{
	bool		is_null;
	Datum		value = SPI_getbinval(SPI_tuptable->vals[row], SPI_tuptable->tupdesc, column, &is_null);

	return is_null ? 0 : (double) DatumGetInt64(value);
}

/* The present version's counts, as the view shows them to the caller. */
static void
read_version(CostReport *report)
{
	Oid			type = REGCLASSOID;
	Datum		argument = ObjectIdGetDatum(report->index_id);

	if (SPI_connect() != SPI_OK_CONNECT)
		elog(ERROR, "SPI_connect failed");
	if (SPI_execute_plan(plan_get("SELECT version, rows, bytes, segments FROM s3v.s3v_indexes WHERE index OPERATOR(pg_catalog.=) $1", 1, &type),
						 &argument, NULL, true, 0) != SPI_OK_SELECT)
		elog(ERROR, "could not read view \"s3v.s3v_indexes\"");
	if (SPI_processed > 0)
	{
		report->version = (int64) count_from(0, 1);
		report->facts.rows = count_from(0, 2);
		report->facts.store_bytes = count_from(0, 3);
		report->facts.segments = count_from(0, 4);
	}
	SPI_finish();
}

/* ---- what a query takes ----------------------------------------------------------------------------------------------------- */

/* One search by the index for that vector; false when the source answered. */
static bool
ask(const S3vQuery *query, const float *vector, S3vQueryWork *work)
{
	S3vQueryVector asked = {.values = vector, .dimensions = query->index->dimensions};
	S3vQueryArgs args = {.index_id = query->index->index_id, .k = 10, .query_count = 1, .vectors = &asked};
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "s3v cost query", ALLOCSET_DEFAULT_SIZES);
	MemoryContext before = MemoryContextSwitchTo(context);

	*work = query_run(&args)->work;
	MemoryContextSwitchTo(before);
	MemoryContextDelete(context);
	return work->path != PATH_SOURCE;
}

/* The sampled vectors, one after another, once the first has brought the navigation tier; false when the source answers. */
static bool
ask_all(CostReport *report, const S3vQuery *query, const S3vCostSample *sample)
{
	double		gets = 0;
	double		bytes = 0;
	S3vQueryWork work;

	if (!ask(query, sample->vectors[0], &work))
		return false;
	for (int i = 0; i < sample->vector_count; i++)
	{
		if (!ask(query, sample->vectors[i], &work))
			return false;
		gets += work.sent.get_requests;
		bytes += work.sent.bytes_read;
	}
	report->facts.query_gets = gets / sample->vector_count;
	report->facts.query_bytes = bytes / sample->vector_count;
	report->basis = psprintf("measured: %d queries with rows of the source, without the local cache", sample->vector_count);
	return true;
}

static bool
measure_queries(CostReport *report, const S3vQuery *query, const S3vCostSample *sample)
{
	int			nest_level;
	bool		answered;

	if (report->facts.rows == 0 || sample->vector_count == 0)
		return false;
	nest_level = NewGUCNestLevel();
	(void) set_config_option("s3v.cache_size", "0", PGC_SUSET, PGC_S_SESSION, GUC_ACTION_SAVE, true, 0, false);
	answered = ask_all(report, query, sample);
	AtEOXact_GUC(true, nest_level);
	return answered;
}

static void
find_facts(CostReport *report, S3vQuery *query)
{
	bool		on_store = report->kind != COST_SERVICE;
	S3vCostSample sample;

	report->facts.dimensions = query->index->dimensions;
	report->facts.metric = query->index->metric;
	report->facts.metadata_count = query->source->metadata_count;
	read_version(report);
	sample = cost_sample_rows(query, &report->facts, on_store ? MEASURED_QUERIES : 0);
	if (!on_store)
	{
		cost_estimate_store(&report->facts);
		cost_estimate_query(&report->facts);
		report->basis = psprintf("published formula: rows of the version, mean sizes in a sample of %d", sample.row_count);
	}
	else if (!measure_queries(report, query, &sample))
	{
		cost_estimate_query(&report->facts);
		report->basis = report->facts.rows == 0 ? "estimated: the index has no rows yet" : "estimated: the index does not answer queries now";
	}
}

static S3vCost
cost_of(CostKind kind, const S3vCostFacts *facts, const S3vPrices *prices)
{
	switch (kind)
	{
		case COST_S3:
			return cost_on_s3(facts, prices);
		case COST_SERVICE:
			return cost_on_service(facts, prices);
		case COST_PGVECTOR:
			return cost_in_pgvector(facts, prices);
		case COST_QDRANT:
			return cost_in_qdrant(facts, prices);
		default:
			return cost_in_files(facts);
	}
}

/* ---- the answer ------------------------------------------------------------------------------------------------------------- */

/* Cents and below: six digits, but no more zeros than it takes. */
static void
put_dollars(JsonbParseState **state, const char *name, double usd)
{
	int			decimals = usd > 0 ? Max(2, Min(15, 5 - (int) floor(log10(usd)))) : 0;
	char	   *text = psprintf("%.*f", decimals, usd);
	char	   *end = text + strlen(text);

	while (strchr(text, '.') != NULL && (end[-1] == '0' || end[-1] == '.'))
		*--end = '\0';
	json_put_number(state, name, text);
}

static void
put_rounded(JsonbParseState **state, const char *name, double number, int decimals)
{
	json_put_number(state, name, psprintf("%.*f", decimals, number));
}

static void
begin_object(JsonbParseState **state, const char *name)
{
	json_put_key(state, name);
	pushJsonbValue(state, WJB_BEGIN_OBJECT, NULL);
}

static void
end_object(JsonbParseState **state)
{
	pushJsonbValue(state, WJB_END_OBJECT, NULL);
}

static void
put_own(JsonbParseState **state, const S3vCost *cost, double queries)
{
	put_rounded(state, "bytes_stored", cost->bytes, 0);
	begin_object(state, "usd_per_month");
	put_dollars(state, "storage", cost->storage);
	put_dollars(state, "requests", queries * cost->query_requests);
	put_dollars(state, "data_processed", queries * cost->query_data);
	put_dollars(state, "total", cost_of_month(cost, queries));
	end_object(state);
	begin_object(state, "usd_per_million_queries");
	put_dollars(state, "requests", 1e6 * cost->query_requests);
	put_dollars(state, "data_processed", 1e6 * cost->query_data);
	put_dollars(state, "total", 1e6 * (cost->query_requests + cost->query_data));
	end_object(state);
	put_dollars(state, "usd_to_load", cost->load);
}

static void
put_other(JsonbParseState **state, const char *name, const S3vCost *own, const S3vCost *other, double queries)
{
	double		break_even = other->impossible == NULL ? cost_break_even(own, other) : -1;

	begin_object(state, name);
	if (other->impossible != NULL)
	{
		json_put_text(state, "usd_per_month", NULL);
		json_put_text(state, "impossible", other->impossible);
	}
	else
	{
		put_rounded(state, "bytes", other->bytes, 0);
		put_dollars(state, "usd_per_month", cost_of_month(other, queries));
		put_dollars(state, "usd_per_million_queries", 1e6 * (other->query_requests + other->query_data));
		put_dollars(state, "usd_to_load", other->load);
	}
	if (break_even >= 0)
		put_rounded(state, "break_even_queries_per_month", break_even, 0);
	else
		json_put_text(state, "break_even_queries_per_month", NULL);
	end_object(state);
}

static void
put_facts(JsonbParseState **state, const CostReport *report)
{
	const S3vCostFacts *facts = &report->facts;

	json_put_text(state, "index", DatumGetCString(DirectFunctionCall1(regclassout, ObjectIdGetDatum(report->index_id))));
	json_put_text(state, "server", GetForeignServer(GetForeignTable(report->index_id)->serverid)->servername);
	json_put_text(state, "kind", kind_names[report->kind]);
	json_put_count(state, "version", report->version);
	put_rounded(state, "rows", facts->rows, 0);
	json_put_count(state, "dimensions", facts->dimensions);
	put_rounded(state, "queries_per_month", report->queries, 0);
	begin_object(state, "mean_bytes");
	put_rounded(state, "key", facts->key_bytes, 1);
	put_rounded(state, "filterable", facts->filterable_bytes, 1);
	put_rounded(state, "metadata", facts->metadata_bytes, 1);
	end_object(state);
	if (report->kind != COST_SERVICE)
	{
		begin_object(state, "query");
		put_rounded(state, "requests", facts->query_gets, 1);
		put_rounded(state, "bytes", facts->query_bytes, 0);
		end_object(state);
	}
	json_put_text(state, "basis", report->basis);
}

static void
put_prices(JsonbParseState **state, const S3vPrices *prices)
{
	begin_object(state, "prices");
	for (S3vPrice i = 0; i < PRICES; i++)
	{
		begin_object(state, price_item(i));
		put_dollars(state, "usd", price_of(prices, i));
		json_put_text(state, "as_of", prices->as_of[i]);
		end_object(state);
	}
	end_object(state);
}

static Jsonb *
tell(const CostReport *report, const S3vPrices *prices)
{
	S3vCost		own = cost_of(report->kind, &report->facts, prices);
	JsonbParseState *state = NULL;

	pushJsonbValue(&state, WJB_BEGIN_OBJECT, NULL);
	put_facts(&state, report);
	put_own(&state, &own, report->queries);
	begin_object(&state, "compared");
	for (CostKind kind = COST_S3; kind < COST_KINDS; kind++)
	{
		S3vCost		other;

		if (kind == report->kind)
			continue;
		other = cost_of(kind, &report->facts, prices);
		put_other(&state, kind_names[kind], &own, &other, report->queries);
	}
	end_object(&state);
	put_prices(&state, prices);
	return JsonbValueToJsonb(pushJsonbValue(&state, WJB_END_OBJECT, NULL));
}

Datum
s3v_cost(PG_FUNCTION_ARGS)
{
	S3vQueryArgs args = {.k = 10};
	CostReport	report = {0};
	S3vQuery   *query;
	S3vPrices  *prices;

	query_refuse_null(fcinfo, 0, "index");
	query_refuse_null(fcinfo, 1, "queries_per_month");
	args.index_id = PG_GETARG_OID(0);
	if (PG_GETARG_INT64(1) < 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("queries_per_month must not be negative, but is " INT64_FORMAT, PG_GETARG_INT64(1))));
	refuse_attached(args.index_id);
	refuse_row_security(known_index(args.index_id)->source->relid, "s3v_cost tells the size of the whole table.");
	/* Who may query the index may know: sizes are those of columns that hits are made of. */
	query = query_open(&args);

	report.index_id = args.index_id;
	report.kind = kind_of(args.index_id);
	report.queries = (double) PG_GETARG_INT64(1);
	prices = prices_read();
	find_facts(&report, query);
	PG_RETURN_JSONB_P(tell(&report, prices));
}

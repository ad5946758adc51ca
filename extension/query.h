/* Queries of an index, one or many at once: arguments in, hits out. */
#ifndef S3V_QUERY_H
#define S3V_QUERY_H

#include "postgres.h"

#include "fmgr.h"
#include "nodes/params.h"
#include "portability/instr_time.h"
#include "utils/jsonb.h"
#include "utils/plancache.h"

#include "boundary.h"
#include "catalog.h"
#include "hits.h"
#include "key_scan.h"
#include "settings.h"
#include "source.h"

typedef struct S3vQueryVector
{
	const float *values;
	int			dimensions;
	int			number;			/* of s3v_query_many's queries, from 1; 0: the only one */
} S3vQueryVector;

/* Arguments of the query functions, of whatever type they came. All but the vectors holds for each query. */
typedef struct S3vQueryArgs
{
	Oid			index_id;
	int			query_count;	/* 0: no rows */
	S3vQueryVector *vectors;
	int			k;
	Jsonb	   *filter;			/* NULL: none */
	ArrayType  *keys;			/* NULL: any */
	Jsonb	   *options;		/* NULL: none */
} S3vQueryArgs;

/* Where the answer came from. */
typedef enum S3vPath
{
	PATH_INDEX,					/* the index alone */
	PATH_MIXED,					/* the index, and pending rows from the source */
	PATH_SOURCE					/* an exact scan of the source */
} S3vPath;

/* What the queries did, together; times in milliseconds. */
typedef struct S3vQueryWork
{
	S3vPath		path;
	const char *status;			/* why this path, or what limited the answer; NULL: nothing to say */
	s3v_counters sent;			/* differences of the store's counters */
	s3v_search_stats search;
	int64		reranked;		/* candidates whose exact distance was computed */
	int64		source_rows;	/* rows read from the source, for whatever purpose */
	int64		pending_merged;
	bool		estimated;		/* no exact vectors were at hand: distances are estimates */
	bool		incomplete;		/* rows may be missing: see status */
	double		ms_catalog;		/* version, change log, rights */
	double		ms_search;		/* store and core */
	double		ms_source;		/* rows of the source: rerank, pending, scan */
	double		ms_total;
} S3vQueryWork;

/* Kept while a query runs. */
typedef struct S3vQuery
{
	const S3vQueryArgs *args;
	MemoryContext context;		/* outlives SPI */
	Snapshot	snapshot;		/* the caller's active one, never renewed */
	const S3vIndex *index;
	bool		columns_dropped;	/* since the snapshot: the version has other metadata columns */
	S3vVersion *version;		/* NULL: not built in this snapshot */
	const S3vSource *source;
	s3v_remote *remote;			/* NULL: the index is not on s3vectors:// */
	bool		columns_match;	/* the index has the types of the source */
	bool		row_security;	/* policies of the source apply to the caller: every row is read by statements of theirs */
	double		visible_rows;	/* then: how many the caller sees, as the planner thinks */
	const List *leaves;			/* Oid: of the source */
	bool		detaching;		/* one of them is going */
	Oid			key_index;		/* finds a row of the source by its key; InvalidOid: none that serves */
	S3vKeyScan *key_scan;		/* NULL: not opened yet, or the index does not serve in this snapshot */
	bool		key_scan_tried;
	MemoryContext row_context;	/* for one row of the source at a time */
	S3vSearchSettings settings;
	s3v_filter *filter;			/* NULL: none */
	s3v_keys   *only;			/* NULL: any key */
	S3vHits    *hits;			/* of each query */
	int			from;			/* the queries that rows of the source are offered to at present: */
	int			to;				/* from <= number < to */
	double		farthest;		/* largest distance of a row that was offered since this was -infinity; of one query at a time */
	S3vQueryWork work;
} S3vQuery;

/* Runs the queries under the active snapshot; hits are sorted and live in the current memory context. */
extern S3vQuery *query_run(const S3vQueryArgs *args);

/* What is known of the index, its source and settings, nothing read yet; raises for every misuse but that of the vectors. */
extern S3vQuery *query_open(const S3vQueryArgs *args);

/*
 * Raises 42501 unless the caller may read the index and every column of the source that a hit is made of; 22023 for a vector that has no
 * distance to anything. Finds out about row_security. (query_rights.c)
 */
extern void query_check_rights(S3vQuery *query);
extern void query_check_vectors(const S3vQuery *query);

/*
 * Candidates of the index, ranked against their source rows, into the hits; `pending` are keys that the index shall leave out. NULL, or why
 * the source shall be scanned instead. (query_search.c)
 */
extern const char *query_search_index(S3vQuery *query, const s3v_keys *pending);

/* The vectors as the core takes them, row after row. (query_search.c, as are the next two) */
extern const float *query_joined_vectors(const S3vQueryArgs *args, int dimensions);

/* What was sent since the store's counters were `before`. */
extern void query_note_sent(S3vQueryWork *work, s3v_store *store, const s3v_counters *before);

/* Objects of the version are gone: a WARNING, and why the source is scanned. */
extern const char *query_warn_of_missing(const S3vQuery *query, const s3v_error *err);

/*
 * By the service and the pending rows: NULL, or why the source shall be scanned instead. REQUIRES: query->remote, a version that is built.
 * (query_remote.c)
 */
extern const char *query_search_remote(S3vQuery *query);

/* Queries of a foreign table that s3v_attach made; NULL when it is not one. (query_attached.c) */
extern S3vQuery *query_run_attached(const S3vQueryArgs *args);

/*
 * Time travel (as_of.c), where settings.as_of_version says so: refuses callers under row-level security (0A000); finds the version and
 * opens it as query->version (22023: not kept; 58P01: gone from the store; 0A000: made with other columns).
 */
extern void as_of_prepare(S3vQuery *query);
extern void as_of_open(S3vQuery *query);

/* The candidates of query number `number` that have the least distances, as far as the version can tell, into its hits. */
extern s3v_code as_of_rank(S3vQuery *query, S3vHits *hits, int number, S3vCall *call, s3v_search *search, s3v_error *err);

/* Their metadata, of so many queries of that search in one wave. */
extern s3v_code as_of_read_metadata(S3vQuery *query, S3vHits *hits, int count, S3vCall *call, s3v_search *search, s3v_error *err);

/* How many rows of the source the caller sees, as the planner thinks. REQUIRES: SPI is connected. (query_row_security.c) */
extern double query_visible_rows(const S3vQuery *query);

/* Raises 42501 where policies of the table apply to the caller; `detail` says what rows the answer would tell of. (query_row_security.c) */
extern void refuse_row_security(Oid source, const char *detail);

/* The objects of query->version. REQUIRES: it is built. */
extern s3v_version_names query_version_names(const S3vQuery *query);

/*
 * Rows of the source into the hits, exactly: filter, key set and distance. Those with these keys, under the query's snapshot, answering
 * how many there were; or all of them. Each row is read once for all queries from..to. (query_source.c)
 */
extern int64 query_read_keys(S3vQuery *query, const S3vKey *keys, int count);
extern void query_scan_source(S3vQuery *query);

/*
 * The same for the rows that a planned statement over them reads (key, vector, metadata...), but for no more than `most`: false when there
 * are more. (query_source.c)
 */
extern bool query_read_statement(S3vQuery *query, const char *sql, CachedPlan *planned, ParamListInfo arguments, int64 most);

/*
 * Rows that pass the filter, where the planner expects few and finds them at once; NULL where it does not. REQUIRES: SPI is connected, there
 * is a filter. (query_plan.c)
 */
typedef struct S3vMatches S3vMatches;
extern S3vMatches *query_plan_matches(S3vQuery *query);

/* Reads them into the hits and says why; once only. NULL when there were far more than the planner thought: hits are those of some. */
extern const char *query_read_matches(S3vQuery *query, S3vMatches *matches);

/* query_scan_source() by whatever the filter says in SQL, of however many rows; false when it says nothing. REQUIRES: as above. */
extern bool query_scan_matches(S3vQuery *query);

/*
 * Every row of the source (key, vector, metadata...), under the query's snapshot, to a visitor; its current memory context holds that one
 * row. REQUIRES: SPI is connected. (query_source.c)
 */
typedef void (*S3vRowVisitor) (S3vQuery *query, const Datum *values, const bool *nulls, void *arg);
extern void query_visit_source(S3vQuery *query, S3vRowVisitor visit, void *arg);

/*
 * One row (key, vector, metadata...): the single place where a row becomes a hit, whether it was pending, synced or scanned, so that its
 * distance has the same bits in all three. (query_source.c)
 */
extern void query_consume_row(S3vQuery *query, const Datum *values, const bool *nulls);

/* Metadata of a row against the filter. Leaves small copies in the current memory context. (query_source.c) */
extern bool query_row_passes(const S3vQuery *query, const Datum *metadata, const bool *nulls);

/* Does an index of the source find rows by key in this snapshot, so that reading them one by one costs no statement each? (query_source.c) */
extern bool query_finds_by_key(S3vQuery *query);

/* From fcinfo of s3v_query (shift 0) and s3v_query_as (shift 1: a key_type argument before the vector). (query_args.c) */
extern S3vQueryArgs query_arguments(FunctionCallInfo fcinfo, int shift);
extern S3vQueryArgs query_many_arguments(FunctionCallInfo fcinfo);

/* What these have in common with other functions: 22004 and 22023. (query_args.c) */
extern void query_refuse_null(FunctionCallInfo fcinfo, int argument, const char *name);
extern void query_check_k(int k);

/*
 * The vectors of an array of them, numbered from 1, NULL ones left out: numbers in two dimensions, or in one dimension whatever s3v_query
 * takes. Raises 22023, 54000 and what vector_from_datum() raises. (query_vectors.c)
 */
extern S3vQueryVector *query_vectors(Datum array, Oid type, int *count);

/* The array of keys as a core key set in the current memory context. (query_args.c) */
extern s3v_keys *query_key_set(const S3vSource *source, ArrayType *keys);

static inline double
milliseconds_since(const instr_time *start)
{
	instr_time	now;

	INSTR_TIME_SET_CURRENT(now);
	INSTR_TIME_SUBTRACT(now, *start);
	return INSTR_TIME_GET_MILLISEC(now);
}

#endif

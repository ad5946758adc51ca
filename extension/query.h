/* One query of an index: arguments in, hits out. */
#ifndef S3V_QUERY_H
#define S3V_QUERY_H

#include "postgres.h"

#include "fmgr.h"
#include "utils/jsonb.h"

#include "catalog.h"
#include "hits.h"
#include "settings.h"
#include "source.h"

/* Arguments of s3v_query, of whatever type they came. */
typedef struct S3vQueryArgs
{
	Oid			index_id;
	bool		vector_is_null;
	const float *vector;
	int			dimensions;
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

/* What a query did; times in milliseconds. */
typedef struct S3vQueryWork
{
	S3vPath		path;
	const char *status;			/* why this path, or what limited the answer; NULL: nothing to say */
	s3v_counters sent;			/* differences of the store's counters */
	s3v_search_stats search;
	int64		reranked;		/* candidates whose exact distance was computed */
	int64		source_rows;	/* rows read from the source, for whatever purpose */
	int64		pending_merged;
	double		ms_catalog;		/* version, change log, rights */
	double		ms_search;		/* store and core */
	double		ms_source;		/* rows of the source: rerank, pending, scan */
	double		ms_total;
} S3vQueryWork;

/* The key's index, opened by the first look-up of a query. (key_scan.c) */
typedef struct S3vKeyScan S3vKeyScan;

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
	bool		columns_match;	/* the index has the types of the source */
	Oid			key_index;		/* finds a row of the source by its key; InvalidOid: none that serves */
	S3vKeyScan *key_scan;		/* NULL: not opened yet */
	MemoryContext row_context;	/* for one row of the source at a time */
	S3vSearchSettings settings;
	s3v_filter *filter;			/* NULL: none */
	s3v_keys   *only;			/* NULL: any key */
	S3vHits    *hits;
	S3vQueryWork work;
} S3vQuery;

/* Runs the query under the active snapshot; hits are sorted and live in the current memory context. */
extern S3vQuery *query_run(const S3vQueryArgs *args);

/*
 * Raises 42501 unless the caller may read the index and every column of the source that a hit is made of; 0A000 under row-level security;
 * 22023 for a vector that has no distance to anything. (query_rights.c)
 */
extern void query_check_rights(const S3vQuery *query);
extern void query_check_vector(const S3vQuery *query);

/*
 * Rows of the source into the hits, exactly: filter, key set and distance. Those with these keys, under the query's snapshot, answering
 * how many there were; or all of them. (query_source.c)
 */
extern int64 query_read_keys(S3vQuery *query, const S3vKey *keys, int count);
extern void query_scan_source(S3vQuery *query);

/*
 * One row (key, vector, metadata...): the single place where a row becomes a hit, whether it was pending, synced or scanned, so that its
 * distance has the same bits in all three. (query_source.c)
 */
extern void query_consume_row(S3vQuery *query, const Datum *values, const bool *nulls);

/* Does an index of the source serve in this snapshot? Reading is for when it does. (key_scan.c) */
extern bool key_scan_serves(S3vQuery *query);
extern void key_scan_read(S3vQuery *query, const S3vKey *keys, int count);
extern void key_scan_end(S3vKeyScan *scan);

/* From fcinfo of s3v_query (shift 0) and s3v_query_as (shift 1: a key_type argument before the vector). (query_args.c) */
extern S3vQueryArgs query_arguments(FunctionCallInfo fcinfo, int shift);

/* The array of keys as a core key set in the current memory context. (query_args.c) */
extern s3v_keys *query_key_set(const S3vSource *source, ArrayType *keys);

#endif

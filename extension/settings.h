/* s3v.* settings, and how call options, settings and index options combine. */
#ifndef S3V_SETTINGS_H
#define S3V_SETTINGS_H

#include "postgres.h"

#include "nodes/pg_list.h"
#include "utils/jsonb.h"

#include "api/s3v_remote_c.h"

extern void settings_define(void);	/* from _PG_init */

/* More lists than any index has. */
#define S3V_MAX_LISTS 1000000

/* Plain settings of the session. */
extern int	s3v_setting_max_k;
extern int	s3v_setting_request_timeout;	/* ms */
extern int	s3v_setting_max_parallel_requests;
extern char *s3v_setting_allowed_endpoints;
extern char *s3v_setting_cache_dir;
extern int	s3v_setting_cache_size; /* kB */

/* Goes up whenever one of the last five was assigned. */
extern uint64 s3v_connection_settings_changes;

/*
 * What governs one query. Order of precedence: the call's options, a setting whose source is not its default, the index's
 * option, the default.
 */
typedef struct S3vSearchSettings
{
	int			probes;			/* 0: adaptive */
	bool		eventual;		/* consistency = eventual: pending rows are not merged */
	bool		missing_is_error;	/* on_missing = error */
	int64		max_bytes;		/* 0: no budget */
	int64		as_of_version;	/* that version alone, as it was; 0: the index as it is. Of calls only */
} S3vSearchSettings;

/* What the settings of the session say. */
extern S3vSearchSettings settings_of_session(void);

/* True unless the search setting (s3v.probes, ...) has its built-in value for want of any other. */
extern bool settings_is_set(const char *name);

/*
 * index_options: those of the foreign table, DefElem. call_options may be NULL. Raises 22023 for an unknown option or a bad value, listing
 * the valid ones.
 */
extern S3vSearchSettings settings_resolve(List *index_options, Jsonb *call_options);

/* Build settings: call options of s3v_create_index have become index options by now. */
typedef struct S3vBuildSettings
{
	int			lists;			/* 0: chosen */
	double		recall;			/* 0.95 */
	int			bits;			/* of the codes, 4 */
	s3v_raw		raw;			/* vectors kept beside the codes: none */
	s3v_soar	soar;			/* rows in two lists each: off */
} S3vBuildSettings;

extern S3vBuildSettings settings_for_build(Oid index_id);

/* What indexes on s3vectors:// have in place of these, and the foreign tables of s3v_attach. Strings are views of the options. */
typedef struct S3vRemoteSettings
{
	const char *nonfilterable;	/* for option_names(); NULL: none */
	bool		create_bucket;
	const char *mode;			/* CLASSIC, ENHANCED; NULL: as the vector bucket's default says */
	const char *attached_to;	/* the remote index; NULL: the index is of our making */
	s3v_metric	metric;			/* of an attached one, as is the next */
	int			dimensions;
} S3vRemoteSettings;

/* index_options: those of the foreign table, DefElem. */
extern S3vRemoteSettings settings_for_remote(List *index_options);

/* Raises 22023 for an option that says nothing to an index on such a server. */
extern void settings_check_kind(List *index_options, bool is_remote);

/*
 * One of the OPTIONS of an index's foreign table, for the validator: raises HV00D for an unknown name, listing the valid ones, and
 * 22023 for a bad value.
 */
extern void settings_check_index_option(const char *name, const char *value);

/* Splits the jsonb of s3v_create_index: "build" and "dimensions" are its own, the rest must be index options. Raises 22023. */
typedef struct S3vCreateOptions
{
	bool		build;			/* default true */
	int			dimensions;		/* 0: not given */
	List	   *index_options;	/* DefElem: name, String value */
} S3vCreateOptions;

extern S3vCreateOptions settings_for_create(Jsonb *options);

/* Options of s3v_sync; those other than `wait` are of mode 'changes' alone. Raises 22023. */
typedef struct S3vSyncOptions
{
	bool		wait;			/* default true; false: skip an index that another sync holds */
	int64		max_rows;		/* of the log, for each index; 0: no limit */
	double		max_seconds;	/* of the call, for all indexes; 0: no limit */
} S3vSyncOptions;

extern S3vSyncOptions settings_for_sync(Jsonb *options, bool changes);

#endif

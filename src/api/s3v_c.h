/*
 * The wall between the C++ core and the C shim. No PostgreSQL types, no C++ types; nothing is thrown past it.
 *
 * Every function that can fail returns an s3v_code and, when it is not S3V_OK, fills *err. Handles belong to the caller, who frees
 * them (the shim: from memory-context callbacks). All calls come from one thread. Views handed out live until the next call on the
 * same handle.
 */
#ifndef S3V_C_H
#define S3V_C_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef enum s3v_code {
  S3V_OK = 0,
  S3V_INVALID_ARGUMENT = 1,
  S3V_NOT_SUPPORTED = 2,
  S3V_OBJECT_MISSING = 3,
  S3V_UNAVAILABLE = 4,
  S3V_PERMISSION_DENIED = 5,
  S3V_CORRUPTED = 6,
  S3V_CANCELLED = 7,
  S3V_OUT_OF_MEMORY = 8,
  S3V_LIMIT_EXCEEDED = 9,
  S3V_CONFLICT = 10,
  S3V_IO_ERROR = 11,
  S3V_DISK_FULL = 12,
  S3V_INTERNAL = 13,
  S3V_STORE_MISSING = 14
} s3v_code;

/* Fixed buffers: reporting an error must not allocate. Longer texts are cut at a character boundary (UTF-8). */
typedef struct s3v_error {
  s3v_code code;
  char message[1024];
  char detail[1024];
  char hint[1024];
} s3v_error;

/*
 * What the core may ask of its caller, on the calling thread only. Every function must return; none may longjmp. A callback that
 * fails keeps the reason to itself and answers so; the call then ends with S3V_CANCELLED and the shim raises what it kept.
 */
typedef struct s3v_env {
  void *arg;
  int (*stop_requested)(void *arg); /* nonzero: end as soon as possible */
  /* Temporary files (builds). Handles are >= 0; -1 and nonzero mean failure. NULL pointers: builds are refused. */
  int (*spill_create)(void *arg);
  int (*spill_append)(void *arg, int handle, uint64_t offset, const void *data, size_t size);
  int (*spill_read)(void *arg, int handle, uint64_t offset, void *data, size_t size);
  void (*spill_close)(void *arg, int handle);
  /* May be NULL. total 0: unknown. */
  void (*progress)(void *arg, const char *phase, uint64_t done, uint64_t total);
} s3v_env;

/* ---- stores ------------------------------------------------------------------------------------------------------------- */

/* Strings are NUL-terminated and copied; NULL means the default (src/store/open_store.h). */
typedef struct s3v_store_config {
  const char *url;
  const char *data_directory;
  const char *region;
  const char *endpoint;
  int path_style;
  const char *sse;
  const char *kms_key_id;
  const char *ca_file;
  int allow_http;
  int check_address;
  const char *allowed_endpoints; /* comma-separated */
  const char *access_key_id;
  const char *secret_access_key;
  const char *session_token;
  int max_parallel_requests;
  int64_t request_timeout_ms;
  const char *cache_directory; /* absolute; NULL or empty: no local cache */
  uint64_t cache_bytes;        /* 0: no local cache */
} s3v_store_config;

typedef struct s3v_store s3v_store; /* an open store, its connections and the navigation tiers read through it */

/* Checks the options alone: what the validator calls. Connects to nothing. */
s3v_code s3v_store_check(const s3v_store_config *config, s3v_error *err);
s3v_code s3v_store_open(const s3v_store_config *config, s3v_store **store, s3v_error *err);
void s3v_store_close(s3v_store *store); /* NULL is fine */

/* Requests and bytes since the store was opened; take differences. */
typedef struct s3v_counters {
  uint64_t waves;
  uint64_t get_requests;
  uint64_t put_requests;
  uint64_t delete_requests;
  uint64_t bytes_read;
  uint64_t bytes_written;
  uint64_t retries;
  uint64_t cache_hits;     /* ranges and navigation objects that the local cache had */
  uint64_t cache_failures; /* times that the local cache could not write */
} s3v_counters;
void s3v_store_counters(const s3v_store *store, s3v_counters *counters);

/*
 * The uuids of all indexes that have objects below the store's url, dropped and never committed ones included; free with
 * s3v_store_indexes_free (NULL is fine). foreign_objects counts the objects that belong to no index.
 */
s3v_code s3v_store_indexes(const s3v_env *env, s3v_store *store, char (**uuids)[37], size_t *count, uint64_t *foreign_objects,
                           s3v_error *err);
void s3v_store_indexes_free(char (*uuids)[37]);

/* ---- vectors ------------------------------------------------------------------------------------------------------------ */

typedef enum s3v_metric { S3V_COSINE = 1, S3V_L2 = 2, S3V_INNER_PRODUCT = 3 } s3v_metric;

/* The distance users see (src/ivf/distance.h). Never fails. */
double s3v_distance(s3v_metric metric, const float *a, const float *b, size_t dimensions);

typedef enum s3v_vector_state { S3V_VECTOR_FINE = 0, S3V_VECTOR_NOT_FINITE = 1, S3V_VECTOR_ZERO = 2 } s3v_vector_state;
s3v_vector_state s3v_vector_check(const float *values, size_t dimensions);

/* ---- metadata and filters ----------------------------------------------------------------------------------------------- */

/* Tags of the row encoding that the shim writes: src/format/metadata.h. */
enum {
  S3V_TAG_NULL = 0,
  S3V_TAG_FALSE = 1,
  S3V_TAG_TRUE = 2,
  S3V_TAG_INTEGER = 3,
  S3V_TAG_FLOAT = 4,
  S3V_TAG_DECIMAL = 5,
  S3V_TAG_TEXT = 6,
  S3V_TAG_TIME = 7,
  S3V_TAG_LIST = 8,
  S3V_TAG_JSON = 9
};

typedef enum s3v_column_kind {
  S3V_COLUMN_TEXT = 1,
  S3V_COLUMN_LABEL = 2,
  S3V_COLUMN_BOOLEAN = 3,
  S3V_COLUMN_NUMBER = 4,
  S3V_COLUMN_TIME = 5,
  S3V_COLUMN_LIST = 6,
  S3V_COLUMN_JSON = 7
} s3v_column_kind;

typedef struct s3v_column {
  const char *name;
  s3v_column_kind kind;
} s3v_column;

typedef struct s3v_filter s3v_filter;

/* parse_time turns a time operand for the column with that ordinal into microseconds since 2000-01-01; nonzero: not such a time. */
typedef int (*s3v_parse_time)(void *arg, int column, const char *text, int64_t *microseconds);

s3v_code s3v_filter_compile(const char *json, const s3v_column *columns, int column_count, s3v_parse_time parse_time, void *arg,
                            s3v_filter **filter, s3v_error *err);
s3v_code s3v_filter_match(const s3v_filter *filter, const void *row, size_t size, int *matches, s3v_error *err);
void s3v_filter_free(s3v_filter *filter);

/* ---- key sets ----------------------------------------------------------------------------------------------------------- */

/* Keys are byte strings whose memcmp order is the key type's order (src/format/segment.h, KeyKind). */
typedef enum s3v_key_kind { S3V_KEY_INTEGER = 1, S3V_KEY_UUID = 2, S3V_KEY_TEXT = 3 } s3v_key_kind;

typedef struct s3v_keys s3v_keys;
s3v_code s3v_keys_create(s3v_keys **keys, s3v_error *err);
s3v_code s3v_keys_add(s3v_keys *keys, const void *key, size_t size, s3v_error *err);
int s3v_keys_contains(const s3v_keys *keys, const void *key, size_t size);
size_t s3v_keys_count(const s3v_keys *keys);
void s3v_keys_free(s3v_keys *keys);

/* ---- search ------------------------------------------------------------------------------------------------------------- */

/* An object by its id of 32 hexadecimal digits, NUL-terminated, and its length in bytes. */
typedef struct s3v_object_name {
  char id[33];
  uint64_t length;
} s3v_object_name;

#define S3V_MAX_DELTAS 16

/* Names of a version as its row has them: uuid text; the deltas as the version was published with, at least one. */
typedef struct s3v_version_names {
  const char *index_uuid;
  s3v_object_name base;
  s3v_object_name deltas[S3V_MAX_DELTAS];
  size_t delta_count;
} s3v_version_names;


typedef enum s3v_raw { S3V_RAW_NONE = 0, S3V_RAW_F32 = 1, S3V_RAW_F16 = 2 } s3v_raw;

/* What a version was made of, as its manifest has it. */
typedef struct s3v_version_shape {
  s3v_metric metric;
  size_t dimensions;
  s3v_key_kind key_kind;
  size_t metadata_column_count;
  s3v_raw raw;
} s3v_version_shape;

/* A version that was kept, from its manifest (one request). names->index_uuid is index_uuid itself. */
s3v_code s3v_version_open(const s3v_env *env, s3v_store *store, const char *index_uuid, const char *manifest,
                          s3v_version_names *names, s3v_version_shape *shape, s3v_error *err);

typedef struct s3v_search_options {
  uint64_t k;
  uint64_t probes;    /* 0: the version's own rule */
  uint64_t max_bytes; /* 0: no budget */
  uint64_t in_flight_bytes;
  int raw_from_store; /* nonzero: exact vectors of candidates are read from the store, where the index has them */
  const s3v_filter *filter; /* these three may be NULL and must outlive the search */
  const s3v_keys *only;
  const s3v_keys *without;
} s3v_search_options;

typedef struct s3v_search s3v_search;

/* Of an entry, for the search that found it. */
typedef struct s3v_place {
  uint32_t piece;
  uint32_t entry;
} s3v_place;

typedef struct s3v_candidate {
  const void *key;
  size_t key_size;
  double estimate;    /* of the exact distance */
  double lower_bound; /* of it, very probably; both are the distance where a whole raw vector was at hand */
  s3v_place place;
} s3v_candidate;

typedef struct s3v_bytes {
  const void *data;
  size_t size;
} s3v_bytes;

typedef struct s3v_search_stats {
  uint64_t lists_total;
  uint64_t lists_probed;
  uint64_t entries_scanned;
  uint64_t entries_scored;
  uint64_t entries_matched;
  int exhausted;
  int budget_reached;
} s3v_search_stats;

/*
 * Opens the version's navigation tier (at most one wave). `queries` are query_count x dimensions, row-major, and copied. The lists
 * of all queries are read together, each once. REQUIRES: finite; not zero under cosine.
 */
s3v_code s3v_search_open(const s3v_env *env, s3v_store *store, const s3v_version_names *version, const float *queries,
                         size_t query_count, size_t dimensions, const s3v_search_options *options, s3v_search **search,
                         s3v_error *err);
/*
 * The next `want` candidates of query number `query` whose lower bounds are not above `worst` (the k-th exact distance so far, or
 * infinity), least bound first within a widening step. *found 0: the step has no more of them.
 */
s3v_code s3v_search_next(const s3v_env *env, s3v_search *search, size_t query, size_t want, double worst,
                         const s3v_candidate **candidates, size_t *found, s3v_error *err);
/* Reads more lists for that query. *more 0: every list was read, or the budget is used up. */
s3v_code s3v_search_widen(const s3v_env *env, s3v_search *search, size_t query, int *more, s3v_error *err);
/*
 * Encoded metadata (src/format/metadata.h) of candidates that this search handed out, in the order of `places`: (*rows)[i] is empty where
 * the version has no metadata. One wave; max_bytes does not bound it.
 */
s3v_code s3v_search_metadata(const s3v_env *env, s3v_search *search, const s3v_place *places, size_t count, const s3v_bytes **rows,
                             s3v_error *err);
void s3v_search_stats_get(const s3v_search *search, s3v_search_stats *stats);
void s3v_search_free(s3v_search *search);

/*
 * Reads the version's navigation tier and lists into the local cache, at most `max_bytes` of them; *fetched are the bytes that had to
 * be asked of the store.
 */
s3v_code s3v_warm(const s3v_env *env, s3v_store *store, const s3v_version_names *version, uint64_t max_bytes, uint64_t *fetched,
                  s3v_error *err);

/* ---- the exact answer ---------------------------------------------------------------------------------------------------- */

/* Distances of the k nearest rows of several queries, for measuring recall (src/ivf/truth.h). */
typedef struct s3v_truth s3v_truth;

/* Query i does not count the row with the key own_keys[i]. All is copied. */
s3v_code s3v_truth_open(s3v_metric metric, size_t dimensions, const float *queries, const void *const *own_keys,
                        const size_t *own_key_sizes, size_t query_count, size_t k, s3v_truth **truth, s3v_error *err);
s3v_code s3v_truth_add(s3v_truth *truth, const void *key, size_t key_size, const float *vector, s3v_error *err);
/* Ascending, at most k; views until the next call. */
s3v_code s3v_truth_nearest(s3v_truth *truth, size_t query, const double **distances, size_t *count, s3v_error *err);
void s3v_truth_free(s3v_truth *truth);

/* ---- build -------------------------------------------------------------------------------------------------------------- */

typedef enum s3v_soar { S3V_SOAR_OFF = 0, S3V_SOAR_ON = 1, S3V_SOAR_AUTO = 2 } s3v_soar;

typedef struct s3v_build_options {
  const char *index_uuid;
  s3v_metric metric;
  size_t dimensions;
  s3v_key_kind key_kind;
  const char *const *metadata_columns;
  int metadata_column_count;
  uint64_t lists; /* 0: chosen */
  double recall;
  int bits;      /* of the codes, 1 to 8 */
  s3v_raw raw;   /* vectors kept beside the codes */
  s3v_soar soar; /* rows in two lists each */
  uint64_t memory_bytes;
  int threads;
} s3v_build_options;

/* What the version row records. Strings are NUL-terminated ids of 32 digits. */
typedef struct s3v_version {
  char manifest[33];
  s3v_object_name base;
  s3v_object_name deltas[S3V_MAX_DELTAS];
  size_t delta_count;
  uint64_t rows;
  uint64_t lists;
  uint64_t segments;
  uint64_t entries; /* rows, and once more those that lie in two lists */
  uint64_t bytes;   /* of all objects the version names */
  uint64_t bytes_written;
  double cpu_seconds;
} s3v_version;

typedef struct s3v_build s3v_build;

/* env must outlive the build. */
s3v_code s3v_build_open(const s3v_env *env, s3v_store *store, const s3v_build_options *options, s3v_build **build, s3v_error *err);
s3v_code s3v_build_add(s3v_build *build, const void *key, size_t key_size, const float *vector, const void *metadata,
                       size_t metadata_size, s3v_error *err);
s3v_code s3v_build_finish(s3v_build *build, s3v_version *version, s3v_error *err);
void s3v_build_free(s3v_build *build);

/* ---- update: src/engine/update.h ----------------------------------------------------------------------------------------- */

typedef struct s3v_update s3v_update;

/*
 * Opens the version `names` (at most one wave). Of `options` it uses metadata columns, lists, recall, memory_bytes and threads; metric,
 * dimensions and key kind must be those of the version (S3V_INVALID_ARGUMENT). `optimize` nonzero: rewrite whatever a fresh build
 * would leave better. env must outlive the update.
 */
s3v_code s3v_update_open(const s3v_env *env, s3v_store *store, const s3v_version_names *names, const s3v_build_options *options,
                         int optimize, s3v_update **update, s3v_error *err);
/* The key has changed: entries with it go. Unknown keys are fine. */
s3v_code s3v_update_remove(s3v_update *update, const void *key, size_t key_size, s3v_error *err);
/* The same, and the row as it is now. Each key at most once before s3v_update_plan, and at most once for s3v_update_take. */
s3v_code s3v_update_put(s3v_update *update, const void *key, size_t key_size, const float *vector, const void *metadata,
                        size_t metadata_size, s3v_error *err);
/* After the last change: finds the entries to mask, and decides what is compacted. */
s3v_code s3v_update_plan(s3v_update *update, s3v_error *err);
/*
 * The next key whose row must be read from the source again and put (one that is not put is gone from the index). *size 0 and *key NULL:
 * no more. Take and put may alternate.
 */
s3v_code s3v_update_take(s3v_update *update, const void **key, size_t *key_size, s3v_error *err);

typedef struct s3v_update_result {
  s3v_version version; /* the new one */
  int changed;         /* 0: nothing was written, the old version stands and `version` is empty */
  uint64_t rows_put;   /* rows that had to be read again for compaction not counted */
  uint64_t rows_removed; /* keys the old version had and the new one has not */
} s3v_update_result;
s3v_code s3v_update_finish(s3v_update *update, s3v_update_result *result, s3v_error *err);
void s3v_update_free(s3v_update *update);

/* ---- comparing with the source: src/engine/contents.h -------------------------------------------------------------------- */

typedef struct s3v_contents s3v_contents;

typedef struct s3v_damage {
  uint64_t objects;   /* missing or damaged ones of the version */
  int unusable;       /* only a rebuild helps: the version cannot be opened */
  char complaint[1024]; /* about the first one; empty: none */
} s3v_damage;

/*
 * Reads the version from the store itself, past any local cache, and tells what of it is damaged. The contents are of what is not:
 * keys, ascending, with content hashes. *contents is NULL when the version is unusable. env must outlive the contents.
 */
s3v_code s3v_contents_open(const s3v_env *env, s3v_store *store, const s3v_version_names *names, const char *manifest,
                           s3v_contents **contents, s3v_damage *damage, s3v_error *err);
/* *key NULL: the end. The view lives until the next call. */
s3v_code s3v_contents_next(s3v_contents *contents, const void **key, size_t *key_size, uint64_t *content_hash, s3v_error *err);
/* The damaged segments' entries go: before s3v_update_plan of an update of the same version. */
s3v_code s3v_update_discard_damaged(s3v_update *update, const s3v_contents *contents, s3v_error *err);
void s3v_contents_free(s3v_contents *contents);

/* The hash that an entry made of this row would have. Never fails. */
uint64_t s3v_content_hash(const float *vector, size_t dimensions, const void *metadata, size_t metadata_size);

/* ---- ownership and clean-up --------------------------------------------------------------------------------------------- */

typedef struct s3v_identity {
  uint64_t system_identifier;
  uint32_t database;
  uint32_t timeline;
} s3v_identity;

/* A new random id: 32 digits and a NUL. */
s3v_code s3v_random_id(char id[33], s3v_error *err);

/* src/engine/ownership.h. After an error, *number is the one that may be claimed all the same, 0 when none can be. */
s3v_code s3v_owner_claim(const s3v_env *env, s3v_store *store, const char *index_uuid, uint64_t recorded,
                         const char *const *known_tokens, size_t known_count, const s3v_identity *identity, const char *new_token,
                         int adopt, uint64_t *number, s3v_error *err);
s3v_code s3v_owner_verify(const s3v_env *env, s3v_store *store, const char *index_uuid, uint64_t number, s3v_error *err);

typedef struct s3v_collected {
  uint64_t deleted;
  uint64_t bytes;
  uint64_t kept;
  uint64_t foreign_objects;
} s3v_collected;

/* src/engine/collect.h; looks at the fence before every batch of deletions. */
s3v_code s3v_collect(const s3v_env *env, s3v_store *store, const char *index_uuid, int dropped,
                     const char *const *retained_manifests, size_t retained_count, int64_t keep_seconds, uint64_t owner_number, s3v_collected *result, s3v_error *err);

/*
 * src/engine/fork.h: the version of that manifest, from the prefix of one index into that of another, which the caller has claimed. Both
 * stores may be the same; neither may be a service (S3V_NOT_SUPPORTED).
 */
s3v_code s3v_fork_version(const s3v_env *env, s3v_store *from, const char *from_uuid, const char *manifest, s3v_store *to,
                          const char *to_uuid, s3v_error *err);

/* ---- process ------------------------------------------------------------------------------------------------------------ */

/* From on_proc_exit, after the last store is closed. */
void s3v_process_exit(void);

#ifdef __cplusplus
}
#endif

#endif

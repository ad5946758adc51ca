/*
 * The wall for indexes that a managed service keeps (s3vectors://): docs/design/s3vectors.md. The rules of s3v_c.h
 * hold.
 *
 * s3v_store_open, _close, _check, _counters, _indexes, s3v_owner_claim, s3v_owner_verify and s3v_collect (whose
 * retained manifests are names of remote indexes here) work on both kinds of store. Everything else of s3v_c.h that
 * takes a store refuses one of a service with S3V_NOT_SUPPORTED.
 */
#ifndef S3V_REMOTE_C_H
#define S3V_REMOTE_C_H

#include "s3v_c.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Does the url name a managed service? Never fails. */
int s3v_url_is_remote(const char* url);
int s3v_store_is_remote(const s3v_store* store);

/* The endpoint that the config leads to, for whoever checks who may go there: 256 bytes with the NUL. */
s3v_code s3v_store_endpoint(const s3v_store_config* config, char endpoint[256], s3v_error* err);

/* ---- rows
 * ---------------------------------------------------------------------------------------------------------------- */

#define S3V_MAX_REMOTE_DIMENSIONS 4096
#define S3V_MAX_REMOTE_K 10000
#define S3V_MAX_REMOTE_NAME 64

/* What an index is made of; all is copied. nonfilterable[i] nonzero: the service keeps the column, but does not filter
 * by it. */
typedef struct s3v_remote_schema {
  s3v_key_kind key_kind;
  size_t dimensions;
  int column_count;
  const s3v_column* columns;
  const uint8_t* nonfilterable;
} s3v_remote_schema;

typedef struct s3v_remote s3v_remote; /* the schema, ready for use; independent of any store */
s3v_code s3v_remote_open(const s3v_remote_schema* schema, s3v_remote** remote, s3v_error* err);
void s3v_remote_free(s3v_remote* remote);

/* *fits 0: the service would refuse the row; `complaint` is a sentence that says why. */
s3v_code s3v_remote_check_row(const s3v_remote* remote, const void* key, size_t key_size, const void* metadata,
                              size_t metadata_size, int* fits, char complaint[256], s3v_error* err);

typedef struct s3v_remote_sizes {
  uint64_t key_bytes;
  uint64_t filterable_bytes;
  uint64_t metadata_bytes;
} s3v_remote_sizes;
s3v_code s3v_remote_row_sizes(const s3v_remote* remote, const void* key, size_t key_size, const void* metadata,
                              size_t metadata_size, s3v_remote_sizes* sizes, s3v_error* err);

/* As s3v_content_hash(), but equal to what s3v_remote_contents_open() finds of the row. */
s3v_code s3v_remote_row_hash(const s3v_remote* remote, const float* vector, const void* metadata, size_t metadata_size,
                             uint64_t* hash, s3v_error* err);

/* ---- remote indexes
 * ------------------------------------------------------------------------------------------------------- */

typedef struct s3v_remote_creation {
  s3v_metric metric;
  size_t dimensions;
  const char* const* nonfilterable;
  size_t nonfilterable_count;
  int create_bucket;
  const char* mode; /* CLASSIC, ENHANCED; NULL: the bucket's default */
} s3v_remote_creation;

/* What cannot be: S3V_NOT_SUPPORTED for inner product, S3V_INVALID_ARGUMENT beyond the service's limits. Connects to
 * nothing. */
s3v_code s3v_remote_check_creation(const s3v_remote_creation* creation, s3v_error* err);

/* The vector bucket, unless it is there: before anything else is written to it. */
s3v_code s3v_remote_make_bucket(const s3v_env* env, s3v_store* store, s3v_error* err);

/* A new generation of the index, empty. */
s3v_code s3v_remote_create(const s3v_env* env, s3v_store* store, const char* index_uuid,
                           const s3v_remote_creation* creation, char name[S3V_MAX_REMOTE_NAME], s3v_error* err);

/* What an attempt of ours that did not finish left: name is empty when there is nothing of that shape. */
s3v_code s3v_remote_find_unfinished(const s3v_env* env, s3v_store* store, const char* index_uuid,
                                    const char* const* published, size_t published_count,
                                    const s3v_remote_creation* creation, char name[S3V_MAX_REMOTE_NAME],
                                    s3v_error* err);

typedef struct s3v_remote_shape {
  s3v_metric metric;
  size_t dimensions;
  char mode[16]; /* empty: unknown */
} s3v_remote_shape;
s3v_code s3v_remote_describe(const s3v_env* env, s3v_store* store, const char* name, s3v_remote_shape* shape,
                             s3v_error* err);

/* ---- writing
 * -------------------------------------------------------------------------------------------------------------- */

typedef struct s3v_remote_writer s3v_remote_writer;

typedef struct s3v_remote_written {
  uint64_t put;
  uint64_t removed;
  uint64_t logical_bytes; /* of what was put, as the service bills it */
  uint64_t requests;
  uint64_t refusals; /* 429 and 503 */
} s3v_remote_written;

/* env, store and remote must outlive the writer. Each key at most once. Calls may send and wait. */
s3v_code s3v_remote_writer_open(const s3v_env* env, s3v_store* store, const s3v_remote* remote, const char* name,
                                s3v_remote_writer** writer, s3v_error* err);
s3v_code s3v_remote_writer_put(s3v_remote_writer* writer, const void* key, size_t key_size, const float* vector,
                               const void* metadata, size_t metadata_size, s3v_error* err);
s3v_code s3v_remote_writer_remove(s3v_remote_writer* writer, const void* key, size_t key_size, s3v_error* err);
/* Vectors that somebody else wrote, as far as the contents keep their keys. */
s3v_code s3v_remote_writer_remove_foreign(s3v_remote_writer* writer, const s3v_contents* contents, s3v_error* err);
s3v_code s3v_remote_writer_finish(s3v_remote_writer* writer, s3v_remote_written* written, s3v_error* err);
void s3v_remote_writer_free(s3v_remote_writer* writer);

/* ---- searching
 * ------------------------------------------------------------------------------------------------------------ */

typedef struct s3v_remote_search s3v_remote_search;

typedef struct s3v_remote_hit {
  const void* key; /* encoded; of an attached index the text itself */
  size_t key_size;
  double distance;      /* as the service has it; NaN: it did not say */
  const char* metadata; /* JSON; NULL: none, or not asked for */
} s3v_remote_hit;

typedef struct s3v_remote_search_options {
  const uint64_t* top_k;    /* for each query; 0: this one is not asked */
  const s3v_filter* filter; /* of an index of ours: compiled over the schema's columns; NULL: none */
  const char* filter_json;  /* of an attached one; NULL: none */
  int with_metadata;
} s3v_remote_search_options;

/*
 * Sends everything and waits. `remote` NULL: an attached index, whose keys are text. queries are query_count x
 * dimensions, row-major. S3V_INVALID_ARGUMENT for a filter_json that is none.
 */
s3v_code s3v_remote_search_open(const s3v_env* env, s3v_store* store, const s3v_remote* remote, const char* name,
                                const float* queries, size_t query_count, size_t dimensions,
                                const s3v_remote_search_options* options, s3v_remote_search** search, s3v_error* err);
/* Nearest first; views that live with the search. *whole nonzero: the service has no more. */
s3v_code s3v_remote_search_hits(const s3v_remote_search* search, size_t query, const s3v_remote_hit** hits,
                                size_t* count, int* whole, s3v_error* err);
void s3v_remote_search_free(s3v_remote_search* search);

/* ---- comparing with the source
 * -------------------------------------------------------------------------------------------- */

/*
 * Lists the whole index; s3v_contents_next and s3v_contents_free of s3v_c.h serve. *foreign: vectors whose keys no row
 * of ours can have. env and remote must outlive the contents.
 */
s3v_code s3v_remote_contents_open(const s3v_env* env, s3v_store* store, const s3v_remote* remote, const char* name,
                                  uint64_t memory_bytes, s3v_contents** contents, uint64_t* foreign, s3v_error* err);

/* ---- what the service charges: src/s3vectors/cost.h
 * --------------------------------------------------------------------------------------- */

/* Dollars; a GB has 2^30 bytes, a TB 2^40. */
typedef struct s3v_remote_prices {
  double stored_gb_month;
  double put_gb;
  double query;
  double processed_tb_first; /* up to the 100,000th vector of the index */
  double processed_tb_middle;
  double processed_tb_last; /* above 10,000,000 */
  double returned_gb;
} s3v_remote_prices;

/* Of one vector, on average. */
typedef struct s3v_remote_vector_bytes {
  double searched; /* floats, key, filterable metadata */
  double stored;   /* floats, key, all metadata */
} s3v_remote_vector_bytes;

typedef struct s3v_remote_query_dollars {
  double request;
  double processed;
  double returned;
} s3v_remote_query_dollars;

/* These never fail. For a month; for `bytes` in requests of equal size; for one query. */
double s3v_remote_storage_cost(const s3v_remote_prices* prices, double vectors, const s3v_remote_vector_bytes* bytes);
double s3v_remote_put_cost(const s3v_remote_prices* prices, double bytes, double requests);
void s3v_remote_query_cost(const s3v_remote_prices* prices, double vectors, const s3v_remote_vector_bytes* bytes,
                           double results, double returned_bytes, s3v_remote_query_dollars* cost);

#ifdef __cplusplus
}
#endif

#endif

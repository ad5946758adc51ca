/* The source table of an index as it is now, and its values on their way to the core: keys, vectors, metadata. */
#ifndef S3V_SOURCE_H
#define S3V_SOURCE_H

#include "postgres.h"

#include "lib/stringinfo.h"
#include "utils/array.h"
#include "utils/jsonb.h"
#include "utils/rel.h"

#include "../src/api/s3v_c.h"

typedef enum S3vVectorKind
{
	VECTOR_FLOAT4_ARRAY,
	VECTOR_FLOAT8_ARRAY,
	VECTOR_PGVECTOR,			/* pgvector's vector */
	VECTOR_PGHALFVEC,			/* pgvector's halfvec */
	VECTOR_NUMERIC_ARRAY,		/* these three: queries only */
	VECTOR_INT_ARRAY,
	VECTOR_TEXT
} S3vVectorKind;

typedef struct S3vColumn
{
	char	   *name;
	AttrNumber	attnum;
	Oid			type;			/* as declared */
	Oid			base_type;		/* domains looked through */
	int32		typmod;			/* of base_type, a domain's own included */
	s3v_column_kind kind;		/* metadata columns */
} S3vColumn;

/* All of an index's columns found in its source. Allocated in the current memory context. */
typedef struct S3vSource
{
	Oid			relid;
	S3vColumn	key;
	s3v_key_kind key_kind;
	S3vColumn	vector;
	S3vVectorKind vector_kind;
	int			metadata_count;
	S3vColumn  *metadata;
	bool		partitioned;	/* its rows are in leaves, whose attribute numbers may differ */
} S3vSource;

/*
 * Resolves the columns by name. With missing_ok, answers NULL when a column is gone or is none that s3v takes; without, raises
 * 42703 (no such column, listing those there are), 22023 (type of key, vector or metadata column not supported, listing what is),
 * 0A000 (key with a nondeterministic collation, virtual generated column). Raises always when metadata names a column twice
 * (42701) or the vector (22023). The key may be metadata too: a foreign table must then declare it once.
 */
extern S3vSource *source_describe(Relation rel, const char *key_column, const char *vector_column, int metadata_count,
								  char **metadata, bool missing_ok);

/* A column's type as a declaration has it. */
extern char *source_declared_type(const S3vColumn *column);

/* The same columns as they stand in a leaf of that source, or in the source itself. Allocated in the current memory context. */
extern S3vSource *source_in_leaf(const S3vSource *source, Relation leaf);

/* True when tables inherit from it that are no partitions: their rows are its rows as well, but no trigger of ours sees them. */
extern bool source_has_children(Oid relid);

/*
 * Does a unique index make the column a key by itself: immediate, whole, of this one plain column? *deferrable tells of one that is not
 * immediate.
 */
extern bool source_key_is_unique(Relation rel, AttrNumber attnum, bool *deferrable);

/*
 * A valid unique index of this one plain column that finds keys by the type's own equality, as the planner would use it; deferrable ones
 * serve too. InvalidOid: none. Of a partitioned source it is the one that each leaf has a part of.
 */
extern Oid	source_key_index(Relation rel, const S3vSource *source);

/* The function of pg_catalog that the index's operator class calls equality of keys. */
extern RegProcedure source_key_equality(Oid base_type);

/* "SELECT key, vector, metadata... FROM ONLY source", quoted; the caller adds a WHERE. Reads the source's present name. No ONLY before partitions. */
extern char *source_select(const S3vSource *source);

/* ---- vectors (vectors.c) ---- */

/* Kind of a vector type, domains looked through; -1 when s3v does not take it. */
extern int	vector_kind_of(Oid type);

/* Whether a column of that kind can be the vector column of an index; the others are for queries only. */
extern bool vector_kind_is_stored(int kind);

/* Dimensions that the type modifier fixes (pgvector types), else 0. */
extern int	vector_typmod_dimensions(const S3vColumn *column);

/*
 * The float32 values of a vector datum, in the datum itself where they lie there as they are; *dimensions is 0 for an empty one. float8 is rounded; a value that overflows
 * float32 becomes infinite (and is refused as not finite). Raises 22004 for NULL elements, 2202E for more than one array dimension,
 * 54000 beyond 16,000 dimensions, 22P02 for text that is no vector.
 */
extern const float *vector_from_datum(Datum value, Oid type, S3vVectorKind kind, int *dimensions);

/* The rows of a two-dimensional array of numbers, one after another; raises as above. */
extern const float *vectors_from_matrix(ArrayType *array, S3vVectorKind kind);

/*
 * vector_from_datum() for a row of the source, without raising: NULL and a sentence for errdetail in *complaint (else NULL), so that whoever
 * knows the row's key can name it.
 */
extern const float *vector_from_row(Datum value, const S3vSource *source, int *dimensions, char **complaint);

/*
 * What is wrong with a vector for an index of these dimensions (another number of them, NaN, infinity); NULL when it is fine.
 * palloc'd, a sentence for errdetail.
 */
extern char *vector_complaint(const float *values, int count, int dimensions);

/* ---- keys (keys.c) ---- */

typedef struct S3vKey
{
	char	   *data;
	int			size;
} S3vKey;

/* Kind for a key column's type; 0 when s3v does not take it. */
extern int	key_kind_of(Oid base_type);
/* Encoded: memcmp order is the type's own (text: bytes). palloc'd. Text longer than 65,535 bytes: 54000. */
extern S3vKey key_from_datum(Datum value, Oid base_type, s3v_key_kind kind);
/* As the type reads it: raises its own 22P02 or 22003. */
extern S3vKey key_from_text(const char *text, Oid base_type, s3v_key_kind kind);
/* Both raise XX001 for bytes that are no key of that kind, or no text of the server's encoding: they may come from a store. */
extern char *key_to_text(const void *key, int size, s3v_key_kind kind);
/* An empty core key set that lives with the current memory context. */
extern s3v_keys *key_set_make(void);
extern Datum key_to_datum(const void *key, int size, Oid base_type, s3v_key_kind kind);

/* ---- metadata (metadata.c) ---- */

/* Kind for a metadata column's type; 0 when s3v does not take it. */
extern int	metadata_kind_of(Oid type);

/*
 * Appends the row's metadata as src/format/metadata.h says; values and nulls in the order of source->metadata. Small copies may stay
 * in the current memory context: one per row or batch. Raises 22P05 for text of another server encoding that UTF-8 cannot express.
 */
extern void metadata_encode(StringInfo out, const S3vSource *source, const Datum *values, const bool *nulls);

/* A date, timestamp or timestamptz as metadata carries it: microseconds since 2000-01-01; dates after the year 294,246 keep order. */
extern int64 metadata_time(Datum value, Oid base_type);

/* Between the server's encoding and the core's UTF-8; the argument itself where nothing is to be done. */
extern const char *metadata_to_utf8(const char *text);
extern const char *metadata_from_utf8(const char *text);

/* The same values as jsonb, as to_jsonb() prints them (an enum always as its label); NULL columns are absent keys. */
extern Jsonb *metadata_to_jsonb(const S3vSource *source, const Datum *values, const bool *nulls);

/* One value of them: `type` is a metadata column's base type, or what its array's elements are. (metadata_json.c) */
extern void metadata_json_value(JsonbValue *json, Oid type, Datum value);

/*
 * What metadata_to_jsonb() made of the row whose encoding these bytes are, but for arrays: one dimension, without NULL elements. Raises
 * XX001 for bytes that are no such row, 0A000 for a column that had another type then. (metadata_decode.c)
 */
extern Jsonb *metadata_decode(const S3vSource *source, const void *row, Size size);

/* ---- filters (filters.c) ---- */

/*
 * Compiles a filter over the source's metadata columns into a handle of the current memory context, which also frees it; raises
 * 22023.
 */
extern s3v_filter *metadata_filter(const S3vSource *source, Jsonb *filter);

/* A filter's date, timestamp or timestamptz, as the type itself reads it; raises what it raises. */
extern Datum metadata_time_from_text(const char *text, Oid base_type);

#endif

/* The parts of s3v_create_index: what the caller asked for, and the checks of the source. */
#ifndef S3V_CREATE_H
#define S3V_CREATE_H

#include "postgres.h"

#include "nodes/primnodes.h"
#include "utils/array.h"
#include "utils/rel.h"

#include "settings.h"
#include "source.h"

/* What the caller asked for, checked step by step. */
typedef struct Creation
{
	RangeVar   *name;
	Oid			source;
	Oid			server;
	char	   *server_name;
	char	   *key_column;
	char	   *vector_column;
	const char *metric;			/* canonical: cosine, l2, ip */
	int			metadata_count;
	char	  **metadata;
	ArrayType  *metadata_array;
	S3vCreateOptions options;
	S3vSource  *columns;
	int			dimensions;
	bool		remote;			/* the server is of s3vectors:// */
} Creation;

/* Raise 0A000 for what is no plain table, 22023 for a key, metadata column or dimensions that cannot be. (create_checks.c) */
extern void create_check_source(Relation rel);
extern void create_check_metadata(Relation rel, const Creation *creation);
extern void create_check_key(Relation rel, const S3vColumn *key);

/* The column of a primary key that has only one; raises 22023. */
extern char *create_primary_key_column(Relation rel);

/* From the type, the option, or the rows; raises 22023 when none of them says. */
extern int	create_choose_dimensions(const Creation *creation, Relation rel);

#endif

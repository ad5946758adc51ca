/* Indexes that Amazon S3 Vectors keeps (servers with a url s3vectors://...): docs/design/s3vectors.md. */
#ifndef S3V_REMOTE_H
#define S3V_REMOTE_H

#include "postgres.h"

#include "../src/api/s3v_remote_c.h"
#include "catalog.h"
#include "settings.h"
#include "source.h"

extern bool remote_server(Oid server);

/* Of any foreign table of the wrapper, attached ones included. */
extern bool remote_index(Oid index_id);

/* A foreign table that s3v_attach made: over a remote index that others write. *settings says which. */
extern bool remote_attached(Oid index_id, S3vRemoteSettings *settings);

/* How rows of the index go to the service; lives in the current memory context. REQUIRES: index->remote_names is there. */
extern s3v_remote *remote_schema(const S3vIndex *index, const S3vSource *source);

/*
 * What a new remote index of it shall be, as the index's options say now. *nonfilterable gets the names that the service shall not filter
 * by, as s3v.index keeps them. Raises 22023 for names that are no metadata columns.
 */
extern s3v_remote_creation remote_creation(const S3vIndex *index, Datum *nonfilterable);

/* Raises what is wrong with an index that is to be made there: 0A000, 22023. */
extern void remote_check_creation(s3v_metric metric, int dimensions, char *const *metadata, int metadata_count, s3v_key_kind key_kind,
								  List *index_options);

/* A sentence for errdetail when the service would refuse the row; NULL when it takes it. */
extern char *remote_row_complaint(const s3v_remote *remote, const S3vKey *key, const void *metadata, Size size);

#endif

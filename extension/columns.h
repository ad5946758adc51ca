/* The columns of an index's foreign table beside those of its source: key, vector, then metadata, in this order. */
#ifndef S3V_COLUMNS_H
#define S3V_COLUMNS_H

#include "postgres.h"

#include "catalog.h"
#include "source.h"

/* Do they still have the same types? When not, the version was made of other values: the source is scanned until a rebuild. */
extern bool columns_match(const S3vIndex *index, const S3vSource *source);

/* Before a rebuild: gives the foreign table's columns the types that the source's have now. */
extern void columns_follow(const S3vIndex *index, const S3vSource *source);

/* A metadata column of the source was dropped: the index goes on without it. The caller marks it stale. */
extern void columns_forget(const S3vIndex *index, int metadata);

#endif

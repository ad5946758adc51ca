/* Measuring recall: sampled rows as queries, the exact answer against that of the index. */
#ifndef S3V_RECALL_H
#define S3V_RECALL_H

#include "postgres.h"

#include "query.h"

typedef struct S3vSampledRow
{
	uint64		lot;			/* of its key: the lowest are the sample */
	S3vKey		key;
	int			place;			/* of its vector */
} S3vSampledRow;

typedef struct S3vSample
{
	int			count;
	S3vSampledRow *rows;		/* in the order of their lots */
	float	   *vectors;		/* one after another */
} S3vSample;

/*
 * At most `wanted` rows of the source that are, or after a sync would be, in the index: the same ones in every scan, whatever its order.
 * They live in the query's context. REQUIRES: SPI is connected. (recall_sample.c)
 */
extern S3vSample *recall_draw_sample(S3vQuery *query, int wanted);

/* A row's vector, or NULL where it keeps the row out of the index. (recall_sample.c) */
extern const float *recall_vector(const S3vQuery *query, Datum value);

#endif

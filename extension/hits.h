/* The k best hits of a query so far, nearest first, ties by key in the key type's order. */
#ifndef S3V_HITS_H
#define S3V_HITS_H

#include "postgres.h"

#include "utils/jsonb.h"

#include "api/s3v_c.h"

typedef struct S3vHit
{
	double		distance;
	char	   *key;			/* encoded; memcmp order is the key type's */
	int			key_size;
	Jsonb	   *metadata;		/* NULL: still to be read at `place` */
	s3v_place	place;			/* of hits that were added by it */
} S3vHit;

/* A bounded heap; grows as hits arrive, never beyond k. Everything in it lives in `context`. */
typedef struct S3vHits
{
	MemoryContext context;
	int			k;
	int			count;
	int			allocated;
	bool		again;			/* rows that are among the hits may be offered once more */
	S3vHit	   *items;			/* a heap with the worst hit on top; sorted after hits_sort() */
} S3vHits;

/* One for each of `count` queries. */
extern S3vHits *hits_create(MemoryContext context, int k, int count);
extern void hits_clear(S3vHits *hits);

/* True when k hits are there, so that only nearer ones matter. */
static inline bool
hits_full(const S3vHits *hits)
{
	return hits->count >= hits->k;
}

/* Distance of the worst hit kept. REQUIRES: hits_full(). */
static inline double
hits_worst(const S3vHits *hits)
{
	return hits->items[0].distance;
}

/* Keeps a copy of the key if the hit is among the k best; answers whether it would be, before any copy is made. */
extern bool hits_wants(const S3vHits *hits, double distance, const void *key, int key_size);
extern void hits_add(S3vHits *hits, double distance, const void *key, int key_size, Jsonb *metadata);

/* The same for a candidate of the index whose metadata is read when all hits are known: whoever does sets it, in hits->context. */
extern void hits_add_candidate(S3vHits *hits, const s3v_candidate *candidate);

extern void hits_sort(S3vHits *hits);

#endif

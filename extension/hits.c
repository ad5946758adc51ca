/* The k best hits of a query: a bounded heap. */
#include "postgres.h"

#include "utils/memutils.h"

#include "hits.h"

/* Below zero when a comes before b: nearer, or as near with the smaller key. */
static int
compare(double a_distance, const void *a_key, int a_size, const S3vHit *b)
{
	int			result;

	if (a_distance != b->distance)
		return a_distance < b->distance ? -1 : 1;
	result = memcmp(a_key, b->key, Min(a_size, b->key_size));
	return result != 0 ? result : a_size - b->key_size;
}

static int
compare_hits(const void *a, const void *b)
{
	const S3vHit *hit = a;

	return compare(hit->distance, hit->key, hit->key_size, b);
}

S3vHits *
hits_create(MemoryContext context, int k, int count)
{
	S3vHits    *hits = MemoryContextAllocZero(context, sizeof(S3vHits) * Max(count, 1));
	int			i;

	for (i = 0; i < count; i++)
	{
		hits[i].context = context;
		hits[i].k = k;
	}
	return hits;
}

static void
hit_free(S3vHit *hit)
{
	pfree(hit->key);
	if (hit->metadata != NULL)
		pfree(hit->metadata);
}

void
hits_clear(S3vHits *hits)
{
	int			i;

	for (i = 0; i < hits->count; i++)
		hit_free(&hits->items[i]);
	hits->count = 0;
}

static bool
contains(const S3vHits *hits, double distance, const void *key, int key_size)
{
	for (int i = 0; i < hits->count; i++)
	{
		if (compare(distance, key, key_size, &hits->items[i]) == 0)
			return true;
	}
	return false;
}

bool
hits_wants(const S3vHits *hits, double distance, const void *key, int key_size)
{
	if (hits_full(hits) && compare(distance, key, key_size, &hits->items[0]) >= 0)
		return false;
	return !hits->again || !contains(hits, distance, key, key_size);
}

static void
sift_up(S3vHits *hits, int at)
{
	while (at > 0)
	{
		int			parent = (at - 1) / 2;
		S3vHit		swap;

		if (compare_hits(&hits->items[parent], &hits->items[at]) >= 0)
			return;
		swap = hits->items[parent];
		hits->items[parent] = hits->items[at];
		hits->items[at] = swap;
		at = parent;
	}
}

static void
sift_down(S3vHits *hits)
{
	int			at = 0;

	for (;;)
	{
		int			child = 2 * at + 1;
		S3vHit		swap;

		if (child >= hits->count)
			return;
		if (child + 1 < hits->count && compare_hits(&hits->items[child], &hits->items[child + 1]) < 0)
			child++;
		if (compare_hits(&hits->items[at], &hits->items[child]) >= 0)
			return;
		swap = hits->items[at];
		hits->items[at] = hits->items[child];
		hits->items[child] = swap;
		at = child;
	}
}

static void
add(S3vHits *hits, double distance, const void *key, int key_size, Jsonb *metadata, s3v_place place)
{
	S3vHit		hit = {.place = place};

	if (!hits_wants(hits, distance, key, key_size))
		return;
	hit.distance = distance;
	hit.key = MemoryContextAlloc(hits->context, key_size + 1);
	memcpy(hit.key, key, key_size);
	hit.key_size = key_size;
	if (metadata != NULL)
	{
		hit.metadata = MemoryContextAlloc(hits->context, VARSIZE(metadata));
		memcpy(hit.metadata, metadata, VARSIZE(metadata));
	}

	if (hits_full(hits))
	{
		hit_free(&hits->items[0]);
		hits->items[0] = hit;
		sift_down(hits);
		return;
	}
	if (hits->count == hits->allocated)
	{
		hits->allocated = hits->allocated == 0 ? Min(hits->k, 16) : (int) Min((int64) hits->allocated * 2, hits->k);
		hits->items = hits->items == NULL
			? MemoryContextAllocHuge(hits->context, sizeof(S3vHit) * hits->allocated)
			: repalloc_huge(hits->items, sizeof(S3vHit) * hits->allocated);
	}
	hits->items[hits->count] = hit;
	sift_up(hits, hits->count++);
}

void
hits_add(S3vHits *hits, double distance, const void *key, int key_size, Jsonb *metadata)
{
	s3v_place	nowhere = {0};

	add(hits, distance, key, key_size, metadata, nowhere);
}

void
hits_add_candidate(S3vHits *hits, const s3v_candidate *candidate)
{
	add(hits, candidate->estimate, candidate->key, candidate->key_size, NULL, candidate->place);
}

void
hits_sort(S3vHits *hits)
{
	if (hits->count > 1)
		qsort(hits->items, hits->count, sizeof(S3vHit), compare_hits);
}

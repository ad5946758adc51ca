/* Rows of a source, chosen by lot, as queries to measure recall with. */
#include "postgres.h"

#include "common/hashfn.h"
#include "lib/binaryheap.h"
#include "utils/memutils.h"

#include "recall.h"

#define LOT_SEED UINT64CONST(0x733376)

typedef struct Drawing
{
	S3vSample  *sample;
	int			wanted;
	binaryheap *heap;			/* of S3vSampledRow, the last in order on top */
} Drawing;

static int
compare(const S3vSampledRow *a, uint64 lot, const S3vKey *key)
{
	int			result;

	if (a->lot != lot)
		return a->lot < lot ? -1 : 1;
	result = memcmp(a->key.data, key->data, Min(a->key.size, key->size));
	return result != 0 ? result : a->key.size - key->size;
}

static int
compare_in_heap(Datum a, Datum b, void *arg)
{
	const S3vSampledRow *row = (const S3vSampledRow *) DatumGetPointer(b);

	return compare((const S3vSampledRow *) DatumGetPointer(a), row->lot, &row->key);
}

static int
compare_rows(const void *a, const void *b)
{
	const S3vSampledRow *row = b;

	return compare(a, row->lot, &row->key);
}

const float *
recall_vector(const S3vQuery *query, Datum value)
{
	int			dimensions;
	char	   *complaint;
	const float *vector = vector_from_row(value, query->source, &dimensions, &complaint);
	s3v_vector_state state;

	if (complaint != NULL || dimensions != query->index->dimensions)
		return NULL;
	state = s3v_vector_check(vector, dimensions);
	if (state == S3V_VECTOR_NOT_FINITE || (state == S3V_VECTOR_ZERO && query->index->metric == S3V_COSINE))
		return NULL;
	return vector;
}

/* Vectors are looked at only where the lot falls: most rows cost no more than their keys. */
static void
draw(S3vQuery *query, const Datum *values, const bool *nulls, void *arg)
{
	Drawing    *drawing = arg;
	S3vSample  *sample = drawing->sample;
	bool		full = sample->count == drawing->wanted;
	S3vSampledRow *row;
	const float *vector;
	S3vKey		key;
	uint64		lot;

	if (nulls[0] || nulls[1])
		return;
	key = key_from_datum(values[0], query->source->key.base_type, query->source->key_kind);
	lot = hash_bytes_extended((const unsigned char *) key.data, key.size, LOT_SEED);
	if (full && compare((S3vSampledRow *) DatumGetPointer(binaryheap_first(drawing->heap)), lot, &key) <= 0)
		return;
	vector = recall_vector(query, values[1]);
	if (vector == NULL)
		return;

	if (full)
	{
		row = (S3vSampledRow *) DatumGetPointer(binaryheap_first(drawing->heap));
		pfree(row->key.data);
	}
	else
	{
		row = &sample->rows[sample->count];
		row->place = sample->count++;
	}
	row->lot = lot;
	row->key.size = key.size;
	row->key.data = MemoryContextAlloc(query->context, Max(key.size, 1));
	memcpy(row->key.data, key.data, key.size);
	memcpy(sample->vectors + (Size) row->place * query->index->dimensions, vector, sizeof(float) * query->index->dimensions);
	if (full)
		binaryheap_replace_first(drawing->heap, PointerGetDatum(row));
	else
		binaryheap_add(drawing->heap, PointerGetDatum(row));
}

S3vSample *
recall_draw_sample(S3vQuery *query, int wanted)
{
	S3vSample  *sample = MemoryContextAllocZero(query->context, sizeof(S3vSample));
	Drawing		drawing = {sample, wanted, binaryheap_allocate(wanted, compare_in_heap, NULL)};

	sample->rows = MemoryContextAllocZero(query->context, sizeof(S3vSampledRow) * wanted);
	sample->vectors = MemoryContextAllocHuge(query->context, sizeof(float) * (Size) wanted * query->index->dimensions);
	query_visit_source(query, draw, &drawing);
	binaryheap_free(drawing.heap);
	/* Whatever order the scan had, the same rows are measured in the same order. */
	qsort(sample->rows, sample->count, sizeof(S3vSampledRow), compare_rows);
	return sample;
}

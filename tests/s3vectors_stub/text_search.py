"""Full-text and hybrid search, as little of it as answers need: BM25 over words, reciprocal rank fusion with k = 60.

Tokens, parameters and fusion of the service are unverified; s3v does not use this.
"""
import math
import re
from collections import Counter

from .errors import invalid

WORDS = re.compile(r'\w+')
K1, B, FUSION = 1.2, 0.75, 60


def words(text):
    return WORDS.findall(text.lower())


def fuse(index, request, hits, mask):
    """Hits by vector, and those by each text, in one order."""
    vectors, rankings = index.vectors, []
    for wanted in request['queryTexts']:
        if wanted['metadataKey'] not in index.text_search:
            raise invalid(f"Text search of metadata key '{wanted['metadataKey']}' is not configured", '/queryTexts')
        rankings.append((wanted['metadataKey'], best(vectors, wanted, mask, request['topK'])))
    by_slot = {hit['slot']: {**hit, 'scores': {'fused': 0.0, 'bm25Scores': [], 'vectorDistance': hit['distance']}} for hit in hits}
    for rank, hit in enumerate(hits):
        by_slot[hit['slot']]['scores']['fused'] += 1 / (FUSION + rank + 1)
    for name, ranking in rankings:
        for rank, (score, slot) in enumerate(ranking):
            hit = by_slot.setdefault(slot, {'key': vectors.keys[slot], 'slot': slot, 'metadata': vectors.metadata[slot],
                                            'scores': {'fused': 0.0, 'bm25Scores': []}})
            hit['scores']['bm25Scores'].append({'metadataKey': name, 'score': score})
            hit['scores']['fused'] += 1 / (FUSION + rank + 1)
    return sorted(by_slot.values(), key=lambda hit: (-hit['scores']['fused'], hit['key']))[:request['topK']]


def best(vectors, wanted, mask, count):
    """[(score, slot)] of the best matches of one text."""
    documents = {}
    for slot in vectors.slots.values():
        value = (vectors.metadata[slot] or {}).get(wanted['metadataKey'])
        if isinstance(value, str):
            documents[slot] = Counter(words(value))
    lengths = {slot: sum(counts.values()) for slot, counts in documents.items()}
    average = sum(lengths.values()) / max(len(lengths), 1) or 1
    scores = Counter()
    for word in set(words(wanted['text'])):
        having = [slot for slot, counts in documents.items() if word in counts]
        weight = math.log(1 + (len(documents) - len(having) + 0.5) / (len(having) + 0.5))
        for slot in having:
            frequency = documents[slot][word]
            scores[slot] += weight * frequency * (K1 + 1) / (frequency + K1 * (1 - B + B * lengths[slot] / average))
    allowed = [(score, slot) for slot, score in scores.items() if mask is None or mask[slot]]
    return sorted(allowed, key=lambda hit: (-hit[0], vectors.keys[hit[1]]))[:count]

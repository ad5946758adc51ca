"""Exact search: fast in float32, then the candidates again in float64, so that the order is right."""
import numpy as np

PIECE = 4096


def nearest(vectors, metric, query, count, allowed=None, squared=False):
    """[(distance, slot)] of the `count` nearest live rows, by distance and then key.

    allowed: a mask over the slots, or None for all. squared: euclidean distances without the root.
    """
    rows = vectors.rows
    mask = vectors.live[:rows] if allowed is None else vectors.live[:rows] & allowed
    matching = int(mask.sum())
    count = min(count, matching)
    if count == 0:
        return []
    query_square = float(np.dot(query.astype(np.float64), query.astype(np.float64)))
    if matching * 8 < rows:
        slots = np.flatnonzero(mask)
        scores = scores_of(metric, vectors.data[slots] @ query, vectors.squares[slots], query_square)
    else:
        slots = None
        scores = scores_of(metric, vectors.data[:rows] @ query, vectors.squares[:rows], query_square)
        scores[~mask] = np.inf
    candidates = np.arange(len(scores))[np.isfinite(scores)]
    if len(candidates) > count:
        limit = np.partition(scores, count - 1)[count - 1]
        largest = float(vectors.squares[:rows].max()) if metric == 'euclidean' else 1.0
        candidates = np.flatnonzero(scores <= limit + slack(metric, vectors.dimension, largest, query_square))
    if slots is not None:
        candidates = slots[candidates]
    exact = exact_distances(vectors, metric, query, query_square, candidates)
    exact = (exact if squared or metric == 'cosine' else np.sqrt(exact)).astype(np.float32)
    near = exact <= np.partition(exact, count - 1)[count - 1]
    best = zip(exact[near].tolist(), candidates[near].tolist())
    return sorted(best, key=lambda hit: (hit[0], vectors.keys[hit[1]]))[:count]


def scores_of(metric, products, squares, query_square):
    if metric == 'euclidean':
        return squares - 2.0 * products
    lengths = np.sqrt(squares * query_square)
    return 1.0 - np.divide(products, lengths, out=np.zeros_like(lengths), where=lengths > 0)


def slack(metric, dimension, largest_square, query_square):
    """How wrong a score may be, twice: a product of float32 sums errors of every dimension at worst."""
    error = dimension * 2.0**-24
    return 4.0 * error * (np.sqrt(largest_square * query_square) if metric == 'euclidean' else 1.0)


def exact_distances(vectors, metric, query, query_square, slots):
    wide = query.astype(np.float64)
    distances = np.empty(len(slots))
    for begin in range(0, len(slots), PIECE):
        piece = vectors.data[slots[begin:begin + PIECE]].astype(np.float64)
        if metric == 'euclidean':
            piece -= wide
            distances[begin:begin + PIECE] = np.einsum('ij,ij->i', piece, piece)
        else:
            lengths = np.sqrt(np.einsum('ij,ij->i', piece, piece) * query_square)
            cosines = np.divide(piece @ wide, lengths, out=np.zeros_like(lengths), where=lengths > 0)
            distances[begin:begin + PIECE] = np.maximum(1.0 - cosines, 0.0)
    return distances

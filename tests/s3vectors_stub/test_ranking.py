"""Exact search against brute force in float64."""
import unittest

import numpy as np

from .ranking import nearest
from .store import Vectors


def filled(matrix):
    vectors = Vectors(matrix.shape[1])
    vectors.put([f'k{n:05}' for n in range(len(matrix))], matrix, [None] * len(matrix), [0] * len(matrix))
    return vectors


def brute_force(matrix, metric, query):
    wide, query = matrix.astype(np.float64), query.astype(np.float64)
    if metric == 'euclidean':
        return np.sqrt(((wide - query) ** 2).sum(axis=1)).astype(np.float32)
    cosines = wide @ query / np.linalg.norm(wide, axis=1) / np.linalg.norm(query)
    return np.maximum(1 - cosines, 0).astype(np.float32)


class Ranking(unittest.TestCase):
    def test_the_nearest_in_order(self):
        dice = np.random.default_rng(3)
        matrix = dice.normal(size=(3000, 37)).astype(np.float32)
        vectors, query = filled(matrix), dice.normal(size=37).astype(np.float32)
        for metric in ('cosine', 'euclidean'):
            distances = brute_force(matrix, metric, query)
            for share in (1.0, 0.3, 0.01):
                mask = None if share == 1.0 else dice.random(3000) < share
                rows = np.flatnonzero(mask) if mask is not None else np.arange(3000)
                expected = rows[np.argsort(distances[rows], kind='stable')]
                for count in (1, 10, 200, 5000):
                    hits = nearest(vectors, metric, query, count, mask)
                    self.assertEqual([slot for _, slot in hits], expected[:count].tolist())
                    np.testing.assert_allclose([hit[0] for hit in hits], distances[expected[:count]], rtol=1e-6, atol=1e-7)

    def test_near_ties_far_from_the_origin(self):
        matrix = (np.full((500, 8), 4096, np.float32) + np.arange(500)[:, None] * np.float32(1 / 1024)).astype(np.float32)
        hits = nearest(filled(matrix), 'euclidean', matrix[250], 5)
        self.assertEqual(hits[0], (0.0, 250))
        self.assertEqual({slot for _, slot in hits}, {248, 249, 250, 251, 252})

    def test_equal_distances_come_by_key(self):
        hits = nearest(filled(np.ones((9000, 4), np.float32)), 'cosine', np.ones(4, np.float32), 3)
        self.assertEqual([slot for _, slot in hits], [0, 1, 2])

    def test_deleted_rows_are_not_found(self):
        vectors = filled(np.eye(4, dtype=np.float32))
        vectors.delete(['k00002'])
        self.assertEqual(len(nearest(vectors, 'euclidean', np.ones(4, np.float32), 10)), 3)
        vectors.put(['new'], np.ones((1, 4), np.float32), [None], [0])
        self.assertEqual(nearest(vectors, 'euclidean', np.ones(4, np.float32), 1), [(0.0, 2)])

    def test_squared(self):
        vectors = filled(np.array([[3], [0]], np.float32))
        self.assertEqual(nearest(vectors, 'euclidean', np.zeros(1, np.float32), 2, squared=True), [(0.0, 1), (9.0, 0)])
        self.assertEqual(nearest(vectors, 'euclidean', np.zeros(1, np.float32), 2), [(0.0, 1), (3.0, 0)])

    def test_nothing_there(self):
        self.assertEqual(nearest(Vectors(3), 'cosine', np.ones(3, np.float32), 5), [])

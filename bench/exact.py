"""What is true: distances in float64 from the data themselves, recall by distance, brute force to check files with."""

import heapq
import math
import struct
from array import array
from dataclasses import dataclass
from operator import mul

# A hit is right when its true distance is not above the k-th of the ground truth; the slack is for ties and float32.
SLACK = 1e-6
# Deviations are relative to the true distance, but a distance of zero has none: below this they are relative to this.
SMALLEST_DISTANCE = 1e-6


@dataclass(frozen=True)
class GroundTruth:
    """For each query k ids and distances (as s3v reports them), nearest first, one query after the other."""

    k: int
    ids: array
    distances: array

    def of(self, query, k):
        first = query * self.k
        return self.ids[first : first + k], self.distances[first : first + k]

    def write_ibin(self, path, metric):
        """As the shared folder has it: l2 squared."""
        distances = (value * value for value in self.distances) if metric == "l2" else self.distances
        with open(path, "wb") as file:
            file.write(struct.pack("<ii", len(self.ids) // self.k, self.k))
            self.ids.tofile(file)
            array("f", distances).tofile(file)


def distance(metric, a, b):
    if metric == "l2":
        return math.dist(a, b)
    return 1 - sum(map(mul, a, b)) / math.sqrt(sum(map(mul, a, a)) * sum(map(mul, b, b)))


def deviation(got, true):
    return abs(got - true) / max(abs(true), SMALLEST_DISTANCE)


def nearest(metric, base, vector, k):
    """(distance, id) of the k nearest rows, by brute force."""
    return heapq.nsmallest(k, ((distance(metric, base.row(i), vector), i) for i in range(base.count)))


def brute_force_truth(metric, base, queries, k):
    ids, distances = array("i"), array("d")
    for query in range(queries.count):
        found = nearest(metric, base, queries.row(query), k)
        ids.extend(i for _, i in found)
        distances.extend(d for d, _ in found)
    return GroundTruth(k, ids, distances)


def check_truth(data, queries):
    """The largest relative deviation of the ground truth from brute force over these queries, rank by rank."""
    worst = 0.0
    for query in queries:
        _, expected = data.truth.of(query, data.truth.k)
        found = nearest(data.metric, data.base, data.queries.row(query), data.truth.k)
        worst = max(worst, *(deviation(e, f) for e, (f, _) in zip(expected, found, strict=True)))
    return worst


def true_distances(data, query, hits):
    """Of (id, reported distance) pairs: the true distance of each from the base vectors themselves."""
    vector = data.queries.row(query)
    return [distance(data.metric, data.base.row(i), vector) for i, _ in hits]


def recall(data, query, true, k):
    """Right hits among `true` distances, as a share of the k that were wanted."""
    _, expected = data.truth.of(query, k)
    limit = expected[k - 1] * (1 + SLACK)
    return sum(1 for value in true[:k] if value <= limit) / k


def recall_of_ids(data, query, ids, k):
    """Of row numbers alone, as peers answer them."""
    return recall(data, query, true_distances(data, query, [(i, None) for i in ids[:k]]), k)

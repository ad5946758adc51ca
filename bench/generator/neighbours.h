// Exact neighbours, and what they say about how hard a set is.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "vector_files.h"

namespace s3v::bench {

constexpr int kNeighbours = 100;

struct Neighbour {
  double distance;
  int32_t id;
  bool operator<(const Neighbour& other) const {
    return distance != other.distance ? distance < other.distance : id < other.id;
  }
};

using Neighbours = std::vector<std::vector<Neighbour>>;  // of each query, nearest first

// For every query its k nearest by squared L2, or 1 - cos of vectors of unit length (which rank alike): candidates in
// float32 from |b|^2 - 2 q.b, then ranked by distances in double.
Neighbours ExactNeighbours(const MappedVectors& base, const MappedVectors& queries, bool cosine, int threads);

// The same for one query with nothing clever in it; throws std::logic_error where they differ.
void CheckAgainstPlain(const MappedVectors& base, const MappedVectors& queries, bool cosine, int64_t query,
                       const std::vector<Neighbour>& found);

// int32 n, int32 k, ids, float32 distances.
void WriteTruth(const std::string& path, const Neighbours& found);

struct Difficulty {
  double mean_to_10th;  // mean distance of random pairs / mean distance of the 10th neighbour
  double lid;           // local intrinsic dimension, by maximum likelihood over 100 neighbours
};

Difficulty Measure(const MappedVectors& base, const MappedVectors& queries, const Neighbours& found);

}  // namespace s3v::bench

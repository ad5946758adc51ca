// Distances as users see them, and the faster scores that find candidates.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace s3v {

// Numbers are stored in manifests.
enum class Metric : uint8_t { kCosine = 1, kL2 = 2, kInnerProduct = 3 };

// The distance reported to users: cosine 1 - cos, l2 the root, ip the negative inner product. Computed in double from
// the float inputs in a fixed order, so that a row has the same bits whether it is pending, synced or reranked, on
// every machine. REQUIRES: equal sizes; no NaN; for cosine, neither is zero.
double ExactDistance(Metric metric, std::span<const float> a, std::span<const float> b);

// A query ready to score many rows.
struct ScoredQuery {
  Metric metric;
  std::span<const float> values;
  double norm = 0;  // Euclidean length of values
};

// scores[i] = distance of the query to row i, in float arithmetic: cosine 1 - cos, l2 the *squared* distance, ip the
// negative inner product. `rows` is row-major, count x dim; `norms` holds each row's Euclidean length; both may lie at
// any address. Never NaN: where float would overflow or lose the row (lengths around 1e-25 or 1e37), the exact distance
// is taken, held to float's range.
void ScoreRows(const ScoredQuery& query, const float* rows, const float* norms, size_t count, float* scores);

// A lower bound of the exact distance (in the user's units) of a row whose score is `score`: the score's float
// arithmetic may be off by that much. `row_norm` as above. -infinity where nothing can be said (ip beyond float's
// range).
double LowerBound(const ScoredQuery& query, float score, float row_norm);

// Euclidean length, accumulated in double.
double Norm(std::span<const float> values);

// True when every element is finite.
bool AllFinite(std::span<const float> values);

}  // namespace s3v

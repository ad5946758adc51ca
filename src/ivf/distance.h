// Distances as users see them.
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

// Euclidean length, accumulated in double.
double Norm(std::span<const float> values);

// True when every element is finite.
bool AllFinite(std::span<const float> values);

}  // namespace s3v

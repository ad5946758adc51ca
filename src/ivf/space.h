// The Euclidean space in which rows are assigned to lists and lists are ranked for a query.
//
// cosine: rows at unit length. l2: rows as they are. ip: one dimension more, sqrt(limit^2 - |row|^2), with zero there
// for queries, which turns the largest inner product into the nearest neighbour (Bachrach et al., RecSys 2014). The
// length of a query changes no ranking under cosine and ip, so queries are placed at unit length and at the limit: a
// probe rule in squared distances then means the same for all of them.
#pragma once

#include <cstddef>
#include <span>

#include "ivf/distance.h"

namespace s3v {

// What an ip limit never exceeds: a float must hold it, and means of many rows that have it as their last element.
inline constexpr double kMostNormLimit = 1e38;

struct AssignmentSpace {
  Metric metric = Metric::kL2;
  size_t dimensions = 0;  // of the vectors as users know them
  double norm_limit =
      0;  // ip: the greatest length among the rows when the lists were trained; longer rows are cut to it

  size_t width() const { return dimensions + (metric == Metric::kInnerProduct ? 1 : 0); }
  // Zero vectors stay zero. REQUIRES: out.size() == width().
  void PlaceRow(std::span<const float> row, std::span<float> out) const;
  void PlaceQuery(std::span<const float> query, std::span<float> out) const;
  // Between a query of that length, placed, and a placed row, by their score (ivf/codes.h).
  double DistanceOfScore(double score, double query_norm) const;
};

}  // namespace s3v

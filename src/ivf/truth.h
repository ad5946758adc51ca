// How far the k nearest rows of some queries are, exactly: what recall is measured against.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "ivf/distance.h"

namespace s3v {

// Add* Nearest. Rows come one by one and are compared in blocks, as a dense product; only those that the product's
// rounding leaves in doubt are looked at exactly.
class Truth {
 public:
  // `queries` is count x dimensions, row-major, copied. A row with the key own_keys[i] is no neighbour of query i.
  Truth(Metric metric, size_t dimensions, std::span<const float> queries, std::vector<std::string> own_keys, size_t k);

  // REQUIRES: finite; not zero under cosine.
  void Add(std::string_view key, std::span<const float> row);

  // Exact distances of the k nearest rows to a query (fewer when fewer came), ascending.
  std::vector<double> Nearest(size_t query);

 private:
  void Flush();

  const Metric metric_;
  const size_t dimensions_;
  const size_t k_;
  const std::vector<float> queries_;
  std::vector<double> query_norms_;
  const std::vector<std::string> own_keys_;
  std::vector<std::vector<double>> nearest_;  // a heap of distances for each query, greatest first
  std::vector<float> rows_;
  std::vector<std::string> keys_;
  std::vector<float> products_;
};

}  // namespace s3v

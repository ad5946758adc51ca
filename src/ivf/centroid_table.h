// Centroids as the navigation tier keeps them: rotated, int8, in two levels; and the ranking of lists by them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "ivf/kmeans.h"
#include "ivf/probe.h"
#include "ivf/rotation.h"
#include "ivf/space.h"

namespace s3v {

// A view of `count` quantized centroids, wherever they lie (a mapped file, a vector); any alignment.
// Centroid i is scales[i] * codes[i * dimensions ...], in rotated space, without the last element that the assignment
// space has under ip. squared_norms[i] is of the dequantized centroid in the *whole* assignment space (that element
// included).
struct CentroidTable {
  size_t dimensions = 0;
  size_t count = 0;
  const int8_t* codes = nullptr;
  const uint8_t* scales = nullptr;         // float[count], unaligned
  const uint8_t* squared_norms = nullptr;  // float[count], unaligned

  float scale(size_t i) const;
  float squared_norm(size_t i) const;
  void Dequantize(size_t i, std::span<float> centroid) const;  // `dimensions` elements
};

// The table of some centroids, owned.
struct OwnedCentroidTable {
  size_t dimensions = 0;
  std::vector<int8_t> codes;
  std::vector<float> scales;
  std::vector<float> squared_norms;
  CentroidTable view() const;
};
// `centroids` is count x space.width(), unrotated, in the assignment space.
OwnedCentroidTable QuantizeCentroids(const AssignmentSpace& space, const Rotation& rotation,
                                     std::span<const float> centroids);
// Appends one centroid that is rotated already, with whatever the assignment space has beyond `dimensions` behind it.
void AppendQuantized(OwnedCentroidTable& table, std::span<const float> centroid);

// Two levels of centroids, as views.
struct CentroidTables {
  CentroidTable parents;
  CentroidTable lists;
  const uint8_t* first_list = nullptr;  // u32[parents.count + 1], unaligned
  uint32_t first(size_t parent) const;
};

// The lists nearest to a query, found through their parents: only the lists of the nearest parents are looked at until
// more are wanted. int8 x int8 products (AVX-512 VNNI where there is one), see docs/design/navigation.md.
class ListRanking {
 public:
  // `query` is rotated, placed as AssignmentSpace::PlaceQuery does (without the last element under ip, which is zero
  // for queries); `wanted`: about how many lists will be read (a rule's `most`): enough parents are tried for that. The
  // tables must outlive the ranking.
  ListRanking(const CentroidTables& tables, std::span<const float> query, size_t wanted);
  // Ranked so far, nearest first (ties by number): at first the nearest of the tried parents' lists, at least `wanted`
  // of them unless there are fewer; after RankAll all other lists follow, nearest first among themselves.
  // Distances are those of the quantized query: as much too long or too short for all lists alike.
  std::span<const RankedList> ranked() const { return ranked_; }
  void RankAll();
  size_t list_count() const { return tables_.lists.count; }

 private:
  // Keys are a distance above a number, as unsigned integers order; vectors of them are by number unless sorted.
  void Score(const CentroidTable& table, size_t first, size_t count, std::vector<uint64_t>& keys) const;
  std::vector<uint64_t> ScoreListsOf(std::vector<uint32_t> parents) const;
  void Append(std::vector<uint64_t> keys);

  CentroidTables tables_;
  std::vector<int8_t> query_;
  float query_step_ = 0;
  double squared_norm_ = 0;        // of the quantized query
  std::vector<uint32_t> untried_;  // parents
  std::vector<uint64_t> rest_;     // of the tried parents' lists: not yet ranked
  std::vector<RankedList> ranked_;
};

}  // namespace s3v

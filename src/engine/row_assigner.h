// Rows to the lists of a base as it is stored: by its dequantized centroids, as a build does by those it trained.
#pragma once

#include <span>
#include <vector>

#include "base/stop.h"
#include "ivf/centroid_table.h"
#include "ivf/kmeans.h"
#include "ivf/rotation.h"
#include "ivf/space.h"

namespace s3v {

// Both levels, in the assignment space, its first `dimensions` elements rotated.
Centroids Dequantized(const AssignmentSpace& space, const CentroidTables& tables);
// Of the centroid i: space.width() elements.
void DequantizeWhole(const AssignmentSpace& space, const CentroidTable& table, size_t i, std::span<float> centroid);

// Memory: five times what the tables have.
class RowAssigner {
 public:
  // The space and the rotation must outlive it.
  RowAssigner(const AssignmentSpace& space, const Rotation& rotation, const CentroidTables& tables, int threads,
              Stop& stop)
      : space_(space),
        rotation_(rotation),
        centroids_(Dequantized(space, tables)),
        assigner_(centroids_, {.parents_tried = kParentsTried, .threads = threads}, stop),
        threads_(threads) {}
  RowAssigner(const RowAssigner&) = delete;
  RowAssigner& operator=(const RowAssigner&) = delete;

  // `rows` as users know them, row-major. Each gets the nearest list, twice the same unless `twice` (AssignTwice).
  std::vector<ListPair> Assign(std::span<const float> rows, bool twice, Stop& stop);
  // Rows that are rotated already.
  std::vector<ListPair> AssignRotated(std::span<const float> rows, bool twice, Stop& stop);

  // In the assignment space, rotated.
  const Centroids& centroids() const { return centroids_; }
  std::span<const float> placed() const { return placed_; }  // the rows assigned last

 private:
  // As many as a build tries with few lists: parents move less than their lists do.
  static constexpr size_t kParentsTried = 8;

  std::vector<ListPair> AssignPlaced(bool twice, Stop& stop) const;
  void Place(std::span<const float> rows, bool are_rotated, Stop& stop);

  const AssignmentSpace& space_;
  const Rotation& rotation_;
  const Centroids centroids_;
  const Assigner assigner_;
  const int threads_;
  std::vector<float> placed_;
};

}  // namespace s3v

// The rows of a build as its lists see them: read back from the spill, in the assignment space.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "base/stop.h"
#include "engine/row_spill.h"
#include "ivf/space.h"

namespace s3v {

// Memory: two blocks, one under l2, where rows are what they were.
class PlacedRows {
 public:
  // Rows and space must outlive it.
  PlacedRows(RowSpill& rows, const AssignmentSpace& space, int threads)
      : rows_(rows), space_(space), threads_(threads) {}

  uint64_t count() const { return rows_.rows(); }
  size_t width() const { return space_.width(); }

  // The `count` rows from `first` on, count x width; valid until the next call.
  std::span<const float> Read(uint64_t first, size_t count, Stop& stop);

  // The rows with these numbers; read one by one.
  std::vector<float> ReadEach(std::span<const uint64_t> numbers, Stop& stop) const;
  // The same, placed as queries are.
  std::vector<float> ReadQueries(std::span<const uint64_t> numbers, Stop& stop) const;

 private:
  template <class Place>
  std::vector<float> ReadAndPlace(std::span<const uint64_t> numbers, Stop& stop, const Place& place) const;

  RowSpill& rows_;
  const AssignmentSpace& space_;
  const int threads_;
  std::vector<float> raw_;
  std::vector<float> placed_;
};

}  // namespace s3v

#include "engine/placed_rows.h"

#include <algorithm>

#include "base/parallel.h"

namespace s3v {

std::span<const float> PlacedRows::Read(uint64_t first, size_t count, Stop& stop) {
  const size_t dimensions = space_.dimensions;
  raw_.resize(std::max(raw_.size(), count * dimensions));
  rows_.ReadVectors(first, std::span(raw_).first(count * dimensions));
  if (space_.metric == Metric::kL2) return std::span(raw_).first(count * dimensions);
  placed_.resize(std::max(placed_.size(), count * width()));
  const size_t chunk = std::max<size_t>(1, (1u << 22) / width());  // well below 50 ms of work
  ParallelFor(count, std::min(chunk, count / static_cast<size_t>(std::max(threads_, 1)) + 1), threads_, stop,
              [&](size_t begin, size_t end) {
                for (size_t i = begin; i < end; ++i) {
                  space_.PlaceRow(std::span(raw_).subspan(i * dimensions, dimensions),
                                  std::span(placed_).subspan(i * width(), width()));
                }
              });
  return std::span(placed_).first(count * width());
}

template <class Place>
std::vector<float> PlacedRows::ReadAndPlace(std::span<const uint64_t> numbers, Stop& stop, const Place& place) const {
  std::vector<float> placed(numbers.size() * width());
  std::vector<float> row(space_.dimensions);
  for (size_t i = 0; i < numbers.size(); ++i) {
    if (i % 1024 == 0) stop.Check();
    rows_.ReadVectors(numbers[i], row);
    place(row, std::span(placed).subspan(i * width(), width()));
  }
  return placed;
}

std::vector<float> PlacedRows::ReadEach(std::span<const uint64_t> numbers, Stop& stop) const {
  return ReadAndPlace(numbers, stop,
                      [&](std::span<const float> row, std::span<float> placed) { space_.PlaceRow(row, placed); });
}

std::vector<float> PlacedRows::ReadQueries(std::span<const uint64_t> numbers, Stop& stop) const {
  return ReadAndPlace(numbers, stop,
                      [&](std::span<const float> row, std::span<float> placed) { space_.PlaceQuery(row, placed); });
}

}  // namespace s3v

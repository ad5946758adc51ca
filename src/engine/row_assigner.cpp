#include "engine/row_assigner.h"

#include <algorithm>
#include <cmath>

#include "base/parallel.h"

namespace s3v {
namespace {

std::vector<float> DequantizedTable(const AssignmentSpace& space, const CentroidTable& table) {
  std::vector<float> centroids(table.count * space.width());
  for (size_t i = 0; i < table.count; ++i) {
    DequantizeWhole(space, table, i, std::span(centroids).subspan(i * space.width(), space.width()));
  }
  return centroids;
}

}  // namespace

void DequantizeWhole(const AssignmentSpace& space, const CentroidTable& table, size_t i, std::span<float> centroid) {
  table.Dequantize(i, centroid.first(space.dimensions));
  if (space.metric != Metric::kInnerProduct) return;
  // The element beyond is known by what it adds to the norm.
  double rest = table.squared_norm(i);
  for (const float value : centroid.first(space.dimensions)) rest -= static_cast<double>(value) * value;
  centroid.back() = static_cast<float>(std::sqrt(std::max(rest, 0.0)));
}

Centroids Dequantized(const AssignmentSpace& space, const CentroidTables& tables) {
  Centroids centroids{.width = space.width(),
                      .parents = DequantizedTable(space, tables.parents),
                      .first_list = {},
                      .lists = DequantizedTable(space, tables.lists)};
  for (size_t parent = 0; parent <= tables.parents.count; ++parent)
    centroids.first_list.push_back(tables.first(parent));
  return centroids;
}

void RowAssigner::Place(std::span<const float> rows, bool are_rotated, Stop& stop) {
  const size_t dimensions = space_.dimensions;
  const size_t width = space_.width();
  const size_t count = rows.size() / dimensions;
  placed_.resize(count * width);
  const size_t chunk = std::clamp<size_t>((1u << 18) / dimensions, 1, 256);  // well below 50 ms of work
  ParallelFor(count, chunk, threads_, stop, [&](size_t begin, size_t end) {
    for (size_t i = begin; i < end; ++i) {
      const auto placed = std::span(placed_).subspan(i * width, width);
      space_.PlaceRow(rows.subspan(i * dimensions, dimensions), placed);
      if (!are_rotated) rotation_.Apply(placed.first(dimensions), placed.first(dimensions));
    }
  });
}

std::vector<ListPair> RowAssigner::Assign(std::span<const float> rows, bool twice, Stop& stop) {
  Place(rows, false, stop);
  return AssignPlaced(twice, stop);
}

std::vector<ListPair> RowAssigner::AssignRotated(std::span<const float> rows, bool twice, Stop& stop) {
  Place(rows, true, stop);
  return AssignPlaced(twice, stop);
}

std::vector<ListPair> RowAssigner::AssignPlaced(bool twice, Stop& stop) const {
  std::vector<uint32_t> first(placed_.size() / space_.width());
  std::vector<uint32_t> second(twice ? first.size() : 0);
  if (twice) {
    assigner_.AssignTwice(placed_, first, second, stop);
  } else {
    assigner_.Assign(placed_, first, {}, stop);
  }
  std::vector<ListPair> pairs(first.size());
  for (size_t i = 0; i < first.size(); ++i) pairs[i] = {first[i], twice ? second[i] : first[i]};
  return pairs;
}

}  // namespace s3v

#include "ivf/centroid_table.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstring>
#include <limits>
#include <numeric>
#include <utility>

#include "ivf/kernels/kernels.h"

namespace s3v {
namespace {

// Lists are tried through their parents. Fewer lose neighbours (docs/design/navigation.md).
constexpr size_t kLeastParents = 16;
constexpr size_t kListsPerWanted = 10;
constexpr size_t kLeastRanked = 64;

constexpr float kMostFloat = std::numeric_limits<float>::max();

template <class T>
T LoadAt(const uint8_t* values, size_t i) {
  T value;
  std::memcpy(&value, values + i * sizeof(T), sizeof value);
  return value;
}

// codes[i] times the scale that it answers is values[i], to half a scale. What float cannot hold is held to its range;
// values next to nothing (below 2e-36), whose squares a float could not tell from zero either, are zero.
float QuantizeInt8(std::span<const float> values, int8_t* codes) {
  const float largest = std::min(kernels::LargestAbsolute(values.data(), values.size()), kMostFloat);
  float scale = largest / 127;
  if (scale * 127 > kMostFloat) scale = std::nextafter(scale, 0.0f);
  if (scale < std::numeric_limits<float>::min()) scale = 0;
  kernels::RoundToInt8(values.data(), values.size(), scale > 0 ? 1 / scale : 0, codes);
  return scale;
}

double SumOfSquares(std::span<const int8_t> codes) {
  int32_t sum = 0;
  kernels::DotRowsInt8(codes.data(), codes.data(), 1, codes.size(), &sum);
  return sum;
}

// The upper halves of keys less the least one of them, in `bits` bits.
struct KeyRange {
  explicit KeyRange(std::span<const uint64_t> keys) {
    const auto [least, most] = std::minmax_element(keys.begin(), keys.end());
    offset = *least >> 32 << 32;
    bits = std::bit_width((*most - offset) >> 32);
  }
  // Digit of kDigits values, `shift` bits from the end of the upper half.
  size_t Digit(uint64_t key, int shift) const { return ((key - offset) >> (32 + shift)) % kDigits; }

  static constexpr int kDigitBits = 9;
  static constexpr size_t kDigits = 1 << kDigitBits;
  uint64_t offset = 0;
  int bits = 0;
};

// Sorts keys that are in the order of their lower halves. By digits, as many as the upper halves differ in: some
// hundred distances in no order take a quarter of the time that comparisons would; few keys do not pay for the tables.
void SortKeys(std::vector<uint64_t>& keys) {
  constexpr size_t kFew = 100;
  if (keys.size() <= kFew) {
    std::sort(keys.begin(), keys.end());
    return;
  }
  const KeyRange range(keys);
  std::vector<uint64_t> sorted(keys.size());
  for (int shift = 0; shift < range.bits; shift += KeyRange::kDigitBits) {
    std::array<uint32_t, KeyRange::kDigits> places{};
    for (const uint64_t key : keys) ++places[range.Digit(key, shift)];
    std::exclusive_scan(places.begin(), places.end(), places.begin(), 0u);
    for (const uint64_t key : keys) sorted[places[range.Digit(key, shift)]++] = key;
    keys.swap(sorted);
  }
}

// Takes the least `wanted` keys, and those that share their first digit, out of `keys`; both stay in order.
std::vector<uint64_t> TakeFront(std::vector<uint64_t>& keys, size_t wanted) {
  if (wanted >= keys.size()) return std::exchange(keys, {});
  const KeyRange range(keys);
  const int shift = std::max(0, range.bits - KeyRange::kDigitBits);
  std::array<uint32_t, KeyRange::kDigits> counts{};
  for (const uint64_t key : keys) ++counts[range.Digit(key, shift)];
  size_t last = 0;
  size_t taken = counts[0];
  while (taken < wanted) taken += counts[++last];

  std::vector<uint64_t> front(taken + 1), rest(keys.size() - taken + 1);  // the last place of each is scratch
  size_t fronts = 0;
  size_t rests = 0;
  for (const uint64_t key : keys) {
    const bool is_front = range.Digit(key, shift) <= last;
    front[fronts] = key;
    rest[rests] = key;
    fronts += is_front ? 1 : 0;
    rests += is_front ? 0 : 1;
  }
  front.pop_back();
  rest.pop_back();
  keys = std::move(rest);
  return front;
}

}  // namespace

float CentroidTable::scale(size_t i) const { return LoadAt<float>(scales, i); }

float CentroidTable::squared_norm(size_t i) const { return LoadAt<float>(squared_norms, i); }

void CentroidTable::Dequantize(size_t i, std::span<float> centroid) const {
  const float factor = scale(i);
  const int8_t* code = codes + i * dimensions;
  for (size_t j = 0; j < dimensions; ++j) centroid[j] = factor * static_cast<float>(code[j]);
}

CentroidTable OwnedCentroidTable::view() const {
  return {.dimensions = dimensions,
          .count = scales.size(),
          .codes = codes.data(),
          .scales = reinterpret_cast<const uint8_t*>(scales.data()),
          .squared_norms = reinterpret_cast<const uint8_t*>(squared_norms.data())};
}

void AppendQuantized(OwnedCentroidTable& table, std::span<const float> centroid) {
  const size_t dimensions = table.dimensions;
  table.codes.resize(table.codes.size() + dimensions);
  int8_t* codes = table.codes.data() + table.codes.size() - dimensions;
  const float scale = QuantizeInt8(centroid.first(dimensions), codes);
  double norm = SumOfSquares({codes, dimensions}) * scale * scale;
  for (const float beyond : centroid.subspan(dimensions)) norm += static_cast<double>(beyond) * beyond;
  table.scales.push_back(scale);
  table.squared_norms.push_back(static_cast<float>(std::min<double>(norm, kMostFloat)));
}

OwnedCentroidTable QuantizeCentroids(const AssignmentSpace& space, const Rotation& rotation,
                                     std::span<const float> centroids) {
  const size_t width = space.width();
  const size_t count = width == 0 ? 0 : centroids.size() / width;
  OwnedCentroidTable table{.dimensions = space.dimensions, .codes = {}, .scales = {}, .squared_norms = {}};
  table.codes.reserve(count * space.dimensions);
  std::vector<float> rotated(width);
  for (size_t i = 0; i < count; ++i) {
    std::ranges::copy(centroids.subspan(i * width, width), rotated.begin());
    const std::span<float> seen = std::span(rotated).first(space.dimensions);
    rotation.Apply(seen, seen);
    AppendQuantized(table, rotated);
  }
  return table;
}

uint32_t CentroidTables::first(size_t parent) const { return LoadAt<uint32_t>(first_list, parent); }

// Appends the keys of `count` centroids from `first` on.
void ListRanking::Score(const CentroidTable& table, size_t first, size_t count, std::vector<uint64_t>& keys) const {
  constexpr size_t kBlock = 256;
  int32_t dots[kBlock];
  const size_t before = keys.size();
  keys.resize(before + count);
  uint64_t* key = keys.data() + before;
  const double twice_step = 2.0 * query_step_;
  for (const size_t end = first + count; first < end; first += kBlock) {
    const size_t block = std::min(kBlock, end - first);
    kernels::DotRowsInt8(query_.data(), table.codes + first * table.dimensions, block, table.dimensions, dots);
    for (size_t i = 0; i < block; ++i) {
      const double product = twice_step * table.scale(first + i) * dots[i];
      const double distance = squared_norm_ + table.squared_norm(first + i) - product;
      const auto held = static_cast<float>(std::min<double>(std::max<double>(distance, 0), kMostFloat));
      // Floats that are not negative order as their bits do.
      key[i] = uint64_t{std::bit_cast<uint32_t>(held)} << 32 | (first + i);
    }
    key += block;
  }
}

ListRanking::ListRanking(const CentroidTables& tables, std::span<const float> query, size_t wanted)
    : tables_(tables), query_(query.size()) {
  query_step_ = QuantizeInt8(query, query_.data());
  squared_norm_ = SumOfSquares(query_) * query_step_ * query_step_;

  std::vector<uint64_t> parents;
  Score(tables.parents, 0, tables.parents.count, parents);
  SortKeys(parents);
  size_t tried = 0;
  for (size_t covered = 0; tried < parents.size() && (tried < kLeastParents || covered / kListsPerWanted < wanted);) {
    const auto parent = static_cast<uint32_t>(parents[tried++]);
    covered += tables.first(parent + 1) - tables.first(parent);
  }
  untried_.assign(parents.begin() + static_cast<ptrdiff_t>(tried), parents.end());
  rest_ = ScoreListsOf({parents.begin(), parents.begin() + static_cast<ptrdiff_t>(tried)});
  Append(TakeFront(rest_, std::max(wanted, kLeastRanked)));
}

void ListRanking::RankAll() {
  const std::vector<uint64_t> others = ScoreListsOf(std::move(untried_));
  std::vector<uint64_t> all(rest_.size() + others.size());
  std::merge(rest_.begin(), rest_.end(), others.begin(), others.end(), all.begin(),
             [](uint64_t a, uint64_t b) { return static_cast<uint32_t>(a) < static_cast<uint32_t>(b); });
  rest_.clear();
  untried_.clear();
  Append(std::move(all));
}

std::vector<uint64_t> ListRanking::ScoreListsOf(std::vector<uint32_t> parents) const {
  std::sort(parents.begin(), parents.end());
  std::vector<uint64_t> keys;
  for (size_t i = 0; i < parents.size();) {
    // Lists of parents that follow each other do so too.
    size_t next = i + 1;
    while (next < parents.size() && parents[next] == parents[next - 1] + 1) ++next;
    const uint32_t first = tables_.first(parents[i]);
    Score(tables_.lists, first, tables_.first(parents[next - 1] + 1) - first, keys);
    i = next;
  }
  return keys;
}

void ListRanking::Append(std::vector<uint64_t> keys) {
  SortKeys(keys);
  const size_t before = ranked_.size();
  ranked_.resize(before + keys.size());
  std::transform(keys.begin(), keys.end(), ranked_.begin() + static_cast<ptrdiff_t>(before), [](uint64_t key) {
    return RankedList{static_cast<uint32_t>(key), std::bit_cast<float>(static_cast<uint32_t>(key >> 32))};
  });
}

}  // namespace s3v

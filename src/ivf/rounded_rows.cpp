#include "ivf/rounded_rows.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <numeric>

#include "ivf/kernels/kernels.h"

namespace s3v {
namespace {

constexpr size_t kStrideStep = 64;
constexpr float kMost = 127;

constexpr float kSlack = 1.001f;  // for what is rounded on the way to a bound

}  // namespace

RoundedRows::RoundedRows(size_t count, size_t width)
    : width_(width),
      stride_((width + kStrideStep - 1) / kStrideStep * kStrideStep),
      bytes_(std::make_unique_for_overwrite<int8_t[]>(count * stride_)),
      scales_(count),
      norms_(count),
      errors_(count) {}

RoundedRows::RoundedRows(std::span<const float> rows, size_t width)
    : RoundedRows(width == 0 ? 0 : rows.size() / width, width) {
  for (size_t i = 0; i < count(); ++i) Set(i, rows.data() + i * width);
}

void RoundedRows::Set(size_t i, const float* row) {
  int8_t* bytes = bytes_.get() + i * stride_;
  const float largest = kernels::LargestAbsolute(row, width_);
  const float factor = kMost / largest;
  float squares = 0;
  kernels::DotRows(row, row, 1, width_, &squares);
  norms_[i] = std::sqrt(squares);
  // Products of what is smaller than that leave float's range before they are compared.
  constexpr float kLeast = 0x1p-50F;
  if (largest >= kLeast && std::isnormal(largest) && std::isnormal(factor)) {
    kernels::RoundToInt8(row, width_, factor, bytes);
    std::memset(bytes + width_, 0, stride_ - width_);
    scales_[i] = largest / kMost;
    errors_[i] = 0.5f * kSlack * scales_[i] * std::sqrt(static_cast<float>(width_));
  } else {
    // Zero needs no rounding; of numbers that are too small for it nothing is known.
    std::memset(bytes, 0, stride_);
    scales_[i] = 0;
    errors_[i] = largest == 0 ? 0 : std::numeric_limits<float>::infinity();
  }
}

NearestByTwoLooks::NearestByTwoLooks(const RoundedRows& rows, size_t begin, size_t end, const RoundedRows& centroids,
                                     std::span<const float> lengths)
    : rows_(rows),
      begin_(begin),
      centroids_(centroids),
      lengths_(lengths),
      most_(end - begin, std::numeric_limits<float>::infinity()) {}

void NearestByTwoLooks::LookAtAll() {
  std::vector<uint32_t> all(most_.size());
  std::iota(all.begin(), all.end(), 0u);
  if (!all.empty()) Compare(all, rows_.row(begin_), 0, centroids_.count());
}

void NearestByTwoLooks::Look(std::span<const uint32_t> members, size_t first, size_t count) {
  gathered_.resize(members.size() * rows_.stride());
  for (size_t i = 0; i < members.size(); ++i) {
    std::memcpy(gathered_.data() + i * rows_.stride(), rows_.row(begin_ + members[i]), rows_.stride());
  }
  Compare(members, gathered_.data(), first, count);
}

// With x' and c' rounded, |<x, c> - <x', c'>| <= |x - x'| |c| + |x'| |c - c'|.
void NearestByTwoLooks::Compare(std::span<const uint32_t> members, const int8_t* bytes, size_t first, size_t count) {
  if (members.empty() || count == 0) return;
  dots_.resize(members.size() * count);
  scores_.resize(count);
  kernels::DotMatrixInt8(bytes, members.size(), centroids_.row(first), count, rows_.stride(), dots_.data());
  for (size_t i = 0; i < members.size(); ++i) {
    const uint32_t row = members[i];
    kernels::RoundedScores(dots_.data() + i * count, lengths_.data() + first, centroids_.scales().data() + first,
                           2 * rows_.scales()[begin_ + row], count, scores_.data());
    const float error = rows_.error(begin_ + row);
    const float rounded_norm = rows_.norm(begin_ + row) + error;
    // Each centroid has its own doubt, so that one far away leaves the others as certain as they are.
    float most = most_[row];
    for (size_t c = 0; c < count; ++c) {
      const float doubt = 2 * (error * centroids_.norm(first + c) + rounded_norm * centroids_.error(first + c));
      if (scores_[c] + doubt < most) most = scores_[c] + doubt;
      scores_[c] -= doubt;
    }
    most_[row] = most;
    // Not a number where products overflow: never certain.
    for (size_t c = 0; c < count; ++c) {
      if (!(scores_[c] > most)) candidates_.push_back({row, static_cast<uint32_t>(first + c), scores_[c]});
    }
  }
}

std::vector<uint32_t> NearestByTwoLooks::CountCandidates() {
  std::erase_if(candidates_, [&](const Candidate& candidate) { return candidate.least > most_[candidate.row]; });
  std::vector<uint32_t> counts(most_.size());
  for (const Candidate& candidate : candidates_) ++counts[candidate.row];
  return counts;
}

}  // namespace s3v

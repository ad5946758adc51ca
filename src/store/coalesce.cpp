#include "store/coalesce.h"

#include <algorithm>
#include <numeric>

#include "base/error.h"

namespace s3v {
namespace {

constexpr uint64_t kMaxEnd = uint64_t{1} << 63;

// The non-empty ranges by object and offset, so that neighbours lie side by side.
std::vector<size_t> SortedIndexes(std::span<const RangeRequest> ranges) {
  std::vector<size_t> order;
  for (size_t i = 0; i < ranges.size(); ++i) {
    const RangeRequest& range = ranges[i];
    if (range.offset > kMaxEnd || range.length > kMaxEnd - range.offset) {
      throw Error(Code::kInvalidArgument, "range " + std::to_string(range.offset) + "+" + std::to_string(range.length) +
                                              " of object \"" + range.key + "\" is out of bounds");
    }
    if (range.length > 0) order.push_back(i);
  }
  std::sort(order.begin(), order.end(), [&](size_t a, size_t b) {
    const int by_key = ranges[a].key.compare(ranges[b].key);
    if (by_key != 0) return by_key < 0;
    return ranges[a].offset != ranges[b].offset ? ranges[a].offset < ranges[b].offset : a < b;
  });
  return order;
}

bool Joins(const CoalescedRange& request, const RangeRequest& range, uint64_t gap, uint64_t max_length) {
  const uint64_t end = request.offset + request.length;
  if (request.key != range.key) return false;
  if (range.offset + range.length <= end) return true;  // lies inside
  if (range.offset > end && range.offset - end > gap) return false;
  return range.offset + range.length - request.offset <= max_length;
}

}  // namespace

std::vector<CoalescedRange> Coalesce(std::span<const RangeRequest> ranges, uint64_t gap, uint64_t max_length) {
  std::vector<CoalescedRange> requests;
  for (const size_t index : SortedIndexes(ranges)) {
    const RangeRequest& range = ranges[index];
    if (requests.empty() || !Joins(requests.back(), range, gap, max_length)) {
      requests.push_back({.key = range.key, .offset = range.offset, .length = range.length, .parts = {index}});
      continue;
    }
    CoalescedRange& request = requests.back();
    request.length = std::max(request.length, range.offset + range.length - request.offset);
    request.parts.push_back(index);
  }
  for (CoalescedRange& request : requests) std::sort(request.parts.begin(), request.parts.end());
  std::sort(requests.begin(), requests.end(),
            [](const auto& a, const auto& b) { return a.parts.front() < b.parts.front(); });
  return requests;
}

void HandOut(const CoalescedRange& request, std::span<const RangeRequest> ranges, ByteView bytes,
             const ObjectStore::RangeSink& sink) {
  for (const size_t index : request.parts) {
    sink(index, bytes.subspan(ranges[index].offset - request.offset, ranges[index].length));
  }
}

void HandOutEmpty(std::span<const RangeRequest> ranges, const ObjectStore::RangeSink& sink) {
  for (size_t i = 0; i < ranges.size(); ++i) {
    if (ranges[i].length == 0) sink(i, {});
  }
}

}  // namespace s3v

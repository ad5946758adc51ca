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
  if (range.offset < end) return true;  // apart, the bytes of both would be fetched twice
  return range.offset - end <= gap && range.offset + range.length - request.offset <= max_length;
}

// In the order of objects and offsets.
std::vector<CoalescedRange> Merge(std::span<const RangeRequest> ranges, const std::vector<size_t>& order, uint64_t gap,
                                  uint64_t max_length) {
  std::vector<CoalescedRange> requests;
  for (const size_t index : order) {
    const RangeRequest& range = ranges[index];
    if (requests.empty() || !Joins(requests.back(), range, gap, max_length)) {
      requests.push_back({.key = range.key, .offset = range.offset, .length = range.length, .parts = {index}});
      continue;
    }
    CoalescedRange& request = requests.back();
    request.length = std::max(request.length, range.offset + range.length - request.offset);
    request.parts.push_back(index);
  }
  return requests;
}

std::vector<CoalescedRange> InCallersOrder(std::vector<CoalescedRange> requests) {
  for (CoalescedRange& request : requests) std::sort(request.parts.begin(), request.parts.end());
  std::sort(requests.begin(), requests.end(),
            [](const auto& a, const auto& b) { return a.parts.front() < b.parts.front(); });
  return requests;
}

// The gaps between neighbouring requests that a larger tolerance could close, smallest first.
std::vector<uint64_t> ClosableGaps(const std::vector<CoalescedRange>& requests) {
  std::vector<uint64_t> gaps;
  for (size_t i = 1; i < requests.size(); ++i) {
    if (requests[i].key != requests[i - 1].key) continue;
    const uint64_t gap = requests[i].offset - (requests[i - 1].offset + requests[i - 1].length);
    if (gap <= kMaxCoalesceGap) gaps.push_back(gap);
  }
  std::sort(gaps.begin(), gaps.end());
  gaps.erase(std::unique(gaps.begin(), gaps.end()), gaps.end());
  return gaps;
}

}  // namespace

std::vector<CoalescedRange> Coalesce(std::span<const RangeRequest> ranges, uint64_t gap, uint64_t max_length) {
  return InCallersOrder(Merge(ranges, SortedIndexes(ranges), gap, max_length));
}

std::vector<CoalescedRange> CoalesceWave(std::span<const RangeRequest> ranges, uint64_t gap, int max_parallel) {
  const std::vector<size_t> order = SortedIndexes(ranges);
  const auto fits = [&](const auto& requests) { return requests.size() <= static_cast<size_t>(max_parallel); };
  std::vector<CoalescedRange> requests = Merge(ranges, order, gap, kUsualRequestLength);
  if (gap == 0 || fits(requests)) return InCallersOrder(std::move(requests));

  const std::vector<uint64_t> gaps = ClosableGaps(requests);
  const auto enough = std::partition_point(gaps.begin(), gaps.end(), [&](uint64_t wider) {
    return !fits(Merge(ranges, order, std::max(gap, wider), kUsualRequestLength));
  });
  if (enough != gaps.end()) {
    return InCallersOrder(Merge(ranges, order, std::max(gap, *enough), kUsualRequestLength));
  }
  const uint64_t widest = std::max(gap, kMaxCoalesceGap);
  for (uint64_t length = kUsualRequestLength; length <= kMaxRequestLength; length *= 2) {
    requests = Merge(ranges, order, widest, length);
    if (fits(requests)) break;
  }
  return InCallersOrder(std::move(requests));
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

// Which ranges share a request. Pure.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "store/object_store.h"

namespace s3v {

inline constexpr uint64_t kUsualRequestLength = 2 * 1024 * 1024;  // longer ones bring no more bandwidth each
inline constexpr uint64_t kMaxRequestLength = 8 * 1024 * 1024;
inline constexpr uint64_t kMaxCoalesceGap = 1024 * 1024;
inline constexpr int kUsualParallelRequests = 64;

// One request and the ranges (indexes into the caller's list) that lie inside it.
struct CoalescedRange {
  ObjectKey key;
  uint64_t offset = 0;
  uint64_t length = 0;
  std::vector<size_t> parts;
};

// Ranges of one object whose gap is at most `gap` share a request, unless it grew beyond `max_length`. A single longer
// range stays whole, and overlapping ones always share. Empty ranges are in no request. Requests come in the order of
// their first range, so that the caller's order says what is urgent. Throws kInvalidArgument for a range that ends
// beyond 2^63.
std::vector<CoalescedRange> Coalesce(std::span<const RangeRequest> ranges, uint64_t gap, uint64_t max_length);

// The requests of one wave. While they are more than `max_parallel`, some would have to wait for a round trip of
// others: then the gap rises, just as far as needed and to kMaxCoalesceGap at most, and after that the length. A `gap`
// of 0 says that no byte may be fetched in vain, and stays 0.
std::vector<CoalescedRange> CoalesceWave(std::span<const RangeRequest> ranges, uint64_t gap, int max_parallel);

// Hands every part of `request` its slice of `bytes`, the request's answer.
void HandOut(const CoalescedRange& request, std::span<const RangeRequest> ranges, ByteView bytes,
             const ObjectStore::RangeSink& sink);

// Empty ranges need no request.
void HandOutEmpty(std::span<const RangeRequest> ranges, const ObjectStore::RangeSink& sink);

}  // namespace s3v

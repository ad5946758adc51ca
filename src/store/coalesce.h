// Which ranges share a request. Pure.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "store/object_store.h"

namespace s3v {

inline constexpr uint64_t kMaxCoalescedLength = 8 * 1024 * 1024;

// One request and the ranges (indexes into the caller's list) that lie inside it.
struct CoalescedRange {
  ObjectKey key;
  uint64_t offset = 0;
  uint64_t length = 0;
  std::vector<size_t> parts;
};

// Ranges of one object whose gap is at most `gap` share a request, unless it grew beyond `max_length` (a single longer
// range stays whole). Empty ranges are in no request. Requests come in the order of their first range, so that the
// caller's order says what is urgent. Throws kInvalidArgument for a range that ends beyond 2^63.
std::vector<CoalescedRange> Coalesce(std::span<const RangeRequest> ranges, uint64_t gap,
                                     uint64_t max_length = kMaxCoalescedLength);

// Hands every part of `request` its slice of `bytes`, the request's answer.
void HandOut(const CoalescedRange& request, std::span<const RangeRequest> ranges, ByteView bytes,
             const ObjectStore::RangeSink& sink);

// Empty ranges need no request.
void HandOutEmpty(std::span<const RangeRequest> ranges, const ObjectStore::RangeSink& sink);

}  // namespace s3v

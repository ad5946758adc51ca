// Finds the pack that holds a range. Open addressing: one look-up is one or two cache misses, and a process needs about
// 60 bytes a range.
#pragma once

#include <algorithm>
#include <bit>
#include <cstring>
#include <vector>

#include "store/cache_pack.h"

namespace s3v {

struct IndexedRange {
  PackEntry entry;
  uint32_t pack = 0;         // number of the pack
  bool is_verified = false;  // this process saw the checksum match
};

class RangeIndex {
 public:
  // By object, offset and length. Nothing if it is not there. Valid until the next Put or Clear.
  IndexedRange* Find(const PackEntry& range) {
    if (slots_.empty()) return nullptr;
    const uint32_t number = slots_[SlotOf(range)];
    return number == kFree ? nullptr : &ranges_[number];
  }

  // For so many ranges more.
  void Reserve(size_t count) {
    const size_t ranges = ranges_.size() + count;
    if (ranges > ranges_.capacity()) ranges_.reserve(std::max(ranges, ranges_.capacity() * 2));
    if (!HasRoomFor(ranges)) Grow(ranges);
  }

  // In the place of the one with the same object, offset and length.
  void Put(const IndexedRange& range) {
    if (!HasRoomFor(ranges_.size() + 1)) Grow(ranges_.size() + 1);
    uint32_t& number = slots_[SlotOf(range.entry)];
    if (number != kFree) {
      ranges_[number] = range;
      return;
    }
    ranges_.push_back(range);
    number = static_cast<uint32_t>(ranges_.size() - 1);
  }

  void Clear() {
    ranges_.clear();
    slots_.clear();
  }

  const std::vector<IndexedRange>& ranges() const { return ranges_; }

 private:
  static constexpr uint32_t kFree = ~uint32_t{0};

  // Where the range is, or would be put.
  size_t SlotOf(const PackEntry& range) const {
    uint64_t hash;
    std::memcpy(&hash, range.object.data(), sizeof(hash));
    hash = (hash ^ range.offset * 0x9e3779b97f4a7c15ULL ^ range.length) * 0xbf58476d1ce4e5b9ULL;
    const size_t mask = slots_.size() - 1;
    size_t slot = (hash ^ hash >> 32) & mask;
    while (slots_[slot] != kFree && !IsSameRange(ranges_[slots_[slot]].entry, range)) slot = (slot + 1) & mask;
    return slot;
  }

  bool HasRoomFor(size_t count) const { return count * 4 <= slots_.size() * 3; }

  void Grow(size_t count) {
    slots_.assign(std::bit_ceil(std::max<size_t>(64, count + count / 2)), kFree);
    for (uint32_t number = 0; number < ranges_.size(); ++number) slots_[SlotOf(ranges_[number].entry)] = number;
  }

  std::vector<IndexedRange> ranges_;
  std::vector<uint32_t> slots_;  // numbers of ranges_; a power of two of them
};

}  // namespace s3v

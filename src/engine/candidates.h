// The entries of one query that may be among its nearest, a bounded number of them, each key given out once.
#pragma once

#include <cstddef>
#include <limits>
#include <optional>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "engine/raw_vectors.h"
#include "engine/search.h"

namespace s3v {

// (Offer* Take*)*. Order: by lower bound, then by key.
//
// Two things drop an entry: `wanted` others whose upper bounds are below its lower bound (it cannot be among the
// nearest `wanted`), and want of room. What was dropped is remembered as its least lower bound, so that the caller
// knows when the lists must be scanned again.
class Candidates {
 public:
  struct Kept {
    float lower_bound = 0;
    float estimate = 0;
    EntryPlace place;
    std::string key;
    bool operator<(const Kept& other) const {
      return lower_bound != other.lower_bound ? lower_bound < other.lower_bound : key < other.key;
    }
  };

  // `copies`: how many entries may have the same key.
  Candidates(size_t wanted, size_t capacity, size_t copies = 1);

  // Entries with a lower bound above this need not be offered; tell Drop about them.
  float limit() {
    if (uppers_.size() < most_uppers_) return has_room() ? kInfinity : FarthestKept();
    return has_room() ? uppers_.front() : std::min(uppers_.front(), FarthestKept());
  }
  void Drop(float lower_bound) { least_dropped_ = std::min(least_dropped_, lower_bound); }
  // REQUIRES: lower_bound <= limit().
  void Offer(float lower_bound, float estimate, float upper_bound, const EntryPlace& place, ByteView key);

  // The kept one with the least lower bound that was not yet given out; nothing when none is left.
  std::optional<Kept> Take();
  // Before Take: the lower bound that it would give; infinity when none is left.
  float next_bound();

  // The n-th least estimate of those that wait; infinity when they are fewer.
  float NthEstimate(size_t n) const;

  // Kept and not yet given out.
  size_t waiting() const { return kept_.size() - taken_; }
  // Infinity: nothing was dropped.
  float least_dropped() const { return least_dropped_; }
  // Forgets what is kept, not what was given out, so that the same lists can be offered again to more room.
  void StartAgain(size_t wanted, size_t capacity);
  size_t wanted() const { return wanted_; }
  size_t capacity() const { return capacity_; }

 private:
  static constexpr float kInfinity = std::numeric_limits<float>::infinity();

  bool has_room() const { return kept_.size() - taken_ < capacity_; }
  float FarthestKept() {
    Reheap();
    return kept_.front().lower_bound;
  }
  void NoteUpper(float upper_bound);
  void Reheap();
  void Sort();

  const size_t copies_;
  size_t wanted_ = 1;
  size_t capacity_ = 1;
  size_t most_uppers_ = 1;
  float least_dropped_ = kInfinity;
  bool is_sorted_ = false;  // ascending from taken_ on; else a heap, greatest first, and taken_ is 0
  size_t taken_ = 0;
  std::vector<Kept> kept_;
  std::vector<float> uppers_;  // a heap of the least upper bounds, greatest first
  KeySet given_;
};

}  // namespace s3v

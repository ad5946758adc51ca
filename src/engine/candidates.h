// The nearest entries found so far, a bounded number of them, each key given out once.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "engine/search.h"

namespace s3v {

// (Offer* Take*)*. Order: by score, then by key.
class Candidates {
 public:
  struct Kept {
    float score = 0;
    float norm = 0;
    std::string key;
    bool operator<(const Kept& other) const { return score != other.score ? score < other.score : key < other.key; }
  };

  explicit Candidates(size_t capacity) : capacity_(capacity) {}

  // False when the entry is too far to be kept beside the nearer ones; it then counts as dropped.
  bool Wants(float score) {
    if (kept_.size() - taken_ < capacity_) return true;
    Reheap();
    if (score <= kept_.front().score) return true;
    dropped_ = true;
    return false;
  }
  // REQUIRES: Wants(score).
  void Offer(float score, float norm, ByteView key);

  // The nearest that was not yet given out; nothing when no kept one is left.
  std::optional<Kept> Take();

  // Kept and not yet given out.
  size_t waiting() const { return kept_.size() - taken_; }
  // Entries were offered that were not kept: the lists hold more candidates than Take gives.
  bool dropped() const { return dropped_; }
  // Forgets what is kept, not what was given out, so that the same lists can be offered again to more room.
  void StartAgain(size_t capacity);
  size_t capacity() const { return capacity_; }

 private:
  void Reheap();

  size_t capacity_;
  bool dropped_ = false;
  bool is_sorted_ = false;  // ascending from taken_ on; else a heap, greatest first, and taken_ is 0
  size_t taken_ = 0;
  std::vector<Kept> kept_;
  KeySet given_;
};

}  // namespace s3v

#include "engine/candidates.h"

#include <algorithm>

namespace s3v {

void Candidates::Offer(float score, float norm, ByteView key) {
  if (given_.contains(AsText(key))) return;
  Reheap();
  Kept entry{score, norm, std::string(AsText(key))};
  if (kept_.size() < capacity_) {
    kept_.push_back(std::move(entry));
    std::push_heap(kept_.begin(), kept_.end());
    return;
  }
  dropped_ = true;
  if (!(entry < kept_.front())) return;
  std::pop_heap(kept_.begin(), kept_.end());
  kept_.back() = std::move(entry);
  std::push_heap(kept_.begin(), kept_.end());
}

std::optional<Candidates::Kept> Candidates::Take() {
  if (!is_sorted_) {
    std::sort_heap(kept_.begin(), kept_.end());
    is_sorted_ = true;
  }
  while (taken_ < kept_.size()) {
    Kept& nearest = kept_[taken_++];
    // Two pieces may hold one key.
    if (given_.insert(nearest.key).second) return std::move(nearest);
  }
  return std::nullopt;
}

void Candidates::StartAgain(size_t capacity) {
  capacity_ = capacity;
  dropped_ = false;
  is_sorted_ = false;
  taken_ = 0;
  kept_.clear();
}

void Candidates::Reheap() {
  if (!is_sorted_) return;
  kept_.erase(kept_.begin(), kept_.begin() + static_cast<ptrdiff_t>(taken_));
  taken_ = 0;
  std::make_heap(kept_.begin(), kept_.end());
  is_sorted_ = false;
}

}  // namespace s3v

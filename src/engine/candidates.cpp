#include "engine/candidates.h"

#include <algorithm>

namespace s3v {

Candidates::Candidates(size_t wanted, size_t capacity, size_t copies) : copies_(copies) {
  StartAgain(wanted, capacity);
}

void Candidates::Offer(float lower_bound, float estimate, float upper_bound, const EntryPlace& place, ByteView key) {
  if (given_.contains(AsText(key))) return;
  Reheap();
  NoteUpper(upper_bound);
  Kept entry{lower_bound, estimate, place, std::string(AsText(key))};
  if (kept_.size() < capacity_) {
    kept_.push_back(std::move(entry));
    std::push_heap(kept_.begin(), kept_.end());
    return;
  }
  if (!(entry < kept_.front())) return Drop(lower_bound);
  Drop(kept_.front().lower_bound);
  std::pop_heap(kept_.begin(), kept_.end());
  kept_.back() = std::move(entry);
  std::push_heap(kept_.begin(), kept_.end());
}

void Candidates::NoteUpper(float upper_bound) {
  if (uppers_.size() == most_uppers_) {
    if (upper_bound >= uppers_.front()) return;
    std::pop_heap(uppers_.begin(), uppers_.end());
    uppers_.pop_back();
  }
  uppers_.push_back(upper_bound);
  std::push_heap(uppers_.begin(), uppers_.end());
}

std::optional<Candidates::Kept> Candidates::Take() {
  Sort();
  while (taken_ < kept_.size()) {
    Kept& nearest = kept_[taken_++];
    // Two entries may have one key.
    if (given_.insert(nearest.key).second) return std::move(nearest);
  }
  return std::nullopt;
}

float Candidates::next_bound() {
  Sort();
  while (taken_ < kept_.size() && given_.contains(kept_[taken_].key)) ++taken_;
  return taken_ < kept_.size() ? kept_[taken_].lower_bound : kInfinity;
}

float Candidates::NthEstimate(size_t n) const {
  if (n == 0 || n > waiting()) return kInfinity;
  std::vector<float> estimates;
  for (size_t i = taken_; i < kept_.size(); ++i) estimates.push_back(kept_[i].estimate);
  std::nth_element(estimates.begin(), estimates.begin() + static_cast<ptrdiff_t>(n - 1), estimates.end());
  return estimates[n - 1];
}

void Candidates::StartAgain(size_t wanted, size_t capacity) {
  wanted_ = std::max<size_t>(wanted, 1);
  capacity_ = std::max<size_t>(capacity, 1);
  most_uppers_ = wanted_ * copies_;
  least_dropped_ = kInfinity;
  is_sorted_ = false;
  taken_ = 0;
  kept_.clear();
  uppers_.clear();
}

void Candidates::Sort() {
  if (is_sorted_) return;
  std::sort_heap(kept_.begin(), kept_.end());
  is_sorted_ = true;
}

void Candidates::Reheap() {
  if (!is_sorted_) return;
  kept_.erase(kept_.begin(), kept_.begin() + static_cast<ptrdiff_t>(taken_));
  taken_ = 0;
  std::make_heap(kept_.begin(), kept_.end());
  is_sorted_ = false;
}

}  // namespace s3v

// The k smallest of a stream of (score, id), bounded memory, ties by smaller id.
#pragma once

#include <algorithm>
#include <cstddef>
#include <limits>
#include <utility>
#include <vector>

namespace s3v {

template <class Id>
class TopK {
 public:
  struct Item {
    float score;
    Id id;
    bool operator<(const Item& other) const { return score != other.score ? score < other.score : id < other.id; }
  };

  explicit TopK(size_t k) : k_(k) {}

  // Scores above this need not be offered.
  float Threshold() const {
    constexpr float kInfinity = std::numeric_limits<float>::infinity();
    if (k_ == 0) return -kInfinity;
    return heap_.size() < k_ ? kInfinity : heap_.front().score;
  }

  // REQUIRES: score is not NaN.
  void Offer(float score, const Id& id) {
    if (k_ == 0) return;
    const Item item{score, id};
    if (heap_.size() < k_) {
      heap_.push_back(item);
      std::push_heap(heap_.begin(), heap_.end());
    } else if (item < heap_.front()) {
      std::pop_heap(heap_.begin(), heap_.end());
      heap_.back() = item;
      std::push_heap(heap_.begin(), heap_.end());
    }
  }

  // Smallest first; the object is empty afterwards.
  std::vector<Item> TakeSorted() {
    std::sort_heap(heap_.begin(), heap_.end());
    return std::exchange(heap_, {});
  }

  size_t size() const { return heap_.size(); }

 private:
  size_t k_;
  std::vector<Item> heap_;
};

}  // namespace s3v

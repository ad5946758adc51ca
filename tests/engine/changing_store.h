// A store between a test and another store, which changes what comes.
#pragma once

#include <algorithm>
#include <functional>
#include <utility>
#include <vector>

#include "store/object_store.h"

namespace s3v::testing {

// Changes what a store's ranges give, and in which order.
class ChangingStore final : public ObjectStore {
 public:
  using Change = std::function<void(Bytes&)>;
  ChangingStore(ObjectStore& inner, Change change, bool reverses = false)
      : inner_(inner), change_(std::move(change)), reverses_(reverses) {}

  void GetRanges(std::span<const RangeRequest> ranges, const RangeSink& sink, Stop& stop) override {
    ++waves;
    std::vector<std::pair<size_t, Bytes>> arrived;
    inner_.GetRanges(
        ranges, [&](size_t i, ByteView bytes) { arrived.emplace_back(i, Bytes(bytes.begin(), bytes.end())); }, stop);
    if (reverses_) std::reverse(arrived.begin(), arrived.end());
    for (auto& [i, bytes] : arrived) {
      if (change_) change_(bytes);
      sink(i, bytes);
    }
  }
  Bytes Get(const ObjectKey& key, uint64_t max_size, Stop& stop) override { return inner_.Get(key, max_size, stop); }
  PutOutcome Put(const ObjectKey& key, ByteView data, PutMode mode, Stop& stop) override {
    return inner_.Put(key, data, mode, stop);
  }
  std::vector<ObjectInfo> List(const std::string& prefix, Stop& stop) override { return inner_.List(prefix, stop); }
  void Delete(std::span<const ObjectKey> keys, Stop& stop) override { inner_.Delete(keys, stop); }
  const StoreCounters& counters() const override { return inner_.counters(); }

  int waves = 0;

 private:
  ObjectStore& inner_;
  const Change change_;
  const bool reverses_;
};

// The first `times` ranges that arrive have a byte flipped.
inline ChangingStore::Change FlipFirst(int times, size_t place) {
  return [times, place](Bytes& bytes) mutable {
    if (times-- > 0) bytes[place % bytes.size()] ^= 0x40;
  };
}

}  // namespace s3v::testing

#include "store/cached_store.h"

#include <utility>

namespace s3v {
namespace {

// The pack that a wave is written to, for as long as the wave lasts.
class UnderWay {
 public:
  UnderWay(LocalCache::PackWriter** place, LocalCache::PackWriter* pack) : place_(*place) { place_ = pack; }
  ~UnderWay() { place_ = nullptr; }
  UnderWay(const UnderWay&) = delete;
  UnderWay& operator=(const UnderWay&) = delete;

 private:
  LocalCache::PackWriter*& place_;
};

class CachedStore final : public ObjectStore {
 public:
  CachedStore(std::unique_ptr<ObjectStore> store, const LocalCacheConfig& config, bool keep_ranges)
      : store_(std::move(store)), cache_(config), keep_ranges_(keep_ranges) {}

  void GetRanges(std::span<const RangeRequest> ranges, const RangeSink& sink, Stop& stop) override {
    if (!keep_ranges_) return Inner().GetRanges(ranges, sink, stop);
    for (const RangeRequest& range : ranges) CheckObjectKey(range.key);
    stop.Check();
    const std::vector<size_t> missing = cache_.ReadAll(
        ranges,
        [&](size_t index, ByteView bytes) {
          ++hits_;
          sink(index, bytes);
        },
        stop);
    if (!missing.empty()) Fetch(ranges, missing, sink, stop);
  }

  bool GetLocal(const RangeRequest& range, Bytes* bytes) override {
    if (!keep_ranges_ || !cache_.Read(range, bytes)) return false;
    ++hits_;
    return true;
  }

  bool GetLocalParts(const RangeRequest& range, std::span<const Part> parts) override {
    if (!keep_ranges_ || !cache_.ReadParts(range, parts)) return false;
    ++hits_;
    return true;
  }

  bool KeepsRanges() const override { return keep_ranges_; }

  void BeginLocalReads() override { cache_.BeginReads(); }
  void EndLocalReads() override { cache_.EndReads(); }

  void Forget(std::span<const RangeRequest> ranges) override {
    for (const RangeRequest& range : ranges) {
      if (pack_ != nullptr) pack_->Drop(range);
      cache_.Forget(range);
    }
  }

  std::vector<std::shared_ptr<const MappedObject>> GetMapped(
      std::span<const RangeRequest> objects, const std::function<void(size_t index, ByteView bytes)>& verify,
      Stop& stop) override {
    std::vector<std::shared_ptr<const MappedObject>> found;
    std::vector<size_t> missing;
    for (size_t i = 0; i < objects.size(); ++i) {
      CheckObjectKey(objects[i].key);
      stop.Check();
      found.push_back(Map(objects[i], i, verify));
      if (found[i]) {
        ++hits_;
      } else {
        missing.push_back(i);
      }
    }
    if (missing.empty()) return found;

    std::vector<RangeRequest> requests;
    for (const size_t index : missing) requests.push_back(objects[index]);
    const auto fetched = Inner().GetMapped(
        requests, [&](size_t place, ByteView bytes) { verify(missing[place], bytes); }, stop);
    for (size_t place = 0; place < missing.size(); ++place) {
      const size_t index = missing[place];
      cache_.Keep(objects[index].key, fetched[place]->bytes());
      found[index] = Map(objects[index], index, verify);
      if (!found[index]) found[index] = fetched[place];  // not kept: served from memory
    }
    return found;
  }

  Bytes Get(const ObjectKey& key, uint64_t max_size, Stop& stop) override { return Inner().Get(key, max_size, stop); }
  PutOutcome Put(const ObjectKey& key, ByteView data, PutMode mode, Stop& stop) override {
    return Inner().Put(key, data, mode, stop);
  }
  std::vector<ObjectInfo> List(const std::string& prefix, Stop& stop) override { return Inner().List(prefix, stop); }
  void Delete(std::span<const ObjectKey> keys, Stop& stop) override { Inner().Delete(keys, stop); }

  ObjectStore& uncached() override { return Inner(); }

  const StoreCounters& counters() const override {
    counters_ = store_->counters();
    counters_.cache_hits += hits_;
    counters_.cache_failures = cache_.write_failures();
    return counters_;
  }

 private:
  ObjectStore& Inner() {
    store_->coalesce_gap = coalesce_gap;
    return *store_;
  }

  std::shared_ptr<const MappedObject> Map(const RangeRequest& object, size_t index,
                                          const std::function<void(size_t index, ByteView bytes)>& verify) {
    return cache_.Map(object.key, object.length, [&](ByteView bytes) { verify(index, bytes); });
  }

  // What the sink throws ends the wave, and nothing of it is kept: it may have been about the bytes.
  void Fetch(std::span<const RangeRequest> ranges, const std::vector<size_t>& missing, const RangeSink& sink,
             Stop& stop) {
    std::vector<RangeRequest> requests;
    for (const size_t index : missing) requests.push_back(ranges[index]);
    const std::unique_ptr<LocalCache::PackWriter> pack = cache_.NewPack();
    const UnderWay under_way(&pack_, pack.get());
    Inner().GetRanges(
        requests,
        [&](size_t place, ByteView bytes) {
          sink(missing[place], bytes);
          pack->Add(requests[place], bytes);
        },
        stop);
    pack->Commit();
  }

  std::unique_ptr<ObjectStore> store_;
  LocalCache cache_;
  bool keep_ranges_;
  LocalCache::PackWriter* pack_ = nullptr;
  uint64_t hits_ = 0;
  mutable StoreCounters counters_;
};

}  // namespace

std::unique_ptr<ObjectStore> MakeCachedStore(std::unique_ptr<ObjectStore> store, const LocalCacheConfig& config,
                                             bool keep_ranges) {
  return std::make_unique<CachedStore>(std::move(store), config, keep_ranges);
}

}  // namespace s3v

#include "store/memory_store.h"

#include <algorithm>
#include <map>
#include <mutex>

#include "store/answers.h"
#include "store/coalesce.h"

namespace s3v {
namespace {

struct Object {
  std::shared_ptr<const Bytes> data;
  int64_t modified;
};

struct Objects {
  std::mutex mutex;
  std::map<ObjectKey, Object> by_key;
};

std::shared_ptr<Objects> ObjectsNamed(const std::string& name) {
  if (name.empty()) return std::make_shared<Objects>();
  // Never destroyed: a store of a static test fixture may outlive it otherwise.
  static auto* const mutex = new std::mutex;
  static auto* const all = new std::map<std::string, std::shared_ptr<Objects>>;
  const std::lock_guard lock(*mutex);
  std::shared_ptr<Objects>& objects = (*all)[name];
  if (!objects) objects = std::make_shared<Objects>();
  return objects;
}

class MemoryStore final : public ObjectStore {
 public:
  MemoryStore(std::shared_ptr<Objects> objects, const Clock& clock) : objects_(std::move(objects)), clock_(clock) {}

  void GetRanges(std::span<const RangeRequest> ranges, const RangeSink& sink, Stop& stop) override {
    for (const RangeRequest& range : ranges) CheckObjectKey(range.key);
    const std::vector<CoalescedRange> requests = CoalesceWave(ranges, coalesce_gap, kUsualParallelRequests);
    stop.Check();
    HandOutEmpty(ranges, sink);
    if (!requests.empty()) ++counters_.waves;
    for (const CoalescedRange& request : requests) {
      stop.Check();
      ++counters_.get_requests;
      const std::shared_ptr<const Bytes> data = Find(request.key);
      if (request.offset + request.length > data->size()) ThrowShorter(request);
      counters_.bytes_read += request.length;
      HandOut(request, ranges, ByteView(*data).subspan(request.offset, request.length), sink);
    }
  }

  Bytes Get(const ObjectKey& key, uint64_t max_size, Stop& stop) override {
    CheckObjectKey(key);
    stop.Check();
    ++counters_.waves;
    ++counters_.get_requests;
    const std::shared_ptr<const Bytes> data = Find(key);
    if (data->size() > max_size) ThrowLarger(key, max_size);
    counters_.bytes_read += data->size();
    return *data;
  }

  PutOutcome Put(const ObjectKey& key, ByteView data, PutMode mode, Stop& stop) override {
    CheckObjectKey(key);
    stop.Check();
    Object object{.data = std::make_shared<const Bytes>(data.begin(), data.end()), .modified = clock_.WallSeconds()};
    ++counters_.put_requests;
    const std::lock_guard lock(objects_->mutex);
    if (mode == PutMode::kCreateOnly && objects_->by_key.contains(key)) return PutOutcome::kAlreadyExists;
    objects_->by_key[key] = std::move(object);
    counters_.bytes_written += data.size();
    return PutOutcome::kStored;
  }

  std::vector<ObjectInfo> List(const std::string& prefix, Stop& stop) override {
    stop.Check();
    std::vector<ObjectInfo> found;
    const std::lock_guard lock(objects_->mutex);
    for (auto place = objects_->by_key.lower_bound(prefix); place != objects_->by_key.end(); ++place) {
      if (!place->first.starts_with(prefix)) break;
      found.push_back({place->first, place->second.data->size(), place->second.modified});
    }
    counters_.put_requests += ListPages(found.size());
    return found;
  }

  void Delete(std::span<const ObjectKey> keys, Stop& stop) override {
    for (const ObjectKey& key : keys) CheckObjectKey(key);
    stop.Check();
    counters_.delete_requests += DeleteBatches(keys.size());
    const std::lock_guard lock(objects_->mutex);
    for (const ObjectKey& key : keys) objects_->by_key.erase(key);
  }

  const StoreCounters& counters() const override { return counters_; }

 private:
  std::shared_ptr<const Bytes> Find(const ObjectKey& key) {
    const std::lock_guard lock(objects_->mutex);
    const auto place = objects_->by_key.find(key);
    if (place == objects_->by_key.end()) ThrowMissing(key);
    return place->second.data;
  }

  std::shared_ptr<Objects> objects_;
  const Clock& clock_;
  StoreCounters counters_;
};

}  // namespace

std::unique_ptr<ObjectStore> MakeMemoryStore(const std::string& name, const Clock& clock) {
  return std::make_unique<MemoryStore>(ObjectsNamed(name), clock);
}

}  // namespace s3v

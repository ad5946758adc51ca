#include "watched_store.h"

#include <cerrno>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "api/handles.h"
#include "base/error.h"
#include "store/object_store.h"

namespace s3v {
namespace {

using Passed = int (*)(const char* what);
Passed g_passed = nullptr;

class WatchedStore final : public ObjectStore {
 public:
  explicit WatchedStore(std::unique_ptr<ObjectStore> store) : store_(std::move(store)) {}

  void GetRanges(std::span<const RangeRequest> ranges, const RangeSink& sink, Stop& stop) override {
    Inner().GetRanges(ranges, sink, stop);
    Pass("ranges_read", stop);
  }
  std::vector<std::shared_ptr<const MappedObject>> GetMapped(
      std::span<const RangeRequest> objects, const std::function<void(size_t index, ByteView bytes)>& verify,
      Stop& stop) override {
    auto mapped = Inner().GetMapped(objects, verify, stop);
    Pass("navigation_read", stop);
    return mapped;
  }
  Bytes Get(const ObjectKey& key, uint64_t max_size, Stop& stop) override {
    Bytes bytes = Inner().Get(key, max_size, stop);
    Pass("object_read", stop);
    return bytes;
  }
  PutOutcome Put(const ObjectKey& key, ByteView data, PutMode mode, Stop& stop) override {
    const bool is_manifest = key.find("/manifest/") != std::string::npos;
    Pass(is_manifest ? "objects_done" : "put_sent", stop);
    const PutOutcome outcome = Inner().Put(key, data, mode, stop);
    Pass(is_manifest ? "manifest_acked" : "put_acked", stop);
    return outcome;
  }
  std::vector<ObjectInfo> List(const std::string& prefix, Stop& stop) override {
    auto objects = Inner().List(prefix, stop);
    Pass("listed", stop);
    return objects;
  }
  void Delete(std::span<const ObjectKey> keys, Stop& stop) override {
    Pass("delete_sent", stop);
    Inner().Delete(keys, stop);
    Pass("deleted", stop);
  }

  bool GetLocal(const RangeRequest& range, Bytes* bytes) override { return store_->GetLocal(range, bytes); }
  bool GetLocalParts(const RangeRequest& range, std::span<const Part> parts) override {
    return store_->GetLocalParts(range, parts);
  }
  bool KeepsRanges() const override { return store_->KeepsRanges(); }
  void BeginLocalReads() override { store_->BeginLocalReads(); }
  void EndLocalReads() override { store_->EndLocalReads(); }
  void Forget(std::span<const RangeRequest> ranges) override { store_->Forget(ranges); }
  const StoreCounters& counters() const override { return store_->counters(); }
  ObjectStore& uncached() override { return Inner().uncached(); }

 private:
  ObjectStore& Inner() {
    store_->coalesce_gap = coalesce_gap;
    return *store_;
  }

  // Whoever is asked to end there ends there.
  static void Pass(const char* what, Stop& stop) {
    if (g_passed(what) != 0) throw Error(Code::kIoError, std::string("fault point \"") + what + "\"");
    stop.Check();
  }

  std::unique_ptr<ObjectStore> store_;
};

}  // namespace
}  // namespace s3v

void s3v_store_watch(s3v_store* store, int (*passed)(const char* what)) {
  s3v::g_passed = passed;
  store->objects = std::make_unique<s3v::WatchedStore>(std::move(store->objects));
}

// The linker gives us the core's renames: --wrap=renameat.
extern "C" int __real_renameat(int from_directory, const char* from, int to_directory, const char* to);

extern "C" int __wrap_renameat(int from_directory, const char* from, int to_directory, const char* to) {
  const int result = __real_renameat(from_directory, from, to_directory, to);
  const bool is_cached = std::string_view(to).starts_with("pack-") || std::string_view(to).starts_with("journal-");
  if (result == 0 && is_cached && s3v::g_passed != nullptr && s3v::g_passed("cache.renamed") != 0) {
    errno = EIO;
    return -1;
  }
  return result;
}

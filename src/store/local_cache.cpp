#include "store/local_cache.h"

#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <map>
#include <set>
#include <unordered_map>
#include <utility>

#include "base/checksum.h"
#include "base/error.h"
#include "net/sigv4.h"
#include "store/cache_contents.h"
#include "store/cache_writer.h"
#include "store/mapped_object.h"

namespace s3v {
namespace {

constexpr int64_t kRefreshMs = 20;    // between two looks for what other processes added or evicted
constexpr int64_t kTouchMs = 60'000;  // between two notes that a pack is in use
constexpr size_t kMaxOpenPacks = 16;
constexpr size_t kMaxKnownKeys = 4096;

// A cache is never a reason to fail: without memory, it has and keeps nothing.
template <class Work>
bool Quietly(Work&& work) {
  try {
    return work();
  } catch (const std::exception&) {
    return false;
  }
}

}  // namespace

class LocalCache::Impl {
 public:
  explicit Impl(const LocalCacheConfig& config)
      : store_(config.store),
        clock_(*config.clock),
        contents_(&directory_),
        directory_(config.directory),
        writer_(&directory_, &contents_, config.clock, config.max_bytes) {
    Quietly([&] { return directory_.Open(); });
  }

  bool Contains(const RangeRequest& range) { return Find(EntryOf(range)) != nullptr; }
  bool Read(const RangeRequest& range, Bytes* bytes);
  bool ReadParts(const RangeRequest& range, std::span<const ObjectStore::Part> parts);
  void BeginReads() { ++readers_; }
  void EndReads() {
    if (--readers_ == 0) open_.clear();
  }
  void Forget(const RangeRequest& range);
  std::shared_ptr<const MappedObject> Map(const ObjectKey& key, uint64_t length,
                                          const std::function<void(ByteView)>& verify);
  uint64_t held_bytes();
  CacheWriter& writer() { return writer_; }

  // What a range is called in packs. Lengths that no pack has room for stay such lengths.
  PackEntry EntryOf(const RangeRequest& range) {
    return {.object = IdOf(range.key),
            .offset = range.offset,
            .length = static_cast<uint32_t>(std::min(range.length, kMaxEntryLength + 1))};
  }

 private:
  const ObjectId& IdOf(const ObjectKey& key);
  IndexedRange* Find(const PackEntry& range);
  void RefreshIfDue();
  void Touch(const ObjectId& pack, int64_t* touched_ms);
  const Fd* OpenPack(const ObjectId& pack);
  const Fd* OpenPackOf(const IndexedRange& range);
  std::shared_ptr<const MappedObject> FindObject(const PackEntry& range, ObjectId* pack);
  std::shared_ptr<const MappedObject> Load(const KnownPack& pack, uint64_t length);
  void Discard(ObjectId pack);

  // An object that someone in this process has mapped.
  struct Mapping {
    std::weak_ptr<const MappedObject> object;
    int64_t touched_ms = -1;
  };

  const std::string store_;
  const Clock& clock_;
  CacheContents contents_;
  CacheDirectory directory_;
  CacheWriter writer_;
  std::unordered_map<ObjectKey, ObjectId> ids_;
  int readers_ = 0;
  std::vector<std::pair<ObjectId, Fd>> open_;  // packs, oldest first; none without readers
  std::map<ObjectId, Mapping> mappings_;       // by pack
  std::set<ObjectId> verified_;                // packs of objects; names are not used again
  bool was_refreshed_ = false;
  int64_t refreshed_ms_ = 0;
};

// --- looking up ---

const ObjectId& LocalCache::Impl::IdOf(const ObjectKey& key) {
  const auto known = ids_.find(key);
  if (known != ids_.end()) return known->second;
  if (ids_.size() >= kMaxKnownKeys) ids_.clear();
  const std::string name = store_ + '\0' + key;
  ObjectId id;
  ParseId(Sha256Hex(AsBytes(name)).substr(0, 2 * id.size()), &id);
  return ids_.emplace(key, id).first->second;
}

void LocalCache::Impl::RefreshIfDue() {
  const int64_t now = clock_.SteadyMillis();
  if (was_refreshed_ && now - refreshed_ms_ < kRefreshMs) return;
  was_refreshed_ = true;
  refreshed_ms_ = now;
  try {
    contents_.Refresh();
  } catch (const std::bad_alloc&) {
    contents_.Clear();
  }
  std::erase_if(mappings_, [](const auto& mapping) { return mapping.second.object.expired(); });
  // Who keeps a mapping does not ask for it again, and yet it is in use.
  for (auto& [pack, mapping] : mappings_) Touch(pack, &mapping.touched_ms);
}

IndexedRange* LocalCache::Impl::Find(const PackEntry& range) {
  if (!directory_.is_open()) return nullptr;
  RefreshIfDue();
  return contents_.Find(range);
}

void LocalCache::Impl::Touch(const ObjectId& pack, int64_t* touched_ms) {
  const int64_t now = clock_.SteadyMillis();
  if (*touched_ms >= 0 && now - *touched_ms < kTouchMs) return;
  *touched_ms = now;
  directory_.Touch(pack);
}

uint64_t LocalCache::Impl::held_bytes() {
  if (!directory_.is_open()) return 0;
  RefreshIfDue();
  return contents_.held_bytes();
}

// --- ranges ---

const Fd* LocalCache::Impl::OpenPack(const ObjectId& pack) {
  const auto place = std::find_if(open_.begin(), open_.end(), [&](const auto& file) { return file.first == pack; });
  if (place != open_.end()) return &place->second;
  Fd file = directory_.OpenToRead(CacheFile::kPack, pack);
  if (!file.is_open()) return nullptr;
  if (open_.size() >= kMaxOpenPacks) open_.erase(open_.begin());
  open_.emplace_back(pack, std::move(file));
  return &open_.back().second;
}

const Fd* LocalCache::Impl::OpenPackOf(const IndexedRange& range) {
  KnownPack& pack = contents_.pack(range.pack);
  const Fd* file = OpenPack(pack.id);
  if (file == nullptr) pack.is_gone = errno == ENOENT;  // evicted by another process
  return file;
}

bool LocalCache::Impl::Read(const RangeRequest& range, Bytes* bytes) {
  IndexedRange* found = Find(EntryOf(range));
  const Fd* file = found == nullptr ? nullptr : OpenPackOf(*found);
  if (file == nullptr) return false;
  KnownPack& pack = contents_.pack(found->pack);
  bytes->resize(range.length);
  const bool is_whole = ReadFully(*file, found->entry.position, *bytes);
  if (!is_whole || (!found->is_verified && Crc32c(*bytes) != found->entry.crc)) {
    Discard(pack.id);
    return false;
  }
  found->is_verified = true;
  Touch(pack.id, &pack.touched_ms);
  return true;
}

bool LocalCache::Impl::ReadParts(const RangeRequest& range, std::span<const ObjectStore::Part> parts) {
  const bool all_inside = std::ranges::all_of(parts, [&](const ObjectStore::Part& part) {
    return part.from <= range.length && part.out.size() <= range.length - part.from;
  });
  const IndexedRange* found = all_inside ? Find(EntryOf(range)) : nullptr;
  if (found == nullptr) return false;
  if (!found->is_verified) {
    Bytes bytes;
    if (!Read(range, &bytes)) return false;
    for (const ObjectStore::Part& part : parts)
      std::ranges::copy(ByteView(bytes).subspan(part.from, part.out.size()), part.out.begin());
    return true;
  }
  const Fd* file = OpenPackOf(*found);
  if (file == nullptr) return false;
  KnownPack& pack = contents_.pack(found->pack);
  for (const ObjectStore::Part& part : parts) {
    if (ReadFully(*file, found->entry.position + part.from, part.out)) continue;
    Discard(pack.id);
    return false;
  }
  Touch(pack.id, &pack.touched_ms);
  return true;
}

void LocalCache::Impl::Discard(ObjectId pack) {
  directory_.Unlink(CacheFile::kPack, pack);
  contents_.MarkGone(pack);
}

void LocalCache::Impl::Forget(const RangeRequest& range) {
  const IndexedRange* found = Find(EntryOf(range));
  if (found != nullptr) Discard(contents_.pack(found->pack).id);
}

// --- objects ---

std::shared_ptr<const MappedObject> LocalCache::Impl::Load(const KnownPack& pack, uint64_t length) {
  const Fd file = directory_.OpenToRead(CacheFile::kPack, pack.id);
  struct stat info;
  const bool is_whole = file.is_open() && fstat(file.get(), &info) == 0 && S_ISREG(info.st_mode) &&
                        static_cast<uint64_t>(info.st_size) == pack.file_bytes;
  if (!is_whole) return nullptr;
  if (directory_.is_local()) return MapFile(file, length);
  Bytes bytes(length);
  return ReadFully(file, 0, bytes) ? std::make_shared<OwnedObject>(std::move(bytes)) : nullptr;
}

std::shared_ptr<const MappedObject> LocalCache::Impl::FindObject(const PackEntry& range, ObjectId* pack) {
  const IndexedRange* found = Find(range);
  if (found == nullptr) return nullptr;
  *pack = contents_.pack(found->pack).id;
  std::shared_ptr<const MappedObject> object = mappings_[*pack].object.lock();
  if (!object) object = Load(contents_.pack(found->pack), range.length);
  if (object) {
    mappings_[*pack].object = object;
    Touch(*pack, &mappings_[*pack].touched_ms);
  } else {
    Discard(*pack);
  }
  return object;
}

std::shared_ptr<const MappedObject> LocalCache::Impl::Map(const ObjectKey& key, uint64_t length,
                                                          const std::function<void(ByteView)>& verify) {
  ObjectId pack;
  std::shared_ptr<const MappedObject> object;
  Quietly([&] {
    object = FindObject(EntryOf({key, kWholeObject, length}), &pack);
    return true;
  });
  // What is read into memory may be damaged on the way, each time.
  if (!object || (directory_.is_local() && verified_.contains(pack))) return object;
  try {
    verify(object->bytes());
  } catch (const Error& error) {
    if (error.code() != Code::kCorrupted) throw;
    Discard(pack);
    return nullptr;
  }
  Quietly([&] { return verified_.insert(pack).second; });
  return object;
}

// --- the interface ---

namespace {

class WaveWriter final : public LocalCache::PackWriter {
 public:
  using Naming = std::function<PackEntry(const RangeRequest&)>;
  WaveWriter(CacheWriter* writer, Naming naming)
      : draft_(writer), naming_(std::move(naming)), limit_(writer->max_bytes() / 4) {}

  void Add(const RangeRequest& range, ByteView bytes) override {
    if (bytes.size() == range.length) Try([&] { draft_.Add(naming_(range), bytes, limit_); });
  }
  void Drop(const RangeRequest& range) override {
    Try([&] { draft_.Drop(naming_(range)); });
  }
  void Commit() override {
    Try([&] { draft_.Commit(); });
  }

 private:
  template <class Work>
  void Try(Work&& work) {
    const auto all = [&] { return work(), true; };
    if (!has_failed_) has_failed_ = !Quietly(all);
    if (has_failed_) draft_.Clear();
  }

  WaveDraft draft_;
  Naming naming_;
  uint64_t limit_;
  bool has_failed_ = false;
};

}  // namespace

LocalCache::LocalCache(const LocalCacheConfig& config) : impl_(std::make_unique<Impl>(config)) {}
LocalCache::~LocalCache() = default;

bool LocalCache::Contains(const RangeRequest& range) {
  return Quietly([&] { return impl_->Contains(range); });
}

bool LocalCache::Read(const RangeRequest& range, Bytes* bytes) {
  BeginReads();
  const bool is_there = Quietly([&] { return impl_->Read(range, bytes); });
  EndReads();
  return is_there;
}

std::vector<size_t> LocalCache::ReadAll(std::span<const RangeRequest> ranges, const ObjectStore::RangeSink& sink,
                                        Stop& stop) {
  struct Reading {
    explicit Reading(LocalCache* cache) : cache_(*cache) { cache_.BeginReads(); }
    ~Reading() { cache_.EndReads(); }
    LocalCache& cache_;
  } const reading(this);
  std::vector<size_t> missing;
  Bytes bytes;
  for (size_t i = 0; i < ranges.size(); ++i) {
    stop.Check();
    if (Read(ranges[i], &bytes)) {
      sink(i, bytes);
    } else {
      missing.push_back(i);
    }
  }
  return missing;
}

bool LocalCache::ReadParts(const RangeRequest& range, std::span<const ObjectStore::Part> parts) {
  BeginReads();
  const bool are_there = Quietly([&] { return impl_->ReadParts(range, parts); });
  EndReads();
  return are_there;
}

void LocalCache::BeginReads() { impl_->BeginReads(); }
void LocalCache::EndReads() { impl_->EndReads(); }

void LocalCache::Forget(const RangeRequest& range) {
  Quietly([&] { return impl_->Forget(range), true; });
}

std::unique_ptr<LocalCache::PackWriter> LocalCache::NewPack() {
  Impl* const impl = impl_.get();
  return std::make_unique<WaveWriter>(&impl->writer(),
                                      [impl](const RangeRequest& range) { return impl->EntryOf(range); });
}

std::shared_ptr<const MappedObject> LocalCache::Map(const ObjectKey& key, uint64_t length,
                                                    const std::function<void(ByteView)>& verify) {
  return impl_->Map(key, length, verify);
}

void LocalCache::Keep(const ObjectKey& key, ByteView object) {
  Quietly([&] {
    WaveDraft draft(&impl_->writer());
    draft.Add(impl_->EntryOf({key, kWholeObject, object.size()}), object, impl_->writer().max_bytes() / 2);
    draft.Commit();
    return true;
  });
}

uint64_t LocalCache::free_bytes() {
  const uint64_t held = held_bytes();
  return impl_->writer().max_bytes() > held ? impl_->writer().max_bytes() - held : 0;
}

uint64_t LocalCache::write_failures() const { return impl_->writer().failures(); }

uint64_t LocalCache::held_bytes() {
  uint64_t held = 0;
  Quietly([&] {
    held = impl_->held_bytes();
    return true;
  });
  return held;
}

}  // namespace s3v

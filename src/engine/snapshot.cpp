#include "engine/snapshot.h"

#include <algorithm>
#include <list>
#include <set>

#include "engine/unite.h"
#include "format/names.h"

namespace s3v {
namespace {

using Deltas = std::vector<std::shared_ptr<const NavigationDelta>>;

// What is to be had in memory.
struct Known {
  std::shared_ptr<const OpenBase> base;  // null: not known
  Deltas deltas;                         // as names.deltas; null: not known
};

// One wave: whatever is not known. Checksums are verified as objects come, the rest when they are decoded after the
// wave.
void ReadUnknown(const VersionNames& names, Known& known, ObjectStore& store, Stop& stop) {
  std::vector<RangeRequest> requests;
  std::vector<size_t> numbers;  // of the deltas among them; the base comes last
  for (size_t i = 0; i < names.deltas.size(); ++i) {
    if (known.deltas[i] != nullptr) continue;
    requests.push_back({NavigationKey(names.index, names.deltas[i].id), 0, names.deltas[i].length});
    numbers.push_back(i);
  }
  if (known.base == nullptr) requests.push_back({NavigationKey(names.index, names.base.id), 0, names.base.length});
  if (requests.empty()) return;
  const auto verify = [&](size_t i, ByteView bytes) {
    if (i < numbers.size()) {
      CheckDelta(bytes, names.index, names.deltas[numbers[i]].id, requests[i].key);
    } else {
      DecodeBase(bytes, names.index, names.base.id, requests[i].key);
    }
  };
  const auto objects = store.GetMapped(requests, verify, stop);

  for (size_t i = 0; i < numbers.size(); ++i) {
    stop.Check();
    known.deltas[numbers[i]] = std::make_shared<const NavigationDelta>(
        DecodeDelta(objects[i]->bytes(), names.index, names.deltas[numbers[i]].id, requests[i].key));
  }
  if (known.base == nullptr) {
    const auto& object = objects.back();
    known.base = std::make_shared<const OpenBase>(
        OpenBase{object, ViewBase(object->bytes(), names.index, names.base.id, requests.back().key)});
  }
}

std::shared_ptr<const Navigation> Read(const VersionNames& names, Known known, ObjectStore& store, Stop& stop) {
  ReadUnknown(names, known, store, stop);
  auto navigation = std::make_shared<Navigation>();
  navigation->names = names;
  navigation->base = &known.base->view;
  navigation->open_base = std::move(known.base);
  navigation->deltas = std::move(known.deltas);
  UniteDeltas(*navigation);
  return navigation;
}

// Of the union alone.
uint64_t MemoryOf(const Navigation& navigation) {
  uint64_t bytes = navigation.pieces.size() * sizeof(Piece) + navigation.list_sizes.size() * 2 * sizeof(uint32_t);
  for (const LiveSegment& segment : navigation.segments)
    bytes += sizeof segment + segment.key.size() + segment.masked.size() * sizeof(MaskRun);
  return bytes;
}

}  // namespace

SegmentShape Navigation::segment_shape(const LiveSegment& segment) const {
  return {.index = names.index,
          .object = segment.info.id,
          .codes = codes(),
          .key_kind = shape.key_kind,
          .metadata_columns = shape.metadata_columns,
          .raw = shape.raw};
}

std::span<const MaskRun> Navigation::MasksOf(const Piece& piece) const {
  const std::vector<MaskRun>& masked = segments[piece.segment].masked;
  if (masked.empty()) return {};
  const auto first =
      std::ranges::partition_point(masked, [&](const MaskRun& run) { return run.first + run.count <= piece.first; });
  const auto last = std::partition_point(first, masked.end(),
                                         [&](const MaskRun& run) { return run.first < piece.first + piece.count; });
  return {first, last};
}

class NavigationCache::Impl {
 public:
  explicit Impl(size_t max_bytes) : max_bytes_(max_bytes) {}

  std::shared_ptr<const Navigation> Open(const VersionNames& names, ObjectStore& store, Stop& stop) {
    if (names.deltas.empty()) throw Error(Code::kInvalidArgument, "the version names no navigation delta");
    const auto same = std::ranges::find(open_, names, [](const auto& navigation) { return navigation->names; });
    if (same != open_.end()) {
      hits_ += 1 + names.deltas.size();
      open_.splice(open_.begin(), open_, same);
      return open_.front();
    }
    Known known{FindBase(names), {}};
    hits_ += known.base != nullptr ? 1 : 0;
    for (const ObjectName& delta : names.deltas) {
      known.deltas.push_back(FindDelta(names.index, delta));
      hits_ += known.deltas.back() != nullptr ? 1 : 0;
    }
    std::shared_ptr<const Navigation> navigation = Read(names, std::move(known), store, stop);
    open_.push_front(navigation);
    Evict();
    return navigation;
  }

  uint64_t hits() const { return hits_; }

 private:
  std::shared_ptr<const OpenBase> FindBase(const VersionNames& names) const {
    for (const auto& navigation : open_) {
      if (navigation->names.index == names.index && navigation->names.base == names.base) return navigation->open_base;
    }
    return nullptr;
  }

  std::shared_ptr<const NavigationDelta> FindDelta(const ObjectId& index, const ObjectName& name) const {
    for (const auto& navigation : open_) {
      if (navigation->names.index != index) continue;
      const auto found = std::ranges::find(navigation->names.deltas, name);
      if (found != navigation->names.deltas.end())
        return navigation->deltas[static_cast<size_t>(found - navigation->names.deltas.begin())];
    }
    return nullptr;
  }

  // The least recently used go until the rest fits; the one just opened stays in any case.
  void Evict() {
    std::set<const void*> counted;  // what several versions share
    uint64_t bytes = 0;
    for (auto it = open_.begin(); it != open_.end(); ++it) {
      const Navigation& navigation = **it;
      bytes += MemoryOf(navigation);
      if (counted.insert(navigation.open_base.get()).second) bytes += navigation.names.base.length;
      for (size_t i = 0; i < navigation.deltas.size(); ++i) {
        if (counted.insert(navigation.deltas[i].get()).second) bytes += 2 * navigation.names.deltas[i].length;
      }
      if (bytes > max_bytes_ && it != open_.begin()) {
        open_.erase(it, open_.end());
        return;
      }
    }
  }

  const size_t max_bytes_;
  std::list<std::shared_ptr<const Navigation>> open_;  // most recently used first
  uint64_t hits_ = 0;
};

NavigationCache::NavigationCache(size_t max_bytes) : impl_(std::make_unique<Impl>(max_bytes)) {}
NavigationCache::~NavigationCache() = default;

std::shared_ptr<const Navigation> NavigationCache::Open(const VersionNames& names, ObjectStore& store, Stop& stop) {
  return impl_->Open(names, store, stop);
}

uint64_t NavigationCache::hits() const { return impl_->hits(); }

}  // namespace s3v

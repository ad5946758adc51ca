#include "engine/snapshot.h"

#include <list>
#include <set>
#include <vector>

#include "format/names.h"

namespace s3v {
namespace {

bool SameVersion(const VersionNames& a, const VersionNames& b) {
  return a.index == b.index && a.base == b.base && a.base_length == b.base_length && a.delta == b.delta &&
         a.delta_length == b.delta_length;
}

void FillDirectory(Navigation& navigation) {
  const size_t lists = navigation.base->tables.lists.count;
  navigation.first_piece.assign(lists + 1, 0);
  navigation.list_sizes.assign(lists, 0);
  for (const Piece& piece : navigation.delta.pieces) {
    ++navigation.first_piece[piece.list + 1];
    navigation.list_sizes[piece.list] += piece.count;
  }
  for (size_t list = 0; list < lists; ++list) navigation.first_piece[list + 1] += navigation.first_piece[list];
  for (const SegmentInfo& segment : navigation.delta.segments)
    navigation.segment_keys.push_back(SegmentKey(navigation.names.index, segment.id));
}

// One wave: the delta, and the base unless it is known. Checksums are verified as objects come, the rest when they are
// decoded after the wave: the delta needs the base's number of lists.
std::shared_ptr<const Navigation> Read(const VersionNames& names, std::shared_ptr<const OpenBase> base,
                                       ObjectStore& store, Stop& stop) {
  std::vector<RangeRequest> requests = {{NavigationKey(names.index, names.delta), 0, names.delta_length}};
  if (base == nullptr) requests.push_back({NavigationKey(names.index, names.base), 0, names.base_length});
  const auto verify = [&](size_t i, ByteView bytes) {
    if (i == 0) {
      CheckDelta(bytes, names.index, names.delta, requests[0].key);
    } else {
      DecodeBase(bytes, names.index, names.base, requests[1].key);
    }
  };
  const auto objects = store.GetMapped(requests, verify, stop);

  if (base == nullptr) {
    base = std::make_shared<const OpenBase>(
        OpenBase{objects[1], ViewBase(objects[1]->bytes(), names.index, names.base, requests[1].key)});
  }
  auto navigation = std::make_shared<Navigation>();
  navigation->names = names;
  navigation->base = &base->view;
  navigation->open_base = std::move(base);
  navigation->delta = DecodeDelta(objects[0]->bytes(), names.index, names.delta, *navigation->base, requests[0].key);
  if (navigation->delta.base != names.base) {
    throw Error(Code::kCorrupted, "object \"" + requests[0].key + "\" belongs to another navigation base",
                "It names " + IdText(navigation->delta.base) + ", the version " + IdText(names.base) + ".");
  }
  FillDirectory(*navigation);
  return navigation;
}

}  // namespace

class NavigationCache::Impl {
 public:
  explicit Impl(size_t max_bytes) : max_bytes_(max_bytes) {}

  std::shared_ptr<const Navigation> Open(const VersionNames& names, ObjectStore& store, Stop& stop) {
    for (auto it = open_.begin(); it != open_.end(); ++it) {
      if (SameVersion((*it)->names, names)) {
        hits_ += 2;
        open_.splice(open_.begin(), open_, it);
        return open_.front();
      }
    }
    const std::shared_ptr<const OpenBase> base = FindBase(names);
    hits_ += base != nullptr ? 1 : 0;
    std::shared_ptr<const Navigation> navigation = Read(names, base, store, stop);
    open_.push_front(navigation);
    Evict();
    return navigation;
  }

  uint64_t hits() const { return hits_; }

 private:
  std::shared_ptr<const OpenBase> FindBase(const VersionNames& names) const {
    for (const auto& navigation : open_) {
      if (navigation->names.index == names.index && navigation->names.base == names.base &&
          navigation->names.base_length == names.base_length) {
        return navigation->open_base;
      }
    }
    return nullptr;
  }

  // The least recently used go until the rest fits; the one just opened stays in any case.
  void Evict() {
    std::set<const OpenBase*> bases;
    uint64_t bytes = 0;
    for (auto it = open_.begin(); it != open_.end(); ++it) {
      const Navigation& navigation = **it;
      bytes += 2 * navigation.names.delta_length + navigation.list_sizes.size() * 2 * sizeof(uint32_t);
      if (bases.insert(navigation.open_base.get()).second) bytes += navigation.names.base_length;
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

// One version, opened: its navigation tier in memory.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "base/random.h"
#include "base/stop.h"
#include "format/navigation.h"
#include "store/object_store.h"

namespace s3v {

// What the version row in PostgreSQL says: enough to fetch base and delta in one wave.
struct VersionNames {
  ObjectId index{};
  ObjectId base{};
  uint64_t base_length = 0;
  ObjectId delta{};
  uint64_t delta_length = 0;
};

// A base, with the bytes it is a view of: the local cache's file, mapped and shared by all processes, where there is
// one.
struct OpenBase {
  std::shared_ptr<const MappedObject> object;
  NavigationBase view;
};

struct Navigation {
  VersionNames names;
  std::shared_ptr<const OpenBase> open_base;  // shared by the versions that name the same one
  const NavigationBase* base = nullptr;       // of open_base
  NavigationDelta delta;
  std::vector<uint32_t> first_piece;  // list_count + 1: pieces of list l are [first_piece[l], first_piece[l + 1])
  std::vector<uint32_t> list_sizes;   // entries of each list
  std::vector<ObjectKey> segment_keys;

  CodeShape codes() const { return {.dimensions = base->space.dimensions, .bits = delta.bits}; }
};

// Navigation tiers kept open by one process, least recently used out first. `max_bytes` bounds what is this process's
// own: decoded deltas, and bases where they are not mapped.
class NavigationCache {
 public:
  explicit NavigationCache(size_t max_bytes = 256u << 20);
  ~NavigationCache();
  // From memory, else from the local cache, else one wave of at most two requests (one when the base is known). Throws
  // kObjectMissing, kCorrupted (after one fresh read: damage in transit heals).
  std::shared_ptr<const Navigation> Open(const VersionNames& names, ObjectStore& store, Stop& stop);
  // Bases and deltas that Open found in memory.
  uint64_t hits() const;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace s3v

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

struct Navigation {
  VersionNames names;
  std::shared_ptr<const NavigationBase> base;  // shared by the versions that name the same one
  NavigationDelta delta;
  std::vector<uint32_t> first_piece;  // list_count + 1: pieces of list l are [first_piece[l], first_piece[l + 1])
  std::vector<uint32_t> list_sizes;   // entries of each list
};

// Navigation tiers kept open by one process, least recently used out first, bounded in bytes.
class NavigationCache {
 public:
  explicit NavigationCache(size_t max_bytes = 256u << 20);
  ~NavigationCache();
  // From memory, else one wave of at most two requests (one when the base is known). Throws kObjectMissing, kCorrupted
  // (after one fresh read: damage in transit heals).
  std::shared_ptr<const Navigation> Open(const VersionNames& names, ObjectStore& store, Stop& stop);
  // Bases and deltas that Open found in memory.
  uint64_t hits() const;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace s3v

// Deletes what no retained version names.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "base/random.h"
#include "base/stop.h"
#include "store/object_store.h"

namespace s3v {

struct CollectResult {
  uint64_t deleted = 0;
  uint64_t bytes = 0;            // of the deleted
  uint64_t kept = 0;             // named by a retained version, owner markers, or too young
  uint64_t foreign_objects = 0;  // names that do not fit our grammar: reported, never touched
};

// Below `<index>/` only. Reads the retained manifests, lists, and deletes objects that no retained manifest names and
// that the store says are older than keep_seconds. "Now" is the store's own time of the owner marker `owner_number`,
// which the caller has just claimed. `before_delete` runs before every batch (the caller looks at the fence again).
// Of a dropped index the owner markers go too, last, once nothing else is left; a living one keeps the newest of them,
// also while it has no version yet. A retained manifest that is missing or damaged ends the call: nothing is deleted
// then. Deletion is not undone by anything that happens later. REQUIRES: nothing is retained of a dropped index.
enum class IndexState { kLiving, kDropped };
CollectResult Collect(ObjectStore& store, const ObjectId& index, IndexState state,
                      const std::vector<ObjectId>& retained_manifests, int64_t keep_seconds, uint64_t owner_number,
                      const std::function<void()>& before_delete, Stop& stop);

struct StoredIndexes {
  std::vector<ObjectId> indexes;  // that have at least one object, ascending
  uint64_t foreign_objects = 0;   // that belong to no index
};

// What lies below a server's url: finds the prefixes of dropped and never committed indexes.
StoredIndexes FindIndexes(ObjectStore& store, Stop& stop);

}  // namespace s3v

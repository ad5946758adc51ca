// Masks for the entries that have some keys, however many keys there are.
#pragma once

#include <cstdint>
#include <functional>

#include "base/stop.h"
#include "engine/live_map.h"
#include "engine/snapshot.h"
#include "engine/sorted_keys.h"
#include "store/object_store.h"

namespace s3v {

struct MaskedKeys {
  uint64_t keys = 0;           // distinct ones
  uint64_t found = 0;          // of them in the version
  uint64_t found_flagged = 0;  // of these
};

// Finds entries (key_lookup.h) in batches of keys that take about `memory_bytes`, and masks them in `live`; dropped
// segments are not read. `progress` is told how many keys were looked up.
MaskedKeys MaskKeys(const Navigation& navigation, SortedKeys& keys, size_t memory_bytes,
                    const std::function<void(uint64_t)>& progress, LiveMap& live, ObjectStore& store, Stop& stop);

}  // namespace s3v

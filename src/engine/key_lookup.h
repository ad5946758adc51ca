// Where in the segments the entries of some keys lie: read from the key planes, not from the lists.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "base/stop.h"
#include "engine/snapshot.h"
#include "store/object_store.h"

namespace s3v {

// A live entry with one of the keys.
struct FoundEntry {
  uint32_t segment = 0;  // of navigation.segments
  uint32_t position = 0;
  uint32_t key = 0;  // of `keys`
};

// `keys` ascending, each once. Two waves: the key indexes of all segments, then the blocks that a key falls into (fewer
// where the local cache has them). Sorted by segment, then position. `skip` (may be empty): one flag a segment, those
// set are not read. Throws kCorrupted, kObjectMissing naming the segment.
std::vector<FoundEntry> FindEntries(const Navigation& navigation, std::span<const std::string> keys,
                                    std::span<const uint8_t> skip, ObjectStore& store, Stop& stop);

// The content hash of each entry of a segment, by position: the whole key plane, one range.
std::vector<uint64_t> ReadContentHashes(const Navigation& navigation, size_t segment, ObjectStore& store, Stop& stop);

}  // namespace s3v

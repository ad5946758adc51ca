// An object store whose ranges and navigation objects are kept in a local cache.
#pragma once

#include <memory>

#include "store/local_cache.h"
#include "store/object_store.h"

namespace s3v {

// GetRanges asks the cache first, range by range; the rest goes to `store` in one wave, is handed on as it arrives and
// is then kept as one pack. GetLocal and GetMapped (object_store.h) are answered by the cache. Writing, listing and
// deleting go straight through. counters() adds cache_hits to those of `store`.
// With `keep_ranges` false only navigation objects are kept: for stores that are files of this machine anyway.
std::unique_ptr<ObjectStore> MakeCachedStore(std::unique_ptr<ObjectStore> store, const LocalCacheConfig& config,
                                             bool keep_ranges);

}  // namespace s3v

// Filling the local cache before the first query.
#pragma once

#include <cstdint>

#include "base/stop.h"
#include "engine/snapshot.h"
#include "store/object_store.h"

namespace s3v {

// Reads the planes of all lists, what every query needs first, then metadata, raw vectors last, until `max_bytes` were
// read; the store keeps them as it keeps what queries read. A store that keeps no ranges is not asked for any.
void Warm(const Navigation& navigation, uint64_t max_bytes, ObjectStore& store, Stop& stop);

}  // namespace s3v

// Metadata of entries without their source rows: what a search has found, wherever it lies.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "base/bytes.h"
#include "base/stop.h"
#include "engine/raw_vectors.h"
#include "engine/snapshot.h"
#include "store/object_store.h"

namespace s3v {

// The encoded rows (format/metadata.h) of these entries, in the order given; empty ones where the index carries no
// metadata. Reads each piece's columns once, in one wave unless `bytes_at_once` splits it. What arrives damaged is
// asked for once more before kCorrupted is thrown. REQUIRES: places of this navigation.
std::vector<Bytes> ReadMetadata(const Navigation& navigation, std::span<const EntryPlace> places,
                                uint64_t bytes_at_once, ObjectStore& store, Stop& stop);

}  // namespace s3v

// The sizes that an update plans by.
#pragma once

#include <span>

#include "engine/list_writer.h"
#include "engine/live_map.h"
#include "engine/relist.h"
#include "engine/snapshot.h"
#include "engine/update_plan.h"

namespace s3v {

// Segments and lists (by their places after the update) with what is live in them and what the rows put bring.
// Numbers of the index as a whole are left to the caller, but for base_bytes, calibrated_entries and
// dimensions, which are those of the version.
UpdateSizes MeasureSizes(const Navigation& navigation, const LiveMap& live, const ListPlaces& places,
                         std::span<const ListSize> put);

// Bytes of the keys and the metadata of a piece, or about so many: texts that repeat are estimated.
uint64_t PayloadBytes(const Navigation& navigation, const Piece& piece);

}  // namespace s3v

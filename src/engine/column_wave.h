// Metadata columns of some pieces, read for a filter alone: they tell which lists are worth their codes.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "base/stop.h"
#include "engine/matches.h"
#include "engine/snapshot.h"
#include "store/object_store.h"

namespace s3v {

// Bytes of the columns that a filter looks at.
uint64_t ColumnBytes(const Navigation& navigation, const Expression& filter, const Piece& piece);
// Their ranges, in the order of filter.columns().
std::vector<RangeRequest> ColumnRequests(const Navigation& navigation, const Expression& filter, const Piece& piece);
// Decodes the ranges and decides the piece. Throws kCorrupted.
void DecideByColumns(const Navigation& navigation, uint32_t piece, std::span<const ByteView> ranges, Trust trust,
                     Matches& matches);

// Decides these pieces, by number, ascending: what this machine has first, all others with one call of GetRanges. A
// range that arrives damaged is asked for once more before kCorrupted is thrown.
void ReadColumns(const Navigation& navigation, std::span<const uint32_t> pieces, Matches& matches, ObjectStore& store,
                 Stop& stop);

}  // namespace s3v

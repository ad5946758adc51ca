// A filter against the metadata columns of one piece.
#pragma once

#include <cstdint>
#include <span>

#include "filter/match.h"
#include "format/column.h"

namespace s3v {

// `root` and `tests` as Predicate arranges them, `ranges` of each of its columns. Sets passing[i] to 1 where entry i
// matches, else to 0. REQUIRES: as many places as the ranges have entries.
void MatchColumns(const Node& root, std::span<const Test> tests, std::span<const ColumnRange> ranges,
                  std::span<uint8_t> passing);

}  // namespace s3v

// One version, opened: its navigation tier in memory.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "base/random.h"
#include "base/stop.h"
#include "format/manifest.h"
#include "format/navigation.h"
#include "store/object_store.h"

namespace s3v {

// What the version row in PostgreSQL says: enough to fetch base and deltas in one wave.
struct VersionNames {
  ObjectId index{};
  ObjectName base;
  std::vector<ObjectName> deltas;  // at least one; the last carries the version's numbers
  bool operator==(const VersionNames&) const = default;
};

// A base, with the bytes it is a view of: the local cache's file, mapped and shared by all processes, where there is
// one.
struct OpenBase {
  std::shared_ptr<const MappedObject> object;
  NavigationBase view;
};

// A segment that some live entries lie in.
struct LiveSegment {
  SegmentInfo info;
  ObjectKey key;
  std::vector<MaskRun> masked;  // ascending, not touching each other
  uint64_t live = 0;            // entries that are not masked
};

// Base and deltas, united. Segments and pieces without a live entry are left out.
struct Navigation {
  VersionNames names;
  std::shared_ptr<const OpenBase> open_base;  // shared by the versions that name the same one
  const NavigationBase* base = nullptr;       // of open_base
  IndexShape shape;
  VersionState state;
  std::vector<std::shared_ptr<const NavigationDelta>> deltas;  // as names.deltas
  std::vector<LiveSegment> segments;
  std::vector<Piece> pieces;          // by list (its place in the base), then segment (of `segments`), then position
  std::vector<uint32_t> first_piece;  // list_count + 1: pieces of list l are [first_piece[l], first_piece[l + 1])
  std::vector<uint32_t> list_sizes;   // live entries of each list

  CodeShape codes() const { return {.dimensions = shape.dimensions, .bits = shape.bits}; }
  SegmentShape segment_shape(const LiveSegment& segment) const;
  std::span<const Piece> PiecesOf(uint32_t list) const {
    return std::span(pieces).subspan(first_piece[list], first_piece[list + 1] - first_piece[list]);
  }
  // One for each metadata column. `piece` is one of `pieces`.
  std::span<const ColumnPlace> ColumnsOf(const Piece& piece) const {
    return deltas[piece.delta]->columns.Of(piece, shape.metadata_columns);
  }
  ColumnSummary SummaryOf(const Piece& piece, size_t column) const {
    const ColumnTable& table = deltas[piece.delta]->columns;
    return ViewSummary(table.SummaryBytes(table.Of(piece, shape.metadata_columns)[column]), piece.count);
  }
  // Runs of the piece's segment that touch the piece.
  std::span<const MaskRun> MasksOf(const Piece& piece) const;
};

// Navigation tiers kept open by one process, least recently used out first. `max_bytes` bounds what is this process's
// own: decoded deltas, and bases where they are not mapped. Deltas that an older open version has are not read again.
class NavigationCache {
 public:
  explicit NavigationCache(size_t max_bytes = 256u << 20);
  ~NavigationCache();
  // From memory, else from the local cache, else one wave: the base unless it is known, and the deltas that are not.
  // Throws kObjectMissing, kCorrupted (after one fresh read: damage in transit heals), also when the deltas do not fit
  // each other or the base: live entries in a list that it does not have, or another number of them than the state
  // says.
  std::shared_ptr<const Navigation> Open(const VersionNames& names, ObjectStore& store, Stop& stop);
  // Bases and deltas that Open found in memory.
  uint64_t hits() const;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace s3v

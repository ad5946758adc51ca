// What an update leaves of a version's segments: the masks that the version has, and those that the update adds.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "engine/snapshot.h"

namespace s3v {

// Ascending runs that do not touch each other, of the positions that any run covers.
std::vector<MaskRun> UniteRuns(std::vector<MaskRun> runs);
// How many of the positions [first, first + count) are covered. `runs` as UniteRuns gives them.
uint32_t CountCovered(std::span<const MaskRun> runs, uint32_t first, uint32_t count);

// Segments by their place in navigation.segments.
class LiveMap {
 public:
  explicit LiveMap(const Navigation& navigation);

  // `runs` in any order; may cover what is masked already.
  void Mask(size_t segment, std::vector<MaskRun> runs);
  // Nothing of it remains.
  void Drop(size_t segment) { segments_[segment].is_dropped = true; }

  bool is_dropped(size_t segment) const { return segments_[segment].is_dropped; }
  std::span<const MaskRun> masked(size_t segment) const { return segments_[segment].masked; }  // of both
  std::span<const MaskRun> added(size_t segment) const { return segments_[segment].added; }
  uint64_t live(size_t segment) const;
  uint64_t live() const;  // entries of all segments
  uint32_t LiveIn(const Piece& piece) const;

 private:
  struct Segment {
    uint32_t entries = 0;
    bool is_dropped = false;
    std::vector<MaskRun> masked;
    std::vector<MaskRun> added;
  };
  std::vector<Segment> segments_;
};

}  // namespace s3v

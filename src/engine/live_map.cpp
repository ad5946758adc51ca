#include "engine/live_map.h"

#include <algorithm>

namespace s3v {

std::vector<MaskRun> UniteRuns(std::vector<MaskRun> runs) {
  std::ranges::sort(runs, {}, &MaskRun::first);
  std::vector<MaskRun> united;
  for (const MaskRun& run : runs) {
    if (united.empty() || united.back().first + united.back().count < run.first) {
      united.push_back(run);
    } else {
      MaskRun& last = united.back();
      last.count = std::max(last.first + last.count, run.first + run.count) - last.first;
    }
  }
  return united;
}

uint32_t CountCovered(std::span<const MaskRun> runs, uint32_t first, uint32_t count) {
  const uint32_t end = first + count;
  auto run = std::ranges::partition_point(runs, [&](const MaskRun& r) { return r.first + r.count <= first; });
  uint32_t covered = 0;
  for (; run != runs.end() && run->first < end; ++run) {
    covered += std::min(end, run->first + run->count) - std::max(first, run->first);
  }
  return covered;
}

LiveMap::LiveMap(const Navigation& navigation) {
  for (const LiveSegment& segment : navigation.segments)
    segments_.push_back({.entries = segment.info.entries, .is_dropped = false, .masked = segment.masked, .added = {}});
}

void LiveMap::Mask(size_t segment, std::vector<MaskRun> runs) {
  Segment& masks = segments_[segment];
  const auto add = [&](std::vector<MaskRun>& to) {
    to.insert(to.end(), runs.begin(), runs.end());
    to = UniteRuns(std::move(to));
  };
  add(masks.masked);
  add(masks.added);
}

uint64_t LiveMap::live(size_t segment) const {
  const Segment& masks = segments_[segment];
  return masks.is_dropped ? 0 : masks.entries - CountCovered(masks.masked, 0, masks.entries);
}

uint64_t LiveMap::live() const {
  uint64_t entries = 0;
  for (size_t segment = 0; segment < segments_.size(); ++segment) entries += live(segment);
  return entries;
}

uint32_t LiveMap::LiveIn(const Piece& piece) const {
  const Segment& masks = segments_[piece.segment];
  return masks.is_dropped ? 0 : piece.count - CountCovered(masks.masked, piece.first, piece.count);
}

}  // namespace s3v

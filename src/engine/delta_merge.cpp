#include "engine/delta_merge.h"

#include <algorithm>
#include <map>
#include <set>

#include "engine/update_plan.h"

namespace s3v {
namespace {

class Merging {
 public:
  Merging(const Navigation& navigation, const LiveMap& live, NavigationDelta written)
      : navigation_(navigation), merged_(std::move(written)) {
    for (size_t i = 0; i < navigation.segments.size(); ++i) {
      if (live.live(i) == 0) continue;
      const ObjectId& id = navigation.segments[i].info.id;
      alive_.insert(id);
      const auto added = live.added(i);
      if (!added.empty()) runs_[id].assign(added.begin(), added.end());
    }
  }

  MergedDelta Run(bool all) {
    const std::vector<bool> is_taken = Choose(all);
    std::vector<ObjectName> others;
    std::set<ObjectId> gone;  // segments that others still name, though nothing of them is live
    std::set<ObjectId> told;  // those of which others say so
    for (size_t i = 0; i < is_taken.size(); ++i) {
      const NavigationDelta& delta = *navigation_.deltas[i];
      if (is_taken[i]) {
        AppendAlive(delta, merged_);
        for (const SegmentMask& mask : delta.masks) {
          if (alive_.contains(mask.segment)) Add(mask.runs, runs_[mask.segment]);
        }
        continue;
      }
      others.push_back(navigation_.names.deltas[i]);
      for (const SegmentInfo& segment : delta.segments) {
        if (!alive_.contains(segment.id)) gone.insert(segment.id);
      }
      for (const SegmentMask& mask : delta.masks) {
        if (mask.whole) told.insert(mask.segment);
      }
    }
    // Ascending by id; alive and gone segments are different ones.
    std::map<ObjectId, SegmentMask> masks;
    for (auto& [id, runs] : runs_) masks[id] = {.segment = id, .whole = false, .runs = UniteRuns(std::move(runs))};
    for (const ObjectId& id : gone) {
      if (!told.contains(id)) masks[id] = {.segment = id, .whole = true, .runs = {}};
    }
    for (auto& [id, mask] : masks) merged_.masks.push_back(std::move(mask));
    return {.delta = std::move(merged_), .others = std::move(others)};
  }

 private:
  static void Add(const std::vector<MaskRun>& from, std::vector<MaskRun>& to) {
    to.insert(to.end(), from.begin(), from.end());
  }

  // Segments that some entries live in, with their pieces.
  void AppendAlive(const NavigationDelta& from, NavigationDelta& to) const {
    std::vector<uint32_t> ordinals(from.segments.size(), UINT32_MAX);
    for (size_t i = 0; i < from.segments.size(); ++i) {
      if (!alive_.contains(from.segments[i].id)) continue;
      ordinals[i] = static_cast<uint32_t>(to.segments.size());
      to.segments.push_back(from.segments[i]);
    }
    for (Piece piece : from.pieces) {
      piece.segment = ordinals[piece.segment];
      if (piece.segment == UINT32_MAX) continue;
      to.columns.Append(from.columns, from.shape.metadata_columns, piece);
      to.pieces.push_back(piece);
    }
  }

  uint64_t EncodedBytes(const NavigationDelta& delta) const {
    return EncodeDelta(delta, navigation_.names.index, {}).size();
  }

  uint64_t AliveBytes(const NavigationDelta& delta, uint64_t empty) const {
    NavigationDelta alive{
        .shape = delta.shape, .state = delta.state, .segments = {}, .pieces = {}, .columns = {}, .masks = {}};
    AppendAlive(delta, alive);
    for (const SegmentMask& mask : delta.masks) {
      if (alive_.contains(mask.segment)) alive.masks.push_back(mask);
    }
    return EncodedBytes(alive) - empty;
  }

  std::vector<bool> Choose(bool all) const {
    std::vector<bool> is_taken(navigation_.deltas.size(), all);
    if (all) return is_taken;
    const uint64_t empty = EncodedBytes({.shape = navigation_.shape,
                                         .state = navigation_.state,
                                         .segments = {},
                                         .pieces = {},
                                         .columns = {},
                                         .masks = {}});
    std::vector<uint64_t> alive_bytes, stored_bytes;
    for (size_t i = 0; i < navigation_.deltas.size(); ++i) {
      alive_bytes.push_back(AliveBytes(*navigation_.deltas[i], empty));
      stored_bytes.push_back(navigation_.names.deltas[i].length);
    }
    for (const size_t i : PlanDeltas(alive_bytes, stored_bytes, NewBytes())) is_taken[i] = true;
    return is_taken;
  }

  uint64_t NewBytes() const {
    NavigationDelta delta = merged_;
    for (const auto& [id, runs] : runs_) delta.masks.push_back({.segment = id, .whole = false, .runs = runs});
    return EncodedBytes(delta);
  }

  const Navigation& navigation_;
  NavigationDelta merged_;
  std::set<ObjectId> alive_;
  std::map<ObjectId, std::vector<MaskRun>> runs_;  // of alive segments: added, and those of the deltas taken in
};

}  // namespace

MergedDelta MergeDeltas(const Navigation& navigation, const LiveMap& live, NavigationDelta written, bool all) {
  return Merging(navigation, live, std::move(written)).Run(all);
}

}  // namespace s3v

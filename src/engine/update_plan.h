// What a sync rewrites beside its own changes: pure decisions over sizes. docs/design/updates.md gives the reasons for
// the numbers.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "engine/snapshot.h"

namespace s3v {

// What an update knows before it writes. Segments as in navigation.segments, lists by their place in the base.
struct UpdateSizes {
  struct Segment {
    uint64_t bytes = 0;
    uint64_t entries = 0;
    uint64_t live = 0;  // after the changes of this update
    bool is_settled = false;
    bool is_discarded = false;
  };
  std::vector<Segment> segments;
  struct List {
    uint64_t live = 0;   // entries after the changes, new rows included (by the old base's nearest list)
    uint64_t fresh = 0;  // of them in fresh segments or new
    // The settled segment that most of its settled entries lie in; where there are none, that of a list nearby.
    uint32_t owner = kNoOwner;
    bool is_made = false;  // by this update, from split lists: all its entries are new and go into settled segments
  };
  static constexpr uint32_t kNoOwner = UINT32_MAX;
  std::vector<List> lists;
  uint64_t new_entries = 0;
  uint64_t entry_bytes = 1;  // about, of one entry with its key, metadata and key-plane entry
  uint64_t base_bytes = 0;
  uint64_t segment_bytes = 1;       // that a segment has at most
  uint64_t changed_since_base = 0;  // entries: those before this update, and those that it removes
  uint64_t calibrated_entries = 0;
  size_t wanted_lists = 0;  // option; 0: ChooseLists
  size_t dimensions = 0;
  bool optimize = false;
};

// Lists whose rows are read again and find new places.
struct ListPlan {
  struct Split {
    uint32_t list = 0;
    uint32_t parts = 2;
  };
  std::vector<Split> splits;
  std::vector<uint32_t> dissolved;
  bool rewrites_base() const { return !splits.empty() || !dissolved.empty(); }
};
ListPlan PlanLists(const UpdateSizes& sizes);

// Segments whose live entries are written anew. Entries of lists that a rewritten settled segment owns go into settled
// segments, those of other fresh segments included; all others into a fresh one.
struct SegmentPlan {
  std::vector<uint32_t> folded;     // fresh segments: all their live entries move
  std::vector<uint32_t> rewritten;  // settled ones
  bool settles_all = false;         // no settled segment remains unwritten: every entry goes into settled segments
};
SegmentPlan PlanSegments(const UpdateSizes& sizes);

// Which deltas of the old version (by place in navigation.deltas) the new one takes in; the others stay named.
// `alive_bytes[i]`: what delta i would add to the new one. `new_bytes`: what the new one has without them.
std::vector<size_t> PlanDeltas(std::span<const uint64_t> alive_bytes, std::span<const uint64_t> stored_bytes,
                               uint64_t new_bytes);

// Whether probing should be calibrated anew.
bool NeedsCalibration(uint64_t entries, uint64_t calibrated_entries, bool optimize);

}  // namespace s3v

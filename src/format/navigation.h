// The navigation tier: what a query needs before it knows which ranges to read.
//
// The base (centroids in two levels) is large and shared by all versions until lists are split, merged or trained anew.
// Each sync writes one delta: its segments with their list directories, and masks over entries of older segments. A
// version is a base and some deltas, all read in one wave; what they say is united (engine/snapshot.h), in any order:
// masks name segments by id. The last delta carries the numbers of the version.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/random.h"
#include "format/segment.h"
#include "ivf/centroid_table.h"
#include "ivf/probe.h"
#include "ivf/rotation.h"
#include "ivf/space.h"

namespace s3v {

// A decoded base. The tables are views into the object, which is used in place (mapped): it must live as long as they.
struct NavigationBase {
  AssignmentSpace space;
  uint64_t rotation_seed = 0;  // that the rotation is made from
  Rotation rotation;
  CentroidTables tables;
  const uint8_t* list_ids = nullptr;  // u32[tables.lists.count], unaligned; each once, below next_list_id
  uint32_t next_list_id = 0;          // of the next list that is made

  uint32_t list_id(size_t list) const;
};

// What a base is made of.
struct NavigationBaseParts {
  AssignmentSpace space;
  uint64_t rotation_seed = 0;
  std::vector<uint32_t> first_list;  // parents + 1, as in Centroids
  OwnedCentroidTable parents;        // both tables have space.dimensions
  OwnedCentroidTable lists;
  std::vector<uint32_t> list_ids;  // one for each list
  uint32_t next_list_id = 0;
};

struct SegmentInfo {
  ObjectId id{};
  uint64_t length = 0;
  uint32_t entries = 0;
  // Settled segments hold whole lists: no two of them the same, but for a list that was cut at a segment's end. All
  // others are fresh: what some syncs brought, of any list.
  bool is_settled = false;
  KeyPlanePlace keys;
  Bytes summaries;  // of each metadata column over all entries, one behind the other
  bool operator==(const SegmentInfo&) const = default;
};

// Positions [first, first + count).
struct MaskRun {
  uint32_t first = 0;
  uint32_t count = 0;
  bool operator==(const MaskRun&) const = default;
};

// Entries of a segment that are no longer part of the index.
struct SegmentMask {
  ObjectId segment{};
  bool whole = false;         // all of them: nobody reads the segment any more; `runs` is empty then
  std::vector<MaskRun> runs;  // ascending, not touching each other
};

// What all versions between two builds have in common.
struct IndexShape {
  uint32_t dimensions = 0;
  KeyKind key_kind = KeyKind::kText;
  int bits = 4;  // of the codes
  RawPlane raw = RawPlane::kNone;
  uint32_t metadata_columns = 0;
  bool has_duplicates = false;  // rows lie in two lists each (SOAR)
  bool operator==(const IndexShape&) const = default;
};

// The numbers of a version.
struct VersionState {
  ObjectId base{};  // the base it belongs to
  uint64_t rows = 0;
  uint64_t entries = 0;  // rows with their duplicates: what segments hold less what is masked
  ProbeRule rule;
  uint64_t calibrated_entries = 0;  // entries there were when the rule was chosen
  uint64_t written_since_base = 0;  // entries that syncs added or removed since the base was written
  bool operator==(const VersionState&) const = default;
};

struct NavigationDelta {
  IndexShape shape;
  VersionState state;  // of the version that this delta completed
  std::vector<SegmentInfo> segments;
  std::vector<Piece> pieces;       // by segment, then position; all entries of all its segments
  ColumnTable columns;             // of the pieces
  std::vector<SegmentMask> masks;  // ascending by id; of segments of this delta or of others
};

inline constexpr size_t kMaxDeltas = 16;  // of a version

Bytes EncodeBase(const NavigationBaseParts& base, const ObjectId& index, const ObjectId& id);
// Both check structure and numbers: scales and squared norms are finite and not negative, first_list is in order. The
// first compares the checksum as well, the second is for bytes that this process verified before. `object` begins at a
// multiple of 64 bytes where rows of centroids should.
NavigationBase DecodeBase(ByteView object, const ObjectId& index, const ObjectId& id, const std::string& key);
NavigationBase ViewBase(ByteView object, const ObjectId& index, const ObjectId& id, const std::string& key);

Bytes EncodeDelta(const NavigationDelta& delta, const ObjectId& index, const ObjectId& id);
// Header and checksum alone, for whoever holds no base yet.
void CheckDelta(ByteView object, const ObjectId& index, const ObjectId& id, const std::string& key);
// Checks that pieces are in order, that their ranges have the lengths that their counts and the dimensions ask for, lie
// inside their segments before the key plane and do not overlap; that they hold each segment's entries; that runs
// ascend, and stay inside where the segment is the delta's own. Whether list ids exist only the base can tell.
NavigationDelta DecodeDelta(ByteView object, const ObjectId& index, const ObjectId& id, const std::string& key);

}  // namespace s3v

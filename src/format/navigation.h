// The navigation tier: what a query needs before it knows which ranges to read.
//
// The base (centroids in two levels) is large and shared by all versions until the next training; the delta (segments,
// list directory, probe rule) is small and new with every version. Both are read in one wave.
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
  Rotation rotation;
  CentroidTables tables;
};

// What a base is made of.
struct NavigationBaseParts {
  AssignmentSpace space;
  uint64_t rotation_seed = 0;
  std::vector<uint32_t> first_list;  // parents + 1, as in Centroids
  OwnedCentroidTable parents;        // both tables have space.dimensions
  OwnedCentroidTable lists;
};

struct SegmentInfo {
  ObjectId id{};
  uint64_t length = 0;
};

struct NavigationDelta {
  ObjectId base{};  // the base it belongs to
  KeyKind key_kind = KeyKind::kText;
  int bits = 4;  // of the codes
  RawPlane raw = RawPlane::kNone;
  bool has_metadata = false;
  bool has_duplicates = false;  // rows lie in two lists each (SOAR)
  uint64_t rows = 0;
  uint64_t entries = 0;  // rows with their duplicates: the counts of the pieces together
  ProbeRule rule;
  std::vector<SegmentInfo> segments;
  std::vector<Piece> pieces;  // by list, then segment
};

Bytes EncodeBase(const NavigationBaseParts& base, const ObjectId& index, const ObjectId& id);
// Both check structure and numbers: scales and squared norms are finite and not negative, first_list is in order. The
// first compares the checksum as well, the second is for bytes that this process verified before. `object` begins at a
// multiple of 64 bytes where rows of centroids should.
NavigationBase DecodeBase(ByteView object, const ObjectId& index, const ObjectId& id, const std::string& key);
NavigationBase ViewBase(ByteView object, const ObjectId& index, const ObjectId& id, const std::string& key);

Bytes EncodeDelta(const NavigationDelta& delta, const ObjectId& index, const ObjectId& id);
// Header and checksum alone, for whoever holds no base yet.
void CheckDelta(ByteView object, const ObjectId& index, const ObjectId& id, const std::string& key);
// `base` is the one that the delta names (the caller compares the names): its lists bound those of the pieces, its
// dimensions tell how long ranges are. Checks that pieces are in order, that their ranges have the lengths that their
// counts ask for, lie inside their segments and do not overlap, and that counts add up to `entries`.
NavigationDelta DecodeDelta(ByteView object, const ObjectId& index, const ObjectId& id, const NavigationBase& base,
                            const std::string& key);

}  // namespace s3v

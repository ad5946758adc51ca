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
#include "ivf/kmeans.h"
#include "ivf/probe.h"
#include "ivf/space.h"

namespace s3v {

struct NavigationBase {
  AssignmentSpace space;
  Centroids centroids;
};

struct SegmentInfo {
  ObjectId id{};
  uint64_t length = 0;
};

struct NavigationDelta {
  ObjectId base{};  // the base it belongs to
  KeyKind key_kind = KeyKind::kText;
  Encoding encoding = Encoding::kFloat32;
  bool has_metadata = false;
  uint64_t rows = 0;
  ProbeRule rule;
  std::vector<SegmentInfo> segments;
  std::vector<Piece> pieces;  // by list, then segment
};

Bytes EncodeBase(const NavigationBase& base, const ObjectId& index, const ObjectId& id);
NavigationBase DecodeBase(ByteView object, const ObjectId& index, const ObjectId& id, const std::string& key);

Bytes EncodeDelta(const NavigationDelta& delta, const ObjectId& index, const ObjectId& id);
// `list_count` bounds the lists that pieces may name. Checks that pieces lie inside their segments, in order, with
// counts that add up to `rows`.
NavigationDelta DecodeDelta(ByteView object, const ObjectId& index, const ObjectId& id, size_t list_count,
                            const std::string& key);

}  // namespace s3v

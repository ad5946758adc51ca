// Small objects of every kind, the same in each run: what the golden files hold and what the corruption tests damage.
#pragma once

#include <string>
#include <vector>

#include "format/manifest.h"
#include "format/names.h"
#include "format/navigation.h"
#include "format/owner.h"
#include "format/segment.h"

namespace s3v::testing {

inline ObjectId SampleId(uint8_t first) {
  ObjectId id;
  for (size_t i = 0; i < id.size(); ++i) id[i] = static_cast<uint8_t>(first + i);
  return id;
}

inline const ObjectId kSampleIndex = SampleId(0x10);
inline const ObjectId kSampleObject = SampleId(0xa0);

inline OwnerMarker SampleOwner() {
  return {
      .number = 7, .system_identifier = 7441234567890123456, .database = 16384, .timeline = 2, .token = SampleId(0xb0)};
}

inline NavigationBase SampleBase() {
  NavigationBase base;
  base.space = {.metric = Metric::kL2, .dimensions = 2};
  base.centroids = {.width = 2, .parents = {1.0F, 0.5F}, .first_list = {0, 2}, .lists = {1.0F, 0.0F, 1.0F, 1.0F}};
  return base;
}

inline SegmentShape SampleShape() {
  return {.index = kSampleIndex,
          .object = kSampleObject,
          .dimensions = 2,
          .key_kind = KeyKind::kText,
          .has_metadata = true};
}

// Two pieces: list 0 with keys "a" and "bc", list 1 with the empty key.
inline Bytes SampleSegment(std::vector<Piece>* pieces, const SegmentShape& shape = SampleShape()) {
  static const float kVectors[][2] = {{1.0F, 0.0F}, {3.0F, 4.0F}, {0.0F, 2.0F}};
  static const float kNorms[] = {1.0F, 5.0F, 2.0F};
  static const Bytes kTextKeys[] = {{'a'}, {'b', 'c'}, {}};
  static const Bytes kIntegerKeys[] = {
      {0x80, 0, 0, 0, 0, 0, 0, 1}, {0x80, 0, 0, 0, 0, 0, 0, 2}, {0x80, 0, 0, 0, 0, 0, 0, 3}};
  static const Bytes kRows[] = {{2}, {3, 5, 0, 0, 0, 0, 0, 0, 0}, {0}};  // true, 5, NULL
  const Bytes* keys = shape.key_kind == KeyKind::kText ? kTextKeys : kIntegerKeys;
  std::vector<Entry> entries;
  for (size_t i = 0; i < 3; ++i) {
    entries.push_back({.key = keys[i], .vector = kVectors[i], .norm = kNorms[i], .metadata = kRows[i]});
  }
  SegmentWriter writer(shape);
  writer.AddPiece(0, std::span(entries).first(2));
  writer.AddPiece(1, std::span(entries).last(1));
  return writer.Finish(pieces);
}

inline NavigationDelta SampleDelta() {
  NavigationDelta delta;
  delta.base = SampleId(0xc0);
  delta.key_kind = KeyKind::kText;
  delta.has_metadata = true;
  delta.rows = 3;
  delta.rule = {.gap = 1.5F, .least = 1, .most = 2};
  const Bytes segment = SampleSegment(&delta.pieces);
  delta.segments = {{kSampleObject, segment.size()}};
  return delta;
}

inline Manifest SampleManifest() {
  return {.index = kSampleIndex,
          .id = kSampleObject,
          .metric = Metric::kL2,
          .dimensions = 2,
          .key_kind = KeyKind::kText,
          .encoding = Encoding::kFloat32,
          .metadata_columns = {"price"},
          .rows = 3,
          .lists = 2,
          .base = SampleId(0xc0),
          .base_length = 116,
          .delta = SampleId(0xd0),
          .delta_length = 180,
          .segments = {{SampleId(0xe0), 197}},
          .created = 1767225600};
}

}  // namespace s3v::testing

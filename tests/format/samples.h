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

inline NavigationBaseParts SampleBase() {
  NavigationBaseParts base;
  base.space = {.metric = Metric::kL2, .dimensions = 2};
  base.rotation_seed = 99;
  base.first_list = {0, 2};
  base.parents = {.dimensions = 2, .codes = {100, 50}, .scales = {0.01F}, .squared_norms = {1.25F}};
  base.lists = {.dimensions = 2, .codes = {127, 0, -127, 127}, .scales = {0.5F, 0.25F}, .squared_norms = {1, 2}};
  return base;
}

// As much of a base as the reader of a delta asks for.
inline NavigationBase BaseOf(size_t lists, size_t dimensions) {
  NavigationBase base;
  base.space.dimensions = dimensions;
  base.tables.lists.count = lists;
  return base;
}

inline SegmentShape SampleShape() {
  return {.index = kSampleIndex,
          .object = kSampleObject,
          .codes = {.dimensions = 2, .bits = 2},
          .key_kind = KeyKind::kText,
          .has_metadata = true,
          .raw = RawPlane::kFloat16};
}

// Two pieces: list 0 with keys "a" and "bc", list 1 with the empty key. Shapes of up to 64 dimensions.
inline Bytes SampleSegment(std::vector<Piece>* pieces, const SegmentShape& shape = SampleShape()) {
  static const uint64_t kSigns[] = {0b01, 0b11, 0b10};
  static const uint64_t kExtensions[][kMaxBits - 1] = {{0b10, 5}, {0b11, 6}, {0b00, 7}};
  static const SignFactors kSignFactors[] = {{1, 1.5F}, {5, 7}, {2, 2.5F}};
  static const CodeFactors kCodeFactors[] = {{0.75F, 0.125F}, {3.5F, 0.5F}, {1.25F, 0.25F}};
  static const Bytes kTextKeys[] = {{'a'}, {'b', 'c'}, {}};
  static const Bytes kIntegerKeys[] = {
      {0x80, 0, 0, 0, 0, 0, 0, 1}, {0x80, 0, 0, 0, 0, 0, 0, 2}, {0x80, 0, 0, 0, 0, 0, 0, 3}};
  static const Bytes kRows[] = {{2}, {3, 5, 0, 0, 0, 0, 0, 0, 0}, {0}};  // true, 5, NULL
  static const float kVectors[3][64] = {{1, 0}, {3, -4}, {0, 2}};
  const Bytes* keys = shape.key_kind == KeyKind::kText ? kTextKeys : kIntegerKeys;
  std::vector<Entry> entries;
  for (size_t i = 0; i < 3; ++i) {
    entries.push_back({.key = keys[i],
                       .signs = {&kSigns[i], 1},
                       .extension = std::span(kExtensions[i]).first(shape.codes.bits - 1),
                       .sign_factors = kSignFactors[i],
                       .code_factors = kCodeFactors[i],
                       .vector = std::span(kVectors[i]).first(shape.codes.dimensions),
                       .metadata = kRows[i]});
  }
  SegmentWriter writer(shape);
  writer.AddPiece(0, std::span(entries).first(2));
  writer.AddPiece(1, std::span(entries).last(1));
  return writer.Finish(pieces);
}

inline NavigationDelta SampleDelta(const SegmentShape& shape = SampleShape()) {
  NavigationDelta delta;
  delta.base = SampleId(0xc0);
  delta.key_kind = shape.key_kind;
  delta.bits = shape.codes.bits;
  delta.raw = shape.raw;
  delta.has_metadata = shape.has_metadata;
  delta.rows = 3;
  delta.entries = 3;
  delta.rule = {.gap = 1.5F, .least = 1, .most = 2};
  const Bytes segment = SampleSegment(&delta.pieces, shape);
  delta.segments = {{kSampleObject, segment.size()}};
  return delta;
}

inline Manifest SampleManifest() {
  return {.index = kSampleIndex,
          .id = kSampleObject,
          .metric = Metric::kL2,
          .dimensions = 2,
          .key_kind = KeyKind::kText,
          .bits = 2,
          .raw = RawPlane::kFloat16,
          .has_duplicates = false,
          .metadata_columns = {"price"},
          .rows = 3,
          .lists = 2,
          .base = SampleId(0xc0),
          .base_length = 200,
          .delta = SampleId(0xd0),
          .delta_length = 208,
          .segments = {{SampleId(0xe0), 382}},
          .created = 1767225600};
}

}  // namespace s3v::testing

// Small objects of every kind, the same in each run: what the golden files hold and what the corruption tests damage.
#pragma once

#include <string>
#include <vector>

#include "format/column.h"
#include "format/content_hash.h"
#include "format/manifest.h"
#include "format/names.h"
#include "format/navigation.h"
#include "format/owner.h"
#include "format/segment.h"
#include "support/metadata_rows.h"

namespace s3v::testing {

inline ObjectId SampleId(uint8_t first) {
  ObjectId id;
  for (size_t i = 0; i < id.size(); ++i) id[i] = static_cast<uint8_t>(first + i);
  return id;
}

inline const ObjectId kSampleIndex = SampleId(0x10);
inline const ObjectId kSampleObject = SampleId(0xa0);
inline const ObjectId kSampleFresh = SampleId(0xe0);  // the fresh segment of the delta
inline constexpr uint32_t kSampleLists[] = {5, 2};    // ids, in the order of the base

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
  base.list_ids.assign(std::begin(kSampleLists), std::end(kSampleLists));
  base.next_list_id = 6;
  return base;
}

inline SegmentShape SampleShape() {
  return {.index = kSampleIndex,
          .object = kSampleObject,
          .codes = {.dimensions = 2, .bits = 2},
          .key_kind = KeyKind::kText,
          .metadata_columns = 1,
          .raw = RawPlane::kFloat16};
}

// Up to three entries with the keys "a", "bc" and "". Shapes of up to 64 dimensions and two metadata columns.
inline std::vector<Entry> SampleEntries(const SegmentShape& shape = SampleShape()) {
  static const uint64_t kSigns[] = {0b01, 0b11, 0b10};
  static const uint64_t kExtensions[][kMaxBits - 1] = {{0b10, 5}, {0b11, 6}, {0b00, 7}};
  static const SignFactors kSignFactors[] = {{1, 1.5F}, {5, 7}, {2, 2.5F}};
  static const CodeFactors kCodeFactors[] = {{0.75F, 0.125F}, {3.5F, 0.5F}, {1.25F, 0.25F}};
  static const Bytes kTextKeys[] = {{'a'}, {'b', 'c'}, {}};
  static const Bytes kIntegerKeys[] = {
      {0x80, 0, 0, 0, 0, 0, 0, 1}, {0x80, 0, 0, 0, 0, 0, 0, 2}, {0x80, 0, 0, 0, 0, 0, 0, 3}};
  static const Bytes kRows[] = {{2}, {3, 5, 0, 0, 0, 0, 0, 0, 0}, {0}};  // true, 5, NULL
  static const Bytes kWideRows[] = {{2, 1}, {3, 5, 0, 0, 0, 0, 0, 0, 0, 1}, {0, 2}};
  static const float kVectors[3][64] = {{1, 0}, {3, -4}, {0, 2}};
  const Bytes* keys = shape.key_kind == KeyKind::kText ? kTextKeys : kIntegerKeys;
  const Bytes* rows = shape.metadata_columns == 2 ? kWideRows : kRows;
  std::vector<Entry> entries;
  for (size_t i = 0; i < 3; ++i) {
    const std::span vector = std::span(kVectors[i]).first(shape.codes.dimensions);
    entries.push_back({.key = keys[i],
                       .signs = {&kSigns[i], 1},
                       .extension = std::span(kExtensions[i]).first(shape.codes.bits - 1),
                       .sign_factors = kSignFactors[i],
                       .code_factors = kCodeFactors[i],
                       .vector = vector,
                       .metadata = rows[i],
                       .content_hash = ContentHash(vector, rows[i])});
  }
  return entries;
}

// Two pieces: the first list with keys "a" and "bc", the second with the empty key.
inline WrittenSegment SampleSegment(const SegmentShape& shape = SampleShape()) {
  const std::vector<Entry> entries = SampleEntries(shape);
  SegmentWriter writer(shape);
  writer.AddPiece(kSampleLists[0], std::span(entries).first(2));
  writer.AddPiece(kSampleLists[1], std::span(entries).last(1));
  return writer.Finish();
}

// What a later sync brought: key "a" has moved to the second list.
inline WrittenSegment SampleFreshSegment(SegmentShape shape = SampleShape()) {
  shape.object = kSampleFresh;
  const std::vector<Entry> entries = SampleEntries(shape);
  SegmentWriter writer(shape);
  writer.AddPiece(kSampleLists[1], std::span(entries).first(1));
  return writer.Finish();
}

// Four columns of the same four entries of list 5, one in each form; ranges one behind the other, in an object that
// begins with the first.
inline std::vector<std::vector<Bytes>> SampleColumnValues() {
  const auto row = [] { return MetadataWriter(); };
  return {{row().Text("red").row(), row().Text("blue").row(), row().Text("red").row(), row().Null().row()},
          {row().Integer(2019).row(), row().Null().row(), row().Integer(2021).row(), row().Integer(2019).row()},
          {row().Float(0.5).row(), row().Float(1.25).row(), row().Float(-2).row(), row().Float(3).row()},
          {row().List(1).Text("a").row(), row().List(0).row(), row().List(1).Boolean(true).row(), row().Null().row()}};
}

inline Bytes SampleColumns() {
  Bytes ranges;
  uint32_t column = 0;
  for (const std::vector<Bytes>& values : SampleColumnValues()) {
    const std::vector<ByteView> views(values.begin(), values.end());
    AppendColumnRange(ranges, views, kSampleLists[0], column++, kSampleObject, ranges.size());
  }
  return ranges;
}

// Summaries of columns of 20 entries: two labels with a NULL, lists, numbers from -5 on, long texts, objects.
inline Bytes SampleSummaries() {
  SummaryBuilder labels, lists, numbers, texts, objects;
  for (int i = 0; i < 20; ++i) {
    labels.Add(i == 0 ? MetadataWriter().Null().row() : MetadataWriter().Text(i < 5 ? "b" : "a").row());
    lists.Add(i < 15 ? MetadataWriter().List(2).Text("x").Boolean(i < 3).row() : MetadataWriter().List(0).row());
    numbers.Add(MetadataWriter().Integer(i - 5).row());
    texts.Add(MetadataWriter().Text("a text of more than sixteen bytes: " + std::to_string(i)).row());
    objects.Add(MetadataWriter().Json("{}").row());
  }
  Bytes summaries;
  for (const SummaryBuilder* of : {&labels, &lists, &numbers, &texts, &objects}) of->AppendTo(summaries);
  return summaries;
}

inline void AddSegment(NavigationDelta& delta, const ObjectId& id, const WrittenSegment& segment, bool is_settled) {
  for (Piece piece : segment.pieces) {
    piece.segment = static_cast<uint32_t>(delta.segments.size());
    delta.columns.Append(segment.columns, delta.shape.metadata_columns, piece);
    delta.pieces.push_back(piece);
  }
  delta.segments.push_back({.id = id,
                            .length = segment.object.size(),
                            .entries = segment.entries,
                            .is_settled = is_settled,
                            .keys = segment.keys,
                            .summaries = segment.summaries});
}

// Both segments, and masks: of a segment that nobody reads any more, of one of 304 entries that an older delta brought,
// and of the entry that the fresh segment replaces.
inline NavigationDelta SampleDelta(const SegmentShape& shape = SampleShape()) {
  NavigationDelta delta;
  delta.shape = {.dimensions = static_cast<uint32_t>(shape.codes.dimensions),
                 .key_kind = shape.key_kind,
                 .bits = shape.codes.bits,
                 .raw = shape.raw,
                 .metadata_columns = static_cast<uint32_t>(shape.metadata_columns)};
  delta.state = {.base = SampleId(0xc0),
                 .rows = 304,
                 .entries = 304,
                 .rule = {.points = {{.entries = 10, .gap = 1.5F, .most = 2, .margin = 0.5F, .bound = -0.25F},
                                     {.entries = 200, .gap = 2.5F, .most = 3, .margin = 1, .bound = 0}}},
                 .calibrated_entries = 290,
                 .written_since_base = 18};
  AddSegment(delta, kSampleObject, SampleSegment(shape), true);
  AddSegment(delta, kSampleFresh, SampleFreshSegment(shape), false);
  delta.masks = {{.segment = SampleId(0x70), .whole = true, .runs = {}},
                 {.segment = SampleId(0x80), .whole = false, .runs = {{3, 2}, {300, 1}}},
                 {.segment = kSampleObject, .whole = false, .runs = {{0, 1}}}};
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
          .rows = 304,
          .entries = 304,
          .lists = 2,
          .base = {SampleId(0xc0), 200},
          .deltas = {{SampleId(0x90), 284}, {SampleId(0xd0), 465}},
          .segments = {{SampleId(0x80), 29480}, {kSampleObject, 469}, {kSampleFresh, 240}},
          .created = 1767225600};
}

}  // namespace s3v::testing

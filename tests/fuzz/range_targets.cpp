// Ranges of segments: scan ranges with their extensions, raw vectors, metadata columns, key planes.
#include <algorithm>

#include "filter/expression.h"
#include "format/column.h"
#include "format/key_plane.h"
#include "format/samples.h"
#include "fuzz/seal.h"
#include "fuzz/target.h"
#include "ivf/codes.h"

namespace s3v::fuzz {
namespace {

const std::string kName = "segment";
constexpr ObjectId kId = {9, 9};
constexpr uint64_t kOffset = 48;

// The shape of what follows, in the first eight bytes of an input.
struct Shape {
  SegmentShape segment;
  uint32_t count = 0;
};
Shape TakeShape(Choices& choices) {
  Shape shape;
  shape.segment.index = kIndex;
  shape.segment.object = kId;
  shape.segment.codes.dimensions = 1 + choices.Take<uint16_t>() % 300;
  shape.segment.codes.bits = 1 + choices.Take<uint8_t>() % kMaxBits;
  shape.segment.key_kind = static_cast<KeyKind>(1 + choices.Take<uint8_t>() % 3);
  shape.segment.raw = static_cast<RawPlane>(choices.Take<uint8_t>() % 3);
  choices.Take<uint8_t>();
  shape.count = choices.Take<uint16_t>();
  return shape;
}
Bytes ShapeBytes(const SegmentShape& shape, uint32_t count) {
  Bytes bytes;
  Append(bytes, static_cast<uint16_t>(shape.codes.dimensions - 1));
  Append(bytes, static_cast<uint8_t>(shape.codes.bits - 1));
  Append(bytes, static_cast<uint8_t>(static_cast<int>(shape.key_kind) - 1));
  Append(bytes, static_cast<uint8_t>(shape.raw));
  Append(bytes, uint8_t{0});
  Append(bytes, static_cast<uint16_t>(count));
  return bytes;
}

// ---- scan and extension ranges, raw vectors

// What a search does with an accepted piece.
void Score(const Shape& shape, const ScanRange& scan, const ExtensionRange* extension) {
  const CodeShape& codes = shape.segment.codes;
  const std::vector<float> query(codes.dimensions, 0.5F), centroid(codes.dimensions, -0.25F);
  for (const Metric metric : {Metric::kL2, Metric::kCosine, Metric::kInnerProduct}) {
    ListQuery list(codes, metric, 8);
    list.Set(query, centroid);
    std::vector<float> lower(scan.count()), upper(scan.count());
    std::vector<int32_t> sums(scan.count());
    list.ScoreSigns(scan.sign_plane(), scan.residual_norms(), scan.sign_scales(), scan.count(), 2, lower.data(),
                    upper.data(), sums.data());
    for (size_t i = 0; extension != nullptr && i < scan.count(); ++i) {
      float norm;
      std::memcpy(&norm, reinterpret_cast<const uint8_t*>(scan.residual_norms()) + i * sizeof norm, sizeof norm);
      list.ScoreCode(sums[i], extension->code(i), norm, extension->factors(i), 2);
    }
  }
}

// Parts: shape, scan range, extension range, raw vector.
void RunPiece(ByteView input) {
  const std::vector<ByteView> parts = PartsOf(input, 4);
  if (parts.size() < 4) return;
  Choices choices(parts[0]);
  const Shape shape = TakeShape(choices);
  Piece piece{.count = shape.count, .scan_offset = kOffset};
  for (const bool seals : {false, true}) {
    const Bytes scan = seals ? SealedRange(parts[1], kId, kOffset) : Copy(parts[1]);
    piece.scan_length = scan.size();
    const uint64_t behind = piece.extension_offset();
    const Bytes extension = seals ? SealedRange(parts[2], kId, behind) : Copy(parts[2]);
    piece.extension_length = extension.size();
    if (scan.size() >= 8) std::memcpy(&piece.list_id, scan.data() + 4, sizeof piece.list_id);
    Accepts([&] {
      const ScanRange range(scan, piece, shape.segment, kName);
      for (size_t i = 0; i < range.count(); ++i) range.key(i);
      if (shape.segment.codes.bits == 1) return Score(shape, range, nullptr);
      const ExtensionRange rest(extension, piece, shape.segment, kName);
      Score(shape, range, &rest);
    });
    const Bytes raw = seals ? SealedRange(parts[3], kId, kOffset) : Copy(parts[3]);
    std::vector<float> vector(shape.segment.codes.dimensions);
    Accepts([&] { DecodeRaw(raw, kOffset, shape.segment, kName, vector); });
  }
}

std::vector<SegmentShape> Shapes() {
  SegmentShape wide = testing::SampleShape();
  wide.codes = {.dimensions = 64, .bits = 8};
  wide.key_kind = KeyKind::kInteger;
  wide.metadata_columns = 2;
  wide.raw = RawPlane::kFloat32;
  SegmentShape narrow = testing::SampleShape();
  narrow.codes = {.dimensions = 7, .bits = 1};
  return {testing::SampleShape(), wide, narrow};
}

std::vector<Bytes> PieceSeeds() {
  std::vector<Bytes> seeds;
  for (const SegmentShape& shape : Shapes()) {
    const WrittenSegment segment = testing::SampleSegment(shape);
    const Piece& piece = segment.pieces[0];
    const auto part = [&](uint64_t offset, uint64_t length) {
      return Copy(ByteView(segment.object).subspan(offset, length));
    };
    seeds.push_back(Joined(std::vector{ShapeBytes(shape, piece.count), part(piece.scan_offset, piece.scan_length),
                                       part(piece.extension_offset(), piece.extension_length),
                                       part(piece.raw_offset, RawBytes(shape.raw, shape.codes.dimensions))}));
  }
  return seeds;
}

// ---- metadata columns

const std::vector<std::unique_ptr<const Expression>>& Filters() {
  static const auto* filters = [] {
    const std::vector<FilterColumn> columns = {{"x", ColumnKind::kJson}};
    auto* all = new std::vector<std::unique_ptr<const Expression>>();
    for (const char* text :
         {R"({"x":{"$exists":false}})", R"({"x":{"$eq":"red"}})", R"({"x":{"$nin":["blue",2019,true,0.5]}})",
          R"({"x":{"$gte":2020}})", R"({"x":{"$lt":-0.25}})", R"({"x":{"$startsWith":"b"}})",
          R"({"$or":[{"x":{"$lt":3}},{"x":{"$startsWith":"r"}},{"x":false}]})"}) {
      all->push_back(Expression::Compile(text, columns, nullptr));
    }
    return all;
  }();
  return *filters;
}

// As one column of rows: entry i is row i.
void MatchBoth(const ColumnRange& column) {
  std::vector<uint8_t> passing(column.count(), 0x55);
  for (const auto& filter : Filters()) {
    const bool is_matched = Accepts([&] { filter->MatchAll({&column, 1}, passing); });
    for (size_t i = 0; is_matched && i < column.count(); ++i) {
      Bytes row;
      column.AppendValue(i, row);
      bool matches = false;
      if (!Accepts([&] { matches = filter->Match(row); })) continue;  // a decimal that no entry's filter looks at
      Require(passing[i] == (matches ? 1 : 0), "a column matches other entries than its rows");
    }
  }
}

void RunColumn(ByteView input) {
  Choices choices(input);
  const uint32_t count = choices.Take<uint16_t>();
  for (const bool seals : {false, true}) {
    const Bytes range = seals ? SealedRange(choices.rest(), kId, kOffset) : Copy(choices.rest());
    Piece piece{.count = count};
    uint16_t number = 0;
    if (range.size() >= 10) {
      std::memcpy(&piece.list_id, range.data() + 4, sizeof piece.list_id);
      std::memcpy(&number, range.data() + 8, sizeof number);
    }
    const ColumnPlace place{.offset = kOffset, .length = static_cast<uint32_t>(range.size())};
    SegmentShape shape;
    shape.index = kIndex;
    shape.object = kId;
    Accepts([&] {
      const ColumnRange column(range, place, number, piece, shape, kName);
      Require(column.count() == count, "a column of other entries");
      Bytes values;
      for (size_t i = 0; i < column.count(); ++i) {
        const size_t before = values.size();
        column.AppendValue(i, values);
        Require(ReadValue(ByteView(values).subspan(before)).tag == column.value(i).tag, "a value that reads twofold");
        if (column.form() != ColumnForm::kDictionary) continue;
        Require(column.code(i) < column.distinct_count(), "an entry with a value that does not exist");
      }
      MatchBoth(column);
    });
  }
}

std::vector<Bytes> ColumnSeeds() {
  std::vector<Bytes> seeds;
  const auto add = [&](std::span<const Bytes> values) {
    const std::vector<ByteView> views(values.begin(), values.end());
    Bytes seed;
    Append(seed, static_cast<uint16_t>(values.size()));
    AppendColumnRange(seed, views, 5, 0, kId, kOffset);
    seeds.push_back(seed);
  };
  for (const auto& values : testing::SampleColumnValues()) add(values);
  std::vector<Bytes> many, times;
  for (int i = 0; i < 40; ++i) {
    many.push_back(testing::MetadataWriter().Decimal(std::to_string(i % 20) + ".5").row());
    times.push_back(testing::MetadataWriter().Time(int64_t{1} << (i % 60)).row());
  }
  add(many);
  add(times);
  return seeds;
}

// ---- key planes

// Parts: shape, then the plane: blocks and, at its end, the index, whose length is the shape's count.
void RunKeys(ByteView input) {
  const std::vector<ByteView> parts = PartsOf(input, 2);
  if (parts.size() < 2) return;
  Choices choices(parts[0]);
  const Shape shape = TakeShape(choices);
  const auto entries = choices.Take<uint32_t>();
  Bytes object(kOffset + parts[1].size());
  std::ranges::copy(parts[1], object.begin() + kOffset);
  const KeyPlanePlace place{.offset = kOffset, .index_length = std::min<uint64_t>(shape.count, parts[1].size())};
  const uint64_t index = object.size() - place.index_length;
  SealRange(object, index, place.index_length, kId);
  std::vector<KeyBlockPlace> blocks;
  const bool is_index = Accepts([&] {
    blocks = DecodeKeyIndex(Copy(ByteView(object).subspan(index)), shape.segment, place, object.size(), entries, kName);
  });
  if (!is_index) return;
  std::string last;
  for (const KeyBlockPlace& block : blocks) {
    SealRange(object, block.offset, block.length, kId);
    const Bytes bytes = Copy(ByteView(object).subspan(block.offset, block.length));
    Accepts([&] {
      const KeyBlock read(bytes, block, shape.segment, entries, kName);
      for (size_t i = 0; i < read.count(); ++i) {
        const KeyEntry entry = read.entry(i);
        Require(entry.position < entries, "a key of an entry that does not exist");
        Require(read.LowerBound(entry.key) <= i, "a key that is not found");
        const auto [first, behind] = BlocksOf(blocks, entry.key);
        Require(first <= behind && behind <= blocks.size(), "blocks that do not exist");
      }
    });
  }
}

std::vector<Bytes> KeySeeds() {
  std::vector<Bytes> seeds;
  for (const KeyKind kind : {KeyKind::kText, KeyKind::kInteger}) {
    for (const uint32_t entries : {3U, 300U}) {
      SegmentShape shape = testing::SampleShape();
      shape.index = kIndex;
      shape.object = kId;
      shape.key_kind = kind;
      std::vector<std::string> keys;
      for (uint32_t i = 0; i < entries; ++i)
        keys.push_back(std::string(kind == KeyKind::kText ? 0 : 4, '\0') + std::to_string(1000 + i));
      std::vector<KeyEntry> sorted;
      for (uint32_t i = 0; i < entries; ++i)
        sorted.push_back({.key = AsBytes(keys[i]), .position = entries - 1 - i, .content_hash = i});
      Bytes object(kOffset);
      const KeyPlanePlace place = AppendKeyPlane(object, shape, sorted);
      Bytes head = ShapeBytes(shape, static_cast<uint32_t>(place.index_length));
      Append(head, entries);
      seeds.push_back(Joined(std::vector{head, Copy(ByteView(object).subspan(kOffset))}));
    }
  }
  return seeds;
}

}  // namespace

std::vector<Target> RangeTargets() {
  return {
      {.name = "piece", .run = RunPiece, .seeds = PieceSeeds},
      {.name = "column", .run = RunColumn, .seeds = ColumnSeeds, .memory_per_byte = 256},
      {.name = "keys", .run = RunKeys, .seeds = KeySeeds, .max_input = 16384},
  };
}

}  // namespace s3v::fuzz

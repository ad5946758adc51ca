#include "format/segment.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <limits>

#include "format/coding.h"
#include "format/column.h"
#include "format/key_plane.h"
#include "format/samples.h"
#include "support/metadata_rows.h"

namespace s3v {
namespace {

using ::testing::ElementsAre;
using testing::SampleSegment;
using testing::SampleShape;

const std::string kKey = "segment";

ByteView RangeOf(const Bytes& segment, uint64_t offset, uint64_t length) {
  return ByteView(segment).subspan(offset, length);
}
ByteView ScanOf(const Bytes& segment, const Piece& piece) {
  return RangeOf(segment, piece.scan_offset, piece.scan_length);
}
ByteView ExtensionOf(const Bytes& segment, const Piece& piece) {
  return RangeOf(segment, piece.extension_offset(), piece.extension_length);
}

// A column of a piece of a written segment.
ColumnRange OpenColumn(const WrittenSegment& segment, const Piece& piece, uint32_t column,
                       const SegmentShape& shape = SampleShape()) {
  const ColumnPlace& place = segment.columns.Of(piece, shape.metadata_columns)[column];
  return {RangeOf(segment.object, place.offset, place.length), place, column, piece, shape, kKey};
}

ScanRange OpenScan(ByteView range, const Piece& piece, const SegmentShape& shape = SampleShape()) {
  return ScanRange(range, piece, shape, kKey);
}

template <class T>
T ValueAt(const void* array, size_t i) {
  T value;
  std::memcpy(&value, static_cast<const uint8_t*>(array) + i * sizeof(T), sizeof(T));
  return value;
}

Code CodeOf(const std::function<void()>& call) {
  try {
    call();
  } catch (const Error& error) {
    return error.code();
  }
  return Code::kOk;
}

TEST(Segment, AllPlanesComeBack) {
  const SegmentShape shape = SampleShape();
  const WrittenSegment written = SampleSegment();
  const Bytes& segment = written.object;
  const std::vector<Piece>& pieces = written.pieces;
  ASSERT_EQ(pieces.size(), 2U);
  const ScanRange first = OpenScan(ScanOf(segment, pieces[0]), pieces[0]);
  ASSERT_EQ(first.count(), 2U);
  EXPECT_EQ(AsText(first.key(0)), "a");
  EXPECT_EQ(AsText(first.key(1)), "bc");
  EXPECT_EQ(ValueAt<float>(first.residual_norms(), 1), 5.0F);
  EXPECT_EQ(ValueAt<float>(first.sign_scales(), 0), 1.5F);
  EXPECT_EQ(ValueAt<float>(first.sign_scales(), 1), 7.0F);
  for (size_t i = 0; i < kSignBlock; ++i) {
    EXPECT_EQ(ValueAt<uint64_t>(first.sign_plane(), i), i == 0 ? 0b01U : i == 1 ? 0b11U : 0U);
  }
  EXPECT_EQ(AsText(OpenScan(ScanOf(segment, pieces[1]), pieces[1]).key(0)), "");

  const ExtensionRange extension(ExtensionOf(segment, pieces[0]), pieces[0], shape, kKey);
  EXPECT_EQ(extension.factors(1).scale, 3.5F);
  EXPECT_EQ(extension.factors(1).error, 0.5F);
  EXPECT_EQ(ValueAt<uint64_t>(extension.code(1), 0), 0b11U);

  const ColumnRange column = OpenColumn(written, pieces[0], 0);
  EXPECT_EQ(column.value(0).tag, ValueTag::kTrue);
  EXPECT_EQ(column.value(1).integer, 5);
  EXPECT_EQ(OpenColumn(written, pieces[1], 0).value(0).tag, ValueTag::kNull);

  const size_t raw_bytes = RawBytes(shape.raw, 2);
  float vector[2];
  const uint64_t offset = pieces[0].raw_offset + raw_bytes;
  DecodeRaw(RangeOf(segment, offset, raw_bytes), offset, shape, kKey, vector);
  EXPECT_THAT(vector, ElementsAre(3, -4));
}

TEST(Segment, PlanesLieInOrderOfUse) {
  const auto [segment, pieces, columns, summaries, entries, keys] = SampleSegment();
  EXPECT_EQ(pieces[0].scan_offset, kHeaderSize);
  EXPECT_EQ(pieces[1].scan_offset, pieces[0].extension_offset() + pieces[0].extension_length);
  const ColumnPlace& first = columns.Of(pieces[0], 1)[0];
  const ColumnPlace& second = columns.Of(pieces[1], 1)[0];
  EXPECT_EQ(first.offset, pieces[1].extension_offset() + pieces[1].extension_length);
  EXPECT_EQ(second.offset, first.offset + first.length);
  EXPECT_EQ(pieces[0].raw_offset, second.offset + second.length);
  EXPECT_EQ(pieces[1].raw_offset, pieces[0].raw_offset + 2 * RawBytes(RawPlane::kFloat16, 2));
  EXPECT_EQ(keys.offset, pieces[1].raw_offset + RawBytes(RawPlane::kFloat16, 2));
  EXPECT_EQ(segment.size(), keys.offset + MostKeyPlaneBytes(KeyKind::kText, 3, 0, 0) + 3) << "the first key is empty";
  CheckHeader(segment, {.kind = 'G', .index = testing::kSampleIndex, .object = testing::kSampleObject}, kKey);
}

// Entries of any shape, with random numbers.
class RandomPiece {
 public:
  RandomPiece(const SegmentShape& shape, size_t count) : shape_(shape), count_(count) {
    const size_t dimensions = shape.codes.dimensions;
    const size_t words = shape.codes.words();
    for (size_t i = 0; i < count; ++i) {
      const size_t width = KeyWidth(shape.key_kind);
      keys_.emplace_back(width > 0 ? width : random_.Below(20), static_cast<uint8_t>(i));
      testing::MetadataWriter row;
      for (size_t column = 0; column < shape.metadata_columns; ++column) AddValue(row, column);
      rows_.push_back(row.row());
      for (size_t w = 0; w < words; ++w) signs_.push_back(random_.Next());
      for (size_t w = 0; w < words * (shape.codes.bits - 1); ++w) extensions_.push_back(random_.Next());
      // Whole numbers, which a half holds.
      for (size_t j = 0; j < dimensions; ++j) vectors_.push_back(static_cast<float>(random_.Below(1000)) - 500);
    }
    for (size_t i = 0; i < count; ++i) {
      const size_t codes = words * (shape.codes.bits - 1);
      const auto value = static_cast<float>(i);
      entries_.push_back({.key = keys_[i],
                          .signs = std::span(signs_).subspan(i * words, words),
                          .extension = std::span(extensions_).subspan(i * codes, codes),
                          .sign_factors = {value, value + 0.25F},
                          .code_factors = {value + 0.5F, value + 0.75F},
                          .vector = std::span(vectors_).subspan(i * dimensions, dimensions),
                          .metadata = rows_[i],
                          .content_hash = random_.Next()});
    }
  }
  const std::vector<Entry>& entries() const { return entries_; }

  void ExpectIn(const WrittenSegment& written, const Piece& piece) const {
    const Bytes& segment = written.object;
    const ScanRange scan = OpenScan(ScanOf(segment, piece), piece, shape_);
    ASSERT_EQ(scan.count(), count_);
    const size_t words = shape_.codes.words();
    uint64_t key_bytes = 0;
    for (size_t i = 0; i < count_; ++i) {
      EXPECT_TRUE(std::ranges::equal(scan.key(i), entries_[i].key));
      key_bytes += entries_[i].key.size();
      EXPECT_EQ(ValueAt<float>(scan.residual_norms(), i), entries_[i].sign_factors.residual_norm);
      EXPECT_EQ(ValueAt<float>(scan.sign_scales(), i), entries_[i].sign_factors.scale);
      for (size_t w = 0; w < words; ++w) {
        const size_t place = (i / kSignBlock * words + w) * kSignBlock + i % kSignBlock;
        EXPECT_EQ(ValueAt<uint64_t>(scan.sign_plane(), place), entries_[i].signs[w]);
      }
    }
    EXPECT_EQ(piece.scan_length, ScanLength(shape_, count_, key_bytes));
    EXPECT_EQ(piece.extension_length, ExtensionLength(shape_, count_));
    ExpectExtension(segment, piece);
    ExpectColumns(written, piece);
    ExpectRaw(segment, piece);
  }

 private:
  void AddValue(testing::MetadataWriter& row, size_t column) {
    const uint64_t number = random_.Below(30);
    if (number == 0) {
      row.Null();
    } else if (column % 2 == 0) {
      row.Integer(static_cast<int64_t>(number));
    } else {
      row.Text(std::string(number / 2, 'x'));
    }
  }
  void ExpectExtension(const Bytes& segment, const Piece& piece) const {
    if (shape_.codes.bits == 1) return;
    const ExtensionRange extension(ExtensionOf(segment, piece), piece, shape_, kKey);
    for (size_t i = 0; i < count_; ++i) {
      EXPECT_EQ(extension.factors(i).scale, entries_[i].code_factors.scale);
      EXPECT_EQ(extension.factors(i).error, entries_[i].code_factors.error);
      EXPECT_EQ(std::memcmp(extension.code(i), entries_[i].extension.data(), shape_.codes.extension_bytes()), 0);
    }
  }
  // Rows put together from their columns are those that came, and the summaries are those of their values.
  void ExpectColumns(const WrittenSegment& written, const Piece& piece) const {
    std::vector<Bytes> rows(count_);
    for (uint32_t column = 0; column < shape_.metadata_columns; ++column) {
      const ColumnRange range = OpenColumn(written, piece, column, shape_);
      SummaryBuilder builder;
      for (size_t i = 0; i < count_; ++i) {
        range.AppendValue(i, rows[i]);
        Bytes value;
        range.AppendValue(i, value);
        builder.Add(value);
      }
      Bytes summary;
      builder.AppendTo(summary);
      const ColumnPlace& place = written.columns.Of(piece, shape_.metadata_columns)[column];
      EXPECT_TRUE(std::ranges::equal(written.columns.SummaryBytes(place).first(summary.size()), summary));
    }
    EXPECT_TRUE(shape_.metadata_columns == 0 || rows == rows_);
  }
  void ExpectRaw(const Bytes& segment, const Piece& piece) const {
    const size_t raw_bytes = RawBytes(shape_.raw, shape_.codes.dimensions);
    std::vector<float> vector(shape_.codes.dimensions);
    for (size_t i = 0; i < count_ && raw_bytes > 0; ++i) {
      const uint64_t offset = piece.raw_offset + i * raw_bytes;
      DecodeRaw(RangeOf(segment, offset, raw_bytes), offset, shape_, kKey, vector);
      EXPECT_TRUE(std::ranges::equal(vector, entries_[i].vector));
    }
  }

  SegmentShape shape_;
  size_t count_;
  Random random_{5};
  std::vector<Bytes> keys_;
  std::vector<Bytes> rows_;
  std::vector<uint64_t> signs_;
  std::vector<uint64_t> extensions_;
  std::vector<float> vectors_;
  std::vector<Entry> entries_;
};

// The key plane has every entry of the pieces: its key, its position, its hash.
void ExpectKeys(const WrittenSegment& segment, const SegmentShape& shape,
                const std::vector<const RandomPiece*>& pieces) {
  std::vector<Entry> entries;
  for (const RandomPiece* piece : pieces) {
    entries.insert(entries.end(), piece->entries().begin(), piece->entries().end());
  }
  const uint64_t length = segment.object.size();
  const ByteView index = RangeOf(segment.object, length - segment.keys.index_length, segment.keys.index_length);
  std::vector<bool> seen(entries.size());
  for (const KeyBlockPlace& place : DecodeKeyIndex(index, shape, segment.keys, length, segment.entries, kKey)) {
    const KeyBlock block(RangeOf(segment.object, place.offset, place.length), place, shape, segment.entries, kKey);
    for (size_t i = 0; i < block.count(); ++i) {
      const KeyEntry key = block.entry(i);
      const Entry& entry = entries[key.position];
      EXPECT_TRUE(std::ranges::equal(key.key, entry.key));
      EXPECT_EQ(key.content_hash, entry.content_hash);
      EXPECT_FALSE(seen[key.position]);
      seen[key.position] = true;
    }
  }
  EXPECT_EQ(std::ranges::count(seen, true), static_cast<int64_t>(entries.size()));
}

TEST(Segment, EveryShapeComesBack) {
  for (const size_t dimensions : {1, 64, 130}) {
    for (int bits = 1; bits <= kMaxBits; ++bits) {
      for (const KeyKind keys : {KeyKind::kInteger, KeyKind::kUuid, KeyKind::kText}) {
        for (const RawPlane raw : {RawPlane::kNone, RawPlane::kFloat32, RawPlane::kFloat16}) {
          SegmentShape shape = SampleShape();
          shape.codes = {.dimensions = dimensions, .bits = bits};
          shape.key_kind = keys;
          shape.raw = raw;
          shape.metadata_columns = static_cast<size_t>(bits % 4);
          SCOPED_TRACE(::testing::Message() << dimensions << " dimensions, " << bits << " bits, keys "
                                            << static_cast<int>(keys) << ", raw " << static_cast<int>(raw));
          const RandomPiece first(shape, 11);
          const RandomPiece second(shape, 8);
          SegmentWriter writer(shape, 100);
          writer.AddPiece(7, first.entries());
          writer.AddPiece(3, second.entries());
          const uint64_t size = writer.size();
          const WrittenSegment segment = writer.Finish();
          if (keys == KeyKind::kText || shape.metadata_columns > 0) {
            ASSERT_LE(segment.object.size(), size);
            ASSERT_GE(segment.object.size() + 100 + 400 * shape.metadata_columns, size);
          } else {
            ASSERT_EQ(segment.object.size(), size);
          }
          ASSERT_EQ(segment.pieces.size(), 2U);
          EXPECT_EQ(segment.pieces[1].list_id, 3U);
          EXPECT_EQ(segment.pieces[1].first, 11U);
          EXPECT_EQ(segment.entries, 19U);
          first.ExpectIn(segment, segment.pieces[0]);
          second.ExpectIn(segment, segment.pieces[1]);
          ExpectKeys(segment, shape, {&first, &second});
        }
      }
    }
  }
}

// Eight entries fill a block of signs, so nothing is lost on padding.
TEST(Segment, EntryBytesAreWhatEntriesTake) {
  SegmentShape shape = SampleShape();
  shape.codes = {.dimensions = 100, .bits = 4};
  shape.key_kind = KeyKind::kUuid;
  shape.metadata_columns = 0;
  const RandomPiece piece(shape, 8);
  SegmentWriter writer(shape);
  writer.AddPiece(0, piece.entries());
  const uint64_t key_plane = MostKeyPlaneBytes(KeyKind::kUuid, 8, 8 * 16, 16);
  EXPECT_EQ(writer.size(), kHeaderSize + 2 * 12 + 8 * EntryBytes(shape, 16) + key_plane);
  shape.codes.bits = 1;
  shape.raw = RawPlane::kNone;
  EXPECT_EQ(EntryBytes(shape, 16), 8U + 16U + 16U);
  shape.key_kind = KeyKind::kText;
  EXPECT_EQ(EntryBytes(shape, 3), 8U + 16U + 4U + 3U);
}

// A range that arrives at an odd address is as good as any.
TEST(Segment, AnyAlignment) {
  const WrittenSegment written = SampleSegment();
  const Bytes& segment = written.object;
  const std::vector<Piece>& pieces = written.pieces;
  for (size_t shift = 0; shift < 8; ++shift) {
    Bytes scan_bytes(shift);
    Append(scan_bytes, ScanOf(segment, pieces[0]));
    const ScanRange scan = OpenScan(ByteView(scan_bytes).subspan(shift), pieces[0]);
    EXPECT_EQ(ValueAt<float>(scan.sign_scales(), 1), 7.0F);
    Bytes extension_bytes(shift);
    Append(extension_bytes, ExtensionOf(segment, pieces[0]));
    const ExtensionRange extension(ByteView(extension_bytes).subspan(shift), pieces[0], SampleShape(), kKey);
    EXPECT_EQ(extension.factors(0).error, 0.125F);
    const ColumnPlace& place = written.columns.Of(pieces[0], 1)[0];
    Bytes column_bytes(shift);
    Append(column_bytes, RangeOf(segment, place.offset, place.length));
    const ColumnRange column(ByteView(column_bytes).subspan(shift), place, 0, pieces[0], SampleShape(), kKey);
    EXPECT_EQ(column.value(1).integer, 5);
  }
}

// All ranges of a column side by side, whatever the pieces.
TEST(Segment, ColumnsLieOneBehindTheOther) {
  SegmentShape shape = SampleShape();
  shape.metadata_columns = 3;
  const RandomPiece first(shape, 40);
  const RandomPiece second(shape, 1);
  SegmentWriter writer(shape);
  writer.AddPiece(1, first.entries());
  writer.AddPiece(2, second.entries());
  const WrittenSegment written = writer.Finish();
  const std::vector<Piece>& pieces = written.pieces;
  uint64_t end = pieces[1].extension_offset() + pieces[1].extension_length;
  for (size_t column = 0; column < 3; ++column) {
    for (const Piece& piece : pieces) {
      EXPECT_EQ(written.columns.Of(piece, 3)[column].offset, end);
      end += written.columns.Of(piece, 3)[column].length;
    }
  }
  EXPECT_EQ(pieces[0].raw_offset, end);
  // Of the whole segment: 41 integers, texts, integers.
  Decoder decoder(written.summaries, kKey);
  EXPECT_EQ(ReadSummary(decoder, 41).form, SummaryForm::kRange);
  EXPECT_EQ(ReadSummary(decoder, 41).entries, 41U);
  EXPECT_EQ(ReadSummary(decoder, 41).form, SummaryForm::kRange);
  EXPECT_EQ(decoder.left(), 0U);
}

TEST(Segment, ColumnsOfAPieceAreCopiedWithTheirSummaries) {
  SegmentShape shape = SampleShape();
  shape.metadata_columns = 2;
  SegmentWriter writer(shape);
  for (uint32_t list = 0; list < 3; ++list) writer.AddPiece(list, RandomPiece(shape, 5 + 20 * list).entries());
  const WrittenSegment written = writer.Finish();
  ColumnTable copy;
  std::vector<Piece> pieces;
  for (const size_t i : {2, 0, 1, 2}) {
    pieces.push_back(written.pieces[i]);
    copy.Append(written.columns, 2, pieces.back());
    EXPECT_EQ(pieces.back().columns, 2 * (pieces.size() - 1));
    EXPECT_TRUE(
        std::ranges::equal(copy.SummariesOf(pieces.back(), 2), written.columns.SummariesOf(written.pieces[i], 2)));
    for (size_t column = 0; column < 2; ++column) {
      const ColumnPlace& from = written.columns.Of(written.pieces[i], 2)[column];
      const ColumnPlace& to = copy.Of(pieces.back(), 2)[column];
      EXPECT_EQ(to.offset, from.offset);
      EXPECT_EQ(to.length, from.length);
      const uint32_t count = pieces.back().count;
      EXPECT_EQ(ViewSummary(copy.SummaryBytes(to), count).form,
                ViewSummary(written.columns.SummaryBytes(from), count).form);
    }
  }
  Piece without = {.count = 1};
  copy.Append({}, 0, without);
  EXPECT_EQ(copy.places.size(), 8U);
  EXPECT_TRUE(copy.SummariesOf(without, 0).empty());
}

TEST(Segment, RowsOfAnotherNumberOfColumnsAreRefused) {
  SegmentShape shape = SampleShape();
  shape.metadata_columns = 2;
  std::vector<Entry> entries = testing::SampleEntries(shape);
  entries.resize(1);
  for (const Bytes& row : {Bytes{}, Bytes{1}, Bytes{1, 2, 0}, Bytes{1, 3, 0}, Bytes{1, 10}}) {
    entries[0].metadata = row;
    SegmentWriter writer(shape);
    EXPECT_EQ(CodeOf([&] { writer.AddPiece(0, entries); }), Code::kCorrupted) << ToHex(row);
  }
  const Bytes good = {1, 0};
  entries[0].metadata = good;
  SegmentWriter writer(shape);
  EXPECT_EQ(CodeOf([&] { writer.AddPiece(0, entries); }), Code::kOk);
}

TEST(Segment, WriterRefusesWhatNoReaderTakes) {
  const RandomPiece piece(SampleShape(), 2);
  for (const float bad : {std::numeric_limits<float>::quiet_NaN(), -1.0F, -0.0F}) {
    for (const auto& change :
         std::vector<std::function<void(Entry&)>>{[&](Entry& entry) { entry.sign_factors.residual_norm = bad; },
                                                  [&](Entry& entry) { entry.sign_factors.scale = bad; },
                                                  [&](Entry& entry) { entry.code_factors.scale = bad; },
                                                  [&](Entry& entry) { entry.code_factors.error = bad; }}) {
      std::vector<Entry> entries = piece.entries();
      change(entries[1]);
      SegmentWriter writer(SampleShape());
      EXPECT_EQ(CodeOf([&] { writer.AddPiece(0, entries); }), Code::kInternal) << bad;
    }
  }
}

}  // namespace
}  // namespace s3v

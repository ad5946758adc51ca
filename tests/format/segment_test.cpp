#include "format/segment.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "format/coding.h"
#include "format/samples.h"

namespace s3v {
namespace {

using ::testing::ElementsAre;
using testing::SampleSegment;
using testing::SampleShape;

const std::string kKey = "segment";

ByteView RangeOf(const Bytes& segment, uint64_t offset, uint64_t length) {
  return ByteView(segment).subspan(offset, length);
}

ScanRange OpenScan(ByteView range, const Piece& piece, const SegmentShape& shape = SampleShape()) {
  return ScanRange(range, piece, shape, kKey);
}

SegmentShape IntegerShape() {
  SegmentShape shape = SampleShape();
  shape.key_kind = KeyKind::kInteger;
  shape.has_metadata = false;
  return shape;
}

TEST(Segment, TextKeysAndMetadataComeBack) {
  std::vector<Piece> pieces;
  const Bytes segment = SampleSegment(&pieces);
  ASSERT_EQ(pieces.size(), 2U);
  const ScanRange first = OpenScan(RangeOf(segment, pieces[0].scan_offset, pieces[0].scan_length), pieces[0]);
  ASSERT_EQ(first.count(), 2U);
  EXPECT_EQ(AsText(first.key(0)), "a");
  EXPECT_EQ(AsText(first.key(1)), "bc");
  float values[6];
  std::memcpy(values, first.norms(), 2 * sizeof(float));
  std::memcpy(values + 2, first.vectors(), 4 * sizeof(float));
  EXPECT_THAT(values, ElementsAre(1, 5, 1, 0, 3, 4));
  const ScanRange second = OpenScan(RangeOf(segment, pieces[1].scan_offset, pieces[1].scan_length), pieces[1]);
  EXPECT_EQ(AsText(second.key(0)), "");

  const MetadataRange metadata(RangeOf(segment, pieces[0].metadata_offset, pieces[0].metadata_length), pieces[0],
                               SampleShape(), kKey);
  EXPECT_THAT(metadata.row(0), ElementsAre(2));
  EXPECT_EQ(metadata.row(1).size(), 9U);
}

TEST(Segment, MetadataLiesBehindAllScanRanges) {
  std::vector<Piece> pieces;
  const Bytes segment = SampleSegment(&pieces);
  EXPECT_EQ(pieces[0].scan_offset, kHeaderSize);
  EXPECT_EQ(pieces[1].scan_offset, pieces[0].scan_offset + pieces[0].scan_length);
  EXPECT_EQ(pieces[0].metadata_offset, pieces[1].scan_offset + pieces[1].scan_length);
  EXPECT_EQ(pieces[1].metadata_offset + pieces[1].metadata_length, segment.size());
  CheckHeader(segment, {.kind = 'G', .index = testing::kSampleIndex, .object = testing::kSampleObject}, kKey);
}

TEST(Segment, FixedWidthKeysNeedNoEnds) {
  std::vector<Piece> pieces;
  const Bytes segment = SampleSegment(&pieces, IntegerShape());
  EXPECT_EQ(pieces[0].scan_length, 8 + 2 * EntryScanBytes(IntegerShape(), 8) + 4);
  EXPECT_EQ(pieces[0].metadata_length, 0U);
  const ScanRange range =
      OpenScan(RangeOf(segment, pieces[0].scan_offset, pieces[0].scan_length), pieces[0], IntegerShape());
  EXPECT_THAT(range.key(1), ElementsAre(0x80, 0, 0, 0, 0, 0, 0, 2));
}

TEST(Segment, SizeIsWhatFinishGives) {
  std::vector<Piece> pieces;
  const SegmentShape shape = SampleShape();
  SegmentWriter writer(shape, 4096);
  const float vector[] = {1, 2};
  const Bytes key = {'k'};
  const Bytes row = {0};
  const Entry entry{.key = key, .vector = vector, .norm = 1, .metadata = row};
  for (uint32_t list = 0; list < 5; ++list) writer.AddPiece(list, {&entry, 1});
  const uint64_t size = writer.size();
  EXPECT_EQ(writer.Finish(&pieces).size(), size);
}

// A range that arrives at an odd address is as good as any.
TEST(Segment, AnyAlignment) {
  std::vector<Piece> pieces;
  const Bytes segment = SampleSegment(&pieces);
  const ByteView range = RangeOf(segment, pieces[0].scan_offset, pieces[0].scan_length);
  for (size_t shift = 0; shift < 4; ++shift) {
    Bytes buffer(shift);
    Append(buffer, range);
    const ScanRange scan = OpenScan(ByteView(buffer).subspan(shift), pieces[0]);
    float value;
    std::memcpy(&value, reinterpret_cast<const char*>(scan.vectors()) + 3 * sizeof(float), sizeof value);
    EXPECT_EQ(value, 4.0F);
  }
}

TEST(Segment, SwappedRangesAndForeignPiecesAreRefused) {
  std::vector<Piece> pieces;
  const Bytes segment = SampleSegment(&pieces);
  const ByteView first = RangeOf(segment, pieces[0].scan_offset, pieces[0].scan_length);
  const ByteView second = RangeOf(segment, pieces[1].scan_offset, pieces[1].scan_length);
  EXPECT_THROW(OpenScan(second, pieces[0]), Error);
  Piece piece = pieces[0];
  piece.scan_offset += 1;
  EXPECT_THROW(OpenScan(first, piece), Error) << "the same bytes at another place";
  piece = pieces[0];
  piece.count = 1;
  EXPECT_THROW(OpenScan(first, piece), Error);
  piece = pieces[0];
  piece.list = 9;
  EXPECT_THROW(OpenScan(first, piece), Error);
  SegmentShape shape = SampleShape();
  shape.object[0] ^= 1;
  EXPECT_THROW(OpenScan(first, pieces[0], shape), Error) << "the range of another object";
  shape = SampleShape();
  shape.dimensions = 3;
  EXPECT_THROW(OpenScan(first, pieces[0], shape), Error);
  shape.dimensions = SIZE_MAX / 8;
  EXPECT_THROW(OpenScan(first, pieces[0], shape), Error) << "a product that wraps";
}

// Bytes whose checksum fits but whose numbers lie.
template <class Damage>
Code Hostile(const Damage& damage) {
  std::vector<Piece> pieces;
  const Bytes segment = SampleSegment(&pieces);
  const ByteView range = RangeOf(segment, pieces[0].scan_offset, pieces[0].scan_length);
  Bytes bytes(range.begin(), range.end() - 4);
  Piece piece = pieces[0];
  damage(bytes, piece);
  AppendRangeChecksum(bytes, SampleShape().object, 0, piece.scan_offset);
  piece.scan_length = bytes.size();
  try {
    OpenScan(bytes, piece);
  } catch (const Error& error) {
    return error.code();
  }
  return Code::kOk;
}

void Write(Bytes& bytes, size_t offset, uint32_t value) { std::memcpy(bytes.data() + offset, &value, 4); }

TEST(Segment, LyingNumbersAreRefused) {
  constexpr size_t kEnds = 8 + 2 * 4 + 4 * 4;
  EXPECT_EQ(Hostile([](Bytes&, Piece&) {}), Code::kOk);
  for (const uint32_t count : {0U, 1U, 3U, 0x7fffffffU, 0x80000000U, 0xffffffffU}) {
    EXPECT_EQ(Hostile([&](Bytes& bytes, Piece& piece) {
                Write(bytes, 0, count);
                piece.count = count;
              }),
              Code::kCorrupted)
        << count;
  }
  EXPECT_EQ(Hostile([](Bytes& bytes, Piece&) { Write(bytes, kEnds, 0xffffffff); }), Code::kCorrupted);
  EXPECT_EQ(Hostile([](Bytes& bytes, Piece&) { Write(bytes, kEnds, 4); }), Code::kCorrupted) << "runs back";
  EXPECT_EQ(Hostile([](Bytes& bytes, Piece&) { Write(bytes, kEnds + 4, 2); }), Code::kCorrupted) << "bytes left over";
  EXPECT_EQ(Hostile([](Bytes& bytes, Piece&) { bytes.push_back(0); }), Code::kCorrupted);
  EXPECT_EQ(Hostile([](Bytes& bytes, Piece&) {
              Write(bytes, kEnds, 65536);
              Write(bytes, kEnds + 4, 65536 + 2);
              bytes.resize(kEnds + 8 + 65536 + 2);
            }),
            Code::kCorrupted)
      << "a key longer than any";
}

}  // namespace
}  // namespace s3v

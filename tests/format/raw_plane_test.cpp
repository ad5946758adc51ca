// The raw plane of a segment, one vector after the other.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>

#include "format/coding.h"
#include "format/samples.h"
#include "format/segment.h"

namespace s3v {
namespace {

using ::testing::ElementsAre;
using testing::SampleSegment;
using testing::SampleShape;

const std::string kKey = "segment";

ByteView RangeOf(const Bytes& segment, uint64_t offset, uint64_t length) {
  return ByteView(segment).subspan(offset, length);
}

Code CodeOf(const std::function<void()>& call) {
  try {
    call();
  } catch (const Error& error) {
    return error.code();
  }
  return Code::kOk;
}

TEST(RawPlane, VectorsAreReadAlone) {
  SegmentShape shape = SampleShape();
  for (const RawPlane raw : {RawPlane::kFloat16, RawPlane::kFloat32}) {
    shape.raw = raw;
    const auto [segment, pieces, columns, summaries, entries, keys] = SampleSegment(shape);
    const size_t length = RawBytes(raw, 2);
    const uint64_t first = pieces[0].raw_offset;
    const uint64_t second = first + length;
    float vector[2];
    const auto read = [&](ByteView bytes, uint64_t offset, Trust trust = Trust::kVerify) {
      return CodeOf([&] { DecodeRaw(bytes, offset, shape, kKey, vector, trust); });
    };
    EXPECT_EQ(read(RangeOf(segment, second, length), second), Code::kOk);
    EXPECT_THAT(vector, ElementsAre(3, -4));
    EXPECT_EQ(read(RangeOf(segment, first, length), second), Code::kCorrupted) << "its neighbour";
    EXPECT_EQ(read(RangeOf(segment, first, length), second, Trust::kVerified), Code::kOk) << "as the caller wishes";
    for (const Trust trust : {Trust::kVerify, Trust::kVerified}) {
      EXPECT_EQ(read(RangeOf(segment, first, length - 1), first, trust), Code::kCorrupted);
      EXPECT_EQ(read(RangeOf(segment, first, length + 1), first, trust), Code::kCorrupted);
      EXPECT_EQ(read({}, first, trust), Code::kCorrupted);
    }
    shape.raw = RawPlane::kNone;
    EXPECT_EQ(read(RangeOf(segment, first, length), first), Code::kCorrupted);
  }
}

TEST(RawPlane, HalvesRoundAndNeverTurnInfinite) {
  SegmentShape shape = SampleShape();
  shape.codes = {.dimensions = 4, .bits = 1};
  const uint64_t signs[] = {0};
  const float vector[] = {3.14159274F, 1e6F, -3e38F, 0x1.8p-24F};
  const Bytes row = {0};
  const Entry entry{.key = {}, .signs = signs, .vector = vector, .metadata = row};
  SegmentWriter writer(shape);
  writer.AddPiece(0, {&entry, 1});
  const WrittenSegment written = writer.Finish();
  const uint64_t offset = written.pieces[0].raw_offset;
  float read[4];
  DecodeRaw(RangeOf(written.object, offset, 12), offset, shape, kKey, read);
  EXPECT_THAT(read, ElementsAre(3.140625F, 65504, -65504, 0x1p-23F));
}

TEST(RawPlane, VectorsAreFinite) {
  SegmentShape shape = SampleShape();
  const auto read = [&](const Bytes& elements) {
    Bytes bytes = elements;
    AppendRangeChecksum(bytes, shape.object, 0, 1000);
    float vector[2];
    return CodeOf([&] { DecodeRaw(bytes, 1000, shape, kKey, vector); });
  };
  EXPECT_EQ(read({0, 0x3c, 0xff, 0x7b}), Code::kOk);
  EXPECT_EQ(read({0, 0x3c, 0x00, 0x7c}), Code::kCorrupted) << "infinity";
  EXPECT_EQ(read({0, 0xfe, 0x00, 0x3c}), Code::kCorrupted) << "NaN";
  shape.raw = RawPlane::kFloat32;
  EXPECT_EQ(read({0, 0, 0x80, 0x3f, 0xff, 0xff, 0x7f, 0xff}), Code::kOk);
  EXPECT_EQ(read({0, 0, 0x80, 0x3f, 0x00, 0x00, 0x80, 0xff}), Code::kCorrupted) << "-infinity";
  EXPECT_EQ(read({1, 0, 0x80, 0x7f, 0x00, 0x00, 0x80, 0x3f}), Code::kCorrupted) << "NaN";
}

}  // namespace
}  // namespace s3v

// Ranges of a segment that are not what they claim: swapped, foreign, or with numbers that lie under a good checksum.
#include <gtest/gtest.h>

#include <bit>
#include <functional>
#include <limits>

#include "format/coding.h"
#include "format/samples.h"
#include "format/segment.h"

namespace s3v {
namespace {

using testing::SampleSegment;
using testing::SampleShape;

const std::string kKey = "segment";

enum class Plane { kScan, kExtension };  // columns: column_test.cpp
constexpr Plane kPlanes[] = {Plane::kScan, Plane::kExtension};

std::string NameOf(Plane plane) { return plane == Plane::kScan ? "Scan" : "Extension"; }

uint64_t OffsetOf(Plane plane, const Piece& piece) {
  return plane == Plane::kScan ? piece.scan_offset : piece.extension_offset();
}

uint64_t& LengthOf(Plane plane, Piece& piece) {
  return plane == Plane::kScan ? piece.scan_length : piece.extension_length;
}

Code Open(Plane plane, ByteView bytes, const Piece& piece, const SegmentShape& shape = SampleShape(),
          Trust trust = Trust::kVerify) {
  try {
    if (plane == Plane::kScan) ScanRange(bytes, piece, shape, kKey, trust);
    if (plane == Plane::kExtension) ExtensionRange(bytes, piece, shape, kKey, trust);
  } catch (const Error& error) {
    return error.code();
  }
  return Code::kOk;
}

class HostileRanges : public ::testing::TestWithParam<Plane> {
 protected:
  // The range of a piece of the sample.
  Bytes RangeOf(size_t piece) {
    Piece place = pieces_[piece];
    const auto begin = sample_.object.begin() + static_cast<int64_t>(OffsetOf(GetParam(), place));
    return {begin, begin + static_cast<int64_t>(LengthOf(GetParam(), place))};
  }

  const WrittenSegment sample_ = SampleSegment();
  const std::vector<Piece>& pieces_ = sample_.pieces;
};

TEST_P(HostileRanges, SwappedAndForeignAreRefused) {
  const Bytes first = RangeOf(0);
  EXPECT_EQ(Open(GetParam(), first, pieces_[0]), Code::kOk);
  EXPECT_EQ(Open(GetParam(), RangeOf(1), pieces_[0]), Code::kCorrupted);
  Piece piece = pieces_[0];
  ++piece.scan_offset;
  EXPECT_EQ(Open(GetParam(), first, piece), Code::kCorrupted) << "the same bytes at another place";
  SegmentShape shape = SampleShape();
  shape.object[0] ^= 1;
  EXPECT_EQ(Open(GetParam(), first, pieces_[0], shape), Code::kCorrupted) << "the range of another object";
}

// With a checksum that was verified before, everything else still has to fit.
TEST_P(HostileRanges, StructureIsCheckedInEitherCase) {
  for (const Trust trust : {Trust::kVerify, Trust::kVerified}) {
    const Bytes first = RangeOf(0);
    const SegmentShape shape = SampleShape();
    Piece piece = pieces_[0];
    piece.count = 1;
    EXPECT_EQ(Open(GetParam(), first, piece, shape, trust), Code::kCorrupted);
    piece = pieces_[0];
    piece.list = 9;
    EXPECT_EQ(Open(GetParam(), first, piece, shape, trust), Code::kOk) << "its place in the base is not stored";
    piece.list_id = 9;
    EXPECT_EQ(Open(GetParam(), first, piece, shape, trust), Code::kCorrupted);
    for (const int64_t more : {-1, 1}) {
      piece = pieces_[0];
      LengthOf(GetParam(), piece) += static_cast<uint64_t>(more);
      EXPECT_EQ(Open(GetParam(), first, piece, shape, trust), Code::kCorrupted) << more;
      Bytes resized = first;
      resized.resize(first.size() + static_cast<uint64_t>(more));
      EXPECT_EQ(Open(GetParam(), resized, piece, shape, trust), Code::kCorrupted) << more;
    }
    for (size_t size = 0; size < first.size(); ++size) {
      const Bytes cut(first.begin(), first.begin() + static_cast<int64_t>(size));  // a heap block that ends here
      LengthOf(GetParam(), piece) = size;
      EXPECT_EQ(Open(GetParam(), cut, piece, shape, trust), Code::kCorrupted) << size;
    }
  }
}

TEST_P(HostileRanges, VerifiedBytesAreNotVerifiedAgain) {
  Bytes range = RangeOf(0);
  range.back() ^= 1;
  EXPECT_EQ(Open(GetParam(), range, pieces_[0]), Code::kCorrupted);
  EXPECT_EQ(Open(GetParam(), range, pieces_[0], SampleShape(), Trust::kVerified), Code::kOk);
}

TEST_P(HostileRanges, ShapesThatDoNotFitAreRefused) {
  SegmentShape shape = SampleShape();
  for (const size_t dimensions : {size_t{65}, size_t{16000}, SIZE_MAX / 64}) {
    shape.codes.dimensions = dimensions;
    EXPECT_EQ(Open(GetParam(), RangeOf(0), pieces_[0], shape), Code::kCorrupted) << dimensions;
  }
  if (GetParam() == Plane::kExtension) {
    shape = SampleShape();
    for (const int bits : {1, 3, 8}) {
      shape.codes.bits = bits;
      EXPECT_EQ(Open(GetParam(), RangeOf(0), pieces_[0], shape), Code::kCorrupted) << bits;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Planes, HostileRanges, ::testing::ValuesIn(kPlanes),
                         [](const auto& info) { return NameOf(info.param); });

// A range of the sample's first piece after `damage`, its checksum made to fit again.
Code Forged(Plane plane, const std::function<void(Bytes&, Piece&)>& damage, const SegmentShape& shape = SampleShape()) {
  const WrittenSegment segment = SampleSegment(shape);
  Piece piece = segment.pieces[0];
  const ByteView range = ByteView(segment.object).subspan(OffsetOf(plane, piece), LengthOf(plane, piece));
  Bytes bytes(range.begin(), range.end() - 4);
  damage(bytes, piece);
  AppendRangeChecksum(bytes, shape.object, 0, OffsetOf(plane, piece));
  LengthOf(plane, piece) = bytes.size();
  const Code code = Open(plane, bytes, piece, shape);
  EXPECT_EQ(Open(plane, bytes, piece, shape, Trust::kVerified), code);
  return code;
}

void Write(Bytes& bytes, size_t offset, uint32_t value) { std::memcpy(bytes.data() + offset, &value, 4); }

TEST(HostileNumbers, LyingCounts) {
  for (const Plane plane : kPlanes) {
    EXPECT_EQ(Forged(plane, [](Bytes&, Piece&) {}), Code::kOk);
    for (const uint32_t count : {0U, 1U, 3U, 9U, 0x7fffffffU, 0x80000000U, 0xffffffffU}) {
      EXPECT_EQ(Forged(plane,
                       [&](Bytes& bytes, Piece& piece) {
                         Write(bytes, 0, count);
                         piece.count = count;
                       }),
                Code::kCorrupted)
          << count;
    }
    EXPECT_EQ(Forged(plane, [](Bytes& bytes, Piece&) { bytes.push_back(0); }), Code::kCorrupted);
  }
}

TEST(HostileNumbers, FixedWidthKeysFillTheRange) {
  SegmentShape shape = SampleShape();
  for (const KeyKind kind : {KeyKind::kInteger, KeyKind::kUuid}) {
    shape.key_kind = kind;
    const size_t more = kind == KeyKind::kUuid ? 16 : 0;  // the sample's keys are integers: half as wide
    EXPECT_EQ(Forged(
                  Plane::kScan, [&](Bytes& bytes, Piece&) { bytes.resize(bytes.size() + more); }, shape),
              Code::kOk);
    EXPECT_EQ(Forged(
                  Plane::kScan, [&](Bytes& bytes, Piece&) { bytes.resize(bytes.size() + more + 1); }, shape),
              Code::kCorrupted);
    EXPECT_EQ(Forged(
                  Plane::kScan, [&](Bytes& bytes, Piece&) { bytes.resize(bytes.size() + more - 1); }, shape),
              Code::kCorrupted);
  }
}

TEST(HostileNumbers, EndsOfKeys) {
  constexpr size_t kScanEnds = 8 + 2 * 8 + 64;
  const auto with_end = [&](size_t i, uint32_t end) {
    return Forged(Plane::kScan, [&](Bytes& bytes, Piece&) { Write(bytes, kScanEnds + 4 * i, end); });
  };
  EXPECT_EQ(with_end(0, 2), Code::kOk) << "another cut, as good";
  EXPECT_EQ(with_end(0, 0xffffffff), Code::kCorrupted);
  EXPECT_EQ(with_end(0, 4), Code::kCorrupted) << "runs back";
  EXPECT_EQ(with_end(1, 2), Code::kCorrupted) << "bytes left over";
  EXPECT_EQ(with_end(1, 4), Code::kCorrupted);
  const auto with_long_key = [&](uint32_t length) {
    return Forged(Plane::kScan, [&](Bytes& bytes, Piece&) {
      Write(bytes, kScanEnds, length);
      Write(bytes, kScanEnds + 4, length + 2);
      bytes.resize(kScanEnds + 8 + length + 2);
    });
  };
  EXPECT_EQ(with_long_key(65535), Code::kOk);
  EXPECT_EQ(with_long_key(65536), Code::kCorrupted) << "a key longer than any";
}

// Whoever computes with factors meets neither NaN nor a negative one; infinity is what a code too large for float has.
TEST(HostileNumbers, Factors) {
  using Limits = std::numeric_limits<float>;
  for (const Plane plane : {Plane::kScan, Plane::kExtension}) {
    for (size_t i = 0; i < 4; ++i) {  // two factors of two entries each
      const auto with_bits = [&](uint32_t bits) {
        return Forged(plane, [&](Bytes& bytes, Piece&) { Write(bytes, 8 + 4 * i, bits); });
      };
      const auto with = [&](float factor) { return with_bits(std::bit_cast<uint32_t>(factor)); };
      for (const float good : {0.0F, Limits::denorm_min(), Limits::max(), Limits::infinity()}) {
        EXPECT_EQ(with(good), Code::kOk) << good;
      }
      for (const float bad : {-0.0F, -1.0F, -Limits::infinity(), Limits::quiet_NaN(), -Limits::quiet_NaN()}) {
        EXPECT_EQ(with(bad), Code::kCorrupted) << bad;
      }
      EXPECT_EQ(with_bits(0x7f800001), Code::kCorrupted) << "a signalling NaN";
      EXPECT_EQ(with_bits(0xffffffff), Code::kCorrupted);
    }
  }
}

}  // namespace
}  // namespace s3v

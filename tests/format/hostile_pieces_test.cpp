// Pieces of a delta that lie about where their ranges are, under a good checksum.
#include <gtest/gtest.h>

#include <functional>

#include "base/error.h"
#include "format/coding.h"
#include "format/samples.h"

namespace s3v {
namespace {

using testing::BaseOf;
using testing::kSampleIndex;
using testing::kSampleObject;
using testing::SampleDelta;

// What the reader says; nothing when it accepts.
std::string FaultOf(const NavigationDelta& delta, const NavigationBase& base = BaseOf(2, 2)) {
  const Bytes bytes = EncodeDelta(delta, kSampleIndex, kSampleObject);
  try {
    DecodeDelta(bytes, kSampleIndex, kSampleObject, base, "delta");
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), Code::kCorrupted) << error.message();
    return error.detail();
  }
  return "";
}

std::string FaultAfter(const std::function<void(std::vector<Piece>&)>& change) {
  NavigationDelta delta = SampleDelta();
  change(delta.pieces);
  return FaultOf(delta);
}

// Each member of a piece: one less, one more, none, as much as there can be. The sample leaves no gaps, so whatever is
// not refused for itself runs into its neighbours.
TEST(HostilePieces, EveryMember) {
  struct Member {
    std::string name;
    uint64_t Piece::*place;
    bool has_slack;  // of keys and metadata rows the delta knows no length: one less is found with the range
  };
  const Member kMembers[] = {
      {"scan offset", &Piece::scan_offset, false},           {"scan length", &Piece::scan_length, true},
      {"extension length", &Piece::extension_length, false}, {"metadata offset", &Piece::metadata_offset, false},
      {"metadata length", &Piece::metadata_length, true},    {"raw offset", &Piece::raw_offset, false},
  };
  ASSERT_EQ(FaultAfter([](std::vector<Piece>&) {}), "");
  for (size_t i = 0; i < 2; ++i) {
    for (const Member& member : kMembers) {
      const uint64_t good = SampleDelta().pieces[i].*member.place;
      std::vector<uint64_t> values = {0, 1, good + 1, 0x7fffffff, 0x80000000, 0xffffffff};
      if (!member.has_slack) values.push_back(good - 1);
      for (const uint64_t value : values) {
        EXPECT_NE(FaultAfter([&](std::vector<Piece>& pieces) { pieces[i].*member.place = value; }), "")
            << "piece " << i << ", " << member.name << " " << value << " instead of " << good;
      }
    }
    for (const uint32_t count : {0U, 3U, 0x7fffffffU, 0x80000000U, 0xffffffffU}) {
      EXPECT_NE(FaultAfter([&](std::vector<Piece>& pieces) { pieces[i].count = count; }), "") << count;
    }
  }
}

TEST(HostilePieces, EmptyOnes) {
  EXPECT_EQ(FaultAfter([](std::vector<Piece>& pieces) { pieces[1].count = 0; }), "a piece is empty");
}

TEST(HostilePieces, PlacesThatDoNotExist) {
  EXPECT_EQ(FaultAfter([](std::vector<Piece>& pieces) { pieces[1].list = 2; }),
            "a piece belongs to a list that does not exist");
  EXPECT_EQ(FaultAfter([](std::vector<Piece>& pieces) { pieces[1].segment = 1; }),
            "a piece lies in a segment that does not exist");
  EXPECT_EQ(FaultOf(SampleDelta(), BaseOf(1, 2)), "a piece belongs to a list that does not exist");
}

// The base tells the dimensions; with others, no length fits.
TEST(HostilePieces, BasesOfOtherDimensions) {
  SegmentShape shape = testing::SampleShape();
  EXPECT_EQ(FaultOf(SampleDelta(shape), BaseOf(2, 65)), "a scan range has another length than its entries");
  shape.key_kind = KeyKind::kInteger;
  EXPECT_EQ(FaultOf(SampleDelta(shape), BaseOf(2, 2)), "");
  EXPECT_EQ(FaultOf(SampleDelta(shape), BaseOf(2, 65)), "a scan range has another length than its entries");
  EXPECT_EQ(FaultOf(SampleDelta(shape), BaseOf(2, 3)), "pieces overlap") << "their raw vectors";
  shape.raw = RawPlane::kNone;
  EXPECT_EQ(FaultOf(SampleDelta(shape), BaseOf(2, 64)), "") << "as many words";
}

TEST(HostilePieces, FixedWidthKeysFixTheLength) {
  SegmentShape shape = testing::SampleShape();
  shape.key_kind = KeyKind::kInteger;
  NavigationDelta delta = SampleDelta(shape);
  --delta.pieces[1].scan_length;
  EXPECT_EQ(FaultOf(delta), "a scan range has another length than its entries");
}

TEST(HostilePieces, PlanesThatTheIndexDoesNotHave) {
  SegmentShape shape = testing::SampleShape();
  shape.raw = RawPlane::kNone;
  shape.has_metadata = false;
  shape.codes.bits = 1;
  const NavigationDelta good = SampleDelta(shape);
  ASSERT_EQ(FaultOf(good), "");
  NavigationDelta delta = good;
  delta.pieces[0].metadata_offset = 60;
  EXPECT_EQ(FaultOf(delta), "a piece has unexpected metadata");
  delta = good;
  delta.pieces[0].metadata_length = 16;
  EXPECT_EQ(FaultOf(delta), "a piece has unexpected metadata");
  delta = good;
  delta.pieces[0].raw_offset = 60;
  EXPECT_EQ(FaultOf(delta), "a piece has unexpected raw vectors");
  delta = good;
  delta.pieces[0].extension_length = 12;
  EXPECT_EQ(FaultOf(delta), "an extension range has another length than its entries");
}

// Four pieces in two segments: list 0 in both, list 1 in both.
NavigationDelta TwoSegments() {
  NavigationDelta delta = SampleDelta();
  delta.rows = delta.entries = 6;
  delta.segments.push_back({testing::SampleId(0xf0), delta.segments[0].length});
  const std::vector<Piece> pieces = delta.pieces;
  delta.pieces.clear();
  for (const Piece& piece : pieces) {
    for (const uint32_t segment : {0, 1}) {
      delta.pieces.push_back(piece);
      delta.pieces.back().segment = segment;
    }
  }
  return delta;
}

TEST(HostilePieces, OrderIsByListThenSegment) {
  const NavigationDelta good = TwoSegments();
  EXPECT_EQ(FaultOf(good), "");
  for (size_t i = 0; i + 1 < good.pieces.size(); ++i) {
    NavigationDelta delta = good;
    std::swap(delta.pieces[i], delta.pieces[i + 1]);
    EXPECT_EQ(FaultOf(delta), "pieces are out of order") << i;
  }
  NavigationDelta delta = good;
  delta.pieces[1].segment = 0;
  EXPECT_EQ(FaultOf(delta), "pieces overlap") << "the same ranges twice";
}

// Two pieces of one list may lie in one segment, in its order.
TEST(HostilePieces, PiecesOfOneListFollowEachOther) {
  NavigationDelta delta = SampleDelta();
  delta.pieces[1].list = 0;
  EXPECT_EQ(FaultOf(delta), "");
  std::swap(delta.pieces[0], delta.pieces[1]);
  EXPECT_EQ(FaultOf(delta), "pieces overlap");
}

// Each plane of a segment lies behind the plane before it, of all its pieces.
TEST(HostilePieces, PlanesFollowEachOther) {
  const std::vector<Piece> pieces = SampleDelta().pieces;
  ASSERT_GE(pieces[1].scan_length + pieces[1].extension_length, pieces[0].metadata_length);
  EXPECT_EQ(FaultAfter([](std::vector<Piece>& changed) { changed[0].metadata_offset = changed[1].scan_offset; }),
            "pieces overlap")
      << "metadata of the first piece among the codes of the second";
  EXPECT_EQ(FaultAfter([](std::vector<Piece>& changed) { changed[0].raw_offset = changed[1].metadata_offset; }),
            "pieces overlap")
      << "raw vectors of the first piece among the metadata of the second";
  EXPECT_EQ(FaultAfter([](std::vector<Piece>& changed) { changed[0].raw_offset = changed[1].scan_offset; }),
            "pieces overlap")
      << "raw vectors before the metadata";
  EXPECT_EQ(FaultAfter([](std::vector<Piece>& changed) { changed[1].metadata_offset = changed[1].raw_offset; }),
            "pieces overlap")
      << "metadata among the raw vectors";
  EXPECT_EQ(FaultAfter([](std::vector<Piece>& changed) {
              changed[1].metadata_offset = changed[0].metadata_offset;
              changed[0].metadata_offset += changed[1].metadata_length;
            }),
            "pieces overlap")
      << "metadata in another order than the codes";
}

// Later versions may leave out pieces of a segment that they replaced.
TEST(HostilePieces, GapsAreNone) {
  for (const size_t left : {0, 1}) {
    NavigationDelta delta = SampleDelta();
    delta.pieces.erase(delta.pieces.begin() + static_cast<int64_t>(left));
    delta.rows = delta.entries = delta.pieces[0].count;
    EXPECT_EQ(FaultOf(delta), "");
  }
}

TEST(HostilePieces, AllPlanesLieInsideTheSegment) {
  SegmentShape shape = testing::SampleShape();
  for (const bool has_raw : {true, false}) {
    for (const bool has_metadata : {true, false}) {
      shape.raw = has_raw ? RawPlane::kFloat32 : RawPlane::kNone;
      shape.has_metadata = has_metadata;
      NavigationDelta delta = SampleDelta(shape);
      EXPECT_EQ(FaultOf(delta), "");
      --delta.segments[0].length;
      EXPECT_EQ(FaultOf(delta), "a piece leaves its segment") << has_raw << has_metadata;
    }
  }
}

}  // namespace
}  // namespace s3v

// Pieces of a delta that lie about where their ranges are, under a good checksum.
#include <gtest/gtest.h>

#include <functional>

#include "base/error.h"
#include "format/coding.h"
#include "format/samples.h"

namespace s3v {
namespace {

using testing::kSampleIndex;
using testing::kSampleObject;
using testing::SampleDelta;

constexpr const char* kMissing = "the pieces of a segment do not have all its entries";

// What the reader says; nothing when it accepts.
std::string FaultOf(const NavigationDelta& delta) {
  const Bytes bytes = EncodeDelta(delta, kSampleIndex, kSampleObject);
  try {
    DecodeDelta(bytes, kSampleIndex, kSampleObject, "delta");
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
    for (const uint32_t count : {0U, 3U, 4U, 0x7fffffffU, 0x80000000U, 0xffffffffU}) {
      EXPECT_NE(FaultAfter([&](std::vector<Piece>& pieces) { pieces[i].count = count; }), "") << count;
    }
  }
}

TEST(HostilePieces, EmptyOnes) {
  EXPECT_EQ(FaultAfter([](std::vector<Piece>& pieces) { pieces[1].count = 0; }), "a piece is empty");
}

TEST(HostilePieces, PlacesThatDoNotExist) {
  for (const uint32_t segment : {2U, 0x80000000U, 0xffffffffU}) {
    EXPECT_EQ(FaultAfter([&](std::vector<Piece>& pieces) { pieces[2].segment = segment; }),
              "a piece lies in a segment that does not exist");
  }
  for (const uint32_t list : {0U, 77U, 0xffffffffU}) {
    EXPECT_EQ(FaultAfter([&](std::vector<Piece>& pieces) { pieces[1].list_id = list; }), "") << "the base knows";
  }
}

TEST(HostilePieces, OtherDimensions) {
  SegmentShape shape = testing::SampleShape();
  const auto fault = [&](uint32_t dimensions) {
    NavigationDelta delta = SampleDelta(shape);
    delta.shape.dimensions = dimensions;
    return FaultOf(delta);
  };
  EXPECT_EQ(fault(65), "a scan range has another length than its entries");
  shape.key_kind = KeyKind::kInteger;
  EXPECT_EQ(fault(2), "");
  EXPECT_EQ(fault(65), "a scan range has another length than its entries");
  EXPECT_EQ(fault(3), "pieces overlap") << "their raw vectors";
  shape.raw = RawPlane::kNone;
  EXPECT_EQ(fault(64), "") << "as many words";
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

TEST(HostilePieces, OrderIsBySegmentThenPosition) {
  EXPECT_EQ(FaultAfter([](std::vector<Piece>& pieces) { std::swap(pieces[0], pieces[1]); }), "pieces overlap");
  EXPECT_EQ(FaultAfter([](std::vector<Piece>& pieces) { std::swap(pieces[1], pieces[2]); }), kMissing);
  EXPECT_EQ(FaultAfter([](std::vector<Piece>& pieces) { std::swap(pieces[0], pieces[2]); }), kMissing);
  EXPECT_EQ(FaultAfter([](std::vector<Piece>& pieces) { pieces.push_back(pieces[1]); }), "pieces are out of order");
  EXPECT_EQ(FaultAfter([](std::vector<Piece>& pieces) { pieces[2].segment = 0; }),
            "a segment has fewer entries than its pieces");
}

// Lists come in whatever order, and one may have several pieces in a segment.
TEST(HostilePieces, AnyOrderOfLists) {
  for (const std::vector<uint32_t>& lists : {std::vector<uint32_t>{1, 2, 3}, {3, 2, 1}, {7, 7, 7}}) {
    EXPECT_EQ(FaultAfter([&](std::vector<Piece>& pieces) {
                for (size_t i = 0; i < 3; ++i) pieces[i].list_id = lists[i];
              }),
              "");
  }
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

// Positions count all entries of a segment: a piece that is left out would move those behind it.
TEST(HostilePieces, NoneIsLeftOut) {
  for (const size_t left : {0, 1, 2}) {
    EXPECT_EQ(
        FaultAfter([&](std::vector<Piece>& pieces) { pieces.erase(pieces.begin() + static_cast<int64_t>(left)); }),
        kMissing)
        << left;
  }
  EXPECT_EQ(FaultAfter([](std::vector<Piece>& pieces) { pieces.clear(); }), kMissing);
  EXPECT_EQ(FaultAfter([](std::vector<Piece>& pieces) { pieces.erase(pieces.begin(), pieces.begin() + 2); }), kMissing);
}

TEST(HostilePieces, AllPlanesLieBeforeTheKeys) {
  SegmentShape shape = testing::SampleShape();
  for (const bool has_raw : {true, false}) {
    for (const bool has_metadata : {true, false}) {
      shape.raw = has_raw ? RawPlane::kFloat32 : RawPlane::kNone;
      shape.has_metadata = has_metadata;
      NavigationDelta delta = SampleDelta(shape);
      EXPECT_EQ(FaultOf(delta), "");
      --delta.segments[0].keys.offset;
      EXPECT_EQ(FaultOf(delta), "a piece leaves its segment") << has_raw << has_metadata;
    }
  }
}

}  // namespace
}  // namespace s3v

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
    bool has_slack;  // of keys the delta knows no length: one less is found with the range
  };
  const Member kMembers[] = {
      {"scan offset", &Piece::scan_offset, false},
      {"scan length", &Piece::scan_length, true},
      {"extension length", &Piece::extension_length, false},
      {"raw offset", &Piece::raw_offset, false},
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
  shape.metadata_columns = 0;
  shape.codes.bits = 1;
  const NavigationDelta good = SampleDelta(shape);
  ASSERT_EQ(FaultOf(good), "");
  NavigationDelta delta = good;
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
  EXPECT_EQ(FaultAfter([](std::vector<Piece>& changed) { changed[0].raw_offset = changed[1].scan_offset; }),
            "pieces overlap")
      << "raw vectors before the metadata";
  EXPECT_EQ(FaultAfter([](std::vector<Piece>& changed) { --changed[0].raw_offset; }), "pieces overlap")
      << "raw vectors of the first piece among the metadata of the second";
}

// Where a column of a segment begins, and how long each range is: all else follows.
TEST(HostilePieces, ColumnsFollowEachOther) {
  SegmentShape shape = testing::SampleShape();
  shape.metadata_columns = 2;
  ASSERT_EQ(FaultOf(SampleDelta(shape)), "");
  constexpr const char* kOverlap = "pieces overlap";
  constexpr const char* kShort = "a column range is too short for its entries";
  constexpr const char* kLeaves = "a column leaves its segment";
  // Pieces 0 and 1 are the first segment's, so places 0 to 3 are of its two columns; the sample leaves no gaps.
  const auto with_start = [&](size_t column, int64_t more) {
    NavigationDelta delta = SampleDelta(shape);
    delta.columns.places[column].offset += static_cast<uint32_t>(more);
    return FaultOf(delta);
  };
  for (const size_t column : {0, 1}) {
    EXPECT_EQ(with_start(column, 0), "");
    for (const int64_t more : {-1, 1, -50, 50}) EXPECT_EQ(with_start(column, more), kOverlap) << column << " " << more;
    EXPECT_EQ(with_start(column, 0x7fffffff), kLeaves);
  }
  const auto with_length = [&](size_t place, uint32_t length) {
    NavigationDelta delta = SampleDelta(shape);
    delta.columns.places[place].length = length;
    return FaultOf(delta);
  };
  const NavigationDelta good = SampleDelta(shape);
  for (const size_t place : {0, 1, 2, 3}) {
    const uint32_t length = good.columns.places[place].length;
    EXPECT_EQ(with_length(place, length), "");
    EXPECT_EQ(with_length(place, length + 1), kOverlap) << place;
    EXPECT_EQ(with_length(place, length - 1), length == 21 ? kShort : "") << "else found with the range";
    for (const uint32_t too_short : {0, 1, 20}) EXPECT_EQ(with_length(place, too_short), kShort);
    for (const uint32_t too_long : {1000U, 0x7fffffffU, 0xffffffffU}) EXPECT_EQ(with_length(place, too_long), kLeaves);
  }
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
    for (const size_t columns : {0, 1, 2}) {
      shape.raw = has_raw ? RawPlane::kFloat32 : RawPlane::kNone;
      shape.metadata_columns = columns;
      NavigationDelta delta = SampleDelta(shape);
      EXPECT_EQ(FaultOf(delta), "");
      --delta.segments[0].keys.offset;
      EXPECT_EQ(FaultOf(delta), "a piece leaves its segment") << has_raw << columns;
    }
  }
}

}  // namespace
}  // namespace s3v

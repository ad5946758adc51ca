#include <gtest/gtest.h>

#include <functional>
#include <limits>

#include "format/coding.h"
#include "format/samples.h"

namespace s3v {
namespace {

using testing::kSampleFresh;
using testing::kSampleIndex;
using testing::kSampleObject;
using testing::SampleDelta;
using testing::SampleId;

NavigationDelta Decode(ByteView bytes) { return DecodeDelta(bytes, kSampleIndex, kSampleObject, "nav"); }

// What the reader says; nothing when it accepts.
std::string FaultOf(const Bytes& bytes) {
  try {
    Decode(bytes);
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), Code::kCorrupted) << error.message();
    return error.detail();
  }
  return "";
}

std::string FaultAfter(const std::function<void(NavigationDelta&)>& change,
                       const SegmentShape& shape = testing::SampleShape()) {
  NavigationDelta delta = SampleDelta(shape);
  change(delta);
  return FaultOf(EncodeDelta(delta, kSampleIndex, kSampleObject));
}

TEST(NavigationDelta, RoundTrip) {
  NavigationDelta delta = SampleDelta();
  delta.shape.has_duplicates = true;
  delta.state.rows = 290;
  delta.state.calibrated_entries = 289;
  const Bytes bytes = EncodeDelta(delta, kSampleIndex, kSampleObject);
  CheckDelta(bytes, kSampleIndex, kSampleObject, "nav");
  const NavigationDelta read = Decode(bytes);
  EXPECT_EQ(read.shape, delta.shape);
  EXPECT_EQ(read.state.base, delta.state.base);
  EXPECT_EQ(read.state.rows, 290U);
  EXPECT_EQ(read.state.entries, 304U);
  EXPECT_EQ(read.state.rule, delta.state.rule);
  EXPECT_EQ(read.state.calibrated_entries, 289U);
  EXPECT_EQ(read.state.written_since_base, 18U);
  EXPECT_EQ(read.segments, delta.segments);
  ASSERT_EQ(read.pieces.size(), 3U);
  for (size_t i = 0; i < 3; ++i) {
    const Piece& piece = read.pieces[i];
    const Piece& written = delta.pieces[i];
    EXPECT_EQ(piece.list_id, written.list_id);
    EXPECT_EQ(piece.segment, written.segment);
    EXPECT_EQ(piece.count, written.count);
    EXPECT_EQ(piece.first, written.first);
    EXPECT_EQ(piece.scan_offset, written.scan_offset);
    EXPECT_EQ(piece.scan_length, written.scan_length);
    EXPECT_EQ(piece.extension_length, written.extension_length);
    EXPECT_EQ(piece.raw_offset, written.raw_offset);
    EXPECT_EQ(piece.columns, i);
    const ColumnPlace& place = read.columns.Of(piece, 1)[0];
    const ColumnPlace& written_place = delta.columns.Of(written, 1)[0];
    EXPECT_EQ(place.offset, written_place.offset);
    EXPECT_EQ(place.length, written_place.length);
    EXPECT_EQ(place.summary, written_place.summary);
  }
  EXPECT_EQ(read.columns.summaries, delta.columns.summaries);
  EXPECT_EQ(ViewSummary(read.segments[0].summaries, 3).nulls, 1U);
  ASSERT_EQ(read.masks.size(), 3U);
  for (size_t i = 0; i < 3; ++i) {
    EXPECT_EQ(read.masks[i].segment, delta.masks[i].segment);
    EXPECT_EQ(read.masks[i].whole, i == 0);
    EXPECT_EQ(read.masks[i].runs, delta.masks[i].runs);
  }
}

// Positions count on from piece to piece, and anew in each segment; the place in the base is for whoever knows the
// base.
TEST(NavigationDelta, FirstPositionsAreCounted) {
  NavigationDelta delta = SampleDelta();
  for (Piece& piece : delta.pieces) piece.first = piece.list = 77;
  const NavigationDelta read = Decode(EncodeDelta(delta, kSampleIndex, kSampleObject));
  EXPECT_EQ(read.pieces[0].first, 0U);
  EXPECT_EQ(read.pieces[1].first, 2U);
  EXPECT_EQ(read.pieces[2].first, 0U);
  for (const Piece& piece : read.pieces) EXPECT_EQ(piece.list, 0U);
}

TEST(NavigationDelta, NothingChangedIsNothingSaid) {
  NavigationDelta delta;
  delta.shape.dimensions = 2;
  const NavigationDelta read = Decode(EncodeDelta(delta, kSampleIndex, kSampleObject));
  EXPECT_TRUE(read.segments.empty());
  EXPECT_TRUE(read.pieces.empty());
  EXPECT_TRUE(read.masks.empty());
  delta.masks = {{.segment = SampleId(1), .whole = true, .runs = {}}};
  EXPECT_EQ(Decode(EncodeDelta(delta, kSampleIndex, kSampleObject)).masks.size(), 1U) << "of what was there before";
}

TEST(NavigationDelta, EveryShapeOfSegmentIsAccepted) {
  for (const int bits : {1, 2, 8}) {
    for (const KeyKind keys : {KeyKind::kInteger, KeyKind::kText}) {
      for (const RawPlane raw : {RawPlane::kNone, RawPlane::kFloat32, RawPlane::kFloat16}) {
        for (const size_t columns : {0, 1, 2}) {
          SegmentShape shape = testing::SampleShape();
          shape.codes.bits = bits;
          shape.key_kind = keys;
          shape.raw = raw;
          shape.metadata_columns = columns;
          EXPECT_EQ(FaultAfter([](NavigationDelta&) {}, shape), "") << bits << " bits";
          EXPECT_EQ(FaultAfter([](NavigationDelta& delta) { --delta.segments[0].keys.offset; }, shape),
                    "a piece leaves its segment");
        }
      }
    }
  }
}

TEST(NavigationDelta, HostileNumbersAreRefused) {
  using Delta = NavigationDelta;
  EXPECT_EQ(FaultAfter([](Delta&) {}), "");
  for (const uint32_t dimensions : {0U, 16001U, 0xffffffffU}) {
    EXPECT_EQ(FaultAfter([&](Delta& delta) { delta.shape.dimensions = dimensions; }),
              std::to_string(dimensions) + " dimensions");
  }
  EXPECT_NE(FaultAfter([](Delta& delta) { delta.shape.dimensions = 3; }), "") << "no length fits";
  for (const int bits : {0, 1, 3, 9, 255}) {
    EXPECT_NE(FaultAfter([&](Delta& delta) { delta.shape.bits = bits; }), "") << bits;
  }
  for (const uint8_t raw : {0, 1, 3, 255}) {
    EXPECT_NE(FaultAfter([&](Delta& delta) { delta.shape.raw = RawPlane{raw}; }), "") << int{raw};
  }
  for (const uint8_t kind : {0, 1, 2, 4}) {
    EXPECT_NE(FaultAfter([&](Delta& delta) { delta.shape.key_kind = KeyKind{kind}; }), "") << int{kind};
  }
}

// Neither does a writer make them.
TEST(NavigationDelta, ProbeRulesThatMakeNoSense) {
  const auto accepts = [](const std::vector<ProbePoint>& points) {
    NavigationDelta delta = SampleDelta();
    delta.state.rule.points = points;
    try {
      EXPECT_EQ(Decode(EncodeDelta(delta, kSampleIndex, kSampleObject)).state.rule.points, points);
      return true;
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), Code::kInternal);
      return false;
    }
  };
  using Limits = std::numeric_limits<float>;
  const ProbePoint good{.entries = 1, .gap = 0, .most = 1, .margin = 0, .bound = -3};
  EXPECT_TRUE(accepts({good}));
  EXPECT_TRUE(accepts(EveryList(5).points));
  EXPECT_TRUE(accepts({{.entries = Limits::max(), .gap = Limits::max(), .most = 0xffffffff}}));
  const auto with = [&](const std::function<void(ProbePoint&)>& change) {
    ProbePoint point = good;
    point.entries = 7;
    change(point);
    EXPECT_EQ(accepts({point}), accepts({good, point})) << "also behind another";
    return accepts({point});
  };
  EXPECT_TRUE(with([](ProbePoint&) {}));
  EXPECT_FALSE(with([](ProbePoint& point) { point.most = 0; }));
  EXPECT_FALSE(with([](ProbePoint& point) { point.entries = 0; }));
  EXPECT_FALSE(with([](ProbePoint& point) { point.gap = -1; }));
  EXPECT_FALSE(with([](ProbePoint& point) { point.margin = -1; }));
  for (const float bad : {Limits::quiet_NaN(), Limits::infinity(), -Limits::infinity()}) {
    for (float ProbePoint::*member :
         {&ProbePoint::entries, &ProbePoint::gap, &ProbePoint::margin, &ProbePoint::bound}) {
      EXPECT_FALSE(with([&](ProbePoint& point) { point.*member = bad; })) << bad;
    }
  }
  EXPECT_FALSE(accepts({good, good}));
  EXPECT_FALSE(accepts({}));
  std::vector<ProbePoint> points(kMostProbePoints, good);
  for (size_t i = 0; i < points.size(); ++i) points[i].entries = static_cast<float>(10 * i + 1);
  EXPECT_TRUE(accepts(points));
  std::swap(points[2], points[3]);
  EXPECT_FALSE(accepts(points));
  std::swap(points[2], points[3]);
  points.push_back(points.back());
  points.back().entries = 1000;
  EXPECT_FALSE(accepts(points));
}

TEST(NavigationDelta, RowsAndEntriesFit) {
  const auto fault = [](bool has_duplicates, uint64_t rows, uint64_t entries) {
    return FaultAfter([&](NavigationDelta& delta) {
      delta.shape.has_duplicates = has_duplicates;
      delta.state.rows = rows;
      delta.state.entries = entries;
    });
  };
  EXPECT_EQ(fault(false, 304, 304), "");
  EXPECT_EQ(fault(false, 0, 0), "") << "what the delta holds may all be masked";
  EXPECT_EQ(fault(true, 304, 304), "");
  EXPECT_EQ(fault(true, 290, 304), "");
  EXPECT_EQ(fault(false, 290, 304), "304 entries for 290 rows");
  EXPECT_EQ(fault(true, 305, 304), "304 entries for 305 rows");
  EXPECT_NE(fault(true, UINT64_MAX, 304), "");
}

TEST(NavigationDelta, SegmentsThatCannotBe) {
  SegmentShape shape = testing::SampleShape();
  shape.metadata_columns = 0;  // summaries would tell of other counts first
  const auto fault = [&](const std::function<void(SegmentInfo&)>& change) {
    return FaultAfter([&](NavigationDelta& delta) { change(delta.segments[0]); }, shape);
  };
  constexpr const char* kKeys = "the keys of a segment do not fit into it";
  constexpr const char* kMissing = "the pieces of a segment do not have all its entries";
  const SegmentInfo good = SampleDelta(shape).segments[0];
  EXPECT_EQ(fault([](SegmentInfo& segment) { segment.is_settled = false; }), "");
  EXPECT_EQ(fault([](SegmentInfo& segment) { ++segment.length; }), "")
      << "how long text is only the index of keys says";
  for (const uint64_t length : {uint64_t{0}, uint64_t{1}, good.keys.offset, good.length - 4}) {
    EXPECT_EQ(fault([&](SegmentInfo& segment) { segment.length = length; }), kKeys) << length;
  }
  EXPECT_EQ(fault([](SegmentInfo& segment) { segment.length = 1ULL << 32; }), "a segment has 4294967296 bytes");
  EXPECT_NE(fault([](SegmentInfo& segment) { segment.length = UINT64_MAX; }), "");
  EXPECT_EQ(fault([](SegmentInfo& segment) { segment.entries = 0; }), "a segment is empty");
  EXPECT_EQ(fault([](SegmentInfo& segment) { segment.entries = 1; }), "a segment has fewer entries than its pieces");
  EXPECT_EQ(fault([](SegmentInfo& segment) { segment.entries = 2; }), "a segment has fewer entries than its pieces");
  for (const uint32_t entries : {5U, 1000U, 0x10000000U, 0xffffffffU}) {
    EXPECT_EQ(fault([&](SegmentInfo& segment) { segment.entries = entries; }), kKeys) << entries;
  }
  EXPECT_EQ(fault([](SegmentInfo& segment) {
              segment.entries = 4;
              segment.length += 100;
            }),
            kMissing);
  EXPECT_EQ(FaultAfter(
                [](NavigationDelta& delta) {
                  delta.segments[1].entries = 2;
                  delta.segments[1].length += 100;
                },
                shape),
            kMissing)
      << "the last one";
  for (const uint64_t offset : {uint64_t{0}, uint64_t{47}, good.keys.offset + 4, good.length, uint64_t{0xffffffff}}) {
    EXPECT_EQ(fault([&](SegmentInfo& segment) { segment.keys.offset = offset; }), kKeys) << offset;
  }
  EXPECT_EQ(fault([](SegmentInfo& segment) { segment.keys.offset = 48; }), "a piece leaves its segment");
  for (const uint64_t length : {good.length - good.keys.offset, uint64_t{0xffffffff}}) {
    EXPECT_EQ(fault([&](SegmentInfo& segment) { segment.keys.index_length = length; }), kKeys) << length;
  }
  EXPECT_NE(FaultAfter([](NavigationDelta& delta) { delta.segments.clear(); }), "");
  EXPECT_EQ(FaultAfter([](NavigationDelta& delta) { delta.segments.push_back(delta.segments[0]); }),
            "segment a0a1a2a3a4a5a6a7a8a9aaabacadaeaf is named twice");
  EXPECT_EQ(FaultAfter([](NavigationDelta& delta) {
              delta.segments.push_back(delta.segments[0]);
              delta.segments.back().id = SampleId(1);
            }),
            kMissing);
  EXPECT_EQ(FaultAfter([](NavigationDelta& delta) { delta.segments[0].entries = 2; }),
            "the values of a summary do not add up to its entries");
}

TEST(NavigationDelta, MasksComeInOrderOfTheirSegments) {
  using Delta = NavigationDelta;
  constexpr const char* kOrder = "masks are out of order";
  EXPECT_EQ(FaultAfter([](Delta& delta) { std::swap(delta.masks[0], delta.masks[1]); }), kOrder);
  EXPECT_EQ(FaultAfter([](Delta& delta) { delta.masks[1].segment = delta.masks[0].segment; }), kOrder) << "twice";
  EXPECT_EQ(FaultAfter([](Delta& delta) { delta.masks.clear(); }), "");
  EXPECT_EQ(FaultAfter([](Delta& delta) { delta.masks[0].runs = {{1, 2}}; }), "a mask of a whole segment has runs");
  EXPECT_EQ(FaultAfter([](Delta& delta) { delta.masks[1].whole = true; }), "a mask of a whole segment has runs");
}

// Of segments that the delta does not name nobody knows here how many entries they have.
TEST(NavigationDelta, MasksStayInsideWhereTheSegmentIsTheDeltasOwn) {
  constexpr const char* kLeaves = "a run of a mask leaves its segment";
  const auto fault = [](size_t mask, const std::vector<MaskRun>& runs) {
    return FaultAfter([&](NavigationDelta& delta) {
      delta.masks.push_back({.segment = kSampleFresh, .whole = false, .runs = {}});
      delta.masks[mask].runs = runs;
    });
  };
  EXPECT_EQ(fault(1, {{0, 0xffffffff}}), "");
  EXPECT_EQ(fault(1, {{0xfffffffe, 1}}), "");
  EXPECT_EQ(fault(2, {{0, 3}}), "");
  EXPECT_EQ(fault(2, {{0, 1}, {2, 1}}), "");
  EXPECT_EQ(fault(2, {{0, 4}}), kLeaves);
  EXPECT_EQ(fault(2, {{3, 1}}), kLeaves);
  EXPECT_EQ(fault(2, {{0, 1}, {2, 2}}), kLeaves);
  EXPECT_EQ(fault(3, {{0, 1}}), "");
  EXPECT_EQ(fault(3, {{0, 2}}), kLeaves);
}

// Where things lie in the encoded sample.
constexpr size_t kShape = kHeaderSize;
constexpr size_t kRule = kShape + 12 + 16;
constexpr size_t kCounts = kRule + 4 + 2 * 20 + 4 * 8;
constexpr size_t kSegments = kCounts + 12;
size_t MasksBegin() {
  NavigationDelta delta = SampleDelta();
  delta.masks.clear();
  return EncodeDelta(delta, kSampleIndex, kSampleObject).size() - sizeof(uint32_t);
}

// The sample with other bytes at an offset, under a good checksum.
std::string FaultOfForged(size_t offset, const Bytes& changed) {
  const Bytes good = EncodeDelta(SampleDelta(), kSampleIndex, kSampleObject);
  Bytes bytes(good.begin(), good.end() - 4);
  for (size_t i = 0; i < changed.size(); ++i) bytes.at(offset + i) = changed[i];
  AppendRangeChecksum(bytes, kSampleObject, kHeaderSize, kHeaderSize);
  return FaultOf(bytes);
}

Bytes Number(uint32_t value) {
  Bytes bytes(sizeof value);
  std::memcpy(bytes.data(), &value, sizeof value);
  return bytes;
}

// Counts are compared with the bytes at hand before anything is allocated.
TEST(NavigationDelta, LyingCountsAreRefused) {
  for (size_t i = 0; i < 3; ++i) {
    for (const uint32_t count : {0U, 1U, 4U, 100U, 0x7fffffffU, 0x80000000U, 0xffffffffU}) {
      EXPECT_NE(FaultOfForged(kCounts + 4 * i, Number(count)), "") << "count " << i << " is " << count;
    }
  }
  EXPECT_NE(FaultOfForged(kCounts, Bytes(12, 0xff)), "");
  EXPECT_EQ(FaultOfForged(kCounts + 8, Number(2)), "bytes follow the last mask");
  // The second mask, its length behind id and flag; its runs are 3, 2, 295 in two bytes, 1.
  const size_t second = MasksBegin() + 24;
  ASSERT_EQ(FaultOfForged(second + 20, Number(5)), "");
  for (const uint32_t length : {0U, 1U, 2U, 3U, 4U, 6U, 7U, 29U, 100U, 0x80000000U, 0xffffffffU}) {
    EXPECT_NE(FaultOfForged(second + 20, Number(length)), "") << length;
  }
}

TEST(NavigationDelta, FlagsAndFillerAreRefused) {
  EXPECT_EQ(FaultOfForged(kShape + 4, {3, 2, 2, 0, 1, 0, 0, 0}), "");
  EXPECT_EQ(FaultOfForged(kShape + 7, {2}), "flag 2 is unknown") << "duplicates";
  EXPECT_EQ(FaultOfForged(kShape + 8, Number(1601)), "1601 metadata columns");
  EXPECT_EQ(FaultOfForged(kShape + 8, Number(0xffffffff)), "4294967295 metadata columns");
  EXPECT_EQ(FaultOfForged(kRule, {0}), "number of points 0 is unknown");
  EXPECT_EQ(FaultOfForged(kRule, {9}), "number of points 9 is unknown");
  EXPECT_EQ(FaultOfForged(kRule + 4, Number(0)), "the probe rule makes no sense");
  EXPECT_EQ(FaultOfForged(kRule + 8, Number(0x7f800000)), "the probe rule makes no sense") << "an infinite gap";
  EXPECT_EQ(FaultOfForged(kSegments + 28, {2}), "flag 2 is unknown") << "settled";
  const size_t masks = MasksBegin();
  EXPECT_EQ(FaultOfForged(masks + 16, {2}), "flag 2 is unknown") << "whole";
  for (const size_t flag : {kRule, kSegments + 28, masks + 16, masks + 24 + 16}) {
    for (const size_t byte : {1, 2, 3}) {
      EXPECT_EQ(FaultOfForged(flag + byte, {1}), "a reserved field is not zero") << flag;
    }
  }
}

// Every byte, damaged under a good checksum: an error, or a delta that can be written again as it was read.
TEST(NavigationDelta, WhatIsAcceptedIsWhatWasWritten) {
  const Bytes good = EncodeDelta(SampleDelta(), kSampleIndex, kSampleObject);
  size_t accepted = 0;
  for (size_t i = kHeaderSize; i + 4 < good.size(); ++i) {
    for (int value = 0; value < 256; ++value) {
      Bytes bytes(good.begin(), good.end() - 4);
      bytes[i] = static_cast<uint8_t>(value);
      AppendRangeChecksum(bytes, kSampleObject, kHeaderSize, kHeaderSize);
      try {
        const NavigationDelta read = Decode(bytes);
        ASSERT_EQ(ToHex(EncodeDelta(read, kSampleIndex, kSampleObject)), ToHex(bytes)) << "byte " << i;
        ++accepted;
      } catch (const Error& error) {
        ASSERT_EQ(error.code(), Code::kCorrupted) << "byte " << i;
      }
    }
  }
  EXPECT_GT(accepted, good.size()) << "ids and numbers of the version may be anything";
}

// Every cut, under a good checksum.
TEST(NavigationDelta, EveryCutIsFound) {
  const Bytes good = EncodeDelta(SampleDelta(), kSampleIndex, kSampleObject);
  for (size_t size = kHeaderSize; size + 4 < good.size(); ++size) {
    Bytes bytes(good.begin(), good.begin() + static_cast<int64_t>(size));
    AppendRangeChecksum(bytes, kSampleObject, kHeaderSize, kHeaderSize);
    EXPECT_NE(FaultOf(bytes), "") << size;
  }
}

}  // namespace
}  // namespace s3v

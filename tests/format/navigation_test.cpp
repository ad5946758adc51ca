#include "format/navigation.h"

#include <gtest/gtest.h>

#include <functional>
#include <limits>

#include "format/coding.h"
#include "format/samples.h"

namespace s3v {
namespace {

using testing::kSampleIndex;
using testing::kSampleObject;
using testing::SampleBase;
using testing::SampleDelta;

const std::string kKey = "nav";

Code CodeOf(const std::function<void()>& call) {
  try {
    call();
  } catch (const Error& error) {
    return error.code();
  }
  return Code::kOk;
}

Code BaseCode(const std::function<void(NavigationBase&)>& change) {
  NavigationBase base = SampleBase();
  change(base);
  const Bytes bytes = EncodeBase(base, kSampleIndex, kSampleObject);
  return CodeOf([&] { DecodeBase(bytes, kSampleIndex, kSampleObject, kKey); });
}

Code DeltaCode(const std::function<void(NavigationDelta&)>& change) {
  NavigationDelta delta = SampleDelta();
  change(delta);
  const Bytes bytes = EncodeDelta(delta, kSampleIndex, kSampleObject);
  return CodeOf([&] { DecodeDelta(bytes, kSampleIndex, kSampleObject, 2, kKey); });
}

TEST(NavigationBase, RoundTrip) {
  NavigationBase base = SampleBase();
  base.space = {.metric = Metric::kInnerProduct, .dimensions = 1, .norm_limit = 2.5};
  const Bytes bytes = EncodeBase(base, kSampleIndex, kSampleObject);
  const NavigationBase read = DecodeBase(bytes, kSampleIndex, kSampleObject, kKey);
  EXPECT_EQ(read.space.metric, Metric::kInnerProduct);
  EXPECT_EQ(read.space.dimensions, 1U);
  EXPECT_EQ(read.space.norm_limit, 2.5);
  EXPECT_EQ(read.centroids.width, 2U);
  EXPECT_EQ(read.centroids.parents, base.centroids.parents);
  EXPECT_EQ(read.centroids.first_list, base.centroids.first_list);
  EXPECT_EQ(read.centroids.lists, base.centroids.lists);
}

TEST(NavigationBase, HostileNumbersAreRefused) {
  constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
  EXPECT_EQ(BaseCode([](NavigationBase&) {}), Code::kOk);
  EXPECT_EQ(BaseCode([](NavigationBase& base) { base.space.dimensions = 0; }), Code::kCorrupted);
  EXPECT_EQ(BaseCode([](NavigationBase& base) { base.space.dimensions = 16001; }), Code::kCorrupted);
  EXPECT_EQ(BaseCode([](NavigationBase& base) { base.space.dimensions = 3; }), Code::kCorrupted);
  EXPECT_EQ(BaseCode([](NavigationBase& base) { base.space.metric = Metric{0}; }), Code::kCorrupted);
  EXPECT_EQ(BaseCode([](NavigationBase& base) { base.space.metric = Metric{4}; }), Code::kCorrupted);
  EXPECT_EQ(BaseCode([](NavigationBase& base) { base.space.norm_limit = kNan; }), Code::kCorrupted);
  EXPECT_EQ(BaseCode([](NavigationBase& base) { base.space.norm_limit = -1; }), Code::kCorrupted);
  EXPECT_EQ(BaseCode([](NavigationBase& base) { base.centroids.lists[3] = kNan; }), Code::kCorrupted);
  EXPECT_EQ(BaseCode([](NavigationBase& base) { base.centroids.parents[0] = std::numeric_limits<float>::infinity(); }),
            Code::kCorrupted);
  EXPECT_EQ(BaseCode([](NavigationBase& base) { base.centroids.first_list = {1, 2}; }), Code::kCorrupted);
  EXPECT_EQ(BaseCode([](NavigationBase& base) { base.centroids.first_list = {0, 2, 1, 2}; }), Code::kCorrupted);
  EXPECT_EQ(BaseCode([](NavigationBase& base) { base.centroids.first_list = {0, 0}; }), Code::kCorrupted);
  EXPECT_EQ(BaseCode([](NavigationBase& base) { base.centroids.first_list = {0, 0xffffffff}; }), Code::kCorrupted);
  EXPECT_EQ(BaseCode([](NavigationBase& base) { base.centroids.lists.push_back(1); }), Code::kCorrupted);
  EXPECT_EQ(BaseCode([](NavigationBase& base) { base.centroids.lists.pop_back(); }), Code::kCorrupted);
}

TEST(NavigationDelta, RoundTrip) {
  const NavigationDelta delta = SampleDelta();
  const Bytes bytes = EncodeDelta(delta, kSampleIndex, kSampleObject);
  const NavigationDelta read = DecodeDelta(bytes, kSampleIndex, kSampleObject, 2, kKey);
  EXPECT_EQ(read.base, delta.base);
  EXPECT_EQ(read.key_kind, delta.key_kind);
  EXPECT_EQ(read.has_metadata, delta.has_metadata);
  EXPECT_EQ(read.rows, 3U);
  EXPECT_EQ(read.rule.gap, 1.5F);
  EXPECT_EQ(read.rule.least, 1U);
  EXPECT_EQ(read.rule.most, 2U);
  ASSERT_EQ(read.segments.size(), 1U);
  EXPECT_EQ(read.segments[0].id, delta.segments[0].id);
  EXPECT_EQ(read.segments[0].length, delta.segments[0].length);
  ASSERT_EQ(read.pieces.size(), 2U);
  for (size_t i = 0; i < 2; ++i) {
    EXPECT_EQ(read.pieces[i].list, delta.pieces[i].list);
    EXPECT_EQ(read.pieces[i].segment, delta.pieces[i].segment);
    EXPECT_EQ(read.pieces[i].count, delta.pieces[i].count);
    EXPECT_EQ(read.pieces[i].scan_offset, delta.pieces[i].scan_offset);
    EXPECT_EQ(read.pieces[i].scan_length, delta.pieces[i].scan_length);
    EXPECT_EQ(read.pieces[i].metadata_offset, delta.pieces[i].metadata_offset);
    EXPECT_EQ(read.pieces[i].metadata_length, delta.pieces[i].metadata_length);
  }
}

TEST(NavigationDelta, EmptyIndexHasNoPieces) {
  NavigationDelta delta;
  const Bytes bytes = EncodeDelta(delta, kSampleIndex, kSampleObject);
  EXPECT_TRUE(DecodeDelta(bytes, kSampleIndex, kSampleObject, 1, kKey).pieces.empty());
}

TEST(NavigationDelta, HostilePiecesAreRefused) {
  EXPECT_EQ(DeltaCode([](NavigationDelta&) {}), Code::kOk);
  EXPECT_EQ(DeltaCode([](NavigationDelta& delta) { delta.key_kind = KeyKind{0}; }), Code::kCorrupted);
  EXPECT_EQ(DeltaCode([](NavigationDelta& delta) { delta.encoding = Encoding{2}; }), Code::kNotSupported);
  EXPECT_EQ(DeltaCode([](NavigationDelta& delta) { delta.rows = 4; }), Code::kCorrupted);
  EXPECT_EQ(DeltaCode([](NavigationDelta& delta) { delta.rule.gap = -1; }), Code::kCorrupted);
  EXPECT_EQ(DeltaCode([](NavigationDelta& delta) { delta.rule.gap = std::numeric_limits<float>::quiet_NaN(); }),
            Code::kCorrupted);
  EXPECT_EQ(DeltaCode([](NavigationDelta& delta) { delta.rule.least = 3; }), Code::kCorrupted);
  EXPECT_EQ(DeltaCode([](NavigationDelta& delta) { delta.pieces[1].list = 2; }), Code::kCorrupted);
  EXPECT_EQ(DeltaCode([](NavigationDelta& delta) { delta.pieces[1].segment = 1; }), Code::kCorrupted);
  EXPECT_EQ(DeltaCode([](NavigationDelta& delta) { std::swap(delta.pieces[0], delta.pieces[1]); }), Code::kCorrupted);
  EXPECT_EQ(DeltaCode([](NavigationDelta& delta) { delta.pieces[1].count = 0; }), Code::kCorrupted);
  EXPECT_EQ(DeltaCode([](NavigationDelta& delta) { delta.pieces[0].scan_offset = 0; }), Code::kCorrupted);
  EXPECT_EQ(DeltaCode([](NavigationDelta& delta) { delta.pieces[0].scan_length += 1; }), Code::kCorrupted) << "overlap";
  EXPECT_EQ(DeltaCode([](NavigationDelta& delta) { delta.pieces[1].scan_length += 1; }), Code::kCorrupted)
      << "metadata";
  EXPECT_EQ(DeltaCode([](NavigationDelta& delta) { delta.pieces[1].scan_length = 0xffffffff; }), Code::kCorrupted);
  EXPECT_EQ(DeltaCode([](NavigationDelta& delta) { delta.pieces[1].metadata_length += 1; }), Code::kCorrupted);
  EXPECT_EQ(DeltaCode([](NavigationDelta& delta) { delta.pieces[1].metadata_length = 0; }), Code::kCorrupted);
  EXPECT_EQ(DeltaCode([](NavigationDelta& delta) { delta.has_metadata = false; }), Code::kCorrupted);
  EXPECT_EQ(DeltaCode([](NavigationDelta& delta) { delta.segments[0].length = 1; }), Code::kCorrupted);
  EXPECT_EQ(DeltaCode([](NavigationDelta& delta) { delta.segments[0].length = UINT64_MAX; }), Code::kCorrupted);
  EXPECT_EQ(DeltaCode([](NavigationDelta& delta) { delta.segments.clear(); }), Code::kCorrupted);
}

// Counts are compared with the bytes at hand before anything is allocated.
TEST(NavigationDelta, HugeCountsAllocateNothing) {
  const Bytes good = EncodeDelta(SampleDelta(), kSampleIndex, kSampleObject);
  constexpr size_t kSegmentCount = kHeaderSize + 16 + 4 + 12 + 8;
  for (const size_t offset : {kSegmentCount, kSegmentCount + 4}) {
    for (const uint32_t count : {0x7fffffffU, 0x80000000U, 0xffffffffU}) {
      Bytes bytes(good.begin(), good.end() - 4);
      std::memcpy(bytes.data() + offset, &count, sizeof count);
      AppendRangeChecksum(bytes, kSampleObject, kHeaderSize, kHeaderSize);
      EXPECT_EQ(CodeOf([&] { DecodeDelta(bytes, kSampleIndex, kSampleObject, 2, kKey); }), Code::kCorrupted);
    }
  }
}

}  // namespace
}  // namespace s3v

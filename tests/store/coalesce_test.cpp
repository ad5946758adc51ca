#include "store/coalesce.h"

#include <gtest/gtest.h>

#include <limits>

#include "base/error.h"
#include "base/random.h"

namespace s3v {
namespace {

TEST(Coalesce, NeighboursWithinTheGapShareARequest) {
  const std::vector<RangeRequest> ranges = {{"a", 100, 10}, {"a", 0, 50}, {"a", 60, 10}, {"b", 0, 5}};
  const std::vector<CoalescedRange> requests = Coalesce(ranges, 10);
  ASSERT_EQ(requests.size(), 3u);
  EXPECT_EQ(requests[0].offset, 100u);
  EXPECT_EQ(requests[1].offset, 0u);
  EXPECT_EQ(requests[1].length, 70u);
  EXPECT_EQ(requests[1].parts, (std::vector<size_t>{1, 2}));
  EXPECT_EQ(requests[2].key, "b");
  EXPECT_EQ(Coalesce(ranges, 30).size(), 2u);
}

TEST(Coalesce, OverlapsAndContainedRanges) {
  const std::vector<RangeRequest> ranges = {{"a", 0, 100}, {"a", 10, 20}, {"a", 90, 20}, {"a", 0, 100}};
  const std::vector<CoalescedRange> requests = Coalesce(ranges, 0);
  ASSERT_EQ(requests.size(), 1u);
  EXPECT_EQ(requests[0].length, 110u);
  EXPECT_EQ(requests[0].parts.size(), 4u);
}

TEST(Coalesce, RequestsDoNotGrowBeyondTheLimit) {
  const std::vector<RangeRequest> ranges = {{"a", 0, 60}, {"a", 60, 60}, {"a", 120, 500}, {"a", 200, 10}};
  const std::vector<CoalescedRange> requests = Coalesce(ranges, 1000, 100);
  ASSERT_EQ(requests.size(), 3u);
  EXPECT_EQ(requests[2].length, 500u);  // longer by itself, and what lies inside costs nothing
  EXPECT_EQ(requests[2].parts, (std::vector<size_t>{2, 3}));
}

TEST(Coalesce, EmptyRangesNeedNoRequest) {
  const std::vector<RangeRequest> ranges = {{"a", 7, 0}, {"a", 100, 1}, {"a", 7, 0}};
  const std::vector<CoalescedRange> requests = Coalesce(ranges, 1000);
  ASSERT_EQ(requests.size(), 1u);
  EXPECT_EQ(requests[0].offset, 100u);
  std::vector<size_t> handed_out;
  HandOutEmpty(ranges, [&](size_t index, ByteView bytes) {
    EXPECT_TRUE(bytes.empty());
    handed_out.push_back(index);
  });
  EXPECT_EQ(handed_out, (std::vector<size_t>{0, 2}));
}

TEST(Coalesce, RefusesRangesThatWrapAround) {
  const uint64_t most = std::numeric_limits<uint64_t>::max();
  for (const RangeRequest& bad : {RangeRequest{"a", most, 1}, RangeRequest{"a", 1, most}, RangeRequest{"a", most, 0}}) {
    EXPECT_THROW(Coalesce({&bad, 1}, 0), Error);
  }
}

TEST(Coalesce, EveryRangeIsInExactlyOneRequestThatCoversIt) {
  Random random(11);
  for (int round = 0; round < 300; ++round) {
    std::vector<RangeRequest> ranges;
    const size_t count = random.Below(30);
    for (size_t i = 0; i < count; ++i) {
      ranges.push_back(
          {std::string(1, static_cast<char>('a' + random.Below(3))), random.Below(1000), random.Below(50)});
    }
    const uint64_t gap = random.Below(100);
    std::vector<int> seen(count, 0);
    for (const CoalescedRange& request : Coalesce(ranges, gap, 300)) {
      EXPECT_LE(request.length, 300u);
      for (const size_t index : request.parts) {
        ++seen[index];
        EXPECT_EQ(ranges[index].key, request.key);
        EXPECT_GE(ranges[index].offset, request.offset);
        EXPECT_LE(ranges[index].offset + ranges[index].length, request.offset + request.length);
      }
    }
    for (size_t i = 0; i < count; ++i) EXPECT_EQ(seen[i], ranges[i].length > 0 ? 1 : 0);
  }
}

}  // namespace
}  // namespace s3v

#include "store/coalesce.h"

#include <gtest/gtest.h>

#include <limits>

#include "base/error.h"
#include "base/random.h"

namespace s3v {
namespace {

constexpr uint64_t kKiB = 1024;

TEST(Coalesce, NeighboursWithinTheGapShareARequest) {
  const std::vector<RangeRequest> ranges = {{"a", 100, 10}, {"a", 0, 50}, {"a", 60, 10}, {"b", 0, 5}};
  const std::vector<CoalescedRange> requests = Coalesce(ranges, 10, kMaxRequestLength);
  ASSERT_EQ(requests.size(), 3u);
  EXPECT_EQ(requests[0].offset, 100u);
  EXPECT_EQ(requests[1].offset, 0u);
  EXPECT_EQ(requests[1].length, 70u);
  EXPECT_EQ(requests[1].parts, (std::vector<size_t>{1, 2}));
  EXPECT_EQ(requests[2].key, "b");
  EXPECT_EQ(Coalesce(ranges, 30, kMaxRequestLength).size(), 2u);
}

TEST(Coalesce, OverlapsAndContainedRanges) {
  const std::vector<RangeRequest> ranges = {{"a", 0, 100}, {"a", 10, 20}, {"a", 90, 20}, {"a", 0, 100}};
  const std::vector<CoalescedRange> requests = Coalesce(ranges, 0, kMaxRequestLength);
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

TEST(Coalesce, OverlappingRangesShareWhateverTheLimit) {
  const std::vector<RangeRequest> ranges = {{"a", 0, 90}, {"a", 80, 90}, {"a", 170, 10}};
  const std::vector<CoalescedRange> requests = Coalesce(ranges, 0, 100);
  ASSERT_EQ(requests.size(), 2u);
  EXPECT_EQ(requests[0].length, 170u);
}

// `count` ranges of 10 KiB, each `gap` bytes after the one before.
std::vector<RangeRequest> Spaced(size_t count, uint64_t gap) {
  std::vector<RangeRequest> ranges;
  for (size_t i = 0; i < count; ++i) ranges.push_back({"a", i * (10 * kKiB + gap), 10 * kKiB});
  return ranges;
}

uint64_t TotalLength(const std::vector<CoalescedRange>& requests) {
  uint64_t total = 0;
  for (const CoalescedRange& request : requests) total += request.length;
  return total;
}

TEST(CoalesceWave, TheGapStaysWhileRequestsFit) {
  EXPECT_EQ(CoalesceWave(Spaced(64, 65 * kKiB), 64 * kKiB, 64).size(), 64u);
  EXPECT_EQ(CoalesceWave(Spaced(1000, 64 * kKiB), 64 * kKiB, 64).size(), 36u);  // each almost 2 MiB long
}

TEST(CoalesceWave, TheGapRisesJustAsFarAsNeeded) {
  // Gaps of 65, 66, ... KiB: the tolerance becomes that of the 36 smallest.
  std::vector<RangeRequest> ranges;
  uint64_t offset = 0;
  for (uint64_t i = 0; i < 100; ++i) {
    ranges.push_back({"a", offset, kKiB});
    offset += (66 + i) * kKiB;
  }
  const std::vector<CoalescedRange> requests = CoalesceWave(ranges, 64 * kKiB, 64);
  EXPECT_LE(requests.size(), 64u);
  EXPECT_GE(requests.size(), 62u);
  EXPECT_LT(TotalLength(requests), 100 * kKiB + 40 * 105 * kKiB);
  EXPECT_EQ(requests.back().length, kKiB);
}

TEST(CoalesceWave, TheGapRisesToOneMebibyteAndNoFurther) {
  EXPECT_LE(CoalesceWave(Spaced(100, 1024 * kKiB), 64 * kKiB, 64).size(), 64u);
  EXPECT_EQ(CoalesceWave(Spaced(100, 1025 * kKiB), 64 * kKiB, 64).size(), 100u);
  EXPECT_EQ(CoalesceWave(Spaced(100, 1025 * kKiB), 2048 * kKiB, 50).size(), 50u);  // a caller may say more
}

TEST(CoalesceWave, ThenRequestsGrowLonger) {
  std::vector<RangeRequest> ranges;
  for (uint64_t i = 0; i < 200; ++i) ranges.push_back({"a", i * 1024 * kKiB, 1024 * kKiB});
  const std::vector<CoalescedRange> few = CoalesceWave(ranges, 64 * kKiB, 64);
  EXPECT_EQ(few.size(), 50u);
  EXPECT_EQ(few[0].length, 4u << 20);
  EXPECT_EQ(CoalesceWave(ranges, 64 * kKiB, 100).size(), 100u);
  EXPECT_EQ(CoalesceWave(ranges, 64 * kKiB, 1).size(), 25u);  // but not longer than 8 MiB
}

TEST(CoalesceWave, WithoutAGapNoByteIsFetchedInVain) {
  const std::vector<CoalescedRange> requests = CoalesceWave(Spaced(300, 1), 0, 4);
  EXPECT_EQ(requests.size(), 300u);
  EXPECT_EQ(TotalLength(requests), 300 * 10 * kKiB);
}

TEST(CoalesceWave, OtherObjectsShareNothing) {
  std::vector<RangeRequest> ranges;
  for (int i = 0; i < 100; ++i) ranges.push_back({"object " + std::to_string(i), 0, 10});
  EXPECT_EQ(CoalesceWave(ranges, 64 * kKiB, 4).size(), 100u);
  EXPECT_TRUE(CoalesceWave({}, 64 * kKiB, 4).empty());
}

TEST(Coalesce, EmptyRangesNeedNoRequest) {
  const std::vector<RangeRequest> ranges = {{"a", 7, 0}, {"a", 100, 1}, {"a", 7, 0}};
  const std::vector<CoalescedRange> requests = Coalesce(ranges, 1000, kMaxRequestLength);
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
    EXPECT_THROW(Coalesce({&bad, 1}, 0, kMaxRequestLength), Error);
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
    const bool as_wave = random.Below(2) == 0;
    const int max_parallel = 1 + static_cast<int>(random.Below(10));
    for (const CoalescedRange& request :
         as_wave ? CoalesceWave(ranges, gap, max_parallel) : Coalesce(ranges, gap, 300)) {
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

#include "s3vectors/pacing.h"

#include <gtest/gtest.h>

#include <cmath>

namespace s3v {
namespace {

// Vectors that go out within so many milliseconds, in batches of one size, each as soon as it may.
uint64_t WrittenWithin(Pacing& pacing, int64_t from_ms, int64_t length_ms, uint64_t batch) {
  uint64_t written = 0;
  for (int64_t now = from_ms; now < from_ms + length_ms;) {
    const int64_t wait = pacing.WaitFor(batch, now);
    if (wait > 0) {
      now += wait;
      continue;
    }
    pacing.Take(batch, now);
    written += batch;
  }
  return written;
}

TEST(Pacing, BeginsWithAFullSecondAtTheDocumentedLimits) {
  Pacing pacing(0);
  EXPECT_EQ(pacing.requests_per_second(), 1000);
  EXPECT_EQ(pacing.vectors_per_second(), 2500);
  for (int batch = 0; batch < 5; ++batch) {
    EXPECT_EQ(pacing.WaitFor(500, 0), 0);
    pacing.Take(500, 0);
  }
  EXPECT_EQ(pacing.WaitFor(500, 0), 200);
  EXPECT_EQ(pacing.WaitFor(500, 150), 50);
  EXPECT_EQ(pacing.WaitFor(500, 200), 0);
  EXPECT_EQ(pacing.WaitFor(1, 200), 0);
}

TEST(Pacing, KeepsBothLimits) {
  Pacing vectors(0);
  EXPECT_NEAR(static_cast<double>(WrittenWithin(vectors, 0, 20'000, 500)), 21 * 2500, 500);
  Pacing requests(0);
  EXPECT_NEAR(static_cast<double>(WrittenWithin(requests, 0, 20'000, 1)), 21 * 1000, 20);
}

TEST(Pacing, SavesNoMoreThanASecond) {
  Pacing pacing(0);
  EXPECT_EQ(pacing.WaitFor(2500, 3'600'000), 0);
  pacing.Take(2500, 3'600'000);
  EXPECT_EQ(pacing.WaitFor(1, 3'600'000), 1);
  EXPECT_EQ(pacing.WaitFor(2500, 3'600'000), 1000);
}

TEST(Pacing, ABatchLargerThanABucketGoesWhenItIsFull) {
  Pacing pacing(0, 1000, 100);
  EXPECT_EQ(pacing.WaitFor(500, 0), 0);
  pacing.Take(500, 0);
  EXPECT_EQ(pacing.WaitFor(500, 0), 5000);  // what went out too early, and the bucket
  EXPECT_EQ(pacing.WaitFor(1, 0), 4010);
  Pacing steady(0, 1000, 100);
  EXPECT_NEAR(static_cast<double>(WrittenWithin(steady, 0, 100'000, 500)), 100 * 100, 500);
}

TEST(Pacing, ARefusalTakesAFifthOffBothOnceForAllOfTheSameMoment) {
  Pacing pacing(0);
  pacing.Refused(1000);
  EXPECT_DOUBLE_EQ(pacing.requests_per_second(), 800);
  EXPECT_DOUBLE_EQ(pacing.vectors_per_second(), 2000);
  for (const int64_t now : {1000, 1100, 1199}) pacing.Refused(now);
  EXPECT_DOUBLE_EQ(pacing.vectors_per_second(), 2000);
  pacing.Refused(1200);
  EXPECT_DOUBLE_EQ(pacing.vectors_per_second(), 1600);
  EXPECT_GT(pacing.WaitFor(1600, 1200) + 1, 0);
  pacing.Take(1600, 1200);
  EXPECT_EQ(pacing.WaitFor(16, 1200), 10);
}

TEST(Pacing, ARefusalAtOnceCounts) {
  Pacing pacing(0);
  pacing.Refused(0);
  EXPECT_DOUBLE_EQ(pacing.vectors_per_second(), 2000);
}

TEST(Pacing, RefusalsLeaveALittle) {
  Pacing pacing(0);
  for (int64_t now = 0; now < 60'000; now += 200) pacing.Refused(now);
  EXPECT_DOUBLE_EQ(pacing.requests_per_second(), 1);
  EXPECT_DOUBLE_EQ(pacing.vectors_per_second(), 10);
}

TEST(Pacing, EachSecondWithoutRefusalGivesATwentiethBackAndMore) {
  Pacing pacing(0);
  pacing.Refused(10'000);
  for (int64_t now = 10'000; now <= 10'999; now += 37) pacing.Accepted(now);
  EXPECT_DOUBLE_EQ(pacing.vectors_per_second(), 2000);
  for (int64_t now = 11'000; now <= 20'000; now += 50) pacing.Accepted(now);
  EXPECT_NEAR(pacing.vectors_per_second(), 2000 * std::pow(1.05, 10), 1e-6);
  EXPECT_NEAR(pacing.requests_per_second(), 800 * std::pow(1.05, 10), 1e-6);
  EXPECT_GT(pacing.vectors_per_second(), Pacing::kVectorsPerSecond);
}

TEST(Pacing, PartsOfSecondsAreNotLost) {
  Pacing pacing(0);
  for (int64_t now = 0; now <= 15'000; now += 1500) pacing.Accepted(now);
  EXPECT_NEAR(pacing.vectors_per_second(), 2500 * std::pow(1.05, 15), 1e-6);
}

TEST(Pacing, APauseIsNoProof) {
  Pacing pacing(0);
  pacing.Accepted(3'600'000);
  EXPECT_LT(pacing.vectors_per_second(), 2 * Pacing::kVectorsPerSecond);
  EXPECT_GT(pacing.vectors_per_second(), Pacing::kVectorsPerSecond);
}

TEST(Pacing, RisesHaveAnEnd) {
  Pacing pacing(0);
  for (int64_t now = 0; now <= 3'600'000; now += 500) pacing.Accepted(now);
  EXPECT_DOUBLE_EQ(pacing.vectors_per_second(), 100 * Pacing::kVectorsPerSecond);
  EXPECT_DOUBLE_EQ(pacing.requests_per_second(), 100 * Pacing::kRequestsPerSecond);
}

TEST(Pacing, ATimeBeforeTheLastOneChangesNothing) {
  Pacing pacing(10'000);
  pacing.Take(2500, 10'000);
  EXPECT_EQ(pacing.WaitFor(2500, 9'000), 1000);
  pacing.Accepted(9'000);
  EXPECT_EQ(pacing.vectors_per_second(), 2500);
}

}  // namespace
}  // namespace s3v

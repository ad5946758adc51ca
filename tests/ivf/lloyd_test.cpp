#include "ivf/lloyd.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>
#include <vector>

#include "ivf/test_vectors.h"

namespace s3v {
namespace {

std::vector<uint32_t> AllNumbers(size_t count) {
  std::vector<uint32_t> numbers(count);
  std::iota(numbers.begin(), numbers.end(), 0u);
  return numbers;
}

LloydResult RunLloyd(std::span<const float> matrix, size_t width, size_t wanted, uint64_t seed) {
  NeverStop stop;
  Random random(seed);
  const std::vector<uint32_t> numbers = AllNumbers(matrix.size() / width);
  return Lloyd({matrix, width, numbers}, wanted, 10, 1, random, stop);
}

// Centroids that lose all rows on the way must find new ones.
TEST(Lloyd, LeavesNoClusterEmpty) {
  Random random(1);
  for (uint64_t seed = 0; seed < 300; ++seed) {
    const std::vector<float> matrix = testing::NormalVector(random, 40 * 2);
    const LloydResult result = RunLloyd(matrix, 2, 20, seed);
    ASSERT_EQ(result.count, 20u) << seed;
    std::vector<int> sizes(result.count);
    for (const uint32_t cluster : result.assignment) ++sizes.at(cluster);
    for (const int size : sizes) ASSERT_GT(size, 0) << seed;
  }
}

TEST(Lloyd, AssignsEachRowToItsNearestCentroid) {
  Random random(2);
  const std::vector<float> matrix = testing::Blobs(random, 500, 8, 10, 3);
  const LloydResult result = RunLloyd(matrix, 8, 12, 1);
  for (size_t i = 0; i < 500; ++i) {
    const auto row = testing::Row(matrix, 8, i);
    const double own = testing::SquaredDistance(row, testing::Row(result.centroids, 8, result.assignment[i]));
    for (size_t c = 0; c < result.count; ++c) {
      EXPECT_LE(own, 1.0001 * testing::SquaredDistance(row, testing::Row(result.centroids, 8, c)));
    }
  }
}

TEST(Lloyd, WorksOnTheRowsOfTheSetOnly) {
  const std::vector<float> matrix = {1, 1000, 2, 1000, 11, 1000, 12};
  const std::vector<uint32_t> numbers = {0, 2, 4, 6};
  NeverStop stop;
  for (uint64_t seed = 0; seed < 10; ++seed) {
    Random random(seed);
    LloydResult result = Lloyd({matrix, 1, numbers}, 2, 10, 1, random, stop);
    std::sort(result.centroids.begin(), result.centroids.end());
    EXPECT_EQ(result.centroids, (std::vector<float>{1.5f, 11.5f}));
  }
}

TEST(Lloyd, OfOneClusterIsTheMean) {
  const LloydResult result = RunLloyd(std::vector<float>{1, 2, 3, 4, 5, 12}, 2, 1, 1);
  EXPECT_EQ(result.count, 1u);
  EXPECT_EQ(result.centroids, (std::vector<float>{3, 6}));
}

TEST(OriginOf, IsTheMedianOfEvenlyTakenRows) {
  const std::vector<float> matrix = {1, 6, 3, 2, 3e38f, 4};
  EXPECT_EQ(OriginOf({matrix, 2, AllNumbers(3)}), (std::vector<float>{3, 4}));
  EXPECT_EQ(OriginOf({matrix, 2, AllNumbers(2)}), (std::vector<float>{3, 6}));
  EXPECT_EQ(OriginOf({matrix, 2, {}}), (std::vector<float>{0, 0}));
  const std::vector<float> many(100000, 7.0f);
  EXPECT_EQ(OriginOf({many, 1, AllNumbers(100000)}), (std::vector<float>{7}));
}

TEST(RowsPerChunk, KeepsChunksShortButWorthwhile) {
  EXPECT_EQ(RowsPerChunk(1, 256), 256u);
  EXPECT_EQ(RowsPerChunk(1e6, 1024), 300u);
  EXPECT_EQ(RowsPerChunk(1e9, 1024), 64u);
}

}  // namespace
}  // namespace s3v

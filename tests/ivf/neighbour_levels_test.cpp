#include "ivf/neighbour_levels.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

#include "ivf/test_vectors.h"

namespace s3v {
namespace {

using testing::Row;

TEST(CountLevels, LeavesAHundredRowsInTheLast) {
  EXPECT_EQ(CountLevels(0), 1u);
  EXPECT_EQ(CountLevels(999), 1u);
  EXPECT_EQ(CountLevels(1000), 2u);
  EXPECT_EQ(CountLevels(60'000), 3u);
  EXPECT_EQ(CountLevels(1'000'000'000), 5u);
}

TEST(LevelCounts, CountMultiplesOfTen) {
  LevelCounts counts(3, 2);
  for (uint64_t mark = 0; mark < 1000; ++mark) counts.Add(mark % 2 == 0 ? 0 : 1, mark);
  EXPECT_EQ(counts.Of(0)[0], 500u);
  EXPECT_EQ(counts.Of(0)[1], 500u);
  EXPECT_EQ(counts.Of(1)[0], 100u);  // multiples of ten are even
  EXPECT_EQ(counts.Of(1)[1], 0u);
  EXPECT_EQ(counts.Of(2)[0], 10u);
}

// Each row has a list of its own, so that the answer names the row.
TEST(NeighbourLevels, AreThoseOfBruteForceAmongTheRowsOfTheLevel) {
  constexpr size_t kRows = 3000, kWidth = 8, kNearest = 5;
  Random random(3);
  NeverStop stop;
  const std::vector<float> rows = testing::Blobs(random, kRows, kWidth, 20, 2);
  std::vector<uint64_t> numbers, marks;
  std::vector<uint32_t> lists, seconds;
  for (uint32_t i = 0; i < kRows; ++i) {
    numbers.push_back(i);
    marks.push_back(random.Below(1'000'000));
    lists.push_back(i);
    seconds.push_back(i + 1);
  }
  const std::vector<uint64_t> sampled = {0, 17, 1234, 2999};
  std::vector<float> queries;
  for (const uint64_t row : sampled) {
    const auto values = Row(rows, kWidth, row);
    queries.insert(queries.end(), values.begin(), values.end());
  }
  NeighbourLevels neighbours(queries, kWidth, sampled, kNearest, 3);
  for (size_t begin = 0; begin < kRows; begin += 700) {
    const size_t count = std::min<size_t>(700, kRows - begin);
    neighbours.Add(std::span(rows).subspan(begin * kWidth, count * kWidth), std::span(numbers).subspan(begin, count),
                   std::span(marks).subspan(begin, count), std::span(lists).subspan(begin, count),
                   std::span(seconds).subspan(begin, count), 2, stop);
  }
  const auto levels = neighbours.Take();
  ASSERT_EQ(levels.size(), 3u);
  for (size_t level = 0; level < levels.size(); ++level) {
    for (size_t q = 0; q < sampled.size(); ++q) {
      std::vector<std::pair<double, uint32_t>> all;
      for (uint32_t i = 0; i < kRows; ++i) {
        if (i == sampled[q] || marks[i] % LevelStep(level) != 0) continue;
        all.emplace_back(testing::SquaredDistance(Row(queries, kWidth, q), Row(rows, kWidth, i)), i);
      }
      std::sort(all.begin(), all.end());
      ASSERT_EQ(levels[level][q].size(), std::min(kNearest, all.size()));
      for (size_t k = 0; k < levels[level][q].size(); ++k)
        EXPECT_EQ(levels[level][q][k].lists, (ListPair{all[k].second, all[k].second + 1}))
            << level << " " << q << " " << k;
    }
  }
}

}  // namespace
}  // namespace s3v

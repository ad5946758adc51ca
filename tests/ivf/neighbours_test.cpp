#include "ivf/neighbours.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>
#include <utility>
#include <vector>

#include "ivf/test_vectors.h"

namespace s3v {
namespace {

using testing::Row;

constexpr size_t kWidth = 12;
constexpr size_t kRows = 700;
constexpr size_t kNearest = 10;

struct Case {
  std::vector<float> rows;
  std::vector<uint32_t> lists;
  std::vector<uint32_t> second_lists;  // may be empty
  std::vector<uint64_t> sampled;
  std::vector<float> queries;
};

// Each row has a list of its own, so that the answer names the row.
Case MakeCase(float offset) {
  Random random(1);
  Case made;
  made.rows = testing::Blobs(random, kRows, kWidth, 30, 2);
  for (float& value : made.rows) value += offset;
  for (uint32_t i = 0; i < kRows; ++i) made.lists.push_back(5 * i);
  for (int i = 0; i < 150; ++i) made.sampled.push_back(random.Below(kRows));
  for (const uint64_t row : made.sampled) {
    const auto values = Row(made.rows, kWidth, row);
    made.queries.insert(made.queries.end(), values.begin(), values.end());
  }
  return made;
}

// Without the distances.
std::vector<std::vector<ListPair>> ListsOf(const std::vector<std::vector<NearRow>>& rows) {
  std::vector<std::vector<ListPair>> lists(rows.size());
  for (size_t q = 0; q < rows.size(); ++q) {
    for (const NearRow& row : rows[q]) lists[q].push_back(row.lists);
  }
  return lists;
}

std::vector<std::vector<ListPair>> Found(const Case& from, size_t block, int threads) {
  NeverStop stop;
  NeighbourLists neighbours(from.queries, kWidth, from.sampled, kNearest);
  for (size_t begin = 0; begin < kRows; begin += block) {
    const size_t count = std::min(block, kRows - begin);
    const std::span<const uint32_t> seconds(from.second_lists);
    std::vector<uint64_t> numbers(count);
    std::iota(numbers.begin(), numbers.end(), begin);
    neighbours.Add(std::span(from.rows).subspan(begin * kWidth, count * kWidth), numbers,
                   std::span(from.lists).subspan(begin, count),
                   seconds.empty() ? seconds : seconds.subspan(begin, count), threads, stop);
  }
  return ListsOf(neighbours.Take());
}

TEST(NeighbourLists, AreThoseOfBruteForceWithoutTheRowItself) {
  for (const float offset : {0.0f, 1000.0f}) {
    const Case made = MakeCase(offset);
    const auto found = Found(made, 100, 2);
    ASSERT_EQ(found.size(), made.sampled.size());
    for (size_t q = 0; q < found.size(); ++q) {
      std::vector<std::pair<double, uint32_t>> all;
      for (size_t i = 0; i < kRows; ++i) {
        if (i == made.sampled[q]) continue;
        const double distance = testing::SquaredDistance(Row(made.queries, kWidth, q), Row(made.rows, kWidth, i));
        all.emplace_back(distance, made.lists[i]);
      }
      std::sort(all.begin(), all.end());
      ASSERT_EQ(found[q].size(), kNearest);
      for (size_t k = 0; k < kNearest; ++k)
        EXPECT_EQ(found[q][k], (ListPair{all[k].second, all[k].second})) << offset << " " << q << " " << k;
    }
  }
}

TEST(NeighbourLists, KnowTheirDistances) {
  const Case made = MakeCase(100);
  NeverStop stop;
  NeighbourLists neighbours(made.queries, kWidth, made.sampled, kNearest);
  std::vector<uint64_t> numbers(kRows);
  std::iota(numbers.begin(), numbers.end(), 0);
  neighbours.Add(made.rows, numbers, made.lists, {}, 2, stop);
  const auto found = neighbours.Take();
  for (size_t q = 0; q < found.size(); ++q) {
    for (const NearRow& row : found[q]) {
      const double distance =
          testing::SquaredDistance(Row(made.queries, kWidth, q), Row(made.rows, kWidth, row.lists.first / 5));
      EXPECT_NEAR(row.squared_distance, distance, 1e-3 * (1 + distance));
    }
  }
}

TEST(NeighbourLists, DoNotDependOnBlocksOrThreads) {
  const Case made = MakeCase(0);
  const auto whole = Found(made, kRows, 1);
  EXPECT_EQ(Found(made, 1, 1), whole);
  EXPECT_EQ(Found(made, 97, 3), whole);
}

TEST(NeighbourLists, NameBothListsOfARow) {
  Case made = MakeCase(0);
  const auto once = Found(made, 97, 2);
  for (const uint32_t list : made.lists) made.second_lists.push_back(list + 3);
  const auto twice = Found(made, 97, 2);
  ASSERT_EQ(twice.size(), once.size());
  for (size_t q = 0; q < once.size(); ++q) {
    ASSERT_EQ(twice[q].size(), once[q].size());
    for (size_t k = 0; k < once[q].size(); ++k) {
      EXPECT_EQ(twice[q][k], (ListPair{once[q][k].first, once[q][k].first + 3}));
    }
  }
}

TEST(NeighbourLists, AreFewerWhenRowsAreFew) {
  NeverStop stop;
  const std::vector<float> rows = {0, 1, 2};
  NeighbourLists neighbours(std::vector<float>{1}, 1, std::vector<uint64_t>{1}, 10);
  neighbours.Add(rows, std::vector<uint64_t>{0, 1, 2}, std::vector<uint32_t>{7, 8, 9}, {}, 1, stop);
  const std::vector<std::vector<NearRow>> expected = {{{{7, 7}, 1}, {{9, 9}, 1}}};  // equally near: by number
  EXPECT_EQ(neighbours.Take(), expected);
}

}  // namespace
}  // namespace s3v

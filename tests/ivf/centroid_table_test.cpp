#include "ivf/centroid_table.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <numeric>
#include <set>
#include <vector>

#include "ivf/each_target.h"
#include "ivf/test_vectors.h"

namespace s3v {
namespace {

using testing::ForEachTarget;
using testing::NormalVector;
using testing::Row;

constexpr float kMostFloat = std::numeric_limits<float>::max();

std::vector<float> Rotated(const Rotation& rotation, std::span<const float> values) {
  std::vector<float> rotated(values.size());
  rotation.Apply(values, rotated);
  return rotated;
}

std::vector<float> Dequantized(const CentroidTable& table, size_t i) {
  std::vector<float> centroid(table.dimensions);
  table.Dequantize(i, centroid);
  return centroid;
}

OwnedCentroidTable TableOf(std::vector<int8_t> codes, size_t dimensions, std::vector<float> scales) {
  OwnedCentroidTable table{
      .dimensions = dimensions, .codes = std::move(codes), .scales = std::move(scales), .squared_norms = {}};
  for (size_t i = 0; i < table.scales.size(); ++i) {
    const std::vector<float> centroid = Dequantized(table.view(), i);
    const double norm = Norm(centroid);
    table.squared_norms.push_back(static_cast<float>(std::min<double>(norm * norm, kMostFloat)));
  }
  return table;
}

TEST(QuantizeCentroids, KeepsEachElementToHalfAStep) {
  Random random(1);
  for (const size_t dimensions : {1, 2, 31, 768}) {
    const Rotation rotation(dimensions, 7);
    const AssignmentSpace space{.metric = Metric::kL2, .dimensions = dimensions};
    const std::vector<float> centroids = NormalVector(random, 9 * dimensions, 3);
    const OwnedCentroidTable table = QuantizeCentroids(space, rotation, centroids);
    ASSERT_EQ(table.view().count, 9u);
    ASSERT_EQ(table.view().dimensions, dimensions);
    for (size_t i = 0; i < 9; ++i) {
      const std::vector<float> rotated = Rotated(rotation, Row(centroids, dimensions, i));
      const std::vector<float> kept = Dequantized(table.view(), i);
      const float scale = table.scales[i];
      float largest = 0;
      for (const float value : rotated) largest = std::max(largest, std::abs(value));
      EXPECT_FLOAT_EQ(scale, largest / 127);
      for (size_t j = 0; j < dimensions; ++j) EXPECT_NEAR(kept[j], rotated[j], 0.50001 * scale);
      const double norm = Norm(kept);
      EXPECT_NEAR(table.squared_norms[i], norm * norm, 1e-5 * norm * norm) << "of the dequantized centroid";
    }
  }
}

TEST(QuantizeCentroids, KeepsTheLastElementOfInnerProductInTheNormAlone) {
  constexpr size_t kDimensions = 24;
  Random random(2);
  const Rotation rotation(kDimensions, 7);
  const AssignmentSpace space{.metric = Metric::kInnerProduct, .dimensions = kDimensions, .norm_limit = 10};
  const std::vector<float> centroids = NormalVector(random, 3 * space.width());
  const OwnedCentroidTable table = QuantizeCentroids(space, rotation, centroids);
  ASSERT_EQ(table.codes.size(), 3 * kDimensions);
  for (size_t i = 0; i < 3; ++i) {
    const double last = Row(centroids, space.width(), i).back();
    const double norm = Norm(Dequantized(table.view(), i));
    EXPECT_NEAR(table.squared_norms[i], norm * norm + last * last, 1e-5 * norm * norm);
  }
}

TEST(QuantizeCentroids, StandsZeroTinyAndHugeCentroids) {
  const AssignmentSpace space{.metric = Metric::kL2, .dimensions = 2};
  const Rotation rotation(2, 7);
  const std::vector<float> centroids = {0, 0, 1e-45f, 0, 1e-38f, -1e-38f, 2.4e38f, 0, kMostFloat, kMostFloat};
  const OwnedCentroidTable table = QuantizeCentroids(space, rotation, centroids);
  EXPECT_EQ(table.scales[0], 0);
  EXPECT_EQ(table.squared_norms[0], 0);
  EXPECT_EQ(Dequantized(table.view(), 0), (std::vector<float>{0, 0}));
  for (size_t i = 0; i < 5; ++i) {
    for (const float value : Dequantized(table.view(), i)) EXPECT_TRUE(std::isfinite(value)) << i;
    EXPECT_GE(table.squared_norms[i], 0);
    EXPECT_LE(table.squared_norms[i], kMostFloat);
  }
  const double norm = Norm(Dequantized(table.view(), 3));
  EXPECT_NEAR(norm, 2.4e38, 0.01 * 2.4e38);
}

TEST(QuantizeCentroids, OfNoneIsEmpty) {
  const OwnedCentroidTable table = QuantizeCentroids({.metric = Metric::kCosine, .dimensions = 3}, Rotation(3, 1), {});
  EXPECT_EQ(table.view().count, 0u);
}

// A byte string, as a mapped file holds it: nothing in it is aligned.
struct Mapped {
  explicit Mapped(const OwnedCentroidTable& table) {
    const auto append = [&](const auto& values) {
      const auto* raw = reinterpret_cast<const uint8_t*>(values.data());
      const size_t size = values.size() * sizeof(values[0]);
      bytes.resize(bytes.size() + 1);
      starts.push_back(bytes.size());
      bytes.insert(bytes.end(), raw, raw + size);
      while (bytes.size() % 4 != 0) bytes.push_back(0);
    };
    append(table.codes);
    append(table.scales);
    append(table.squared_norms);
    view = {.dimensions = table.dimensions,
            .count = table.scales.size(),
            .codes = reinterpret_cast<const int8_t*>(bytes.data() + starts[0]),
            .scales = bytes.data() + starts[1],
            .squared_norms = bytes.data() + starts[2]};
  }
  std::vector<uint8_t> bytes;
  std::vector<size_t> starts;
  CentroidTable view;
};

TEST(CentroidTable, IsReadAtAnyAddress) {
  Random random(3);
  const AssignmentSpace space{.metric = Metric::kL2, .dimensions = 5};
  const OwnedCentroidTable table = QuantizeCentroids(space, Rotation(5, 1), NormalVector(random, 5 * 5));
  const Mapped mapped(table);
  ASSERT_NE(reinterpret_cast<uintptr_t>(mapped.view.scales) % 4, 0u);
  for (size_t i = 0; i < 5; ++i) {
    EXPECT_EQ(mapped.view.scale(i), table.scales[i]);
    EXPECT_EQ(mapped.view.squared_norm(i), table.squared_norms[i]);
    EXPECT_EQ(Dequantized(mapped.view, i), Dequantized(table.view(), i));
  }
}

// Tables over trained centroids.
struct Trained {
  Trained(size_t width, size_t lists, uint64_t seed, double spread = 1) : rotation(width, 3) {
    NeverStop stop;
    Random random(seed);
    rows = testing::Blobs(random, 30 * lists, width, lists, spread);
    centroids = Train(rows, width, {.lists = lists, .iterations = 4}, stop);
    const AssignmentSpace space{.metric = Metric::kL2, .dimensions = width};
    parents = QuantizeCentroids(space, rotation, centroids.parents);
    lists_table = QuantizeCentroids(space, rotation, centroids.lists);
  }
  CentroidTables tables() const {
    return {.parents = parents.view(),
            .lists = lists_table.view(),
            .first_list = reinterpret_cast<const uint8_t*>(centroids.first_list.data())};
  }
  std::vector<float> Query(size_t row) const { return Rotated(rotation, Row(rows, centroids.width, row)); }

  Rotation rotation;
  std::vector<float> rows;
  Centroids centroids;
  OwnedCentroidTable parents;
  OwnedCentroidTable lists_table;
};

std::vector<uint32_t> Lists(std::span<const RankedList> ranked) {
  std::vector<uint32_t> lists;
  for (const RankedList& list : ranked) lists.push_back(list.list);
  return lists;
}

bool Sorted(std::span<const RankedList> ranked) {
  return std::is_sorted(ranked.begin(), ranked.end(), [](const RankedList& a, const RankedList& b) {
    return a.squared_distance != b.squared_distance ? a.squared_distance < b.squared_distance : a.list < b.list;
  });
}

TEST(ListRanking, GivesDistancesOfTheQuantizedPoints) {
  const Trained trained(32, 40, 4);
  ForEachTarget([&] {
    const std::vector<float> query = trained.Query(17);
    ListRanking ranking(trained.tables(), query, 40);
    ASSERT_EQ(ranking.ranked().size(), 40u);
    EXPECT_EQ(ranking.list_count(), 40u);
    EXPECT_TRUE(Sorted(ranking.ranked()));
    float step = 0;
    for (const float value : query) step = std::max(step, std::abs(value) / 127);
    std::vector<float> quantized = query;
    for (float& value : quantized) value = std::round(value / step) * step;
    for (const RankedList& list : ranking.ranked()) {
      const std::vector<float> centroid = Dequantized(trained.lists_table.view(), list.list);
      const double expected = testing::SquaredDistance(quantized, centroid);
      EXPECT_NEAR(list.squared_distance, expected, 1e-4 * expected);
      EXPECT_NEAR(list.squared_distance, testing::SquaredDistance(query, centroid), 0.05 * expected + 0.1);
    }
  });
}

TEST(ListRanking, BreaksTiesByNumberAcrossParents) {
  // The second parent is nearer than the first; lists 1, 2, 3 and 5 are equally far from the query at 0.
  const OwnedCentroidTable parents = TableOf({127, 60, 90}, 1, {1, 1, 1});
  const OwnedCentroidTable lists = TableOf({127, 1, -1, 1, 60, -1}, 1, {1, 1, 1, 1, 1, 1});
  const std::vector<uint32_t> first_list = {0, 2, 5, 6};
  const CentroidTables tables{.parents = parents.view(),
                              .lists = lists.view(),
                              .first_list = reinterpret_cast<const uint8_t*>(first_list.data())};
  const ListRanking ranking(tables, std::vector<float>{0}, 1);
  EXPECT_EQ(Lists(ranking.ranked()), (std::vector<uint32_t>{1, 2, 3, 5, 4, 0}));
}

// Parents of one list each: the nearer the parent is to 0, the farther is its list. What is ranked tells which parents
// were tried.
struct Misleading {
  static constexpr uint32_t kCount = 400;
  Misleading() : first_list(kCount + 1) {
    std::vector<float> near(kCount), far(kCount);
    for (uint32_t i = 0; i < kCount; ++i) {
      near[i] = static_cast<float>(i + 1);
      far[i] = static_cast<float>(kCount - i);
      first_list[i + 1] = i + 1;
    }
    parents = TableOf(std::vector<int8_t>(kCount, 1), 1, near);
    lists = TableOf(std::vector<int8_t>(kCount, -1), 1, far);
  }
  ListRanking Rank(size_t wanted) const {
    const CentroidTables tables{.parents = parents.view(),
                                .lists = lists.view(),
                                .first_list = reinterpret_cast<const uint8_t*>(first_list.data())};
    return {tables, std::vector<float>{0}, wanted};
  }
  OwnedCentroidTable parents, lists;
  std::vector<uint32_t> first_list;
};

// last, last - 1 ... first
std::vector<uint32_t> Down(uint32_t last, uint32_t first) {
  std::vector<uint32_t> numbers(last - first + 1);
  std::iota(numbers.rbegin(), numbers.rend(), first);
  return numbers;
}

TEST(ListRanking, TriesTheParentsThatTheWantedListsNeed) {
  const Misleading tables;
  EXPECT_EQ(Lists(tables.Rank(0).ranked()), Down(15, 0));  // sixteen parents at least
  EXPECT_EQ(Lists(tables.Rank(1).ranked()), Down(15, 0));
  EXPECT_EQ(Lists(tables.Rank(3).ranked()), Down(29, 0));
  const size_t most = std::numeric_limits<size_t>::max();
  for (const size_t wanted : {size_t{41}, size_t{400}, size_t{500}, most}) {
    const ListRanking ranking = tables.Rank(wanted);
    const std::vector<uint32_t> ranked = Lists(ranking.ranked());
    EXPECT_GE(ranked.size(), std::min<size_t>(wanted, 400));
    EXPECT_EQ(ranked, Down(399, static_cast<uint32_t>(400 - ranked.size())));
  }
}

TEST(ListRanking, RanksAtFirstAboutAsManyListsAsAreWanted) {
  const Misleading tables;
  for (const size_t wanted : {1, 30, 64, 65, 100, 399}) {
    const size_t ranked = tables.Rank(wanted).ranked().size();
    EXPECT_GE(ranked, std::min<size_t>(wanted, 16));
    EXPECT_LE(ranked, std::max<size_t>(2 * wanted, 100));
  }
}

TEST(ListRanking, RanksAllOthersAfterTheFirst) {
  const Misleading tables;
  for (const size_t wanted : {3, 20, 100}) {
    ListRanking ranking = tables.Rank(wanted);
    const std::vector<uint32_t> before = Lists(ranking.ranked());
    ASSERT_LT(before.size(), 400u);
    ranking.RankAll();
    const std::vector<uint32_t> all = Lists(ranking.ranked());
    EXPECT_EQ(std::vector<uint32_t>(all.begin(), all.begin() + static_cast<ptrdiff_t>(before.size())), before);
    EXPECT_TRUE(Sorted(ranking.ranked().subspan(before.size())));
    EXPECT_EQ(std::set<uint32_t>(all.begin(), all.end()).size(), 400u);
    ranking.RankAll();  // nothing is left
    EXPECT_EQ(Lists(ranking.ranked()), all);
  }
}

TEST(ListRanking, BreaksTiesByNumberAmongAllOthersToo) {
  // Three hundred lists at one place, of parents that are tried in another order than their numbers.
  const size_t count = 300;
  std::vector<uint32_t> first_list(count + 1);
  std::iota(first_list.begin(), first_list.end(), 0u);
  std::vector<float> at(count);
  for (size_t i = 0; i < count; ++i) at[i] = static_cast<float>(i * 7 % count + 1);
  const OwnedCentroidTable parents = TableOf(std::vector<int8_t>(count, 1), 1, at);
  const OwnedCentroidTable lists = TableOf(std::vector<int8_t>(count, 5), 1, std::vector<float>(count, 1));
  ListRanking ranking({.parents = parents.view(),
                       .lists = lists.view(),
                       .first_list = reinterpret_cast<const uint8_t*>(first_list.data())},
                      std::vector<float>{0}, 5);
  const size_t before = ranking.ranked().size();
  EXPECT_LT(before, count);
  ranking.RankAll();
  ASSERT_EQ(ranking.ranked().size(), count);
  EXPECT_TRUE(Sorted(ranking.ranked().first(before)));
  EXPECT_TRUE(Sorted(ranking.ranked().subspan(before)));
}

TEST(ListRanking, FindsTheNearestListsThroughAFewParents) {
  constexpr size_t kLists = 900, kWidth = 24, kNearest = 5;
  const Trained trained(kWidth, kLists, 5);
  size_t found = 0;
  for (size_t row = 0; row < 200; ++row) {
    const std::vector<float> query = trained.Query(row * 31);
    const auto plain = Row(trained.rows, kWidth, row * 31);
    std::vector<std::pair<double, uint32_t>> exact;
    for (uint32_t list = 0; list < kLists; ++list) {
      exact.emplace_back(testing::SquaredDistance(plain, Row(trained.centroids.lists, kWidth, list)), list);
    }
    std::sort(exact.begin(), exact.end());
    const ListRanking ranking(trained.tables(), query, kNearest);
    ASSERT_LT(ranking.ranked().size(), kLists / 8);
    const std::vector<uint32_t> front = Lists(ranking.ranked().first(2 * kNearest));
    for (size_t i = 0; i < kNearest; ++i) found += static_cast<size_t>(std::ranges::count(front, exact[i].second));
  }
  EXPECT_GT(found, 985u);  // of 1,000
}

TEST(ListRanking, IsTheSameOnEveryInstructionSet) {
  const Trained trained(33, 100, 6);
  ListRanking ranking(trained.tables(), trained.Query(8), 3);
  ranking.RankAll();
  ForEachTarget([&] {
    ListRanking again(trained.tables(), trained.Query(8), 3);
    again.RankAll();
    EXPECT_EQ(Lists(again.ranked()), Lists(ranking.ranked()));
    for (size_t i = 0; i < again.ranked().size(); ++i) {
      EXPECT_EQ(again.ranked()[i].squared_distance, ranking.ranked()[i].squared_distance);
    }
  });
}

TEST(ListRanking, HoldsDistancesToFloat) {
  const OwnedCentroidTable parents = TableOf({127, 127}, 2, {1});
  const float huge = kMostFloat / 127;
  const OwnedCentroidTable lists = TableOf({127, 127, -127, -127, 0, 0, 1, 1}, 2, {huge, huge, 0, 1});
  const std::vector<uint32_t> first_list = {0, 4};
  const CentroidTables tables{.parents = parents.view(),
                              .lists = lists.view(),
                              .first_list = reinterpret_cast<const uint8_t*>(first_list.data())};
  const float infinity = std::numeric_limits<float>::infinity();
  for (const std::vector<float>& query :
       {std::vector<float>{kMostFloat, -kMostFloat}, std::vector<float>{-3e38f, -3e38f}, std::vector<float>{0, 0},
        std::vector<float>{1e-45f, 0}, std::vector<float>{infinity, -infinity}, std::vector<float>{NAN, NAN}}) {
    const ListRanking ranking(tables, query, 1);
    ASSERT_EQ(ranking.ranked().size(), 4u);
    for (const RankedList& list : ranking.ranked()) {
      EXPECT_GE(list.squared_distance, 0) << query[0];  // not NaN either
      EXPECT_LE(list.squared_distance, kMostFloat) << query[0];
    }
  }
}

TEST(ListRanking, OfAPointThatIsACentroidIsNotNegative) {
  const Trained trained(48, 30, 7, 100);
  for (size_t list = 0; list < 30; ++list) {
    const std::vector<float> query = Dequantized(trained.lists_table.view(), list);
    const ListRanking ranking(trained.tables(), query, 30);
    EXPECT_EQ(ranking.ranked()[0].list, list);
    EXPECT_GE(ranking.ranked()[0].squared_distance, 0);
    EXPECT_LT(ranking.ranked()[0].squared_distance, 1e-3 * ranking.ranked()[1].squared_distance);
  }
}

TEST(ListRanking, OfNoListsIsEmpty) {
  const std::vector<uint32_t> first_list = {0};
  CentroidTables none;
  none.first_list = reinterpret_cast<const uint8_t*>(first_list.data());
  ListRanking ranking(none, {}, 3);
  ranking.RankAll();
  EXPECT_TRUE(ranking.ranked().empty());
  EXPECT_EQ(ranking.list_count(), 0u);
}

}  // namespace
}  // namespace s3v

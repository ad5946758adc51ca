#include "ivf/probe.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <limits>
#include <numeric>
#include <vector>

#include "ivf/neighbours.h"
#include "ivf/test_vectors.h"

namespace s3v {
namespace {

using testing::Row;

// All lists, the nearest first.
std::vector<RankedList> RankedLists(const Centroids& centroids, std::span<const float> query) {
  std::vector<RankedList> ranked;
  for (uint32_t list = 0; list < centroids.list_count(); ++list) {
    const double distance = testing::SquaredDistance(query, Row(centroids.lists, centroids.width, list));
    ranked.push_back({list, static_cast<float>(distance)});
  }
  std::sort(ranked.begin(), ranked.end(),
            [](const auto& a, const auto& b) { return a.squared_distance < b.squared_distance; });
  return ranked;
}

std::vector<NearRow> InOneList(std::initializer_list<uint32_t> lists) {
  std::vector<NearRow> rows;
  for (const uint32_t list : lists) rows.push_back({{list, list}, 1});
  return rows;
}

TEST(CountProbes, FollowsGapAndMost) {
  const std::vector<RankedList> ranked = {{0, 10}, {1, 11}, {2, 12}, {3, 15}, {4, 30}};
  EXPECT_EQ(CountProbes(ranked, 0, {.gap = 0, .most = 5}), 1u);
  EXPECT_EQ(CountProbes(ranked, 0, {.gap = 2, .most = 5}), 3u);  // the bound belongs to it
  EXPECT_EQ(CountProbes(ranked, 0, {.gap = 100, .most = 2}), 2u);
  EXPECT_EQ(CountProbes(ranked, 0, {.gap = 100, .most = 9}), 5u);
  EXPECT_EQ(CountProbes(ranked, 0, {.gap = 0, .most = 0}), 1u);  // never none
}

TEST(CountProbes, GoesOnFromTheListWithTheLastMatch) {
  const std::vector<RankedList> ranked = {{0, 10}, {1, 11}, {2, 12}, {3, 15}, {4, 30}};
  EXPECT_EQ(CountProbes(ranked, 2, {.gap = 0, .most = 5}), 3u);
  EXPECT_EQ(CountProbes(ranked, 2, {.gap = 3, .most = 5}), 4u);
  EXPECT_EQ(CountProbes(ranked, 2, {.gap = 100, .most = 2}), 4u);  // a cap of those from there on
  EXPECT_EQ(CountProbes(ranked, 4, {.gap = 100, .most = 2}), 5u);
}

// As where a ranking through parents goes on to the lists of the other parents.
TEST(CountProbes, EndsAtTheFirstListBeyondTheGap) {
  const std::vector<RankedList> ranked = {{0, 10}, {1, 11}, {2, 15}, {3, 10.5f}, {4, 11}, {5, 12}};
  EXPECT_EQ(CountProbes(ranked, 0, {.gap = 2, .most = 6}), 2u);
  EXPECT_EQ(CountProbes(ranked, 0, {.gap = 5, .most = 6}), 6u);
  EXPECT_EQ(CountProbes(ranked, 3, {.gap = 0, .most = 6}), 6u);  // the farthest so far counts
}

TEST(ProbeRule, FollowsTheLogarithmBetweenItsPoints) {
  const ProbeRule rule{{{.entries = 10, .gap = 1, .most = 4, .margin = 4, .bound = -2},
                        {.entries = 1000, .gap = 3, .most = 9, .margin = 8, .bound = -1}}};
  EXPECT_EQ(rule.At(1), rule.points[0]);
  EXPECT_EQ(rule.At(10), rule.points[0]);
  EXPECT_EQ(rule.At(1000), rule.points[1]);
  EXPECT_EQ(rule.At(1e9), rule.points[1]);
  EXPECT_NEAR(rule.At(100).gap, 2, 1e-6);
  EXPECT_NEAR(rule.At(100).margin, 6, 1e-6);
  EXPECT_NEAR(rule.At(100).bound, -1.5, 1e-6);
  EXPECT_EQ(rule.At(100).most, 7u);
  EXPECT_EQ(EveryList(7).At(5).most, 7u);
}

struct Calibration {
  std::vector<std::vector<RankedList>> rankings;
  std::vector<CalibrationQuery> queries;  // views of these
  std::vector<uint32_t> list_sizes;
};

// Rows in the lists of a training, each in two of them when `twice`.
Calibration MakeCalibration(bool twice = false) {
  constexpr size_t kWidth = 16, kRows = 6000, kQueries = 200;
  Random random(1);
  NeverStop stop;
  const std::vector<float> rows = testing::Blobs(random, kRows, kWidth, 100, 0.7);
  const Centroids centroids = Train(rows, kWidth, {.lists = 60}, stop);
  std::vector<uint32_t> first(kRows), second(kRows);
  AssignTwice(centroids, rows, {}, first, second, stop);

  Calibration made;
  made.list_sizes.assign(centroids.list_count(), 0);
  for (const uint32_t list : first) ++made.list_sizes[list];
  if (twice) {
    for (const uint32_t list : second) ++made.list_sizes[list];
  }
  std::vector<uint64_t> sampled;
  for (size_t i = 0; i < kQueries; ++i) sampled.push_back(i * (kRows / kQueries));
  std::vector<float> queries;
  for (const uint64_t row : sampled) {
    const auto values = Row(rows, kWidth, row);
    queries.insert(queries.end(), values.begin(), values.end());
    made.rankings.push_back(RankedLists(centroids, values));
  }
  NeighbourLists neighbours(queries, kWidth, sampled, 10);
  std::vector<uint64_t> numbers(kRows);
  std::iota(numbers.begin(), numbers.end(), 0);
  neighbours.Add(rows, numbers, first, twice ? second : std::vector<uint32_t>(), 1, stop);
  const auto lists = neighbours.Take();
  for (size_t i = 0; i < kQueries; ++i) made.queries.push_back({made.rankings[i], lists[i]});
  return made;
}

// By hand, neighbour by neighbour.
RuleOutcome PlainOutcome(const Calibration& calibration, const ProbePoint& rule) {
  RuleOutcome outcome;
  for (const CalibrationQuery& query : calibration.queries) {
    const size_t probes = CountProbes(query.ranked, 0, rule);
    outcome.probes += static_cast<double>(probes);
    for (size_t i = 0; i < probes; ++i) outcome.entries += calibration.list_sizes[query.ranked[i].list];
    size_t hits = 0;
    for (const auto& [lists, distance] : query.neighbours) {
      bool found = false;
      for (size_t i = 0; i < probes; ++i) {
        found = found || query.ranked[i].list == lists.first || query.ranked[i].list == lists.second;
      }
      hits += found;
    }
    outcome.recall += static_cast<double>(hits) / static_cast<double>(query.neighbours.size());
  }
  const auto queries = static_cast<double>(calibration.queries.size());
  return {.recall = outcome.recall / queries, .entries = outcome.entries / queries, .probes = outcome.probes / queries};
}

void ExpectNearlyTheLeastCost(const Calibration& calibration, double target) {
  const auto lists = static_cast<uint32_t>(calibration.list_sizes.size());
  const RuleOutcome chosen =
      PlainOutcome(calibration, Calibrate(calibration.queries, calibration.list_sizes, 1, target));
  EXPECT_GE(chosen.recall, target);

  // Every cap with a fine grid of gaps: nothing that reaches the target is much cheaper.
  double cheapest = std::numeric_limits<double>::infinity();
  for (uint32_t most = 1; most <= lists; ++most) {
    for (float gap = 0; gap < 60; gap += 1) {
      const ProbePoint rule{.gap = gap, .most = most};
      const RuleOutcome outcome = OutcomeOf(calibration.queries, calibration.list_sizes, 1, rule);
      if (outcome.recall >= target) cheapest = std::min(cheapest, outcome.entries);
    }
  }
  EXPECT_LE(chosen.entries, 1.05 * cheapest) << target;
}

TEST(Calibrate, ReachesTheTargetAtNearlyTheLeastCost) {
  const Calibration once = MakeCalibration();
  for (const double target : {0.5, 0.8, 0.9, 0.95, 0.99}) ExpectNearlyTheLeastCost(once, target);
}

TEST(Calibrate, CountsANeighbourInTwoListsOnceEitherIsRead) {
  const Calibration twice = MakeCalibration(true);
  for (const double target : {0.9, 0.97}) ExpectNearlyTheLeastCost(twice, target);

  const Calibration once = MakeCalibration();
  const auto probes = [](const Calibration& calibration) {
    const ProbePoint rule = Calibrate(calibration.queries, calibration.list_sizes, 1, 0.97);
    return OutcomeOf(calibration.queries, calibration.list_sizes, 1, rule).probes;
  };
  EXPECT_LT(probes(twice), 0.8 * probes(once));
}

TEST(OutcomeOf, IsWhatCountingByHandGives) {
  for (const bool twice : {false, true}) {
    const Calibration calibration = MakeCalibration(twice);
    for (const ProbePoint& rule :
         {ProbePoint{.gap = 0, .most = 1}, ProbePoint{.gap = 8, .most = 60}, ProbePoint{.gap = 1e9f, .most = 60}}) {
      const RuleOutcome outcome = OutcomeOf(calibration.queries, calibration.list_sizes, 1, rule);
      const RuleOutcome expected = PlainOutcome(calibration, rule);
      EXPECT_NEAR(outcome.recall, expected.recall, 1e-12);
      EXPECT_NEAR(outcome.entries, expected.entries, 1e-9);
      EXPECT_NEAR(outcome.probes, expected.probes, 1e-9);
    }
  }
}

TEST(OutcomeOf, TakesRecallOverTheQueriesThatHaveNeighbours) {
  const std::vector<RankedList> ranked = {{0, 1}, {1, 2}, {2, 9}};
  const std::vector<CalibrationQuery> queries = {
      {.ranked = ranked, .neighbours = {}},
      {.ranked = ranked, .neighbours = {{{0, 2}, 1}, {{2, 0}, 1}, {{2, 1}, 1}, {{2, 2}, 1}}}};
  const RuleOutcome outcome = OutcomeOf(queries, std::vector<uint32_t>{5, 6, 7}, 1, {.gap = 0, .most = 3});
  EXPECT_EQ(outcome.recall, 0.5);
  EXPECT_EQ(outcome.entries, 5);
  EXPECT_EQ(outcome.probes, 1);
  EXPECT_EQ(OutcomeOf({}, std::vector<uint32_t>{5}, 1, {}).recall, 0);
}

// Lists that a query does not rank are never read.
TEST(Calibrate, StandsRankingsOfSomeListsOnly) {
  const std::vector<RankedList> all = {{0, 1}, {1, 2}, {2, 3}};
  const std::vector<RankedList> some = {{0, 1}, {2, 3}};
  const std::vector<CalibrationQuery> queries = {
      {.ranked = all, .neighbours = InOneList({1})},
      {.ranked = some, .neighbours = InOneList({1})},
  };
  const std::vector<uint32_t> sizes = {1, 1, 1};
  EXPECT_EQ(CountProbes(queries[0].ranked, 0, Calibrate(queries, sizes, 1, 0.5)), 2u);
  EXPECT_EQ(CountProbes(queries[0].ranked, 0, Calibrate(queries, sizes, 1, 0.6)),
            3u);  // out of reach: everything
}

TEST(Calibrate, CapsAtTwiceWhatAnyQueryReads) {
  std::vector<RankedList> ranked;
  for (uint32_t list = 0; list < 100; ++list) ranked.push_back({list, static_cast<float>(list)});
  const std::vector<CalibrationQuery> queries = {{.ranked = ranked, .neighbours = InOneList({0, 1})},
                                                 {.ranked = ranked, .neighbours = InOneList({3})}};
  const ProbePoint rule = Calibrate(queries, std::vector<uint32_t>(100, 1), 1, 1.0);
  EXPECT_EQ(rule.gap, 3);
  EXPECT_EQ(rule.most, 8u);
}

TEST(Calibrate, ReachesListsOutOfOrder) {
  const std::vector<RankedList> ranked = {{0, 1}, {1, 9}, {2, 5}};
  const std::vector<CalibrationQuery> queries = {{.ranked = ranked, .neighbours = InOneList({2})}};
  const ProbePoint rule = Calibrate(queries, std::vector<uint32_t>{1, 1, 1}, 1, 1.0);
  EXPECT_EQ(CountProbes(queries[0].ranked, 0, rule), 3u);
}

TEST(Calibrate, StartsWithTheListOfTheLastEntry) {
  const std::vector<RankedList> ranked = {{0, 1}, {1, 2}, {2, 50}, {3, 52}, {4, 90}};
  const std::vector<CalibrationQuery> queries = {{.ranked = ranked, .neighbours = InOneList({0, 2, 3})}};
  const std::vector<uint32_t> sizes = {10, 10, 10, 10, 10};
  const ProbePoint point = Calibrate(queries, sizes, 25, 1.0);
  EXPECT_EQ(point.gap, 2);
  EXPECT_EQ(point.most, 4u);  // twice the two lists from the third on
  EXPECT_EQ(OutcomeOf(queries, sizes, 25, point).probes, 4);
  EXPECT_EQ(OutcomeOf(queries, sizes, 25, point).recall, 1);
}

TEST(CalibrateFiltered, MeasuresFromTheListAndFromTheLastMatch) {
  // Two of three matches lie in the third list, one neighbour in the fourth; the farthest is 6 away.
  const std::vector<RankedList> ranked = {{0, 1}, {1, 4}, {2, 49}, {3, 64}, {4, 81}};
  std::vector<NearRow> neighbours = InOneList({0, 2, 3});
  neighbours.back().squared_distance = 36;
  const std::vector<CalibrationQuery> queries = {{.ranked = ranked, .neighbours = neighbours}};
  const std::vector<uint32_t> sizes = {10, 10, 10, 10, 10};
  const std::vector<uint32_t> matches = {1, 0, 2, 1, 1};
  const FilteredLists lists{.sizes = sizes, .matches = matches, .k = 3, .copies = 1};
  ProbePoint point{.gap = 7, .most = 3};
  CalibrateFiltered(queries, lists, 1.0, 1.0, &point);
  EXPECT_EQ(point, (ProbePoint{.entries = 20, .gap = 7, .most = 3, .margin = 1, .bound = 2}));
  CalibrateFiltered(queries, lists, 0.6, 0.6, &point);  // two of the three neighbours
  EXPECT_EQ(point, (ProbePoint{.entries = 20, .gap = 7, .most = 3, .margin = 0, .bound = 1}));
}

TEST(CalibrateFiltered, ReadsEverythingWithoutNeighbours) {
  const std::vector<uint32_t> sizes = {5, 6, 7};
  ProbePoint point;
  CalibrateFiltered({}, {.sizes = sizes, .matches = sizes, .k = 10, .copies = 1}, 0.9, 0.9, &point);
  EXPECT_EQ(point.margin, std::numeric_limits<float>::max());
  EXPECT_EQ(point.bound, std::numeric_limits<float>::max());
}

TEST(Calibrate, WeighsListsByTheirSizes) {
  // The neighbours of the first query are in a near small list, of the second in a far huge one; half of them will do.
  const std::vector<RankedList> first = {{0, 1}, {1, 2}, {2, 9}};
  const std::vector<RankedList> second = {{0, 1}, {2, 4}, {1, 9}};
  const std::vector<CalibrationQuery> queries = {
      {.ranked = first, .neighbours = InOneList({1, 1})},
      {.ranked = second, .neighbours = InOneList({2, 2})},
  };
  const ProbePoint rule = Calibrate(queries, std::vector<uint32_t>{1, 1, 1000}, 1, 0.5);
  EXPECT_EQ(CountProbes(queries[0].ranked, 0, rule), 2u);
  EXPECT_EQ(CountProbes(queries[1].ranked, 0, rule), 1u);
}

TEST(Calibrate, FindsEveryNeighbourWhenAskedTo) {
  const Calibration calibration = MakeCalibration();
  const ProbePoint rule = Calibrate(calibration.queries, calibration.list_sizes, 1, 1.0);
  EXPECT_NEAR(PlainOutcome(calibration, rule).recall, 1.0, 1e-12);
}

// 16777218 - 1 is no float: the gap must be rounded away from the neighbour's list.
TEST(Calibrate, RoundsTheGapUp) {
  const std::vector<RankedList> ranked = {{0, 1}, {1, 16777218}, {2, 3e7f}};
  const std::vector<CalibrationQuery> queries = {{.ranked = ranked, .neighbours = InOneList({1})}};
  EXPECT_EQ(CountProbes(queries[0].ranked, 0, Calibrate(queries, std::vector<uint32_t>{5, 6, 7}, 1, 0.9)), 2u);
}

TEST(Calibrate, ReadsEverythingWithoutNeighbours) {
  const std::vector<uint32_t> sizes = {5, 6, 7};
  const std::vector<RankedList> ranked = {{0, 1}, {1, 1e30f}, {2, 3e38f}};
  EXPECT_EQ(CountProbes(ranked, 0, Calibrate({}, sizes, 1, 0.5)), 3u);
  const std::vector<CalibrationQuery> unanswered = {{.ranked = ranked, .neighbours = {}}};
  EXPECT_EQ(CountProbes(ranked, 0, Calibrate(unanswered, sizes, 1, 0.5)), 3u);
}

TEST(Calibrate, PassesOverQueriesWithoutNeighbours) {
  const std::vector<RankedList> ranked = {{0, 1}, {1, 2}, {2, 9}};
  const std::vector<CalibrationQuery> queries = {{.ranked = ranked, .neighbours = {}},
                                                 {.ranked = ranked, .neighbours = InOneList({0, 1})}};
  EXPECT_EQ(CountProbes(ranked, 0, Calibrate(queries, std::vector<uint32_t>{5, 6, 7}, 1, 1.0)), 2u);
}

}  // namespace
}  // namespace s3v

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

std::vector<ListPair> InOneList(std::initializer_list<uint32_t> lists) {
  std::vector<ListPair> pairs;
  for (const uint32_t list : lists) pairs.push_back({list, list});
  return pairs;
}

TEST(CountProbes, FollowsGapLeastAndMost) {
  const std::vector<RankedList> ranked = {{0, 10}, {1, 11}, {2, 12}, {3, 15}, {4, 30}};
  EXPECT_EQ(CountProbes(ranked, {.gap = 0, .least = 1, .most = 5}, 0), 1u);
  EXPECT_EQ(CountProbes(ranked, {.gap = 2, .least = 1, .most = 5}, 0), 3u);  // the bound belongs to it
  EXPECT_EQ(CountProbes(ranked, {.gap = 2, .least = 4, .most = 5}, 0), 4u);
  EXPECT_EQ(CountProbes(ranked, {.gap = 100, .least = 1, .most = 2}, 0), 2u);
  EXPECT_EQ(CountProbes(ranked, {.gap = 100, .least = 9, .most = 9}, 0), 5u);
  EXPECT_EQ(CountProbes(ranked, {.gap = 0, .least = 0, .most = 0}, 0), 1u);  // never none
  EXPECT_EQ(CountProbes(ranked, {.gap = 100, .least = 1, .most = 5}, 2), 2u);
  EXPECT_EQ(CountProbes(ranked, {}, 99), 5u);
  EXPECT_EQ(CountProbes({}, {.gap = 1, .least = 1, .most = 1}, 0), 0u);
  EXPECT_EQ(CountProbes({}, {}, 3), 0u);
}

// As where a ranking through parents goes on to the lists of the other parents.
TEST(CountProbes, EndsAtTheFirstListBeyondTheGap) {
  const std::vector<RankedList> ranked = {{0, 10}, {1, 11}, {2, 15}, {3, 10.5f}, {4, 11}, {5, 12}};
  EXPECT_EQ(CountProbes(ranked, {.gap = 2, .least = 1, .most = 6}, 0), 2u);
  EXPECT_EQ(CountProbes(ranked, {.gap = 5, .least = 1, .most = 6}, 0), 6u);
}

struct Calibration {
  std::vector<CalibrationQuery> queries;
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
    made.queries.push_back({.ranked = RankedLists(centroids, values), .neighbour_lists = {}});
  }
  NeighbourLists neighbours(queries, kWidth, sampled, 10);
  neighbours.Add(rows, 0, first, twice ? second : std::vector<uint32_t>(), 1, stop);
  const auto lists = neighbours.Take();
  for (size_t i = 0; i < kQueries; ++i) made.queries[i].neighbour_lists = lists[i];
  return made;
}

// By hand, neighbour by neighbour.
RuleOutcome PlainOutcome(const Calibration& calibration, const ProbeRule& rule) {
  RuleOutcome outcome;
  for (const CalibrationQuery& query : calibration.queries) {
    const size_t probes = CountProbes(query.ranked, rule, 0);
    outcome.probes += static_cast<double>(probes);
    for (size_t i = 0; i < probes; ++i) outcome.entries += calibration.list_sizes[query.ranked[i].list];
    size_t hits = 0;
    for (const ListPair& lists : query.neighbour_lists) {
      bool found = false;
      for (size_t i = 0; i < probes; ++i) {
        found = found || query.ranked[i].list == lists.first || query.ranked[i].list == lists.second;
      }
      hits += found;
    }
    outcome.recall += static_cast<double>(hits) / static_cast<double>(query.neighbour_lists.size());
  }
  const auto queries = static_cast<double>(calibration.queries.size());
  return {.recall = outcome.recall / queries, .entries = outcome.entries / queries, .probes = outcome.probes / queries};
}

void ExpectNearlyTheLeastCost(const Calibration& calibration, double target) {
  const auto lists = static_cast<uint32_t>(calibration.list_sizes.size());
  const RuleOutcome chosen = PlainOutcome(calibration, Calibrate(calibration.queries, calibration.list_sizes, target));
  EXPECT_GE(chosen.recall, target);

  // Every cap with a fine grid of gaps: nothing that reaches the target is much cheaper.
  double cheapest = std::numeric_limits<double>::infinity();
  for (uint32_t most = 1; most <= lists; ++most) {
    for (float gap = 0; gap < 60; gap += 1) {
      const ProbeRule rule{.gap = gap, .least = 1, .most = most};
      const RuleOutcome outcome = OutcomeOf(calibration.queries, calibration.list_sizes, rule);
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
    const ProbeRule rule = Calibrate(calibration.queries, calibration.list_sizes, 0.97);
    return OutcomeOf(calibration.queries, calibration.list_sizes, rule).probes;
  };
  EXPECT_LT(probes(twice), 0.8 * probes(once));
}

TEST(OutcomeOf, IsWhatCountingByHandGives) {
  for (const bool twice : {false, true}) {
    const Calibration calibration = MakeCalibration(twice);
    for (const ProbeRule& rule :
         {ProbeRule{.gap = 0, .least = 1, .most = 1}, ProbeRule{.gap = 8, .least = 2, .most = 60},
          ProbeRule{.gap = 1e9f, .least = 1, .most = 60}}) {
      const RuleOutcome outcome = OutcomeOf(calibration.queries, calibration.list_sizes, rule);
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
      {.ranked = ranked, .neighbour_lists = {}},
      {.ranked = ranked, .neighbour_lists = {{0, 2}, {2, 0}, {2, 1}, {2, 2}}}};
  const RuleOutcome outcome = OutcomeOf(queries, std::vector<uint32_t>{5, 6, 7}, {.gap = 0, .least = 1, .most = 3});
  EXPECT_EQ(outcome.recall, 0.5);
  EXPECT_EQ(outcome.entries, 5);
  EXPECT_EQ(outcome.probes, 1);
  EXPECT_EQ(OutcomeOf({}, std::vector<uint32_t>{5}, {}).recall, 0);
}

// Lists that a query does not rank are never read.
TEST(Calibrate, StandsRankingsOfSomeListsOnly) {
  const std::vector<CalibrationQuery> queries = {
      {.ranked = {{0, 1}, {1, 2}, {2, 3}}, .neighbour_lists = {{1, 1}}},
      {.ranked = {{0, 1}, {2, 3}}, .neighbour_lists = {{1, 1}}},
  };
  const std::vector<uint32_t> sizes = {1, 1, 1};
  EXPECT_EQ(CountProbes(queries[0].ranked, Calibrate(queries, sizes, 0.5), 0), 2u);
  EXPECT_EQ(CountProbes(queries[0].ranked, Calibrate(queries, sizes, 0.6), 0), 3u);  // out of reach: everything
}

TEST(Calibrate, CapsAtTwiceWhatAnyQueryReads) {
  std::vector<RankedList> ranked;
  for (uint32_t list = 0; list < 100; ++list) ranked.push_back({list, static_cast<float>(list)});
  const std::vector<CalibrationQuery> queries = {{.ranked = ranked, .neighbour_lists = InOneList({0, 1})},
                                                 {.ranked = ranked, .neighbour_lists = InOneList({3})}};
  const ProbeRule rule = Calibrate(queries, std::vector<uint32_t>(100, 1), 1.0);
  EXPECT_EQ(rule.gap, 3);
  EXPECT_EQ(rule.most, 8u);
}

TEST(Calibrate, ReachesListsOutOfOrder) {
  const std::vector<CalibrationQuery> queries = {
      {.ranked = {{0, 1}, {1, 9}, {2, 5}}, .neighbour_lists = InOneList({2})}};
  const ProbeRule rule = Calibrate(queries, std::vector<uint32_t>{1, 1, 1}, 1.0);
  EXPECT_EQ(CountProbes(queries[0].ranked, rule, 0), 3u);
}

TEST(Calibrate, WeighsListsByTheirSizes) {
  // The neighbours of the first query are in a near small list, of the second in a far huge one; half of them will do.
  const std::vector<CalibrationQuery> queries = {
      {.ranked = {{0, 1}, {1, 2}, {2, 9}}, .neighbour_lists = InOneList({1, 1})},
      {.ranked = {{0, 1}, {2, 4}, {1, 9}}, .neighbour_lists = InOneList({2, 2})},
  };
  const ProbeRule rule = Calibrate(queries, std::vector<uint32_t>{1, 1, 1000}, 0.5);
  EXPECT_EQ(CountProbes(queries[0].ranked, rule, 0), 2u);
  EXPECT_EQ(CountProbes(queries[1].ranked, rule, 0), 1u);
}

TEST(Calibrate, FindsEveryNeighbourWhenAskedTo) {
  const Calibration calibration = MakeCalibration();
  const ProbeRule rule = Calibrate(calibration.queries, calibration.list_sizes, 1.0);
  EXPECT_NEAR(PlainOutcome(calibration, rule).recall, 1.0, 1e-12);
}

// 16777218 - 1 is no float: the gap must be rounded away from the neighbour's list.
TEST(Calibrate, RoundsTheGapUp) {
  const std::vector<CalibrationQuery> queries = {
      {.ranked = {{0, 1}, {1, 16777218}, {2, 3e7f}}, .neighbour_lists = InOneList({1})}};
  EXPECT_EQ(CountProbes(queries[0].ranked, Calibrate(queries, std::vector<uint32_t>{5, 6, 7}, 0.9), 0), 2u);
}

TEST(Calibrate, ReadsEverythingWithoutNeighbours) {
  const std::vector<uint32_t> sizes = {5, 6, 7};
  const std::vector<RankedList> ranked = {{0, 1}, {1, 1e30f}, {2, 3e38f}};
  EXPECT_EQ(CountProbes(ranked, Calibrate({}, sizes, 0.5), 0), 3u);
  const std::vector<CalibrationQuery> unanswered = {{.ranked = ranked, .neighbour_lists = {}}};
  EXPECT_EQ(CountProbes(ranked, Calibrate(unanswered, sizes, 0.5), 0), 3u);
}

TEST(Calibrate, PassesOverQueriesWithoutNeighbours) {
  const std::vector<RankedList> ranked = {{0, 1}, {1, 2}, {2, 9}};
  const std::vector<CalibrationQuery> queries = {{.ranked = ranked, .neighbour_lists = {}},
                                                 {.ranked = ranked, .neighbour_lists = InOneList({0, 1})}};
  EXPECT_EQ(CountProbes(ranked, Calibrate(queries, std::vector<uint32_t>{5, 6, 7}, 1.0), 0), 2u);
}

}  // namespace
}  // namespace s3v

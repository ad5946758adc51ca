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

TEST(RankLists, GivesAllListsNearestFirstWithTiesByNumber) {
  const Centroids centroids{.width = 1, .parents = {0}, .first_list = {0, 5}, .lists = {4, -1, 1, 10, 0}};
  std::vector<std::pair<uint32_t, float>> ranked;
  for (const RankedList& list : RankLists(centroids, std::vector<float>{0})) {
    ranked.emplace_back(list.list, list.squared_distance);
  }
  EXPECT_EQ(ranked, (std::vector<std::pair<uint32_t, float>>{{4, 0}, {1, 1}, {2, 1}, {0, 16}, {3, 100}}));
}

TEST(RankLists, HoldsDistancesToFloat) {
  const Centroids centroids{.width = 2, .parents = {0, 0}, .first_list = {0, 2}, .lists = {3e38f, -3e38f, 1, 1}};
  const std::vector<RankedList> ranked = RankLists(centroids, std::vector<float>{-3e38f, 1});
  ASSERT_EQ(ranked.size(), 2u);
  for (const RankedList& list : ranked) EXPECT_EQ(list.squared_distance, std::numeric_limits<float>::max());
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

struct Calibration {
  std::vector<CalibrationQuery> queries;
  std::vector<uint32_t> list_sizes;
};

Calibration MakeCalibration() {
  constexpr size_t kWidth = 16, kRows = 6000, kQueries = 200;
  Random random(1);
  NeverStop stop;
  const std::vector<float> rows = testing::Blobs(random, kRows, kWidth, 100, 0.7);
  const Centroids centroids = Train(rows, kWidth, {.lists = 60}, stop);
  std::vector<uint32_t> assignment(kRows);
  Assign(centroids, rows, {}, assignment, {}, stop);

  Calibration made;
  made.list_sizes.assign(centroids.list_count(), 0);
  for (const uint32_t list : assignment) ++made.list_sizes[list];
  std::vector<uint64_t> sampled;
  for (size_t i = 0; i < kQueries; ++i) sampled.push_back(i * (kRows / kQueries));
  std::vector<float> queries;
  for (const uint64_t row : sampled) {
    const auto values = Row(rows, kWidth, row);
    queries.insert(queries.end(), values.begin(), values.end());
    made.queries.push_back({.ranked = RankLists(centroids, values), .neighbour_lists = {}});
  }
  NeighbourLists neighbours(queries, kWidth, sampled, 10);
  neighbours.Add(rows, 0, assignment, 1, stop);
  const auto lists = neighbours.Take();
  for (size_t i = 0; i < kQueries; ++i) made.queries[i].neighbour_lists = lists[i];
  return made;
}

struct Outcome {
  double recall = 0;
  double entries = 0;
};

Outcome Apply(const Calibration& calibration, const ProbeRule& rule) {
  Outcome outcome;
  for (const CalibrationQuery& query : calibration.queries) {
    const size_t probes = CountProbes(query.ranked, rule, 0);
    size_t hits = 0;
    for (size_t i = 0; i < probes; ++i) {
      outcome.entries += calibration.list_sizes[query.ranked[i].list];
      hits += static_cast<size_t>(
          std::count(query.neighbour_lists.begin(), query.neighbour_lists.end(), query.ranked[i].list));
    }
    outcome.recall += static_cast<double>(hits) / static_cast<double>(query.neighbour_lists.size());
  }
  outcome.recall /= static_cast<double>(calibration.queries.size());
  outcome.entries /= static_cast<double>(calibration.queries.size());
  return outcome;
}

TEST(Calibrate, ReachesTheTargetAtNearlyTheLeastCost) {
  const Calibration calibration = MakeCalibration();
  const auto lists = static_cast<uint32_t>(calibration.list_sizes.size());
  for (const double target : {0.5, 0.8, 0.9, 0.95, 0.99}) {
    const Outcome chosen = Apply(calibration, Calibrate(calibration.queries, calibration.list_sizes, target));
    EXPECT_GE(chosen.recall, target);

    // Every cap with a fine grid of gaps: nothing that reaches the target is much cheaper.
    double cheapest = std::numeric_limits<double>::infinity();
    for (uint32_t most = 1; most <= lists; ++most) {
      for (float gap = 0; gap < 60; gap += 1) {
        const Outcome outcome = Apply(calibration, {.gap = gap, .least = 1, .most = most});
        if (outcome.recall >= target) cheapest = std::min(cheapest, outcome.entries);
      }
    }
    EXPECT_LE(chosen.entries, 1.05 * cheapest) << target;
  }
}

TEST(Calibrate, WeighsListsByTheirSizes) {
  // The neighbours of the first query are in a near small list, of the second in a far huge one; half of them will do.
  const std::vector<CalibrationQuery> queries = {
      {.ranked = {{0, 1}, {1, 2}, {2, 9}}, .neighbour_lists = {1, 1}},
      {.ranked = {{0, 1}, {2, 4}, {1, 9}}, .neighbour_lists = {2, 2}},
  };
  const ProbeRule rule = Calibrate(queries, std::vector<uint32_t>{1, 1, 1000}, 0.5);
  EXPECT_EQ(CountProbes(queries[0].ranked, rule, 0), 2u);
  EXPECT_EQ(CountProbes(queries[1].ranked, rule, 0), 1u);
}

TEST(Calibrate, FindsEveryNeighbourWhenAskedTo) {
  const Calibration calibration = MakeCalibration();
  const ProbeRule rule = Calibrate(calibration.queries, calibration.list_sizes, 1.0);
  EXPECT_EQ(Apply(calibration, rule).recall, 1.0);
}

// 16777218 - 1 is no float: the gap must be rounded away from the neighbour's list.
TEST(Calibrate, RoundsTheGapUp) {
  const std::vector<CalibrationQuery> queries = {
      {.ranked = {{0, 1}, {1, 16777218}, {2, 3e7f}}, .neighbour_lists = {1}}};
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
                                                 {.ranked = ranked, .neighbour_lists = {0, 1}}};
  EXPECT_EQ(CountProbes(ranked, Calibrate(queries, std::vector<uint32_t>{5, 6, 7}, 1.0), 0), 2u);
}

}  // namespace
}  // namespace s3v

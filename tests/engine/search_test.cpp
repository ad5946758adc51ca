#include "engine/search.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <set>

#include "engine/small_index.h"
#include "format/names.h"
#include "support/faulty_store.h"

namespace s3v {
namespace {

using testing::Clustered;
using ::testing::ElementsAreArray;
using testing::IntegerKey;
using ::testing::IsEmpty;
using testing::KeysOf;
using ::testing::SizeIs;
using testing::SmallIndex;
using testing::SmallOptions;
using testing::Table;
using ::testing::UnorderedElementsAreArray;

std::unique_ptr<const Expression> Filter(const std::string& json) {
  static const FilterColumn kColumns[] = {{"n", ColumnKind::kNumber}};
  return Expression::Compile(json, kColumns, [](size_t, const std::string&, int64_t*) { return false; });
}

// Built once for each metric: 5,000 rows in 40 lists.
SmallIndex& Shared(Metric metric) {
  static std::map<Metric, std::unique_ptr<SmallIndex>> indexes;
  auto& index = indexes[metric];
  if (index == nullptr) {
    Table table = Clustered(5000, 32, 60, 1);
    index = std::make_unique<SmallIndex>(table, SmallOptions(table, metric, 40));
  }
  return *index;
}

const Table& Queries() {
  static const Table queries = Clustered(100, 32, 60, 2);
  return queries;
}

class SearchByMetric : public ::testing::TestWithParam<Metric> {};
INSTANTIATE_TEST_SUITE_P(All, SearchByMetric, ::testing::Values(Metric::kCosine, Metric::kL2, Metric::kInnerProduct));

TEST_P(SearchByMetric, DefaultRuleReachesItsRecallWithoutReadingAll) {
  SmallIndex& index = Shared(GetParam());
  double recall = 0;
  uint64_t scanned = 0;
  for (size_t q = 0; q < Queries().rows(); ++q) {
    Search search = index.Open(Queries().row(q), {.k = 10});
    const auto found = search.Next(10, index.stop);
    ASSERT_THAT(found, SizeIs(10));
    recall += testing::Overlap(KeysOf(found), index.Nearest(Queries().row(q), 10)) / 100;
    scanned += search.stats().entries_scanned;
  }
  EXPECT_GE(recall, 0.95);
  EXPECT_LT(scanned, 100 * 5000 / 2U);
}

TEST_P(SearchByMetric, AllListsGiveTheExactAnswerInOrder) {
  SmallIndex& index = Shared(GetParam());
  for (size_t q = 0; q < 20; ++q) {
    Search search = index.Open(Queries().row(q), {.k = 50, .probes = 40});
    EXPECT_THAT(KeysOf(search.Next(50, index.stop)), ElementsAreArray(index.Nearest(Queries().row(q), 50)));
    EXPECT_TRUE(search.stats().exhausted);
    EXPECT_EQ(search.stats().lists_probed, 40U);
    EXPECT_EQ(search.stats().entries_scanned, 5000U);
  }
}

TEST_P(SearchByMetric, LowerBoundsHoldAndAscendLikeTheScores) {
  SmallIndex& index = Shared(GetParam());
  Search search = index.Open(Queries().row(3), {.k = 200, .probes = 40});
  float last = -std::numeric_limits<float>::infinity();
  for (const Candidate& candidate : search.Next(200, index.stop)) {
    EXPECT_GE(candidate.score, last);
    last = candidate.score;
    size_t row = 0;
    for (const char c : candidate.key.substr(1)) row = row << 8 | static_cast<uint8_t>(c);
    const double exact = ExactDistance(GetParam(), Queries().row(3), index.table.row(row));
    EXPECT_LE(candidate.lower_bound, exact);
    EXPECT_NEAR(candidate.lower_bound, exact, 1e-3 * (1 + std::abs(exact)));
  }
}

// A few very long rows, nearly orthogonal to the query: their scores are off by more than the others' whole range.
TEST(Search, InnerProductBoundsAscendOverRowsOfAnyLength) {
  Table table = Clustered(2000, 32, 10, 7);
  std::vector<float> query(32, 0.0F);
  query[0] = 1;
  for (size_t i = 0; i < table.rows(); i += 50) {
    for (size_t j = 1; j < 32; ++j) table.vectors[i * 32 + j] *= 3e6F;
  }
  SmallIndex index(table, SmallOptions(table, Metric::kInnerProduct, 8));
  Search search = index.Open(query, {.k = 2000, .probes = 8});
  double last = -std::numeric_limits<double>::infinity();
  const auto all = search.Next(2000, index.stop);
  ASSERT_EQ(all.size(), 2000U);
  for (const Candidate& candidate : all) {
    EXPECT_GE(candidate.lower_bound, last);
    last = candidate.lower_bound;
    size_t row = 0;
    for (const char c : candidate.key.substr(1)) row = row << 8 | static_cast<uint8_t>(c);
    EXPECT_LE(candidate.lower_bound, ExactDistance(Metric::kInnerProduct, query, index.table.row(row)));
  }
}

// Pending inserts are in no list: they must not make a query read more.
TEST(Search, KeysThatAreNotThereCostNoLists) {
  SmallIndex& index = Shared(Metric::kL2);
  Search plain = index.Open(Queries().row(2), {.k = 10});
  plain.Next(10, index.stop);
  KeySet pending;
  for (int64_t i = 0; i < 4000; ++i) pending.insert(IntegerKey(1000000 + i));
  Search beside = index.Open(Queries().row(2), {.k = 10, .without = &pending});
  beside.Next(10, index.stop);
  EXPECT_EQ(beside.stats().lists_probed, plain.stats().lists_probed);
}

TEST_P(SearchByMetric, FilteredAnswersAreExactOnceAllIsRead) {
  SmallIndex& index = Shared(GetParam());
  const std::pair<const char*, std::function<bool(size_t)>> cases[] = {
      {R"({"n": {"$lt": 2500}})", [](size_t row) { return row % 7 != 0 && row < 2500; }},
      {R"({"n": {"$lt": 50}})", [](size_t row) { return row % 7 != 0 && row < 50; }},
      {R"({"n": {"$exists": false}})", [](size_t row) { return row % 7 == 0; }},
      {R"({"n": 17})", [](size_t row) { return row == 17; }},
      {R"({"n": -1})", [](size_t) { return false; }},
  };
  for (const auto& [json, passes] : cases) {
    const auto filter = Filter(json);
    Search search = index.Open(Queries().row(5), {.k = 10, .filter = filter.get()});
    search.Next(0, index.stop);
    while (search.Widen(index.stop)) {
    }
    EXPECT_TRUE(search.stats().exhausted);
    EXPECT_THAT(KeysOf(search.Next(10, index.stop)), ElementsAreArray(index.Nearest(Queries().row(5), 10, passes)))
        << json;
  }
}

TEST_P(SearchByMetric, FiltersDoNotCostRecall) {
  SmallIndex& index = Shared(GetParam());
  for (const int64_t below : {2500, 500, 50}) {
    const auto filter = Filter(R"({"n": {"$lt": )" + std::to_string(below) + "}}");
    const auto passes = [&](size_t row) { return row % 7 != 0 && row < static_cast<size_t>(below); };
    double recall = 0;
    for (size_t q = 0; q < 40; ++q) {
      Search search = index.Open(Queries().row(q), {.k = 10, .filter = filter.get()});
      recall += testing::Overlap(KeysOf(search.Next(10, index.stop)), index.Nearest(Queries().row(q), 10, passes)) / 40;
      const SearchStats& stats = search.stats();
      EXPECT_TRUE(stats.exhausted || stats.entries_matched >= 100) << stats.entries_matched;
    }
    EXPECT_GE(recall, 0.95) << below;
  }
}

TEST(Search, OneWaveWithoutFilterNoMetadataRead) {
  SmallIndex& index = Shared(Metric::kL2);
  const StoreCounters before = index.store->counters();
  Search search = index.Open(Queries().row(0), {.k = 10, .probes = 3});
  search.Next(10, index.stop);
  const StoreCounters after = index.store->counters();
  EXPECT_EQ(after.waves - before.waves, 1U);
  EXPECT_EQ(search.stats().lists_probed, 3U);
}

TEST(Search, InFlightBytesSplitIntoWaves) {
  SmallIndex& index = Shared(Metric::kL2);
  const StoreCounters before = index.store->counters();
  Search search = index.Open(Queries().row(0), {.k = 10, .probes = 40, .in_flight_bytes = 64 * 1024});
  EXPECT_THAT(KeysOf(search.Next(10, index.stop)), ElementsAreArray(index.Nearest(Queries().row(0), 10)));
  // 5,000 entries of 140 bytes.
  EXPECT_GE(index.store->counters().waves - before.waves, 10U);
}

TEST(Search, OnlyTheseKeys) {
  SmallIndex& index = Shared(Metric::kL2);
  const KeySet only = {IntegerKey(3), IntegerKey(77), IntegerKey(4999), IntegerKey(1000000)};
  const auto passes = [](size_t row) { return row == 3 || row == 77 || row == 4999; };
  Search search = index.Open(Queries().row(0), {.k = 10, .only = &only});
  EXPECT_THAT(KeysOf(search.Next(10, index.stop)), ElementsAreArray(index.Nearest(Queries().row(0), 10, passes)));
  EXPECT_TRUE(search.stats().exhausted) << "a key that no entry has could be anywhere";

  // All of them found: no need to read on.
  const std::string nearest = index.Nearest(Queries().row(0), 1)[0];
  const KeySet one = {nearest};
  Search quick = index.Open(Queries().row(0), {.k = 10, .only = &one});
  EXPECT_THAT(KeysOf(quick.Next(10, index.stop)), ::testing::ElementsAre(nearest));
  EXPECT_FALSE(quick.stats().exhausted);

  const KeySet none;
  Search empty = index.Open(Queries().row(0), {.k = 10, .only = &none});
  EXPECT_THAT(empty.Next(10, index.stop), IsEmpty());
}

TEST(Search, WithoutTheseKeys) {
  SmallIndex& index = Shared(Metric::kCosine);
  const auto nearest = index.Nearest(Queries().row(1), 30);
  const KeySet without(nearest.begin(), nearest.begin() + 20);
  Search search = index.Open(Queries().row(1), {.k = 10, .probes = 40, .without = &without});
  EXPECT_THAT(KeysOf(search.Next(10, index.stop)),
              ElementsAreArray(std::vector<std::string>(nearest.begin() + 20, nearest.end())));

  KeySet all;
  for (int64_t i = 0; i < 5000; ++i) all.insert(IntegerKey(i));
  Search nothing = index.Open(Queries().row(1), {.k = 10, .without = &all});
  EXPECT_THAT(nothing.Next(10, index.stop), IsEmpty());
  EXPECT_TRUE(nothing.stats().exhausted);
}

TEST(Search, FilterAndBothKeySetsTogether) {
  SmallIndex& index = Shared(Metric::kL2);
  const auto filter = Filter(R"({"n": {"$lt": 1000}})");
  KeySet only, without;
  for (int64_t i = 0; i < 5000; i += 2) only.insert(IntegerKey(i));
  for (int64_t i = 0; i < 5000; i += 3) without.insert(IntegerKey(i));
  Search search = index.Open(Queries().row(2),
                             {.k = 500, .probes = 40, .filter = filter.get(), .only = &only, .without = &without});
  const auto passes = [](size_t row) { return row % 7 != 0 && row < 1000 && row % 2 == 0 && row % 3 != 0; };
  EXPECT_THAT(KeysOf(search.Next(5000, index.stop)), ElementsAreArray(index.Nearest(Queries().row(2), 5000, passes)));
}

TEST(Search, FewerThanKWidens) {
  SmallIndex& index = Shared(Metric::kL2);
  Search search = index.Open(Queries().row(0), {.k = 3000, .probes = 1});
  EXPECT_THAT(search.Next(3000, index.stop), SizeIs(3000));
  Search everything = index.Open(Queries().row(0), {.k = 1000000});
  EXPECT_THAT(everything.Next(1000000, index.stop), SizeIs(5000));
  EXPECT_TRUE(everything.stats().exhausted);
}

// Far more is asked for than was kept: nothing is lost, nothing comes twice, order holds.
TEST(Search, CandidatesBeyondThoseKept) {
  SmallIndex& index = Shared(Metric::kL2);
  for (const size_t step : {1U, 7U, 500U}) {
    Search search = index.Open(Queries().row(4), {.k = 1, .probes = 40});
    std::set<std::string> keys;
    float last = 0;
    for (;;) {
      const auto found = search.Next(step, index.stop);
      for (const Candidate& candidate : found) {
        EXPECT_GE(candidate.score, last);
        EXPECT_TRUE(keys.insert(candidate.key).second) << "came twice";
        last = candidate.score;
      }
      if (found.size() < step) break;
    }
    EXPECT_THAT(keys, SizeIs(5000)) << step;
    EXPECT_EQ(search.stats().entries_scanned, 5000U) << "a second reading counts once";
  }
}

TEST(Search, WideningLosesNothingAndRepeatsNothing) {
  SmallIndex& index = Shared(Metric::kL2);
  Search search = index.Open(Queries().row(6), {.k = 3, .probes = 1});
  std::multiset<std::string> keys;
  do {
    for (;;) {
      const auto found = search.Next(40, index.stop);
      if (found.empty()) break;
      EXPECT_TRUE(std::is_sorted(found.begin(), found.end(),
                                 [](const Candidate& a, const Candidate& b) { return a.score < b.score; }));
      for (const Candidate& candidate : found) keys.insert(candidate.key);
      if (keys.size() % 3 == 0) break;  // widen while some are still kept
    }
  } while (search.Widen(index.stop));
  for (auto found = search.Next(100, index.stop); !found.empty(); found = search.Next(100, index.stop)) {
    for (const Candidate& candidate : found) keys.insert(candidate.key);
  }
  EXPECT_THAT(keys, SizeIs(5000));
  EXPECT_EQ(std::set<std::string>(keys.begin(), keys.end()).size(), 5000U);
}

TEST(Search, BudgetStopsBeforeItIsExceeded) {
  SmallIndex& index = Shared(Metric::kL2);
  const uint64_t before = index.store->counters().bytes_read;
  index.store->coalesce_gap = 0;
  Search search = index.Open(Queries().row(0), {.k = 10, .probes = 40, .max_bytes = 100000});
  EXPECT_THAT(search.Next(10, index.stop), SizeIs(10));
  index.store->coalesce_gap = 64 * 1024;
  EXPECT_LE(index.store->counters().bytes_read - before, 100000U);
  EXPECT_TRUE(search.stats().budget_reached);
  EXPECT_FALSE(search.stats().exhausted);
  EXPECT_LT(search.stats().lists_probed, 40U);
  EXPECT_FALSE(search.Widen(index.stop));

  Search tiny = index.Open(Queries().row(0), {.k = 10, .max_bytes = 1});
  EXPECT_THAT(tiny.Next(10, index.stop), IsEmpty());
  EXPECT_TRUE(tiny.stats().budget_reached);
}

TEST(Search, BadQueriesAreRefused) {
  SmallIndex& index = Shared(Metric::kL2);
  std::vector<float> query(31);
  EXPECT_THROW(index.Open(query, {}), Error);
  query.assign(32, std::numeric_limits<float>::quiet_NaN());
  EXPECT_THROW(index.Open(query, {}), Error);
}

TEST(Search, FilterNeedsMetadata) {
  const Table table = Clustered(10, 4, 2, 1);
  BuildOptions options = SmallOptions(table, Metric::kL2, 1);
  options.metadata_columns.clear();
  SmallIndex index(table, options);
  const auto filter = Filter(R"({"n": 1})");
  EXPECT_THROW(index.Open(table.row(0), {.filter = filter.get()}), Error);
}

TEST(Search, CancelAtEveryPoll) {
  SmallIndex& index = Shared(Metric::kL2);
  const auto filter = Filter(R"({"n": {"$lt": 100}})");
  int polls = 0;
  for (;; ++polls) {
    testing::StopAtPoll stop(polls);
    Search search = index.Open(Queries().row(0), {.k = 10, .filter = filter.get()});
    try {
      EXPECT_THAT(search.Next(10, stop), SizeIs(10));
      break;
    } catch (const Error& error) {
      ASSERT_EQ(error.code(), Code::kCancelled);
    }
  }
  EXPECT_GT(polls, 5);
}

TEST(Search, FailureAtEveryCallIsAnError) {
  SmallIndex& index = Shared(Metric::kL2);
  testing::FaultyStore store(index.store.get());
  int n = 0;
  for (;; ++n) {
    store.FailingAt(store.calls() + n);
    Search search(index.navigation, Queries().row(0), {.k = 5000, .probes = 1}, store);
    try {
      EXPECT_THAT(search.Next(5000, index.stop), SizeIs(5000));
      break;
    } catch (const Error& error) {
      ASSERT_EQ(error.code(), Code::kUnavailable);
    }
  }
  EXPECT_GT(n, 0);
}

TEST(Search, MissingSegmentIsSaid) {
  const Table table = Clustered(200, 8, 4, 1);
  SmallIndex index(table, SmallOptions(table, Metric::kL2, 4));
  const ObjectKey segment = SegmentKey(index.built.manifest.index, index.built.manifest.segments[0].id);
  index.store->Delete({&segment, 1}, index.stop);
  Search search = index.Open(table.row(0), {.k = 1});
  try {
    search.Next(1, index.stop);
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), Code::kObjectMissing);
  }
}

}  // namespace
}  // namespace s3v

#include "engine/search.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
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
    const auto found = index.Answer(search, 10);
    ASSERT_THAT(found, SizeIs(10));
    recall += testing::Overlap(found, index.Nearest(Queries().row(q), 10)) / 100;
    scanned += search.stats().entries_scanned;
  }
  EXPECT_GE(recall, 0.95);
  EXPECT_LT(scanned, 100 * 5000 / 2U);
}

TEST_P(SearchByMetric, AllListsGiveTheExactAnswerInOrder) {
  SmallIndex& index = Shared(GetParam());
  for (size_t q = 0; q < 20; ++q) {
    Search search = index.Open(Queries().row(q), {.k = 50, .probes = 40});
    EXPECT_THAT(index.Answer(search, 50), ElementsAreArray(index.Nearest(Queries().row(q), 50)));
    EXPECT_TRUE(search.stats().exhausted);
    EXPECT_EQ(search.stats().lists_probed, 40U);
    EXPECT_EQ(search.stats().entries_scanned, 5000U);
  }
}

// Bounds hold as often as 1.9 standard deviations say (97 of 100), and estimates are as near as their bounds tell.
void ExpectBounds(SmallIndex& index, std::span<const float> query, const std::vector<Candidate>& all) {
  double last = -std::numeric_limits<double>::infinity();
  size_t violations = 0;
  size_t far = 0;
  for (const Candidate& candidate : all) {
    EXPECT_GE(candidate.lower_bound, last);
    last = candidate.lower_bound;
    const double exact = ExactDistance(index.metric, query, index.table.row(SmallIndex::RowOf(candidate.key)));
    EXPECT_LE(candidate.lower_bound, candidate.estimate);
    violations += candidate.lower_bound > exact ? 1 : 0;
    far += std::abs(candidate.estimate - exact) > 2 * (candidate.estimate - candidate.lower_bound) ? 1 : 0;
  }
  EXPECT_LE(static_cast<double>(violations), 0.05 * static_cast<double>(all.size()));
  EXPECT_LE(static_cast<double>(far), 0.01 * static_cast<double>(all.size()));
}

TEST_P(SearchByMetric, LowerBoundsHoldAndAscend) {
  SmallIndex& index = Shared(GetParam());
  Search search = index.Open(Queries().row(3), {.k = 2000, .probes = 40});
  const auto all = search.Next(2000, index.stop);
  ASSERT_THAT(all, SizeIs(2000));
  ExpectBounds(index, Queries().row(3), all);
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
  const auto all = search.Next(2000, index.stop);
  ASSERT_EQ(all.size(), 2000U);
  ExpectBounds(index, query, all);
  Search ten = index.Open(query, {.k = 10, .probes = 8});
  const auto nearest = index.Nearest(query, 10);
  size_t found = 0;
  for (const auto& key : index.Answer(ten, 10)) found += std::ranges::count(nearest, key);
  EXPECT_GE(found, 9U);  // bounds of two deviations may lose one
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
    EXPECT_THAT(index.Answer(search, 10), ElementsAreArray(index.Nearest(Queries().row(5), 10, passes))) << json;
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
      recall += testing::Overlap(index.Answer(search, 10), index.Nearest(Queries().row(q), 10, passes)) / 40;
      const SearchStats& stats = search.stats();
      EXPECT_TRUE(stats.exhausted || stats.entries_matched >= 10) << stats.entries_matched;
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
  Search search = index.Open(Queries().row(0), {.k = 10, .probes = 40, .in_flight_bytes = 16 * 1024});
  EXPECT_THAT(index.Answer(search, 10), ElementsAreArray(index.Nearest(Queries().row(0), 10)));
  // 5,000 entries of 56 bytes.
  EXPECT_GE(index.store->counters().waves - before.waves, 10U);
}

TEST(Search, OnlyTheseKeys) {
  SmallIndex& index = Shared(Metric::kL2);
  const KeySet only = {IntegerKey(3), IntegerKey(77), IntegerKey(4999), IntegerKey(1000000)};
  const auto passes = [](size_t row) { return row == 3 || row == 77 || row == 4999; };
  Search search = index.Open(Queries().row(0), {.k = 10, .only = &only});
  EXPECT_THAT(index.Answer(search, 10), ElementsAreArray(index.Nearest(Queries().row(0), 10, passes)));
  EXPECT_TRUE(search.stats().exhausted) << "a key that no entry has could be anywhere";

  // All of them found: no need to read on.
  const std::string nearest = index.Nearest(Queries().row(0), 1)[0];
  const KeySet one = {nearest};
  Search quick = index.Open(Queries().row(0), {.k = 10, .only = &one});
  EXPECT_THAT(index.Answer(quick, 10), ::testing::ElementsAre(nearest));
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
  EXPECT_THAT(index.Answer(search, 10),
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
  EXPECT_THAT(index.Answer(search, 5000), ElementsAreArray(index.Nearest(Queries().row(2), 5000, passes)));
}

TEST(Search, FewerThanKWidens) {
  SmallIndex& index = Shared(Metric::kL2);
  Search search = index.Open(Queries().row(0), {.k = 3000, .probes = 1});
  EXPECT_THAT(search.Next(3000, index.stop), SizeIs(3000));
  Search everything = index.Open(Queries().row(0), {.k = 1000000});
  EXPECT_THAT(everything.Next(1000000, index.stop), SizeIs(5000));
  EXPECT_TRUE(everything.stats().exhausted);
}

// Far more is asked for than was kept: nothing is lost, nothing comes twice.
TEST(Search, CandidatesBeyondThoseKept) {
  SmallIndex& index = Shared(Metric::kL2);
  for (const size_t step : {1U, 7U, 500U}) {
    Search search = index.Open(Queries().row(4), {.k = 1, .probes = 40});
    std::set<std::string> keys;
    for (;;) {
      const auto found = search.Next(step, index.stop);
      for (const Candidate& candidate : found) {
        EXPECT_TRUE(keys.insert(candidate.key).second) << "came twice";
      }
      if (found.size() < step) break;
    }
    EXPECT_THAT(keys, SizeIs(5000)) << step;
    EXPECT_EQ(search.stats().entries_scanned, 5000U) << "a second reading counts once";
  }
}

// Many queries are one search: each answers as it would alone, and no list is read twice.
TEST(Search, ManyQueriesReadEachListOnce) {
  SmallIndex& index = Shared(Metric::kL2);
  std::vector<float> queries(Queries().vectors.begin(), Queries().vectors.begin() + 20 * 32);
  const StoreCounters before = index.store->counters();
  Search many = index.Open(queries, {.k = 10});
  ASSERT_EQ(many.query_count(), 20U);
  std::vector<std::vector<std::string>> answers;
  for (size_t q = 0; q < 20; ++q) answers.push_back(index.Answer(many, 10, true, q));
  EXPECT_EQ(index.store->counters().waves - before.waves, 1U);
  const uint64_t bytes = index.store->counters().bytes_read - before.bytes_read;
  uint64_t size = 0;
  for (const ObjectName& segment : index.built.manifest.segments) size += segment.length;
  EXPECT_LE(bytes, size);
  uint64_t alone = 0;
  for (size_t q = 0; q < 20; ++q) {
    Search one = index.Open(Queries().row(q), {.k = 10});
    EXPECT_EQ(answers[q], index.Answer(one, 10)) << q;
    alone += one.stats().entries_scanned;
  }
  EXPECT_EQ(many.stats().entries_scanned, alone);
}

TEST(Search, WideningLosesNothingAndRepeatsNothing) {
  SmallIndex& index = Shared(Metric::kL2);
  Search search = index.Open(Queries().row(6), {.k = 3, .probes = 1});
  std::multiset<std::string> keys;
  do {
    for (;;) {
      const auto found = search.Next(40, index.stop);
      if (found.empty()) break;
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
  Search search = index.Open(Queries().row(0), {.k = 10, .probes = 40, .max_bytes = 50000});
  EXPECT_THAT(search.Next(10, index.stop), SizeIs(10));
  index.store->coalesce_gap = 64 * 1024;
  EXPECT_LE(index.store->counters().bytes_read - before, 50000U);
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

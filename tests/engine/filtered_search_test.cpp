// What a filter reads, and what it finds: rows that pass at random, near the query, far from it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <numeric>

#include "engine/changing_store.h"
#include "engine/search.h"
#include "engine/small_index.h"

namespace s3v {
namespace {

using testing::ChangingStore;
using testing::Clustered;
using ::testing::ElementsAreArray;
using testing::IntegerKey;
using ::testing::IsEmpty;
using testing::MetadataWriter;
using ::testing::SizeIs;
using testing::SmallIndex;
using testing::SmallOptions;
using testing::Table;

constexpr size_t kRows = 12'000;
constexpr size_t kLists = 60;
constexpr size_t kAnchors = 3;  // rows; the columns a0, a1 and a2 are the ranks of all rows by their distance to these

// Ranks of all rows by their distance to one of them.
std::vector<int64_t> RanksFrom(const Table& table, size_t anchor) {
  std::vector<double> distances;
  for (size_t i = 0; i < table.rows(); ++i)
    distances.push_back(ExactDistance(Metric::kL2, table.row(anchor), table.row(i)));
  std::vector<size_t> order(table.rows());
  std::iota(order.begin(), order.end(), 0);
  std::ranges::sort(order, {}, [&](size_t i) { return distances[i]; });
  std::vector<int64_t> ranks(table.rows());
  for (size_t rank = 0; rank < order.size(); ++rank) ranks[order[rank]] = static_cast<int64_t>(rank);
  return ranks;
}

struct Filtered {
  Table table = Clustered(kRows, 24, 90, 7);
  std::vector<int64_t> random;
  std::vector<std::vector<int64_t>> ranks;
  std::unique_ptr<SmallIndex> index;

  explicit Filtered(Metric metric) {
    Random numbers(5);
    for (size_t i = 0; i < kRows; ++i) random.push_back(static_cast<int64_t>(numbers.Below(kRows)));
    for (size_t anchor = 0; anchor < kAnchors; ++anchor) ranks.push_back(RanksFrom(table, 1000 * anchor));
    BuildOptions options = SmallOptions(table, metric, kLists);
    options.metadata_columns = {"r", "a0", "a1", "a2", "text"};
    index = std::make_unique<SmallIndex>(table, options, [&](size_t row) {
      MetadataWriter writer;
      writer.Integer(random[row]);
      for (const auto& of_anchor : ranks) writer.Integer(of_anchor[row]);
      return writer.Text("row " + std::to_string(row)).row();
    });
  }
};

Filtered& Shared(Metric metric = Metric::kL2) {
  static std::map<Metric, std::unique_ptr<Filtered>> all;
  if (all[metric] == nullptr) all[metric] = std::make_unique<Filtered>(metric);
  return *all[metric];
}

std::unique_ptr<const Expression> Compile(const std::string& json) {
  static const FilterColumn kColumns[] = {{"r", ColumnKind::kNumber},
                                          {"a0", ColumnKind::kNumber},
                                          {"a1", ColumnKind::kNumber},
                                          {"a2", ColumnKind::kNumber},
                                          {"text", ColumnKind::kText}};
  return Expression::Compile(json, kColumns, [](size_t, const std::string&, int64_t*) { return false; });
}

std::string Below(const std::string& column, size_t limit) {
  return "{\"" + column + "\": {\"$lt\": " + std::to_string(limit) + "}}";
}

const Table& Queries() {
  static const Table queries = Clustered(60, 24, 90, 8);
  return queries;
}

class FilteredByMetric : public ::testing::TestWithParam<Metric> {};
INSTANTIATE_TEST_SUITE_P(All, FilteredByMetric, ::testing::Values(Metric::kCosine, Metric::kL2, Metric::kInnerProduct));

// Mean recall@10 over the queries, and that no answer is short.
double RecallOf(Filtered& filtered, const std::string& json, const std::function<bool(size_t)>& passes) {
  const auto filter = Compile(json);
  double recall = 0;
  for (size_t q = 0; q < Queries().rows(); ++q) {
    Search search = filtered.index->Open(Queries().row(q), {.k = 10, .filter = filter.get()});
    const auto truth = filtered.index->Nearest(Queries().row(q), 10, passes);
    const auto found = filtered.index->Answer(search, 10);
    EXPECT_THAT(found, SizeIs(truth.size())) << json;
    recall += testing::Overlap(found, truth) / static_cast<double>(Queries().rows());
  }
  return recall;
}

TEST_P(FilteredByMetric, RandomFiltersDoNotCostRecall) {
  Filtered& filtered = Shared(GetParam());
  for (const size_t share : {2, 10, 100, 1000}) {
    const size_t limit = kRows / share;
    const auto passes = [&](size_t row) { return filtered.random[row] < static_cast<int64_t>(limit); };
    EXPECT_GE(RecallOf(filtered, Below("r", limit), passes), 0.95) << share;
  }
}

TEST_P(FilteredByMetric, FiltersNearAnAnchorDoNotCostRecall) {
  Filtered& filtered = Shared(GetParam());
  for (size_t anchor = 0; anchor < kAnchors; ++anchor) {
    for (const size_t share : {2, 10, 100}) {
      const size_t limit = kRows / share;
      const auto passes = [&](size_t row) { return filtered.ranks[anchor][row] < static_cast<int64_t>(limit); };
      EXPECT_GE(RecallOf(filtered, Below("a" + std::to_string(anchor), limit), passes), 0.95) << anchor << " " << share;
    }
  }
}

TEST_P(FilteredByMetric, FiltersFarFromAnAnchorDoNotCostRecall) {
  Filtered& filtered = Shared(GetParam());
  for (const size_t share : {2, 10, 100}) {
    const size_t limit = kRows - kRows / share;
    const auto passes = [&](size_t row) { return filtered.ranks[0][row] >= static_cast<int64_t>(limit); };
    const std::string json = R"({"a0": {"$gte": )" + std::to_string(limit) + "}}";
    EXPECT_GE(RecallOf(filtered, json, passes), 0.95) << share;
  }
}

// The 120 rows nearest to an anchor lie in few lists, and summaries say so.
TEST(FilteredSearch, ListsThatCannotMatchAreNotRead) {
  Filtered& filtered = Shared();
  const auto filter = Compile(Below("a1", 120));
  const StoreCounters before = filtered.index->store->counters();
  Search search = filtered.index->Open(Queries().row(0), {.k = 200, .filter = filter.get()});
  const auto passes = [&](size_t row) { return filtered.ranks[1][row] < 120; };
  EXPECT_THAT(filtered.index->Answer(search, 200),
              ElementsAreArray(filtered.index->Nearest(Queries().row(0), 200, passes)));
  EXPECT_TRUE(search.stats().exhausted);
  EXPECT_LT(search.stats().lists_probed, kLists / 3);
  const uint64_t bytes = filtered.index->store->counters().bytes_read - before.bytes_read;
  uint64_t all = 0;
  for (const Piece& piece : filtered.index->navigation->pieces) all += piece.scan_length + piece.extension_length;
  EXPECT_LT(bytes, all / 3);
}

TEST(FilteredSearch, WhatNothingMatchesReadsNothing) {
  Filtered& filtered = Shared();
  const auto filter = Compile(R"({"$or": [{"r": -1}, {"text": {"$startsWith": "s"}}]})");
  const StoreCounters before = filtered.index->store->counters();
  Search search = filtered.index->Open(Queries().row(0), {.k = 10, .filter = filter.get()});
  EXPECT_THAT(filtered.index->Answer(search, 10), IsEmpty());
  EXPECT_TRUE(search.stats().exhausted);
  EXPECT_EQ(filtered.index->store->counters().get_requests, before.get_requests);
}

// Neither other lists nor columns: the same requests as without a filter.
TEST(FilteredSearch, WhatEverythingMatchesCostsWhatNoFilterDoes) {
  Filtered& filtered = Shared();
  const auto filter = Compile(R"({"$and": [{"r": {"$gte": 0}}, {"text": {"$exists": true}}]})");
  for (size_t q = 0; q < 20; ++q) {
    const auto ask = [&](const Expression* with) {
      const StoreCounters before = filtered.index->store->counters();
      Search search = filtered.index->Open(Queries().row(q), {.k = 10, .filter = with});
      auto keys = filtered.index->Answer(search, 10);
      const StoreCounters after = filtered.index->store->counters();
      return std::tuple(keys, after.get_requests - before.get_requests, after.bytes_read - before.bytes_read,
                        search.stats().lists_probed);
    };
    EXPECT_EQ(ask(filter.get()), ask(nullptr)) << q;
  }
}

// Of 12 rows at random: columns tell which lists are worth their codes.
TEST(FilteredSearch, RareMatchesAreLookedForInColumnsFirst) {
  Filtered& filtered = Shared();
  const auto filter = Compile(Below("r", 12));
  std::vector<bool> has_any(kLists);
  const auto passes = [&](size_t row) { return filtered.random[row] < 12; };
  for (size_t q = 0; q < 10; ++q) {
    ChangingStore store(*filtered.index->store, nullptr);
    Search search(filtered.index->navigation, Queries().row(q), {.k = 100, .filter = filter.get()}, store);
    filtered.index->opened.assign(Queries().row(q).begin(), Queries().row(q).end());
    const auto truth = filtered.index->Nearest(Queries().row(q), 100, passes);
    EXPECT_THAT(filtered.index->Answer(search, 100), ElementsAreArray(truth));
    EXPECT_EQ(store.waves, 2);
    EXPECT_LE(search.stats().lists_probed, truth.size());
    EXPECT_EQ(search.stats().entries_matched, truth.size());
  }
}

TEST(FilteredSearch, FewWavesWhateverIsAsked) {
  Filtered& filtered = Shared();
  for (const std::string& json : {Below("r", 6000), Below("r", 600), Below("r", 60), Below("r", 6), Below("a0", 6000),
                                  Below("a1", 600), Below("a2", 60), std::string(R"({"a0": {"$gte": 11000}})"),
                                  std::string(R"({"text": {"$in": ["row 5", "row 77", "row 9000"]}})"),
                                  std::string(R"({"text": {"$startsWith": "row 11"}})")}) {
    const auto filter = Compile(json);
    int waves = 0;
    for (size_t q = 0; q < Queries().rows(); ++q) {
      ChangingStore store(*filtered.index->store, nullptr);
      Search search(filtered.index->navigation, Queries().row(q), {.k = 10, .filter = filter.get()}, store);
      search.Next(10, filtered.index->stop);
      EXPECT_LE(store.waves, 4) << json;
      waves += store.waves;
    }
    EXPECT_LE(waves, 3 * static_cast<double>(Queries().rows())) << json;
  }
}

// Keys that all lie far away.
TEST(FilteredSearch, KeysFarAwayAreFound) {
  Filtered& filtered = Shared();
  for (const int64_t count : {100, 1000, 6000}) {
    KeySet only;
    for (size_t row = 0; row < kRows; ++row) {
      if (filtered.ranks[2][row] < count) only.insert(IntegerKey(static_cast<int64_t>(row)));
    }
    const auto passes = [&](size_t row) { return filtered.ranks[2][row] < count; };
    double recall = 0;
    for (size_t q = 0; q < Queries().rows(); ++q) {
      Search search = filtered.index->Open(Queries().row(q), {.k = 10, .only = &only});
      const auto found = filtered.index->Answer(search, 10);
      EXPECT_THAT(found, SizeIs(10));
      recall += testing::Overlap(found, filtered.index->Nearest(Queries().row(q), 10, passes)) / 60;
    }
    EXPECT_GE(recall, 0.95) << count;
  }
}

TEST(FilteredSearch, ABudgetStopsColumnsToo) {
  Filtered& filtered = Shared();
  const auto filter = Compile(Below("r", 12));
  const StoreCounters before = filtered.index->store->counters();
  Search search = filtered.index->Open(Queries().row(0), {.k = 10, .max_bytes = 2000, .filter = filter.get()});
  EXPECT_THAT(search.Next(10, filtered.index->stop), IsEmpty());
  EXPECT_TRUE(search.stats().budget_reached);
  EXPECT_LE(filtered.index->store->counters().bytes_read - before.bytes_read, 2000U);
}

TEST(FilteredSearch, DamagedColumnsHealOrAreAnError) {
  Filtered& filtered = Shared();
  const auto passes = [&](size_t row) { return filtered.random[row] < 12; };
  const auto filter = Compile(Below("r", 12));
  const auto truth = filtered.index->Nearest(Queries().row(3), 10, passes);
  ChangingStore healing(*filtered.index->store, testing::FlipFirst(3, 11));
  Search search(filtered.index->navigation, Queries().row(3), {.k = 10, .filter = filter.get()}, healing);
  filtered.index->opened.assign(Queries().row(3).begin(), Queries().row(3).end());
  EXPECT_THAT(filtered.index->Answer(search, 10), ElementsAreArray(truth));

  ChangingStore lasting(*filtered.index->store, testing::FlipFirst(1 << 20, 11));
  Search broken(filtered.index->navigation, Queries().row(3), {.k = 10, .filter = filter.get()}, lasting);
  try {
    broken.Next(10, filtered.index->stop);
    FAIL() << "damage went unnoticed";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), Code::kCorrupted);
    EXPECT_THAT(error.message(), ::testing::HasSubstr("segment/"));
  }
}

// Each list is read once for all, and each answers as if asked alone.
TEST(FilteredSearch, ManyQueriesShareWhatTheyRead) {
  Filtered& filtered = Shared();
  const auto filter = Compile(Below("a1", 1200));
  const size_t dimensions = Queries().dimensions;
  const std::span<const float> together = std::span(Queries().vectors).first(8 * dimensions);
  Search many = filtered.index->Open(together, {.k = 10, .filter = filter.get()});
  std::vector<std::vector<std::string>> answers;
  for (size_t q = 0; q < 8; ++q) answers.push_back(filtered.index->Answer(many, 10, true, q));
  for (size_t q = 0; q < 8; ++q) {
    Search alone = filtered.index->Open(Queries().row(q), {.k = 10, .filter = filter.get()});
    EXPECT_GE(testing::Overlap(answers[q], filtered.index->Answer(alone, 10)), 0.9) << q;
  }
}

}  // namespace
}  // namespace s3v

#include "engine/update.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "engine/build_plan.h"
#include "engine/living_index.h"

namespace s3v {
namespace {

using testing::Clustered;
using testing::IntegerKey;
using testing::LivingIndex;
using testing::Table;

std::string KeyOf(KeyKind kind, uint64_t number) {
  if (kind == KeyKind::kInteger) return IntegerKey(static_cast<int64_t>(number));
  if (kind == KeyKind::kUuid) return std::string(8, '\3') + IntegerKey(static_cast<int64_t>(number * 7919));
  return "key " + std::to_string(number * number % 1000003) + std::string(number % 13, 'x');
}

Bytes MetadataRow(uint64_t number, bool has_metadata) {
  if (!has_metadata) return {};
  testing::MetadataWriter row;
  row.Text("row " + std::string(number % 40, 'm') + std::to_string(number));
  row.Text("a category of some length " + std::to_string(number % 20));
  if (number % 5 == 0) {
    row.Null();
  } else {
    row.Time(static_cast<int64_t>(number) * 86'400'000'000);
  }
  row.List(static_cast<uint32_t>(number % 3));
  for (uint64_t i = 0; i < number % 3; ++i) row.Integer(static_cast<int64_t>(i));
  return row.row();
}

LivingIndex::Row RowOf(const Table& table, size_t i, bool has_metadata = false) {
  return {{table.row(i).begin(), table.row(i).end()}, MetadataRow(i, has_metadata)};
}

BuildOptions Options(size_t dimensions, Metric metric = Metric::kL2) {
  BuildOptions options;
  options.index = {7, 7};
  options.metric = metric;
  options.dimensions = dimensions;
  options.key_kind = KeyKind::kInteger;
  return options;
}

std::map<std::string, LivingIndex::Row> Rows(const Table& table, const BuildOptions& options, size_t first,
                                             size_t count) {
  std::map<std::string, LivingIndex::Row> rows;
  for (size_t i = first; i < first + count; ++i)
    rows[KeyOf(options.key_kind, i)] = RowOf(table, i, !options.metadata_columns.empty());
  return rows;
}

TEST(Update, NothingChangedWritesNothing) {
  const Table table = Clustered(500, 8, 5, 1);
  LivingIndex index(Options(8), Rows(table, Options(8), 0, 500));
  EXPECT_FALSE(index.Sync().is_changed);
  index.changed = {IntegerKey(1000), IntegerKey(-5)};  // neither in the source nor in the index
  const UpdateResult result = index.Sync();
  EXPECT_FALSE(result.is_changed);
  EXPECT_EQ(result.rows_removed + result.rows_put + result.built.bytes_written, 0U);
  EXPECT_FALSE(index.Sync(true).is_changed) << "as a build left it";
}

TEST(Update, CountsRowsPutAndRemoved) {
  const Table table = Clustered(600, 8, 5, 1);
  LivingIndex index(Options(8), Rows(table, Options(8), 0, 500));
  for (size_t i = 490; i < 510; ++i) index.Put(IntegerKey(static_cast<int64_t>(i)), RowOf(table, i + 50));
  for (size_t i = 0; i < 5; ++i) index.Remove(IntegerKey(static_cast<int64_t>(i)));
  index.changed.insert(IntegerKey(10000));
  const UpdateResult result = index.Sync();
  EXPECT_TRUE(result.is_changed);
  EXPECT_EQ(result.rows_put, 20U);
  EXPECT_EQ(result.rows_removed, 5U);
  EXPECT_EQ(index.navigation->state.rows, 505U);
  index.ExpectWhole();
}

TEST(Update, RefusesWhatABuildRefuses) {
  const Table table = Clustered(10, 4, 2, 1);
  LivingIndex index(Options(4, Metric::kCosine), Rows(table, Options(4), 0, 10));
  NeverStop stop;
  IndexUpdate update(index.navigation, index.updates, *index.store, index.spill, nullptr);
  const std::vector<float> zero(4), three(3, 1.0F), fine(4, 1.0F), bad = {1, 2, NAN, 4};
  const std::string key = IntegerKey(1);
  EXPECT_THROW(update.Put(AsBytes(key), zero, {}, stop), Error);
  EXPECT_THROW(update.Put(AsBytes(key), three, {}, stop), Error);
  EXPECT_THROW(update.Put(AsBytes(key), bad, {}, stop), Error);
  EXPECT_THROW(update.Put(AsBytes("short"), fine, {}, stop), Error);
  EXPECT_THROW(update.Put(AsBytes(key), fine, Bytes{1, 2}, stop), Error);
  UpdateOptions other = index.updates;
  for (const std::string column : {"n", "m"}) {
    other.metadata_columns.push_back(column);
    EXPECT_THROW(IndexUpdate(index.navigation, other, *index.store, index.spill, nullptr), Error);
  }
}

TEST(Update, EndsWhenAskedToAndLeavesTheOldVersion) {
  const Table table = Clustered(1500, 16, 5, 1);
  LivingIndex index(Options(16), Rows(table, Options(16), 0, 1000));
  NeverStop never;
  int polls = 0;
  for (int at = 0;; at += 3) {
    testing::StopAtPoll stop(at);
    try {
      IndexUpdate update(index.navigation, index.updates, *index.store, index.spill, nullptr);
      for (size_t i = 900; i < 1500; ++i)
        update.Put(AsBytes(IntegerKey(static_cast<int64_t>(i))), table.row(i), {}, never);
      update.Plan(stop);
      update.Finish(stop);
      break;
    } catch (const Error& error) {
      ASSERT_EQ(error.code(), Code::kCancelled);
      ++polls;
    }
  }
  EXPECT_GT(polls, 5);
  index.ExpectWhole();
}

// Who puts rows tells of reading them, or two phases would take turns with every thousand rows.
TEST(Update, TellsEachPhaseOnceAndLeavesReadingToItsCaller) {
  const Table table = Clustered(4000, 16, 5, 1);
  LivingIndex index(Options(16), Rows(table, Options(16), 0, 1000));
  std::vector<std::string> phases;
  NeverStop never;
  IndexUpdate update(index.navigation, index.updates, *index.store, index.spill,
                     [&](const char* phase, uint64_t, uint64_t) {
                       if (phases.empty() || phases.back() != phase) phases.emplace_back(phase);
                     });
  for (size_t i = 1000; i < 4000; ++i)
    update.Put(AsBytes(IntegerKey(static_cast<int64_t>(i))), table.row(i), {}, never);
  EXPECT_TRUE(phases.empty());
  update.Plan(never);
  update.Finish(never);
  EXPECT_EQ(std::set<std::string>(phases.begin(), phases.end()).size(), phases.size());
  EXPECT_GE(phases.size(), 2U);
}

// ---- everything at once, against a model

struct Shape {
  Metric metric;
  KeyKind keys;
  int bits;
  bool has_metadata;
  RawPlane raw;
  bool is_double;
};

class UpdateOfAnyShape : public ::testing::TestWithParam<Shape> {};

TEST_P(UpdateOfAnyShape, HoldsWhatTheSourceHolds) {
  const Shape& shape = GetParam();
  BuildOptions options = Options(24, shape.metric);
  options.key_kind = shape.keys;
  options.bits = shape.bits;
  options.raw = shape.raw;
  options.duplicates = shape.is_double ? Duplicates::kOn : Duplicates::kOff;
  options.memory_bytes = 1u << 20;
  options.lists = 12;
  if (shape.has_metadata) options.metadata_columns = {"text", "category", "time", "list"};
  const Table table = Clustered(4000, 24, 12, 3);
  Random random(17 + static_cast<uint64_t>(shape.metric));
  LivingIndex index(options, Rows(table, options, 0, 200));
  size_t most_segments = 0;
  for (int round = 0; round < 60; ++round) {
    // Mostly growth, then mostly shrinking; now and then nothing is left.
    const bool grows = round % 40 < 25;
    const size_t changes = 1 + random.Below(round % 7 == 0 ? 150 : 30);
    for (size_t i = 0; i < changes; ++i) {
      const uint64_t number = random.Below(round < 30 ? 1200 : 2000);
      const std::string key = KeyOf(shape.keys, number);
      if (random.Below(10) < (grows ? 8 : 3)) {
        index.Put(key, RowOf(table, random.Below(table.rows()), shape.has_metadata));
      } else if (index.source.contains(key) || random.Below(3) == 0) {
        index.Remove(key);
      }
    }
    if (round == 44) {
      while (!index.source.empty()) index.Remove(index.source.begin()->first);
    }
    index.Sync(round % 13 == 12);
    if (round % 4 == 0 || round > 40) index.ExpectWhole();
    index.ExpectFindable(table.row(random.Below(table.rows())));
    if (::testing::Test::HasFatalFailure() || ::testing::Test::HasNonfatalFailure()) FAIL() << "round " << round;
    EXPECT_LE(index.navigation->deltas.size(), 6U);
    most_segments = std::max(most_segments, index.navigation->segments.size());
  }
  EXPECT_GT(index.bases, 2U) << "lists were split or dissolved";
  EXPECT_GT(index.reread, 0U);
  EXPECT_LE(most_segments, 20U);
}

INSTANTIATE_TEST_SUITE_P(
    All, UpdateOfAnyShape,
    ::testing::Values(Shape{Metric::kL2, KeyKind::kInteger, 4, false, RawPlane::kNone, false},
                      Shape{Metric::kCosine, KeyKind::kText, 4, true, RawPlane::kNone, false},
                      Shape{Metric::kInnerProduct, KeyKind::kUuid, 8, true, RawPlane::kFloat32, false},
                      Shape{Metric::kL2, KeyKind::kText, 1, true, RawPlane::kFloat16, true},
                      Shape{Metric::kCosine, KeyKind::kInteger, 4, false, RawPlane::kNone, true},
                      Shape{Metric::kInnerProduct, KeyKind::kInteger, 4, false, RawPlane::kNone, true}));

// ---- life

// Clusters appear one after the other, as nothing of the first rows foretold.
Table Drifting(size_t rows, size_t dimensions, size_t cluster_rows) {
  Random random(99);
  const auto normal = [&] { return static_cast<float>(random.Unit() + random.Unit() + random.Unit() - 1.5); };
  Table table{dimensions, std::vector<float>(rows * dimensions)};
  std::vector<float> centre(dimensions);
  for (size_t i = 0; i < rows; ++i) {
    if (i % cluster_rows == 0) {
      for (float& value : centre) value = 2 * normal();
    }
    for (size_t j = 0; j < dimensions; ++j) table.vectors[i * dimensions + j] = centre[j] + normal();
  }
  return table;
}

std::vector<std::vector<float>> QueriesNear(const Table& table, size_t rows, size_t count) {
  Random random(5);
  std::vector<std::vector<float>> queries;
  for (size_t i = 0; i < count; ++i) {
    const auto row = table.row(random.Below(rows));
    queries.emplace_back(row.begin(), row.end());
    for (float& value : queries.back()) value += static_cast<float>(0.3 * (random.Unit() - 0.5));
  }
  return queries;
}

void ExpectAsGoodAsNew(LivingIndex& index, const std::vector<std::vector<float>>& queries) {
  const auto grown = index.WorkOf(queries);
  const auto grown_lists = static_cast<double>(index.navigation->list_sizes.size());
  index.Rebuild();
  const auto built = index.WorkOf(queries);
  const auto built_lists = static_cast<double>(index.navigation->list_sizes.size());
  EXPECT_GE(grown.recall, 0.95);
  EXPECT_LE(grown.gets, 2 * built.gets);
  EXPECT_LE(grown.bytes, 2 * built.bytes);
  EXPECT_LE(grown_lists, 2 * built_lists);
  EXPECT_GE(grown_lists, built_lists / 2);
}

class UpdateOfMetric : public ::testing::TestWithParam<Metric> {};

TEST_P(UpdateOfMetric, GrowsFromLittleAsWellAsBuilt) {
  const Table table = Drifting(300 + 60 * 300, 32, 450);
  const BuildOptions options = Options(32, GetParam());
  LivingIndex index(options, Rows(table, options, 0, 300));
  for (size_t first = 300; first < table.rows(); first += 300) {
    for (size_t i = first; i < first + 300; ++i) index.Put(IntegerKey(static_cast<int64_t>(i)), RowOf(table, i));
    index.Sync();
  }
  index.ExpectWhole();
  ExpectAsGoodAsNew(index, QueriesNear(table, table.rows(), 100));
}

TEST_P(UpdateOfMetric, GrowsFromNothing) {
  const Table table = Drifting(4000, 32, 450);
  const BuildOptions options = Options(32, GetParam());
  LivingIndex index(options, {});
  for (size_t first = 0; first < table.rows(); first += 100) {
    for (size_t i = first; i < first + 100; ++i) index.Put(IntegerKey(static_cast<int64_t>(i)), RowOf(table, i));
    index.Sync();
  }
  index.ExpectWhole();
  ExpectAsGoodAsNew(index, QueriesNear(table, table.rows(), 100));
}

INSTANTIATE_TEST_SUITE_P(All, UpdateOfMetric, ::testing::Values(Metric::kL2, Metric::kCosine, Metric::kInnerProduct));

// Small changes for a long time: what is written, and what a query has to ask for.
TEST(Update, ManySmallUpdatesCostLittle) {
  const Table table = Clustered(20000, 64, 60, 8);
  const BuildOptions options = Options(64);
  LivingIndex index(options, Rows(table, options, 0, 5000));
  Random random(3);
  size_t next = 5000;
  for (int round = 0; round < 300; ++round) {
    for (int i = 0; i < 50; ++i) {
      const uint64_t kind = random.Below(4);
      const auto any = static_cast<int64_t>(random.Below(next));
      if (kind < 2 && next < table.rows()) {
        index.Put(IntegerKey(static_cast<int64_t>(next)), RowOf(table, next));
        ++next;
      } else if (kind < 3) {
        index.Put(IntegerKey(any), RowOf(table, random.Below(table.rows())));
      } else {
        index.Remove(IntegerKey(any));
      }
    }
    index.Sync();
    ASSERT_LE(index.navigation->deltas.size(), 6U);
    ASSERT_LE(index.navigation->segments.size(), 12U);
  }
  index.ExpectWhole();
  EXPECT_LE(index.written_bytes, 10 * index.changed_bytes);
  ExpectAsGoodAsNew(index, QueriesNear(table, next, 100));
}

// Rows that no k-means can part are not read again and again.
TEST(Update, EqualRowsAreNotSplitForever) {
  const std::vector<float> same(16, 1.0F);
  LivingIndex index(Options(16), {});
  int64_t next = 0;
  for (int round = 0; round < 100; ++round) {
    for (int i = 0; i < 50; ++i) index.Put(IntegerKey(next++), {same, {}});
    index.Sync();
  }
  index.ExpectWhole();
  EXPECT_LE(index.reread, 20 * static_cast<uint64_t>(next));
}

TEST(Update, OptimizingLeavesOneDeltaAndSettledSegments) {
  const Table table = Clustered(9000, 32, 30, 8);
  const BuildOptions options = Options(32);
  LivingIndex index(options, Rows(table, options, 0, 6000));
  for (size_t first = 6000; first < 9000; first += 100) {
    for (size_t i = first; i < first + 100; ++i) index.Put(IntegerKey(static_cast<int64_t>(i)), RowOf(table, i));
    index.Sync();
  }
  EXPECT_TRUE(index.Sync(true).is_changed);
  index.ExpectWhole();
  EXPECT_EQ(index.navigation->deltas.size(), 1U);
  for (const LiveSegment& segment : index.navigation->segments) {
    EXPECT_TRUE(segment.info.is_settled);
    EXPECT_TRUE(segment.masked.empty());
  }
  EXPECT_FALSE(index.Sync(true).is_changed) << "nothing left to do";
}

TEST(Update, DiscardedSegmentsAreReplacedByWhatIsPut) {
  for (const auto& [is_double, grows] : {std::pair{false, false}, {true, false}, {false, true}, {true, true}}) {
    const Table table = Clustered(9000, 16, 10, 2);
    BuildOptions options = Options(16);
    options.duplicates = is_double ? Duplicates::kOn : Duplicates::kOff;
    LivingIndex index(options, Rows(table, options, 0, 2000));
    for (size_t i = 2000; i < 2200; ++i) index.Put(IntegerKey(static_cast<int64_t>(i)), RowOf(table, i));
    index.Sync();
    ASSERT_GE(index.navigation->segments.size(), 2U);
    const LiveSegment& damaged = index.navigation->segments.back();
    // What the caller would do: whatever the rest of the index does not hold is put again.
    std::set<std::string> held;
    IndexContents contents(index.navigation, {damaged.info.id}, *index.store);
    ByteView key;
    for (uint64_t hash = 0; contents.Next(&key, &hash, index.stop);) held.emplace(AsText(key));
    index.source.erase(IntegerKey(2100));  // and one is gone
    if (held.contains(IntegerKey(2100))) index.changed.insert(IntegerKey(2100));
    for (const auto& [missing, row] : index.source) {
      if (!held.contains(missing) || is_double) index.changed.insert(missing);
    }
    // Lists are then split, of which a part was in the segment that is gone.
    for (size_t i = 2200; grows && i < 9000; ++i) index.Put(IntegerKey(static_cast<int64_t>(i)), RowOf(table, i));
    const size_t lists = index.navigation->base->tables.lists.count;
    index.discarded = {damaged.info.id};
    const std::string gone = damaged.key;
    const std::vector<ObjectKey> keys = {gone};
    index.store->Delete(keys, index.stop);
    const UpdateResult result = index.Sync();
    EXPECT_TRUE(result.is_changed);
    EXPECT_EQ(result.rows_removed, 1U);
    index.ExpectWhole();
    if (grows) {
      EXPECT_GT(index.navigation->base->tables.lists.count, lists);
    }
  }
}

}  // namespace
}  // namespace s3v

#include "engine/warm.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>

#include "engine/changing_store.h"
#include "engine/row_metadata.h"
#include "engine/small_index.h"
#include "store/cached_store.h"
#include "support/faulty_store.h"

namespace s3v {
namespace {

using testing::Clustered;
using testing::SmallIndex;
using testing::SmallOptions;
using testing::Table;

// A store over `index`'s objects with a cache of its own directory.
class WarmTest : public ::testing::Test {
 protected:
  WarmTest() : table_(Clustered(2000, 16, 10, 1)), index_(table_, SmallOptions(table_, Metric::kL2, 20)) {
    std::string name = std::filesystem::temp_directory_path() / "s3v_warm_XXXXXX";
    directory_ = mkdtemp(name.data());
  }
  ~WarmTest() override { std::filesystem::remove_all(directory_); }

  std::unique_ptr<ObjectStore> Open(bool keeps_ranges = true) {
    return MakeCachedStore(std::make_unique<testing::FaultyStore>(index_.store.get()),
                           {.directory = directory_, .max_bytes = 64u << 20}, keeps_ranges);
  }

  Table table_;
  SmallIndex index_;
  std::string directory_;
};

TEST_F(WarmTest, QueriesSendNothingAfterIt) {
  {
    const auto store = Open();
    const auto navigation = NavigationCache().Open(testing::NamesOf(index_.built.manifest), *store, index_.stop);
    Warm(*navigation, 64u << 20, *store, index_.stop);
  }
  // Another process: nothing but the directory.
  const auto store = Open();
  const StoreCounters before = index_.store->counters();
  const auto navigation = NavigationCache().Open(testing::NamesOf(index_.built.manifest), *store, index_.stop);
  for (size_t q = 0; q < 20; ++q) {
    index_.opened.assign(table_.row(q).begin(), table_.row(q).end());
    Search search(navigation, table_.row(q), {.k = 10, .probes = 20}, *store);
    const auto truth = index_.Nearest(table_.row(q), 10);
    EXPECT_GE(testing::Overlap(index_.Answer(search, 10), truth), 0.9);
  }
  std::vector<EntryPlace> places;
  for (uint32_t piece = 0; piece < navigation->pieces.size(); ++piece) places.push_back({.piece = piece, .entry = 0});
  EXPECT_EQ(ReadMetadata(*navigation, places, UINT64_MAX, *store, index_.stop).size(), places.size());
  EXPECT_EQ(index_.store->counters().get_requests, before.get_requests);
  EXPECT_GT(store->counters().cache_hits, 20U * 20U);
}

// What came damaged is not kept: a query would take it for checked.
TEST_F(WarmTest, KeepsNothingDamaged) {
  {
    auto damaging = std::make_unique<testing::ChangingStore>(*index_.store, testing::FlipFirst(2, 100));
    const auto store = MakeCachedStore(std::move(damaging), {.directory = directory_, .max_bytes = 64u << 20}, true);
    Warm(*index_.navigation, 64u << 20, *store, index_.stop);
  }
  const auto store = Open();
  Search search(index_.navigation, table_.row(0), {.k = 10, .probes = 20}, *store);
  index_.opened.assign(table_.row(0).begin(), table_.row(0).end());
  const uint64_t before = index_.store->counters().get_requests;
  EXPECT_EQ(index_.Answer(search, 10), index_.Nearest(table_.row(0), 10));
  EXPECT_GT(index_.store->counters().get_requests, before) << "what was damaged is asked for again";
  EXPECT_EQ(search.stats().entries_scanned, 2000U);
}

TEST_F(WarmTest, StopsAtTheBound) {
  const auto store = Open();
  const auto navigation = NavigationCache().Open(testing::NamesOf(index_.built.manifest), *store, index_.stop);
  const uint64_t before = index_.store->counters().bytes_read;
  Warm(*navigation, 20000, *store, index_.stop);
  EXPECT_GT(index_.store->counters().bytes_read, before);
  EXPECT_LE(index_.store->counters().bytes_read - before, 20000U);
}

TEST_F(WarmTest, AsksNothingOfAStoreThatKeepsNothing) {
  const auto store = Open(false);
  const auto navigation = NavigationCache().Open(testing::NamesOf(index_.built.manifest), *store, index_.stop);
  const uint64_t before = index_.store->counters().get_requests;
  Warm(*navigation, 64u << 20, *store, index_.stop);
  EXPECT_EQ(index_.store->counters().get_requests, before);
}

}  // namespace
}  // namespace s3v

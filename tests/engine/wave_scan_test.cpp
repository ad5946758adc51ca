#include "engine/wave_scan.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "engine/changing_store.h"
#include "engine/small_index.h"
#include "format/names.h"

namespace s3v {
namespace {

using testing::ChangingStore;
using testing::Clustered;
using ::testing::ElementsAreArray;
using testing::FlipFirst;
using testing::SmallIndex;
using testing::SmallOptions;
using testing::Table;

constexpr size_t kLists = 12;

SmallIndex& Index() {
  static SmallIndex index(Clustered(1000, 16, 10, 1), SmallOptions(Clustered(1, 16, 10, 1), Metric::kL2, kLists));
  return index;
}

std::unique_ptr<const Expression> BelowFiveHundred() {
  static const FilterColumn kColumns[] = {{"n", ColumnKind::kNumber}};
  return Expression::Compile(R"({"n": {"$lt": 500}})", kColumns, nullptr);
}

std::vector<std::string> Truth(std::span<const float> query) {
  return Index().Nearest(query, 10, [](size_t row) { return row % 7 != 0 && row < 500; });
}

std::vector<std::string> Answer(Search& search, std::span<const float> query) {
  Index().opened.assign(query.begin(), query.end());
  return Index().Answer(search, 10);
}

TEST(WaveScan, AnyOrderOfArrival) {
  const auto filter = BelowFiveHundred();
  const auto query = Index().table.row(0);
  ChangingStore store(*Index().store, nullptr, true);
  Search search(Index().navigation, query, {.k = 10, .probes = kLists, .filter = filter.get()}, store);
  EXPECT_THAT(Answer(search, query), ElementsAreArray(Truth(query)));
  EXPECT_EQ(search.stats().entries_scanned, 1000U);
  EXPECT_EQ(store.waves, 1);
}

TEST(WaveScan, DamageInTransitHealsInOneMoreWave) {
  const auto filter = BelowFiveHundred();
  const auto query = Index().table.row(0);
  for (const bool reverses : {false, true}) {
    for (const size_t place : {0U, 10U, 1000000U}) {
      // Up to as many as there are ranges: each is asked for once more, and none a third time.
      for (int times = 1; times <= static_cast<int>(2 * kLists); ++times) {
        ChangingStore store(*Index().store, FlipFirst(times, place), reverses);
        Search search(Index().navigation, query, {.k = 10, .probes = kLists, .filter = filter.get()}, store);
        EXPECT_THAT(Answer(search, query), ElementsAreArray(Truth(query))) << times;
        EXPECT_EQ(search.stats().entries_scanned, 1000U);
        EXPECT_EQ(store.waves, 2);
      }
    }
  }
}

TEST(WaveScan, LastingDamageIsAnErrorThatNamesTheObject) {
  for (const bool filtered : {false, true}) {
    const auto filter = BelowFiveHundred();
    ChangingStore store(*Index().store, FlipFirst(1000000, 100));
    SearchOptions options{.k = 10};
    if (filtered) options.filter = filter.get();
    Search search(Index().navigation, Index().table.row(0), options, store);
    try {
      search.Next(10, Index().stop);
      FAIL();
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), Code::kCorrupted);
      const Manifest& manifest = Index().built.manifest;
      EXPECT_NE(error.message().find(SegmentKey(manifest.index, manifest.segments[0].id)), std::string::npos)
          << error.message();
    }
  }
}

TEST(WaveScan, ShortRangesAreCorruption) {
  ChangingStore store(*Index().store, [](Bytes& bytes) { bytes.pop_back(); });
  Search search(Index().navigation, Index().table.row(0), {.k = 10}, store);
  try {
    search.Next(10, Index().stop);
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), Code::kCorrupted);
  }
}

// An object with good checksums that was made to hurt: metadata that is no row.
TEST(WaveScan, HostileMetadataIsCorruption) {
  const Table table = Clustered(50, 4, 2, 1);
  SmallIndex index(table, SmallOptions(table, Metric::kL2, 1));
  const Navigation& good = *index.navigation;
  SegmentShape shape{.index = good.names.index,
                     .object = {7},
                     .codes = good.codes(),
                     .key_kind = KeyKind::kInteger,
                     .has_metadata = true};
  const std::vector<uint64_t> words(8);
  const Bytes row = {0xee};
  const std::string key = testing::IntegerKey(1);
  const Entry entry{.key = AsBytes(key),
                    .signs = std::span(words).first(shape.codes.words()),
                    .extension = std::span(words).first(3 * shape.codes.words()),
                    .sign_factors = {1, 1},
                    .code_factors = {1, 1},
                    .metadata = row};
  SegmentWriter writer(shape);
  writer.AddPiece(0, {&entry, 1});
  Navigation bad = good;
  const Bytes segment = writer.Finish(&bad.delta.pieces);
  bad.delta.segments = {{shape.object, segment.size()}};
  bad.segment_keys = {SegmentKey(shape.index, shape.object)};
  index.store->Put(SegmentKey(shape.index, shape.object), segment, ObjectStore::PutMode::kOverwrite, index.stop);

  const auto filter = BelowFiveHundred();
  Search search(std::make_shared<const Navigation>(bad), table.row(0), {.k = 1, .filter = filter.get()}, *index.store);
  try {
    search.Next(1, index.stop);
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), Code::kCorrupted);
  }
}

}  // namespace
}  // namespace s3v

#include "engine/wave_scan.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "engine/changing_store.h"
#include "engine/live_map.h"
#include "engine/small_index.h"
#include "format/coding.h"
#include "format/column.h"
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

// The version without the entries for which `is_masked` answers true, as a later delta would say it.
std::shared_ptr<const Navigation> Masking(SmallIndex& index, const std::function<bool(size_t row)>& is_masked) {
  Navigation masking = *index.navigation;
  for (const Piece& piece : masking.pieces) {
    LiveSegment& segment = masking.segments[piece.segment];
    Bytes bytes;
    index.store->GetRanges(
        {{{segment.key, piece.scan_offset, piece.scan_length}}},
        [&](size_t, ByteView range) { bytes.assign(range.begin(), range.end()); }, index.stop);
    const ScanRange range(bytes, piece, masking.segment_shape(segment), segment.key);
    for (uint32_t i = 0; i < piece.count; ++i) {
      if (!is_masked(SmallIndex::RowOf(std::string(AsText(range.key(i)))))) continue;
      segment.masked.push_back({piece.first + i, 1});
      --segment.live;
      --masking.state.entries;
      --masking.list_sizes[piece.list];
    }
  }
  for (LiveSegment& segment : masking.segments) segment.masked = UniteRuns(std::move(segment.masked));
  return std::make_shared<const Navigation>(std::move(masking));
}

class MaskedScan : public ::testing::TestWithParam<int> {
 protected:
  MaskedScan() : index_(Clustered(1000, 16, 10, 1), Options()) {}
  static BuildOptions Options() {
    BuildOptions options = SmallOptions(Clustered(1, 16, 10, 1), Metric::kL2, kLists);
    options.bits = GetParam();
    return options;
  }
  SmallIndex index_;
};
INSTANTIATE_TEST_SUITE_P(Bits, MaskedScan, ::testing::Values(1, 4));

TEST_P(MaskedScan, MaskedEntriesAreGoneWhateverElseIsAsked) {
  const auto is_masked = [](size_t row) { return row % 3 == 0 || (row > 200 && row < 450); };
  const auto navigation = Masking(index_, is_masked);
  const auto filter = BelowFiveHundred();
  KeySet only, without;
  for (size_t row = 0; row < 1000; row += 2) only.insert(testing::IntegerKey(static_cast<int64_t>(row)));
  for (size_t row = 0; row < 1000; row += 5) without.insert(testing::IntegerKey(static_cast<int64_t>(row)));
  for (int asked = 0; asked < 8; ++asked) {
    SearchOptions options{.k = 10, .probes = kLists};
    if (asked & 1) options.filter = filter.get();
    if (asked & 2) options.only = &only;
    if (asked & 4) options.without = &without;
    const auto passes = [&](size_t row) {
      return !is_masked(row) && (!options.filter || (row % 7 != 0 && row < 500)) && (!options.only || row % 2 == 0) &&
             (!options.without || row % 5 != 0);
    };
    uint64_t matching = 0;
    for (size_t row = 0; row < 1000; ++row) matching += passes(row) ? 1 : 0;
    for (size_t q = 0; q < 10; ++q) {
      const auto query = index_.table.row(3 * q);  // a masked one
      index_.opened.assign(query.begin(), query.end());
      Search search(navigation, query, options, *index_.store);
      const auto found = index_.Answer(search, 10);
      EXPECT_TRUE(std::ranges::all_of(found, [&](const auto& key) { return passes(SmallIndex::RowOf(key)); })) << asked;
      // Codes of one bit lose a hit now and then.
      EXPECT_GE(testing::Overlap(found, index_.Nearest(query, 10, passes)), GetParam() == 1 ? 0.8 : 1) << asked;
      EXPECT_EQ(search.stats().entries_scanned, 1000U);
      if (options.filter || options.only || !options.without) {
        EXPECT_EQ(search.stats().entries_matched, matching) << asked;
      }
    }
  }
}

// As many live entries as are wanted with their slack: nothing was dropped, so nothing is scanned a second time, though
// masked entries lie beyond all bounds.
TEST_P(MaskedScan, MaskedEntriesAreNotDropped) {
  const auto nearest = index_.Nearest(index_.table.row(0), 16);
  const std::set<std::string> live(nearest.begin(), nearest.end());
  const auto navigation =
      Masking(index_, [&](size_t row) { return !live.contains(testing::IntegerKey(static_cast<int64_t>(row))); });
  ChangingStore store(*index_.store, nullptr);
  Search search(navigation, index_.table.row(0), {.k = 10, .probes = kLists}, store);
  EXPECT_EQ(search.Next(100, index_.stop).size(), 16U);
  EXPECT_EQ(store.waves, 1);
}

// A key of `only` whose one entry is masked was not seen: it may have a live one elsewhere.
TEST_P(MaskedScan, MaskedKeysWereNotSeen) {
  const auto query = index_.table.row(0);
  const std::string nearest = index_.Nearest(query, 1)[0];
  const auto navigation =
      Masking(index_, [&](size_t row) { return nearest == testing::IntegerKey(static_cast<int64_t>(row)); });
  const KeySet only = {nearest};
  Search search(navigation, query, {.k = 1, .only = &only}, *index_.store);
  EXPECT_TRUE(search.Next(1, index_.stop).empty());
  EXPECT_TRUE(search.stats().exhausted);
}

// An object with good checksums that was made to hurt: of a column, what is no value.
TEST(WaveScan, HostileMetadataIsCorruption) {
  const Table table = Clustered(50, 4, 2, 1);
  SmallIndex index(table, SmallOptions(table, Metric::kL2, 1));
  const Navigation& good = *index.navigation;
  const Piece& piece = good.pieces[0];
  const std::string& key = good.segments[0].key;
  const ColumnPlace place = good.ColumnsOf(piece)[0];
  NeverStop stop;
  Bytes segment = index.store->Get(key, kMaxSegmentBytes, stop);
  segment.resize(place.offset);  // what follows the column is not read here
  const Bytes value = {0xee};
  const std::vector<ByteView> values(piece.count, value);
  EXPECT_THROW(AppendColumnRange(segment, values, piece.list_id, 0, good.segments[0].info.id, place.offset), Error);

  // The first value's tag.
  Bytes hostile = index.store->Get(key, kMaxSegmentBytes, stop);
  constexpr size_t kFrame = 12;
  hostile.resize(place.offset + place.length - sizeof(uint32_t));
  std::fill(hostile.begin() + static_cast<ptrdiff_t>(place.offset + kFrame), hostile.end(), 0xee);
  AppendRangeChecksum(hostile, good.segments[0].info.id, place.offset, place.offset);
  index.store->Put(key, hostile, ObjectStore::PutMode::kOverwrite, index.stop);
  const auto filter = BelowFiveHundred();
  Search search(index.navigation, table.row(0), {.k = 1, .filter = filter.get()}, *index.store);
  try {
    search.Next(1, index.stop);
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), Code::kCorrupted);
  }
}

}  // namespace
}  // namespace s3v

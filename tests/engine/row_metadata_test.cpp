#include "engine/row_metadata.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "engine/changing_store.h"
#include "engine/small_index.h"

namespace s3v {
namespace {

using testing::ChangingStore;
using testing::Clustered;
using ::testing::IsEmpty;
using testing::MetadataWriter;
using testing::SmallIndex;
using testing::SmallOptions;
using testing::Table;

// Three columns, in three forms.
Bytes MetadataOf(size_t row) {
  MetadataWriter writer;
  writer.Text("a label " + std::to_string(row % 3));
  if (row % 7 == 0) {
    writer.Null();
  } else {
    writer.Integer(static_cast<int64_t>(row));
  }
  return writer.Text("row " + std::to_string(row)).row();
}

BuildOptions Options(const Table& table) {
  BuildOptions options = SmallOptions(table, Metric::kL2, 20);
  options.metadata_columns = {"label", "n", "text"};
  return options;
}

// Places of the nearest candidates, and the rows they stand for.
class RowMetadata : public ::testing::Test {
 protected:
  static constexpr size_t kRows = 1000;

  std::vector<Candidate> Find(size_t count) {
    Search search = index_.Open(index_.table.row(3), {.k = count, .probes = 20});
    return search.Next(count, index_.stop);
  }
  static std::vector<EntryPlace> PlacesOf(const std::vector<Candidate>& candidates) {
    std::vector<EntryPlace> places;
    for (const Candidate& candidate : candidates) places.push_back(candidate.place);
    return places;
  }
  static std::vector<Bytes> RowsOf(const std::vector<Candidate>& candidates) {
    std::vector<Bytes> rows;
    for (const Candidate& candidate : candidates) rows.push_back(MetadataOf(SmallIndex::RowOf(candidate.key)));
    return rows;
  }

  Table table_ = Clustered(kRows, 16, 20, 5);
  SmallIndex index_{table_, Options(table_), MetadataOf};
};

TEST_F(RowMetadata, ComesInTheOrderAskedInOneWave) {
  const std::vector<Candidate> found = Find(kRows);
  ASSERT_EQ(found.size(), kRows);
  for (const bool reverses : {false, true}) {
    ChangingStore store(*index_.store, nullptr, reverses);
    EXPECT_EQ(ReadMetadata(*index_.navigation, PlacesOf(found), UINT64_MAX, store, index_.stop), RowsOf(found));
    EXPECT_EQ(store.waves, 1);
  }
}

TEST_F(RowMetadata, ASearchReadsThatOfItsCandidates) {
  Search search = index_.Open(index_.table.row(3), {.k = 10});
  const auto found = search.Next(10, index_.stop);
  EXPECT_EQ(search.ReadMetadata(PlacesOf(found), index_.stop), RowsOf(found));
}

TEST_F(RowMetadata, ManyPiecesAreReadInSeveralWaves) {
  const std::vector<Candidate> found = Find(kRows);
  ChangingStore store(*index_.store, nullptr);
  EXPECT_EQ(ReadMetadata(*index_.navigation, PlacesOf(found), 1, store, index_.stop), RowsOf(found));
  EXPECT_EQ(store.waves, static_cast<int>(index_.navigation->pieces.size()));
}

TEST_F(RowMetadata, TheSameEntryTwiceIsReadOnce) {
  const std::vector<Candidate> found = Find(1);
  const std::vector<EntryPlace> twice = {found[0].place, found[0].place};
  const uint64_t before = index_.store->counters().get_requests;
  const auto rows = ReadMetadata(*index_.navigation, twice, UINT64_MAX, *index_.store, index_.stop);
  EXPECT_EQ(rows[0], rows[1]);
  EXPECT_EQ(rows[0], RowsOf(found)[0]);
  EXPECT_EQ(index_.store->counters().get_requests, before + 1) << "its columns are neighbours";
}

TEST_F(RowMetadata, DamageInTransitHealsLastingDamageIsAnError) {
  const std::vector<Candidate> found = Find(kRows);
  ChangingStore healing(*index_.store, testing::FlipFirst(5, 7));
  EXPECT_EQ(ReadMetadata(*index_.navigation, PlacesOf(found), UINT64_MAX, healing, index_.stop), RowsOf(found));
  EXPECT_EQ(healing.waves, 2);
  ChangingStore damaged(*index_.store, testing::FlipFirst(1000000, 7));
  try {
    ReadMetadata(*index_.navigation, PlacesOf(found), UINT64_MAX, damaged, index_.stop);
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), Code::kCorrupted);
  }
}

TEST_F(RowMetadata, WithoutMetadataNothingIsRead) {
  BuildOptions options = Options(table_);
  options.metadata_columns.clear();
  SmallIndex bare(table_, options);
  Search search = bare.Open(table_.row(3), {.k = 3});
  const auto places = PlacesOf(search.Next(3, bare.stop));
  const uint64_t before = bare.store->counters().get_requests;
  EXPECT_THAT(ReadMetadata(*bare.navigation, places, UINT64_MAX, *bare.store, bare.stop), ::testing::Each(IsEmpty()));
  EXPECT_THAT(ReadMetadata(*index_.navigation, {}, UINT64_MAX, *index_.store, index_.stop), IsEmpty());
  EXPECT_EQ(bare.store->counters().get_requests, before);
}

}  // namespace
}  // namespace s3v

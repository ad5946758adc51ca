#include "engine/matches.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "engine/column_wave.h"
#include "engine/row_metadata.h"
#include "engine/small_index.h"

namespace s3v {
namespace {

using testing::Clustered;
using testing::SmallIndex;
using testing::SmallOptions;
using testing::Table;

// One column, the row's number; every seventh row has none.
class MatchesOfSmallIndex : public ::testing::Test {
 protected:
  static std::unique_ptr<const Expression> Filter(const std::string& json) {
    static const FilterColumn kColumns[] = {{"n", ColumnKind::kNumber}};
    return Expression::Compile(json, kColumns, [](size_t, const std::string&, int64_t*) { return false; });
  }
  const Navigation& navigation() const { return *index_.navigation; }
  std::vector<uint32_t> AllPieces() const {
    std::vector<uint32_t> pieces;
    for (uint32_t i = 0; i < navigation().pieces.size(); ++i) pieces.push_back(i);
    return pieces;
  }
  // By reading all metadata, row by row.
  std::vector<uint8_t> Passing(uint32_t number, const Expression& filter) {
    std::vector<EntryPlace> places;
    for (uint32_t i = 0; i < navigation().pieces[number].count; ++i) places.push_back({number, i});
    std::vector<uint8_t> passing;
    for (const Bytes& row : ReadMetadata(navigation(), places, UINT64_MAX, *index_.store, index_.stop))
      passing.push_back(filter.Match(row) ? 1 : 0);
    return passing;
  }

  Table table_ = Clustered(2000, 8, 20, 3);
  SmallIndex index_{table_, SmallOptions(table_, Metric::kL2, 16)};
};

TEST_F(MatchesOfSmallIndex, ColumnsSayWhichEntriesMatch) {
  for (const char* json : {R"({"n": {"$lt": 700}})", R"({"n": {"$exists": false}})", R"({"n": {"$in": [1, 2, 3]}})",
                           R"({"$or": [{"n": {"$gte": 1990}}, {"n": {"$lt": 4}}]})"}) {
    const auto filter = Filter(json);
    Matches matches(navigation(), *filter);
    std::vector<uint32_t> undecided;
    for (const uint32_t piece : AllPieces()) {
      if (matches.NeedsColumns(piece)) undecided.push_back(piece);
    }
    ReadColumns(navigation(), undecided, matches, *index_.store, index_.stop);
    for (const uint32_t piece : AllPieces()) {
      ASSERT_FALSE(matches.NeedsColumns(piece));
      const std::vector<uint8_t> truth = Passing(piece, *filter);
      std::vector<uint8_t> passing(truth.size() + 3, 9);
      matches.Get(piece, passing);
      EXPECT_TRUE(std::equal(truth.begin(), truth.end(), passing.begin())) << json << " " << piece;
      const auto count = std::count(truth.begin(), truth.end(), 1);
      EXPECT_EQ(matches.Expected(piece), static_cast<double>(count)) << json;
      EXPECT_EQ(matches.MayHave(piece), count > 0);
      EXPECT_EQ(matches.Chance(piece), count > 0 ? 1 : 0);
      EXPECT_EQ(matches.AreAll(piece) && count != static_cast<long>(truth.size()), false);
    }
  }
}

TEST_F(MatchesOfSmallIndex, SummariesAloneDecideWhatIsCertain) {
  const auto none = Filter(R"({"n": {"$gt": 5000}})");
  const auto all = Filter(R"({"$or": [{"n": {"$lt": 5000}}, {"n": {"$exists": false}}]})");
  Matches of_none(navigation(), *none);
  Matches of_all(navigation(), *all);
  for (const uint32_t piece : AllPieces()) {
    EXPECT_FALSE(of_none.MayHave(piece));
    EXPECT_TRUE(of_all.MayHave(piece));
    EXPECT_EQ(of_none.AreAll(piece), false);
    std::vector<uint8_t> passing(navigation().pieces[piece].count, 9);
    of_none.Get(piece, passing);
    EXPECT_EQ(std::count(passing.begin(), passing.end(), 0), static_cast<long>(passing.size()));
  }
}

// A guess is corrected by those that turned out too high.
TEST_F(MatchesOfSmallIndex, GuessesLearn) {
  const auto filter = Filter(R"({"n": {"$in": [900.5, 910.5, 920.5, 930.5, 940.5, 950.5, 960.5, 970.5]}})");
  Matches matches(navigation(), *filter);
  ASSERT_TRUE(matches.NeedsColumns(0));
  const uint32_t last = AllPieces().back();
  const double before = matches.Expected(last);
  const double chance = matches.Chance(last);
  std::vector<uint32_t> first = AllPieces();
  first.pop_back();
  ReadColumns(navigation(), first, matches, *index_.store, index_.stop);
  EXPECT_LT(matches.Expected(last), before / 4);
  EXPECT_LT(matches.Chance(last), chance);
  EXPECT_GT(matches.Chance(last), 0);
}

}  // namespace
}  // namespace s3v

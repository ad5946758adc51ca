#include "engine/relist.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <set>

#include "engine/living_index.h"

namespace s3v {
namespace {

using testing::Clustered;
using testing::IntegerKey;
using testing::LivingIndex;
using testing::Table;

LivingIndex MakeIndex(const Table& table, Metric metric, size_t lists) {
  BuildOptions options;
  options.index = {3};
  options.metric = metric;
  options.dimensions = table.dimensions;
  options.key_kind = KeyKind::kInteger;
  options.lists = lists;
  std::map<std::string, LivingIndex::Row> rows;
  for (size_t i = 0; i < table.rows(); ++i)
    rows[IntegerKey(static_cast<int64_t>(i))] = {{table.row(i).begin(), table.row(i).end()}, {}};
  return LivingIndex(options, std::move(rows));
}

Relisted RelistOf(LivingIndex& index, const ListPlan& plan, double norm_limit = 0) {
  const LiveMap live(*index.navigation);
  UpdateRows rows(index.spill, index.options.dimensions, 1u << 20);
  const std::vector<uint64_t> sizes(index.navigation->list_sizes.begin(), index.navigation->list_sizes.end());
  return Relist(*index.navigation, live, plan, sizes, rows, {.norm_limit = norm_limit, .memory_bytes = 4u << 20},
                *index.store, index.stop);
}

void ExpectWellFormed(const NavigationBaseParts& base, const NavigationBase& old, const ListPlaces& places) {
  EXPECT_EQ(base.first_list.front(), 0U);
  EXPECT_EQ(base.first_list.back(), base.list_ids.size());
  EXPECT_EQ(base.first_list.size(), base.parents.scales.size() + 1);
  for (size_t p = 1; p < base.first_list.size(); ++p) EXPECT_LT(base.first_list[p - 1], base.first_list[p]);
  EXPECT_EQ(std::set<uint32_t>(base.list_ids.begin(), base.list_ids.end()).size(), base.list_ids.size());
  EXPECT_EQ(places.is_made.size(), base.list_ids.size());
  size_t made = 0;
  for (size_t i = 0; i < base.list_ids.size(); ++i) {
    EXPECT_LT(base.list_ids[i], base.next_list_id);
    EXPECT_EQ(places.is_made[i], base.list_ids[i] >= old.next_list_id);
    made += places.is_made[i] ? 1 : 0;
  }
  EXPECT_EQ(base.next_list_id, old.next_list_id + made);
  // What stays has the very codes it had.
  const size_t dimensions = old.space.dimensions;
  for (size_t list = 0; list < old.tables.lists.count; ++list) {
    const uint32_t place = places.place_of[list];
    if (place == kNoList) continue;
    EXPECT_EQ(base.list_ids[place], old.list_id(list));
    EXPECT_EQ(base.lists.scales[place], old.tables.lists.scale(list));
    EXPECT_TRUE(std::equal(old.tables.lists.codes + list * dimensions, old.tables.lists.codes + (list + 1) * dimensions,
                           base.lists.codes.begin() + static_cast<ptrdiff_t>(place * dimensions)));
  }
}

TEST(Relist, SplitsAndDissolvesAndLeavesTheRest) {
  const Table table = Clustered(3000, 16, 20, 1);
  for (const Metric metric : {Metric::kL2, Metric::kCosine, Metric::kInnerProduct}) {
    LivingIndex index = MakeIndex(table, metric, 20);
    const NavigationBase& old = *index.navigation->base;
    const Relisted relisted = RelistOf(index, {.splits = {{3, 4}, {11, 2}}, .dissolved = {5, 6}});
    ExpectWellFormed(relisted.base, old, relisted.places);
    EXPECT_EQ(relisted.base.list_ids.size(), 20U - 2 - 2 + 4 + 2);
    EXPECT_EQ(relisted.base.space.norm_limit, old.space.norm_limit);
    for (const uint32_t list : {3U, 11U, 5U, 6U}) EXPECT_EQ(relisted.places.place_of[list], kNoList);
    // The parts lie where the list was.
    const auto first = std::ranges::find(relisted.places.is_made, true) - relisted.places.is_made.begin();
    EXPECT_EQ(relisted.places.place_of[2] + 1, first);
  }
}

TEST(Relist, PartsAreMeansOfTheirRows) {
  // Two groups that one list holds: its parts are where these are.
  Table table{8, std::vector<float>(400 * 8)};
  Random random(4);
  for (size_t i = 0; i < table.vectors.size(); ++i)
    table.vectors[i] = (i / 8 % 2 == 0 ? 5.0F : -5.0F) + static_cast<float>(random.Unit());
  LivingIndex index = MakeIndex(table, Metric::kL2, 1);
  const Relisted relisted = RelistOf(index, {.splits = {{0, 2}}, .dissolved = {}});
  ASSERT_EQ(relisted.base.list_ids.size(), 2U);
  const AssignmentSpace space = relisted.base.space;
  RowAssigner assigner(space, index.navigation->base->rotation, TablesOf(relisted.base), 1, index.stop);
  const std::vector<ListPair> lists = assigner.Assign(table.vectors, false, index.stop);
  for (size_t i = 2; i < lists.size(); ++i) EXPECT_EQ(lists[i].first, lists[i % 2].first);
  EXPECT_NE(lists[0].first, lists[1].first);
}

TEST(Relist, CrowdedParentsAreSplit) {
  const Table table = Clustered(4000, 16, 40, 1);
  LivingIndex index = MakeIndex(table, Metric::kCosine, 4);
  const Relisted relisted = RelistOf(index, {.splits = {{0, 60}, {1, 2}}, .dissolved = {}});
  ExpectWellFormed(relisted.base, *index.navigation->base, relisted.places);
  const auto lists = static_cast<double>(relisted.base.list_ids.size());
  EXPECT_GT(lists, 40);
  EXPECT_GT(relisted.base.parents.scales.size(), 3U);
  for (size_t p = 1; p < relisted.base.first_list.size(); ++p)
    EXPECT_LE(relisted.base.first_list[p] - relisted.base.first_list[p - 1], 2 * std::sqrt(lists) + 8);
}

// Under ip all lists are as much farther from the origin when longer rows come: their order stays.
TEST(Relist, ALargerNormLimitMovesAllListsAlike) {
  const Table table = Clustered(2000, 12, 10, 1);
  LivingIndex index = MakeIndex(table, Metric::kInnerProduct, 10);
  const NavigationBase& old = *index.navigation->base;
  const double limit = 3 * old.space.norm_limit;
  const Relisted relisted = RelistOf(index, {.splits = {{4, 2}}, .dissolved = {}}, limit);
  EXPECT_EQ(relisted.base.space.norm_limit, limit);
  const double growth = limit * limit - old.space.norm_limit * old.space.norm_limit;
  for (size_t list = 0; list < old.tables.lists.count; ++list) {
    if (list == 4) continue;
    EXPECT_NEAR(relisted.base.lists.squared_norms[relisted.places.place_of[list]],
                old.tables.lists.squared_norm(list) + growth, 1e-4 * growth);
  }
  const Relisted slightly = RelistOf(index, {.splits = {{4, 2}}, .dissolved = {}}, 1.01 * old.space.norm_limit);
  EXPECT_EQ(slightly.base.space.norm_limit, old.space.norm_limit);
}

// Two lists, then a group halfway between them: half of it goes to either. Once one list is split, its half has a list
// of its own, where the other half is better off as well.
TEST(Relist, FindsWhatIsBetterOffInTheNewLists) {
  constexpr size_t kDimensions = 16;
  Random random(6);
  const auto around = [&](float x, float y) {
    std::vector<float> row(kDimensions);
    for (float& value : row) value = static_cast<float>(random.Unit() - 0.5);
    row[0] += x;
    row[1] += y;
    return row;
  };
  Table table{kDimensions, {}};
  for (int i = 0; i < 600; ++i) {
    const std::vector<float> row = around(i % 2 == 0 ? 10.0F : -10.0F, 0);
    table.vectors.insert(table.vectors.end(), row.begin(), row.end());
  }
  LivingIndex index = MakeIndex(table, Metric::kL2, 2);
  for (int64_t i = 600; i < 720; ++i) index.Put(IntegerKey(i), {around(i % 2 == 0 ? 1.0F : -1.0F, 8), {}});
  index.Sync();
  ASSERT_EQ(index.bases, 0U);

  const Relisted relisted = RelistOf(index, {.splits = {{0, 2}}, .dissolved = {}});
  const LiveMap live(*index.navigation);
  RowAssigner assigner(relisted.base.space, index.navigation->base->rotation, TablesOf(relisted.base), 1, index.stop);
  std::set<std::string> misplaced;
  FindMisplaced(
      *index.navigation, live, relisted.places, assigner, 1u << 20,
      [&](const Piece& piece, uint32_t position, ByteView key) {
        EXPECT_EQ(piece.list, 1U);
        EXPECT_LT(position - piece.first, piece.count);
        misplaced.emplace(AsText(key));
      },
      *index.store, index.stop);
  EXPECT_EQ(misplaced.size(), 60U);
  for (const std::string& key : misplaced) {
    EXPECT_GT(index.source.at(key).vector[1], 5) << "of the group";
    const std::vector<ListPair> lists = assigner.Assign(index.source.at(key).vector, false, index.stop);
    EXPECT_TRUE(relisted.places.is_made[lists[0].first]);
  }
}

}  // namespace
}  // namespace s3v

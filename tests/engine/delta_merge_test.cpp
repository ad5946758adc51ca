#include "engine/delta_merge.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "engine/living_index.h"

namespace s3v {
namespace {

using testing::Clustered;
using testing::IntegerKey;
using testing::LivingIndex;
using testing::Table;

// A built index and two updates that were not merged into one delta.
class MergedDeltas : public ::testing::Test {
 protected:
  MergedDeltas() {
    BuildOptions options;
    options.index = {3};
    options.metric = Metric::kL2;
    options.dimensions = 16;
    options.key_kind = KeyKind::kInteger;
    options.lists = 300;  // a large directory
    std::map<std::string, LivingIndex::Row> rows;
    for (size_t i = 0; i < 6000; ++i) rows[IntegerKey(static_cast<int64_t>(i))] = RowOf(i);
    index_ = std::make_unique<LivingIndex>(options, std::move(rows));
    for (int64_t i = 0; i < 3; ++i) index_->Put(IntegerKey(i), RowOf(static_cast<size_t>(i) + 10));
    index_->Sync();
  }
  LivingIndex::Row RowOf(size_t i) const { return {{table_.row(i).begin(), table_.row(i).end()}, {}}; }

  NavigationDelta Written() const {
    return {.shape = index_->navigation->shape,
            .state = index_->navigation->state,
            .segments = {},
            .pieces = {},
            .columns = {},
            .masks = {}};
  }

  const Table table_ = Clustered(6000, 16, 50, 1);
  std::unique_ptr<LivingIndex> index_;
};

TEST_F(MergedDeltas, LargeOnesStayNamedAndMasksGoOn) {
  const Navigation& navigation = *index_->navigation;
  ASSERT_EQ(navigation.deltas.size(), 2U);
  LiveMap live(navigation);
  live.Mask(0, {{100, 3}});
  const MergedDelta merged = MergeDeltas(navigation, live, Written(), false);
  ASSERT_EQ(merged.others.size(), 1U);
  EXPECT_EQ(merged.others[0], navigation.names.deltas[0]);
  // The second one was taken in: its segment, and its masks over the first one's with those that are new.
  EXPECT_EQ(merged.delta.segments.size(), 1U);
  ASSERT_EQ(merged.delta.masks.size(), 1U);
  EXPECT_EQ(merged.delta.masks[0].segment, navigation.segments[0].info.id);
  uint32_t masked = 0;
  for (const MaskRun& run : merged.delta.masks[0].runs) masked += run.count;
  EXPECT_EQ(masked, 6U);
}

TEST_F(MergedDeltas, AllInOne) {
  const Navigation& navigation = *index_->navigation;
  const LiveMap live(navigation);
  const MergedDelta merged = MergeDeltas(navigation, live, Written(), true);
  EXPECT_TRUE(merged.others.empty());
  EXPECT_EQ(merged.delta.segments.size(), navigation.segments.size());
  EXPECT_EQ(merged.delta.masks.size(), 1U);
}

// A segment of which nothing is left: gone with its delta, or masked as a whole while that delta is still named.
TEST_F(MergedDeltas, DeadSegments) {
  const Navigation& navigation = *index_->navigation;
  for (const size_t dead : {size_t{0}, size_t{1}}) {
    LiveMap live(navigation);
    live.Drop(dead);
    const MergedDelta merged = MergeDeltas(navigation, live, Written(), false);
    const ObjectId& id = navigation.segments[dead].info.id;
    EXPECT_TRUE(std::ranges::none_of(merged.delta.segments, [&](const SegmentInfo& info) { return info.id == id; }));
    const auto mask = std::ranges::find(merged.delta.masks, id, &SegmentMask::segment);
    const bool is_named = std::ranges::any_of(merged.others, [&](const ObjectName& name) {
      const size_t place =
          static_cast<size_t>(std::ranges::find(navigation.names.deltas, name) - navigation.names.deltas.begin());
      return std::ranges::any_of(navigation.deltas[place]->segments,
                                 [&](const SegmentInfo& info) { return info.id == id; });
    });
    EXPECT_EQ(mask != merged.delta.masks.end(), is_named);
    if (is_named) {
      EXPECT_TRUE(mask->whole);
    }
  }
}

}  // namespace
}  // namespace s3v

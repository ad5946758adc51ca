#include "engine/update_plan.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>
#include <set>

#include "base/random.h"

namespace s3v {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

// Ten lists of 250 entries in one settled segment; the base is due.
UpdateSizes Even() {
  UpdateSizes sizes;
  sizes.segments = {{.bytes = 250000, .entries = 2500, .live = 2500, .is_settled = true}};
  sizes.lists.assign(10, {.live = 250, .fresh = 0, .owner = 0});
  sizes.entry_bytes = 100;
  sizes.base_bytes = 1000;
  sizes.segment_bytes = 1u << 20;
  sizes.changed_since_base = 10;
  sizes.calibrated_entries = 2500;
  sizes.wanted_lists = 10;
  sizes.dimensions = 64;
  return sizes;
}

void AddFresh(UpdateSizes& sizes, uint32_t list, uint64_t entries) {
  sizes.lists[list].live += entries;
  sizes.lists[list].fresh += entries;
}

UpdateSizes::Segment Fresh(uint64_t entries) {
  return {.bytes = entries * 100, .entries = entries, .live = entries, .is_settled = false};
}

TEST(PlanLists, SplitsWhatIsTooLargeAndFresh) {
  UpdateSizes sizes = Even();
  EXPECT_FALSE(PlanLists(sizes).rewrites_base());
  AddFresh(sizes, 3, 1000);
  const ListPlan plan = PlanLists(sizes);
  ASSERT_THAT(plan.splits, SizeIs(1));
  EXPECT_EQ(plan.splits[0].list, 3U);
  EXPECT_EQ(plan.splits[0].parts, 4U) << "1250 entries, 350 wanted";

  sizes.lists[3].fresh = 100;
  EXPECT_FALSE(PlanLists(sizes).rewrites_base()) << "it was as large before";
  sizes.optimize = true;
  EXPECT_TRUE(PlanLists(sizes).rewrites_base());
}

TEST(PlanLists, WaitsUntilABasePays) {
  UpdateSizes sizes = Even();
  AddFresh(sizes, 3, 1000);
  sizes.base_bytes = 1u << 20;
  EXPECT_FALSE(PlanLists(sizes).rewrites_base());
  sizes.new_entries = 7000;
  EXPECT_TRUE(PlanLists(sizes).rewrites_base()) << "the list is nearly twice as large as it may be";
}

TEST(PlanLists, DissolvesWhatIsTooSmallButNeverAll) {
  UpdateSizes sizes = Even();
  sizes.lists[7].live = 10;
  EXPECT_THAT(PlanLists(sizes).dissolved, ElementsAre(7));
  sizes.lists[7].live = 40;
  EXPECT_THAT(PlanLists(sizes).dissolved, IsEmpty());
  for (UpdateSizes::List& list : sizes.lists) list.live = 0;
  EXPECT_THAT(PlanLists(sizes).dissolved, SizeIs(9));
  sizes.lists.resize(1);
  EXPECT_THAT(PlanLists(sizes).dissolved, IsEmpty());

  UpdateSizes large = Even();
  large.lists.resize(1000, {.live = 250, .fresh = 0, .owner = 0});
  large.wanted_lists = 1000;
  large.lists[5].live = 0;
  EXPECT_FALSE(PlanLists(large).rewrites_base()) << "for one of a thousand alone";
}

TEST(PlanLists, WhatWasJustBuiltIsLeftAlone) {
  UpdateSizes sizes = Even();
  sizes.optimize = true;
  sizes.changed_since_base = 0;
  sizes.lists[0].live += 800;  // of unequal lists
  sizes.calibrated_entries = 3300;
  EXPECT_FALSE(PlanLists(sizes).rewrites_base());
}

TEST(PlanSegments, FoldsSmallOnesGeometrically) {
  UpdateSizes sizes = Even();
  sizes.segments[0].live = sizes.segments[0].entries = 1000000;
  sizes.segments[0].bytes = 100000000;
  for (const uint64_t entries : {40000U, 50U, 300U, 5000U}) sizes.segments.push_back(Fresh(entries));
  sizes.new_entries = 50;
  EXPECT_THAT(PlanSegments(sizes).folded, ElementsAre(2, 3));
  sizes.new_entries = 1300;
  EXPECT_THAT(PlanSegments(sizes).folded, ElementsAre(2, 3, 4));
  sizes.new_entries = 0;
  EXPECT_THAT(PlanSegments(sizes).folded, IsEmpty());
  EXPECT_THAT(PlanSegments(sizes).rewritten, IsEmpty());
}

TEST(PlanSegments, RewritesTheMostWornAndAlwaysOne) {
  UpdateSizes sizes = Even();
  sizes.segments.clear();
  for (const uint64_t live : {90U, 50U, 70U, 100U}) {
    sizes.segments.push_back({.bytes = 60u << 20, .entries = 100000, .live = live * 1000, .is_settled = true});
  }
  for (uint32_t list = 0; list < 10; ++list) sizes.lists[list].owner = list % 4;
  EXPECT_THAT(PlanSegments(sizes).rewritten, ElementsAre(1)) << "the others would be more than is bearable at once";
  sizes.new_entries = 200000;
  sizes.entry_bytes = 100;
  EXPECT_THAT(PlanSegments(sizes).rewritten, ElementsAre(1, 2));
  EXPECT_FALSE(PlanSegments(sizes).settles_all);
  sizes.optimize = true;
  EXPECT_THAT(PlanSegments(sizes).rewritten, ElementsAre(0, 1, 2)) << "any mask";
}

TEST(PlanSegments, FreshEntriesOfItsListsWearASegment) {
  UpdateSizes sizes = Even();
  sizes.segments.push_back(Fresh(1000));
  for (uint32_t list = 0; list < 10; ++list) AddFresh(sizes, list, 100);
  const SegmentPlan plan = PlanSegments(sizes);
  EXPECT_THAT(plan.rewritten, ElementsAre(0));
  EXPECT_THAT(plan.folded, ElementsAre(1));
  EXPECT_TRUE(plan.settles_all);
}

// With raw vectors beside the codes, an entry is larger than its row: it must not be written as often.
TEST(PlanSegments, DearEntriesAreWrittenLessOften) {
  UpdateSizes sizes = Even();
  sizes.segments.push_back(Fresh(1000));
  for (uint32_t list = 0; list < 10; ++list) AddFresh(sizes, list, 100);
  sizes.new_entries = 300;
  EXPECT_THAT(PlanSegments(sizes).rewritten, ElementsAre(0));
  EXPECT_THAT(PlanSegments(sizes).folded, ElementsAre(1));
  sizes.entry_bytes = 300;
  for (UpdateSizes::Segment& segment : sizes.segments) segment.bytes = 300 * segment.entries;
  EXPECT_THAT(PlanSegments(sizes).rewritten, IsEmpty());
  EXPECT_THAT(PlanSegments(sizes).folded, IsEmpty());
}

TEST(PlanSegments, DeadAndDiscardedOnesAreLeftOut) {
  UpdateSizes sizes = Even();
  sizes.segments.push_back({.bytes = 100, .entries = 10, .live = 0, .is_settled = false});
  sizes.segments.push_back({.bytes = 100, .entries = 10, .live = 0, .is_settled = true, .is_discarded = true});
  sizes.new_entries = 100;
  const SegmentPlan plan = PlanSegments(sizes);
  EXPECT_THAT(plan.folded, IsEmpty());
  EXPECT_THAT(plan.rewritten, IsEmpty());
}

TEST(PlanSegments, AVersionWithoutSegmentsSettlesItsFirst) {
  UpdateSizes sizes = Even();
  sizes.segments.clear();
  for (UpdateSizes::List& list : sizes.lists) list = {.live = 5, .fresh = 5, .owner = UpdateSizes::kNoOwner};
  sizes.new_entries = 50;
  EXPECT_TRUE(PlanSegments(sizes).settles_all);
}

TEST(PlanSegments, PlansNameSegmentsOfTheirKindOnce) {
  Random random(5);
  for (int round = 0; round < 2000; ++round) {
    UpdateSizes sizes;
    const size_t segments = random.Below(12);
    for (size_t i = 0; i < segments; ++i) {
      const uint64_t entries = 1 + random.Below(1u << random.Below(20));
      sizes.segments.push_back({.bytes = entries * 90,
                                .entries = entries,
                                .live = random.Below(entries + 1),
                                .is_settled = random.Below(2) == 0,
                                .is_discarded = random.Below(10) == 0});
    }
    sizes.lists.resize(1 + random.Below(20));
    for (UpdateSizes::List& list : sizes.lists) {
      list.live = random.Below(1000);
      list.fresh = random.Below(list.live + 1);
      const size_t owner = random.Below(segments + 1);
      const bool is_owner = owner < segments && sizes.segments[owner].is_settled && sizes.segments[owner].live > 0;
      list.owner = is_owner ? static_cast<uint32_t>(owner) : UpdateSizes::kNoOwner;
    }
    sizes.new_entries = random.Below(3000);
    sizes.entry_bytes = 90;
    sizes.base_bytes = random.Below(100000);
    sizes.segment_bytes = 1u << 20;
    sizes.changed_since_base = random.Below(3000);
    sizes.dimensions = 64;
    sizes.optimize = random.Below(4) == 0;

    const SegmentPlan plan = PlanSegments(sizes);
    const auto check = [&](const std::vector<uint32_t>& planned, bool is_settled) {
      EXPECT_TRUE(std::ranges::is_sorted(planned));
      EXPECT_EQ(std::ranges::adjacent_find(planned), planned.end());
      for (const uint32_t i : planned) {
        EXPECT_EQ(sizes.segments[i].is_settled, is_settled);
        EXPECT_GT(sizes.segments[i].live, 0U);
        EXPECT_FALSE(sizes.segments[i].is_discarded);
      }
    };
    check(plan.folded, false);
    check(plan.rewritten, true);
    const ListPlan lists = PlanLists(sizes);
    std::set<uint32_t> named(lists.dissolved.begin(), lists.dissolved.end());
    for (const ListPlan::Split& split : lists.splits) {
      EXPECT_GE(split.parts, 2U);
      EXPECT_TRUE(named.insert(split.list).second);
    }
    EXPECT_TRUE(!lists.splits.empty() || named.size() < sizes.lists.size());
  }
}

// What a life of equal updates costs: how often an entry is written, and how many segments there are.
TEST(PlanSegments, FoldingIsLogarithmic) {
  std::vector<uint64_t> fresh;
  uint64_t written = 0;
  constexpr uint64_t kUpdates = 4000;
  size_t most = 0;
  for (uint64_t update = 0; update < kUpdates; ++update) {
    UpdateSizes sizes = Even();
    sizes.segments[0] = {.bytes = 1ull << 40, .entries = 1ull << 34, .live = 1ull << 34, .is_settled = true};
    for (const uint64_t entries : fresh) sizes.segments.push_back(Fresh(entries));
    sizes.new_entries = 50;
    uint64_t merged = 50;
    std::vector<uint64_t> left;
    const std::vector<uint32_t> folded = PlanSegments(sizes).folded;
    for (uint32_t i = 0; i < fresh.size(); ++i) {
      if (std::ranges::binary_search(folded, i + 1)) {
        merged += fresh[i];
      } else {
        left.push_back(fresh[i]);
      }
    }
    left.push_back(merged);
    written += merged;
    fresh = left;
    most = std::max(most, fresh.size());
  }
  EXPECT_EQ(std::accumulate(fresh.begin(), fresh.end(), uint64_t{0}), kUpdates * 50);
  EXPECT_LE(most, 8U);
  EXPECT_LE(written, 25 * kUpdates * 50);
}

TEST(PlanDeltas, TakesInSmallOnesAndWornOnes) {
  using Sizes = std::vector<uint64_t>;
  EXPECT_THAT(PlanDeltas(Sizes{100000, 100, 900}, Sizes{100000, 100, 900}, 200), ElementsAre(1, 2));
  EXPECT_THAT(PlanDeltas(Sizes{100000, 5000}, Sizes{100000, 5000}, 100), IsEmpty());
  EXPECT_THAT(PlanDeltas(Sizes{100000, 5000}, Sizes{300000, 5000}, 100), ElementsAre(0));
  EXPECT_THAT(PlanDeltas(Sizes{0}, Sizes{50}, 0), ElementsAre(0));
  EXPECT_THAT(PlanDeltas(Sizes{}, Sizes{}, 100), IsEmpty());
}

TEST(PlanDeltas, LeavesFiveAtMost) {
  Random random(1);
  for (int round = 0; round < 1000; ++round) {
    std::vector<uint64_t> stored(random.Below(16));
    for (uint64_t& bytes : stored) bytes = 1ull << random.Below(40);
    EXPECT_LE(stored.size() - PlanDeltas(stored, stored, 100).size(), 5U);
  }
}

TEST(NeedsCalibration, AfterGrowthOrShrinking) {
  EXPECT_FALSE(NeedsCalibration(1050, 1000, false));
  EXPECT_TRUE(NeedsCalibration(1100, 1000, false));
  EXPECT_TRUE(NeedsCalibration(700, 1000, false));
  EXPECT_TRUE(NeedsCalibration(1, 0, false));
  EXPECT_TRUE(NeedsCalibration(1001, 1000, true));
  EXPECT_FALSE(NeedsCalibration(1000, 1000, true));
}

}  // namespace
}  // namespace s3v

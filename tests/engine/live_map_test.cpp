#include "engine/live_map.h"

#include <gtest/gtest.h>

#include <vector>

#include "base/random.h"

namespace s3v {
namespace {

TEST(LiveMap, UnitesRunsInAnyOrder) {
  Random random(2);
  for (int round = 0; round < 500; ++round) {
    std::vector<MaskRun> runs(random.Below(20));
    std::vector<bool> covered(120);
    for (MaskRun& run : runs) {
      run = {static_cast<uint32_t>(random.Below(100)), 1 + static_cast<uint32_t>(random.Below(12))};
      for (uint32_t i = 0; i < run.count; ++i) covered[run.first + i] = true;
    }
    const std::vector<MaskRun> united = UniteRuns(runs);
    for (size_t i = 1; i < united.size(); ++i) EXPECT_GT(united[i].first, united[i - 1].first + united[i - 1].count);
    for (uint32_t first = 0; first < 100; first += 7) {
      for (uint32_t count = 0; count < 20; count += 3) {
        uint32_t expected = 0;
        for (uint32_t i = first; i < first + count; ++i) expected += covered[i] ? 1 : 0;
        EXPECT_EQ(CountCovered(united, first, count), expected);
      }
    }
  }
}

TEST(LiveMap, CountsWhatRemains) {
  Navigation navigation;
  navigation.segments.resize(2);
  navigation.segments[0].info.entries = 100;
  navigation.segments[0].masked = {{10, 5}};
  navigation.segments[1].info.entries = 7;
  LiveMap live(navigation);
  EXPECT_EQ(live.live(), 102U);
  live.Mask(0, {{50, 2}, {12, 4}, {0, 1}});
  EXPECT_EQ(live.live(0), 91U);
  EXPECT_EQ(live.masked(0).size(), 3U);
  EXPECT_EQ(live.added(0).size(), 3U);
  EXPECT_EQ(live.added(1).size(), 0U);
  EXPECT_EQ(live.LiveIn({.segment = 0, .count = 20, .first = 5}), 14U);
  live.Drop(0);
  EXPECT_TRUE(live.is_dropped(0));
  EXPECT_EQ(live.live(), 7U);
  EXPECT_EQ(live.LiveIn({.segment = 0, .count = 20, .first = 5}), 0U);
}

}  // namespace
}  // namespace s3v

#include "ivf/topk.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "base/random.h"

namespace s3v {
namespace {

TEST(TopK, KeepsTheSmallestWithTiesBySmallerId) {
  Random random(1);
  for (const size_t k : {1, 2, 10, 99, 100, 200}) {
    TopK<int> top(k);
    std::vector<std::pair<float, int>> all;
    for (int id = 0; id < 100; ++id) {
      const auto score = static_cast<float>(random.Below(20));
      all.emplace_back(score, (id * 37) % 100);
      top.Offer(all.back().first, all.back().second);
    }
    std::sort(all.begin(), all.end());
    all.resize(std::min<size_t>(k, all.size()));
    EXPECT_EQ(top.size(), all.size());
    std::vector<std::pair<float, int>> kept;
    for (const auto& item : top.TakeSorted()) kept.emplace_back(item.score, item.id);
    EXPECT_EQ(kept, all);
    EXPECT_EQ(top.size(), 0u);
  }
}

TEST(TopK, ThresholdIsTheWorstKeptOnceFull) {
  TopK<std::string> top(2);
  EXPECT_EQ(top.Threshold(), std::numeric_limits<float>::infinity());
  top.Offer(5, "a");
  EXPECT_EQ(top.Threshold(), std::numeric_limits<float>::infinity());
  top.Offer(3, "b");
  EXPECT_EQ(top.Threshold(), 5);
  top.Offer(5, "aa");  // not better than ("a", 5)
  top.Offer(4, "c");
  EXPECT_EQ(top.Threshold(), 4);
}

TEST(TopK, OfNothingTakesNothing) {
  TopK<int> top(0);
  EXPECT_EQ(top.Threshold(), -std::numeric_limits<float>::infinity());
  top.Offer(-1e30f, 1);
  EXPECT_EQ(top.size(), 0u);
  EXPECT_TRUE(top.TakeSorted().empty());
}

}  // namespace
}  // namespace s3v

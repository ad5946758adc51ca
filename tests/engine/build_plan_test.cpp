#include "engine/build_plan.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace s3v {
namespace {

TEST(ChooseLists, KeepsListsWorthTheirRequest) {
  EXPECT_EQ(ChooseLists(0, 768), 1U);
  EXPECT_EQ(ChooseLists(100, 768), 1U);
  EXPECT_EQ(ChooseLists(60000, 784), 240U);
  EXPECT_EQ(ChooseLists(1000000, 768), 4000U);
  EXPECT_EQ(ChooseLists(1000000, 128), 2000U);
  EXPECT_EQ(ChooseLists(10000000, 96), 20000U);
}

TEST(SampleNumbers, AscendingDistinctAndEven) {
  Random random(1);
  std::vector<int> drawn(20);
  for (int round = 0; round < 2000; ++round) {
    const std::vector<uint64_t> numbers = SampleNumbers(20, 5, random);
    ASSERT_EQ(numbers.size(), 5U);
    ASSERT_TRUE(std::ranges::is_sorted(numbers, std::less_equal<>()));
    for (const uint64_t number : numbers) ++drawn.at(number);
  }
  for (const int count : drawn) EXPECT_NEAR(count, 500, 100);
  EXPECT_EQ(SampleNumbers(3, 3, random), (std::vector<uint64_t>{0, 1, 2}));
}

}  // namespace
}  // namespace s3v

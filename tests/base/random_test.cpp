#include "base/random.h"

#include <gtest/gtest.h>

#include <set>
#include <vector>

namespace s3v {
namespace {

// The values that Vigna's reference implementation (prng.di.unimi.it/splitmix64.c) gives.
TEST(Random, IsSplitmix64) {
  Random zero(0);
  EXPECT_EQ(zero.Next(), 0xe220a8397b1dcdafu);
  EXPECT_EQ(zero.Next(), 0x6e789e6aa1b965f4u);
  EXPECT_EQ(zero.Next(), 0x06c45d188009454fu);
  Random other(1234567);
  EXPECT_EQ(other.Next(), 6457827717110365317u);
  EXPECT_EQ(other.Next(), 3203168211198807973u);
  EXPECT_EQ(other.Next(), 9817491932198370423u);
}

TEST(Random, BelowStaysBelowAndIsEven) {
  Random random(7);
  std::vector<int> counts(10);
  for (int i = 0; i < 100000; ++i) {
    const uint64_t drawn = random.Below(10);
    ASSERT_LT(drawn, 10u);
    ++counts[drawn];
  }
  for (const int count : counts) EXPECT_NEAR(count, 10000, 500);  // five standard deviations
  for (int i = 0; i < 100; ++i) EXPECT_EQ(random.Below(1), 0u);
}

TEST(Random, BelowReachesTheTopOfAHugeRange) {
  Random random(7);
  constexpr uint64_t kBound = 0xfff0000000000000;
  uint64_t greatest = 0;
  for (int i = 0; i < 1000; ++i) {
    const uint64_t drawn = random.Below(kBound);
    ASSERT_LT(drawn, kBound);
    greatest = std::max(greatest, drawn);
  }
  EXPECT_GT(greatest, kBound / 100 * 98);
}

TEST(Random, UnitIsInTheHalfOpenIntervalWithMeanOneHalf) {
  Random random(7);
  double sum = 0;
  for (int i = 0; i < 100000; ++i) {
    const double unit = random.Unit();
    ASSERT_GE(unit, 0.0);
    ASSERT_LT(unit, 1.0);
    sum += unit;
  }
  EXPECT_NEAR(sum / 100000, 0.5, 0.005);
}

TEST(RandomId, DoesNotRepeat) {
  std::set<ObjectId> ids;
  for (int i = 0; i < 1000; ++i) ids.insert(RandomId());
  EXPECT_EQ(ids.size(), 1000u);
}

TEST(IdText, IsLowerCaseHexadecimal) {
  const ObjectId id = {0x00, 0x01, 0x0a, 0x10, 0xab, 0xff};
  EXPECT_EQ(IdText(id), "00010a10abff00000000000000000000");
}

TEST(ParseId, TakesBackWhatIdTextWrote) {
  for (int i = 0; i < 100; ++i) {
    const ObjectId id = RandomId();
    ObjectId parsed{};
    ASSERT_TRUE(ParseId(IdText(id), &parsed));
    EXPECT_EQ(parsed, id);
  }
}

TEST(ParseId, RefusesEverythingElse) {
  ObjectId id;
  EXPECT_FALSE(ParseId("", &id));
  EXPECT_FALSE(ParseId("00010a10abff0000000000000000000", &id));    // one digit short
  EXPECT_FALSE(ParseId("00010a10abff000000000000000000000", &id));  // one too many
  EXPECT_FALSE(ParseId("00010A10ABFF00000000000000000000", &id));   // upper case
  EXPECT_FALSE(ParseId("00010a10abff0000000000000000000g", &id));
  EXPECT_FALSE(ParseId("../10a10abff00000000000000000000", &id));
  EXPECT_FALSE(ParseId(std::string(32, '\0'), &id));
}

}  // namespace
}  // namespace s3v

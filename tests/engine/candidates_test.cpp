#include "engine/candidates.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace s3v {
namespace {

using ::testing::ElementsAre;

constexpr float kInfinity = std::numeric_limits<float>::infinity();

// An entry known to lie within `width` above its bound; infinitely wide ones drop no other.
void Offer(Candidates& candidates, float bound, const std::string& key, float width = kInfinity) {
  if (bound <= candidates.limit()) {
    candidates.Offer(bound, bound, bound + width, {}, AsBytes(key));
  } else {
    candidates.Drop(bound);
  }
}

std::vector<std::string> TakeAll(Candidates& candidates) {
  std::vector<std::string> keys;
  while (const auto kept = candidates.Take()) keys.push_back(kept->key);
  return keys;
}

TEST(Candidates, LeastBoundFirstTiesByKey) {
  Candidates candidates(10, 10);
  Offer(candidates, 2, "b");
  Offer(candidates, 1, "z");
  Offer(candidates, 2, "a");
  EXPECT_EQ(candidates.next_bound(), 1);
  EXPECT_THAT(TakeAll(candidates), ElementsAre("z", "a", "b"));
  EXPECT_EQ(candidates.next_bound(), kInfinity);
  EXPECT_EQ(candidates.least_dropped(), kInfinity);
}

TEST(Candidates, WantOfRoomKeepsTheLeastAndRemembersTheRest) {
  Candidates candidates(10, 2);
  for (const auto& [bound, key] : {std::pair(5.0F, "e"), {1.0F, "a"}, {3.0F, "c"}, {2.0F, "b"}, {9.0F, "i"}}) {
    Offer(candidates, bound, key);
  }
  EXPECT_EQ(candidates.least_dropped(), 3);
  EXPECT_THAT(TakeAll(candidates), ElementsAre("a", "b"));
}

TEST(Candidates, TieAtTheBorderGoesToTheSmallerKey) {
  Candidates candidates(10, 1);
  Offer(candidates, 1, "b");
  Offer(candidates, 1, "a");
  Offer(candidates, 1, "c");
  EXPECT_THAT(TakeAll(candidates), ElementsAre("a"));
}

// Two are wanted: what lies above the second least upper bound cannot matter, however much room there is.
TEST(Candidates, UpperBoundsOfOthersDrop) {
  Candidates candidates(2, 100);
  Offer(candidates, 1, "a", 2);
  EXPECT_EQ(candidates.limit(), kInfinity);
  Offer(candidates, 4, "d", 2);
  EXPECT_EQ(candidates.limit(), 6);
  Offer(candidates, 7, "g", 2);
  EXPECT_EQ(candidates.least_dropped(), 7);
  Offer(candidates, 2, "b", 2);
  EXPECT_EQ(candidates.limit(), 4);
  Offer(candidates, 3.5, "c", 9);
  EXPECT_THAT(TakeAll(candidates), ElementsAre("a", "b", "c", "d"));
}

// With rows in two lists, two entries may be one row: twice as many bounds are needed.
TEST(Candidates, CopiesDoNotCrowdOthersOut) {
  Candidates candidates(2, 100, 2);
  for (const char* key : {"a", "a", "b"}) Offer(candidates, 1, key, 1);
  EXPECT_EQ(candidates.limit(), kInfinity);
  Offer(candidates, 1.5, "b", 1);
  EXPECT_EQ(candidates.limit(), 2.5);
}

TEST(Candidates, AKeyComesOnce) {
  Candidates candidates(10, 10);
  Offer(candidates, 1, "a");
  Offer(candidates, 1, "a");
  Offer(candidates, 2, "a");
  EXPECT_THAT(TakeAll(candidates), ElementsAre("a"));
  Offer(candidates, 0, "a");
  EXPECT_THAT(TakeAll(candidates), ElementsAre());
}

TEST(Candidates, OfferingGoesOnAfterTaking) {
  Candidates candidates(10, 2);
  Offer(candidates, 1, "a");
  Offer(candidates, 4, "d");
  EXPECT_EQ(candidates.Take()->key, "a");
  Offer(candidates, 3, "c");
  EXPECT_EQ(candidates.least_dropped(), kInfinity) << "the one taken made room";
  Offer(candidates, 0, "n");
  EXPECT_EQ(candidates.least_dropped(), 4);
  EXPECT_THAT(TakeAll(candidates), ElementsAre("n", "c"));
}

TEST(Candidates, StartAgainForgetsWhatIsKeptNotWhatWasGiven) {
  Candidates candidates(10, 1);
  for (int round = 0; round < 2; ++round) {
    for (const auto& [bound, key] : {std::pair(1.0F, "a"), {2.0F, "b"}, {3.0F, "c"}}) Offer(candidates, bound, key);
    if (round > 0) break;
    EXPECT_THAT(TakeAll(candidates), ElementsAre("a"));
    candidates.StartAgain(10, 5);
    EXPECT_EQ(candidates.least_dropped(), kInfinity);
  }
  EXPECT_THAT(TakeAll(candidates), ElementsAre("b", "c"));
}

TEST(Candidates, NthEstimateIsOfThoseThatWait) {
  Candidates candidates(10, 10);
  EXPECT_EQ(candidates.NthEstimate(1), kInfinity);
  const auto offer = [&](float bound, float estimate, const std::string& key) {
    candidates.Offer(bound, estimate, 100, {}, AsBytes(key));
  };
  offer(1, 9, "a");
  offer(2, 5, "b");
  offer(3, 7, "c");
  EXPECT_EQ(candidates.NthEstimate(0), kInfinity);
  EXPECT_EQ(candidates.NthEstimate(1), 5);
  EXPECT_EQ(candidates.NthEstimate(2), 7);
  EXPECT_EQ(candidates.NthEstimate(3), 9);
  EXPECT_EQ(candidates.NthEstimate(4), kInfinity);
  EXPECT_EQ(candidates.Take()->key, "a");
  EXPECT_EQ(candidates.NthEstimate(2), 7);
  EXPECT_EQ(candidates.NthEstimate(3), kInfinity);
}

}  // namespace
}  // namespace s3v

#include "engine/candidates.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace s3v {
namespace {

using ::testing::ElementsAre;

void Offer(Candidates& candidates, float score, const std::string& key) {
  if (candidates.Wants(score)) candidates.Offer(score, 1, AsBytes(key));
}

std::vector<std::string> TakeAll(Candidates& candidates) {
  std::vector<std::string> keys;
  while (const auto kept = candidates.Take()) keys.push_back(kept->key);
  return keys;
}

TEST(Candidates, NearestFirstTiesByKey) {
  Candidates candidates(10);
  Offer(candidates, 2, "b");
  Offer(candidates, 1, "z");
  Offer(candidates, 2, "a");
  EXPECT_THAT(TakeAll(candidates), ElementsAre("z", "a", "b"));
  EXPECT_FALSE(candidates.dropped());
}

TEST(Candidates, KeepsTheNearestAndSaysThatItDropped) {
  Candidates candidates(2);
  for (const auto& [score, key] : {std::pair(5.0F, "e"), {1.0F, "a"}, {3.0F, "c"}, {2.0F, "b"}, {9.0F, "i"}}) {
    Offer(candidates, score, key);
  }
  EXPECT_TRUE(candidates.dropped());
  EXPECT_THAT(TakeAll(candidates), ElementsAre("a", "b"));
}

TEST(Candidates, TieAtTheBorderGoesToTheSmallerKey) {
  Candidates candidates(1);
  Offer(candidates, 1, "b");
  Offer(candidates, 1, "a");
  Offer(candidates, 1, "c");
  EXPECT_THAT(TakeAll(candidates), ElementsAre("a"));
}

TEST(Candidates, AKeyComesOnce) {
  Candidates candidates(10);
  Offer(candidates, 1, "a");
  Offer(candidates, 1, "a");
  Offer(candidates, 2, "a");
  EXPECT_THAT(TakeAll(candidates), ElementsAre("a"));
  Offer(candidates, 0, "a");
  EXPECT_THAT(TakeAll(candidates), ElementsAre());
}

TEST(Candidates, OfferingGoesOnAfterTaking) {
  Candidates candidates(2);
  Offer(candidates, 1, "a");
  Offer(candidates, 4, "d");
  EXPECT_EQ(candidates.Take()->key, "a");
  Offer(candidates, 3, "c");
  EXPECT_FALSE(candidates.dropped()) << "the one taken made room";
  Offer(candidates, 0, "n");
  EXPECT_TRUE(candidates.dropped());
  EXPECT_THAT(TakeAll(candidates), ElementsAre("n", "c"));
}

TEST(Candidates, StartAgainForgetsWhatIsKeptNotWhatWasGiven) {
  Candidates candidates(1);
  for (int round = 0; round < 2; ++round) {
    for (const auto& [score, key] : {std::pair(1.0F, "a"), {2.0F, "b"}, {3.0F, "c"}}) Offer(candidates, score, key);
    if (round > 0) break;
    EXPECT_THAT(TakeAll(candidates), ElementsAre("a"));
    candidates.StartAgain(5);
    EXPECT_FALSE(candidates.dropped());
  }
  EXPECT_THAT(TakeAll(candidates), ElementsAre("b", "c"));
}

}  // namespace
}  // namespace s3v

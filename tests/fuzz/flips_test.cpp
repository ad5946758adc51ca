// The campaign of main/flips.cpp, a few seconds of it: what it finds in a hundred thousand trials it finds here if it
// is common.
#include <gtest/gtest.h>

#include "fuzz/campaign.h"

namespace s3v::fuzz {
namespace {

class Flips : public ::testing::TestWithParam<SubjectOptions> {
 protected:
  Flips() : subject_(GetParam()), other_({.name = "another", .rows = 20}), campaign_(subject_, other_.objects(), 7) {}

  void ExpectClean() const {
    const CampaignCounts& counts = campaign_.counts();
    EXPECT_TRUE(counts.is_clean());
    for (const std::string& complaint : counts.complaints) ADD_FAILURE() << complaint;
  }

  Subject subject_;
  Subject other_;
  Campaign campaign_;
};

TEST_P(Flips, OfBytesInTheStore) {
  campaign_.FlipBytes(400, 97);
  ExpectClean();
  // Nearly everything in an object is read by one question or another.
  EXPECT_EQ(campaign_.counts().tried, 400u);
  EXPECT_GT(campaign_.counts().refused, 340u);
}

TEST_P(Flips, OfWholeObjects) {
  campaign_.DamageObjects(200);
  ExpectClean();
  EXPECT_GT(campaign_.counts().refused, 120u);
}

TEST_P(Flips, OfTheLocalCache) {
  campaign_.DamageCache(60);
  ExpectClean();
  EXPECT_EQ(campaign_.counts().right, 60u);
}

TEST_P(Flips, OnTheWay) {
  campaign_.DamageOnTheWay(60);
  ExpectClean();
  EXPECT_EQ(campaign_.counts().right, 60u);
}

std::string KeysOf(const ::testing::TestParamInfo<SubjectOptions>& info) {
  constexpr const char* kNames[] = {"Integers", "Texts", "Uuids"};
  return kNames[info.index];
}

INSTANTIATE_TEST_SUITE_P(Subjects, Flips, ::testing::ValuesIn(AllSubjects()), KeysOf);

}  // namespace

void PrintTo(const SubjectOptions& options, std::ostream* out) { *out << options.name; }

}  // namespace s3v::fuzz

#include "s3vectors/operations.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace s3v {
namespace {

using ::testing::ElementsAre;
using ::testing::UnorderedElementsAre;

template <class Test>
std::vector<std::string_view> NamesWhere(Test&& test) {
  std::vector<std::string_view> names;
  for (const OperationTraits& traits : AllOperations()) {
    if (test(traits)) names.push_back(traits.name);
  }
  return names;
}

TEST(Operations, AreThoseOfTheModel) {
  EXPECT_EQ(AllOperations().size(), 22u);
  for (const OperationTraits& traits : AllOperations()) EXPECT_EQ(&TraitsOf(traits.operation), &traits);
  EXPECT_EQ(TraitsOf(Operation::kPutVectorBucketDefaultIndexMode).name, "PutVectorBucketDefaultIndexMode");
  EXPECT_EQ(TraitsOf(Operation::kListTagsForResource).name, "ListTagsForResource");
}

TEST(Operations, OnlyThoseOnResourcesAreNotPosts) {
  EXPECT_THAT(NamesWhere([](const auto& traits) { return traits.is_on_resource; }),
              ElementsAre("TagResource", "UntagResource", "ListTagsForResource"));
  EXPECT_THAT(NamesWhere([](const auto& traits) { return traits.method != "POST"; }),
              ElementsAre("UntagResource", "ListTagsForResource"));
  EXPECT_EQ(TraitsOf(Operation::kUntagResource).method, "DELETE");
  EXPECT_EQ(TraitsOf(Operation::kListTagsForResource).method, "GET");
}

TEST(Operations, TellWhatARepetitionDoes) {
  EXPECT_THAT(NamesWhere([](const auto& traits) { return traits.is_read; }),
              UnorderedElementsAre("GetVectorBucket", "ListVectorBuckets", "GetVectorBucketPolicy", "GetIndex",
                                   "ListIndexes", "GetVectors", "ListVectors", "QueryVectors", "ListTagsForResource"));
  EXPECT_THAT(NamesWhere([](const auto& traits) { return traits.repeat == Repeat::kAmbiguous; }),
              UnorderedElementsAre("CreateVectorBucket", "DeleteVectorBucket", "CreateIndex", "DeleteIndex",
                                   "UpdateMetadataConfiguration"));
}

TEST(Operations, TellWhatIsBilled) {
  EXPECT_THAT(NamesWhere([](const auto& traits) { return traits.billing == Billing::kQuery; }),
              ElementsAre("QueryVectors"));
  EXPECT_THAT(NamesWhere([](const auto& traits) { return traits.billing == Billing::kPut; }),
              ElementsAre("PutVectors"));
}

}  // namespace
}  // namespace s3v

#include "s3vectors/remote_index.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "s3vectors/index_service.h"

namespace s3v {
namespace {

using nlohmann::json;
using testing::Answer;
using ::testing::ElementsAre;
using testing::ErrorFrom;
using ::testing::HasSubstr;
using testing::IndexFixture;
using testing::IndexService;
using testing::ServedAnswer;
using ::testing::SizeIs;
using ::testing::StartsWith;

const ObjectId kIndex = {7};
const ObjectId kOther = {8};

RemoteCreation Creation(Metric metric = Metric::kCosine, size_t dimensions = 3,
                        std::vector<std::string> nonfilterable = {}) {
  RemoteCreation creation;
  creation.metric = metric;
  creation.dimensions = dimensions;
  creation.nonfilterable = std::move(nonfilterable);
  return creation;
}

class RemoteIndex : public ::testing::Test {
 protected:
  std::string Create(const RemoteCreation& creation) {
    return CreateGeneration(fixture_.client, kIndex, creation, fixture_.stop);
  }
  std::optional<std::string> Find(const std::vector<std::string>& published, const RemoteCreation& shape) {
    return FindUnfinished(fixture_.client, kIndex, published, shape, fixture_.stop);
  }
  RemoteShape DescribeIt(const std::string& name) { return Describe(fixture_.client, name, fixture_.stop); }
  std::vector<std::string> Listed(const std::string& prefix) {
    std::vector<std::string> names;
    for (const RemoteListing& listed : ListRemote(fixture_.client, prefix, fixture_.stop)) names.push_back(listed.name);
    return names;
  }
  // Answers GetIndex and ListIndexes with this text.
  void AlwaysAnswer(const std::string& body) {
    service_.intercept = [body](const IndexService::Request&) -> std::optional<ServedAnswer> {
      return Answer(200, body);
    };
  }

  IndexFixture fixture_;
  IndexService& service_ = fixture_.service;
};

// --- what cannot be ---

TEST(RemoteCreationChecks, TakeWhatTheServiceTakes) {
  CheckRemoteCreation(Creation(Metric::kCosine, 1));
  CheckRemoteCreation(Creation(Metric::kL2, 4096, std::vector<std::string>(10, std::string(63, 'x'))));
  RemoteCreation creation = Creation();
  for (const char* mode : {"CLASSIC", "ENHANCED", ""}) {
    creation.mode = mode;
    CheckRemoteCreation(creation);
  }
}

TEST(RemoteCreationChecks, RefuseTheRestAndSayWhatToDo) {
  const auto refusal = [](const RemoteCreation& creation) { return ErrorFrom([&] { CheckRemoteCreation(creation); }); };
  const Error inner_product = refusal(Creation(Metric::kInnerProduct));
  EXPECT_EQ(inner_product.code(), Code::kNotSupported);
  EXPECT_THAT(inner_product.hint(), HasSubstr("cosine"));
  EXPECT_THAT(inner_product.hint(), HasSubstr("s3://"));

  EXPECT_EQ(refusal(Creation(Metric::kL2, 0)).code(), Code::kInvalidArgument);
  const Error too_wide = refusal(Creation(Metric::kL2, 4097));
  EXPECT_EQ(too_wide.code(), Code::kInvalidArgument);
  EXPECT_THAT(too_wide.message(), HasSubstr("4097"));

  for (const std::vector<std::string>& keys :
       {std::vector<std::string>(11, "x"), {""}, {"fine", std::string(64, 'x')}}) {
    EXPECT_EQ(refusal(Creation(Metric::kL2, 3, keys)).code(), Code::kInvalidArgument);
  }
  RemoteCreation creation = Creation();
  creation.mode = "enhanced";
  EXPECT_EQ(refusal(creation).code(), Code::kInvalidArgument);
}

// --- made ---

TEST_F(RemoteIndex, GenerationIsMadeInOneRequest) {
  const std::string name = Create(Creation(Metric::kL2, 5, {"body"}));
  RemoteName parsed;
  ASSERT_TRUE(ParseRemoteName(name, &parsed));
  EXPECT_FALSE(parsed.is_owner);
  EXPECT_EQ(parsed.index, kIndex);
  EXPECT_THAT(service_.Names(), ElementsAre(name));
  ASSERT_THAT(service_.requests, SizeIs(1));
  EXPECT_EQ(service_.requests[0].body, json({{"vectorBucketName", "vectors"},
                                             {"indexName", name},
                                             {"dataType", "float32"},
                                             {"dimension", 5},
                                             {"distanceMetric", "euclidean"},
                                             {"metadataConfiguration", {{"nonFilterableMetadataKeys", {"body"}}}}}));
  EXPECT_NE(Create(Creation()), name);
}

TEST_F(RemoteIndex, ChecksBeforeItAsks) {
  EXPECT_EQ(ErrorFrom([&] { Create(Creation(Metric::kInnerProduct)); }).code(), Code::kNotSupported);
  EXPECT_THAT(service_.requests, SizeIs(0));
}

TEST_F(RemoteIndex, BucketIsMadeOnlyWhenMissingAndWanted) {
  service_.buckets.clear();
  const Error error = ErrorFrom([&] { Create(Creation()); });
  EXPECT_EQ(error.code(), Code::kStoreMissing);
  EXPECT_THAT(error.message(), HasSubstr("\"vectors\" does not exist"));
  EXPECT_THAT(error.hint(), HasSubstr("{\"create_bucket\": true}"));
  EXPECT_THAT(service_.buckets, SizeIs(0));

  RemoteCreation creation = Creation();
  creation.create_bucket = true;
  const std::string first = Create(creation);
  EXPECT_EQ(service_.Count("CreateVectorBucket"), 1);
  const std::string second = Create(creation);
  EXPECT_EQ(service_.Count("CreateVectorBucket"), 1) << "it is there now";
  EXPECT_THAT(service_.Names(), ::testing::UnorderedElementsAre(first, second));
}

TEST_F(RemoteIndex, BucketIsMadeOnce) {
  service_.buckets.clear();
  for (int i = 0; i < 2; ++i) {
    MakeVectorBucket(fixture_.client, fixture_.stop);
    EXPECT_EQ(service_.Count("CreateVectorBucket"), 1);
    EXPECT_THAT(service_.Names(), SizeIs(0));
  }
}

TEST_F(RemoteIndex, BucketThatSomebodyElseMadeMeanwhileWillDo) {
  service_.intercept = [&](const IndexService::Request& request) -> std::optional<ServedAnswer> {
    if (request.operation == "CreateVectorBucket") service_.buckets["vectors"];
    return std::nullopt;
  };
  RemoteCreation creation = Creation();
  creation.create_bucket = true;
  service_.buckets.clear();
  EXPECT_THAT(Create(creation), StartsWith(RemotePrefix(kIndex)));

  service_.intercept = nullptr;
  service_.buckets.clear();
  service_.lost_answers["CreateVectorBucket"] = 1;
  EXPECT_THAT(Create(creation), StartsWith(RemotePrefix(kIndex))) << "made by us, and the answer got lost";
}

TEST_F(RemoteIndex, EncryptionIsThatOfTheServer) {
  IndexFixture encrypted([](StoreConfig& config) { config.sse = "AES256"; });
  encrypted.service.buckets.clear();
  RemoteCreation creation = Creation();
  creation.create_bucket = true;
  const std::string name = CreateGeneration(encrypted.client, kIndex, creation, encrypted.stop);
  const IndexService::Bucket& bucket = encrypted.service.buckets.at("vectors");
  EXPECT_EQ(bucket.encryption, json({{"sseType", "AES256"}}));
  EXPECT_EQ(bucket.indexes.at(name).description.at("encryptionConfiguration"), json({{"sseType", "AES256"}}));
}

TEST_F(RemoteIndex, LostAnswerLeavesOneIndexThatIsOurs) {
  service_.lost_answers["CreateIndex"] = 1;
  const std::string name = Create(Creation());
  EXPECT_THAT(service_.Names(), ElementsAre(name));
  EXPECT_EQ(service_.Count("CreateIndex"), 2);
}

TEST_F(RemoteIndex, TakenNameIsLeftToItsOwner) {
  std::vector<std::string> taken;
  size_t times = 1;
  service_.intercept = [&](const IndexService::Request& request) -> std::optional<ServedAnswer> {
    if (request.operation != "CreateIndex" || taken.size() == times) return std::nullopt;
    taken.push_back(request.body.at("indexName"));
    return Answer(409, R"({"message":"exists"})");
  };
  EXPECT_THAT(service_.Names(), SizeIs(0));
  const std::string name = Create(Creation());
  EXPECT_NE(name, taken.at(0));
  EXPECT_THAT(service_.Names(), ElementsAre(name));

  taken.clear();
  times = 2;
  EXPECT_EQ(ErrorFrom([&] { Create(Creation()); }).code(), Code::kUnavailable);
  EXPECT_NE(taken.at(0), taken.at(1));
}

TEST_F(RemoteIndex, ModeIsSetOnlyWhereItDiffers) {
  RemoteCreation creation = Creation();
  creation.mode = "ENHANCED";
  Create(creation);
  EXPECT_EQ(service_.Count("UpdateIndexMode"), 0) << "the bucket's default is what was asked for";

  service_.default_mode = "CLASSIC";
  EXPECT_EQ(DescribeIt(Create(Creation())).mode, "CLASSIC") << "nothing was asked for";
  EXPECT_EQ(service_.Count("UpdateIndexMode"), 0);
  EXPECT_EQ(DescribeIt(Create(creation)).mode, "ENHANCED");
  EXPECT_EQ(service_.Count("UpdateIndexMode"), 1);

  service_.tells_mode = false;
  Create(creation);
  EXPECT_EQ(service_.Count("UpdateIndexMode"), 2) << "a service that does not say is told";
}

// --- described ---

TEST_F(RemoteIndex, DescriptionIsWhatWasMade) {
  const std::string name = Create(Creation(Metric::kL2, 7, {"b", "a"}));
  for (const auto times : {IndexService::Times::kFractional, IndexService::Times::kExponent}) {
    service_.times = times;
    const RemoteShape shape = DescribeIt(name);
    EXPECT_EQ(shape.metric, Metric::kL2);
    EXPECT_EQ(shape.dimensions, 7U);
    EXPECT_THAT(shape.nonfilterable, ElementsAre("b", "a"));
    EXPECT_EQ(shape.mode, "ENHANCED");
    EXPECT_EQ(shape.created, 1795273899);
  }
}

TEST_F(RemoteIndex, DescriptionDoesWithoutWhatSomeLeaveOut) {
  AlwaysAnswer(R"({"index":{"dimension":2,"distanceMetric":"cosine","metadataConfiguration":{}},"more":1})");
  const RemoteShape shape = DescribeIt("docs");
  EXPECT_EQ(shape.metric, Metric::kCosine);
  EXPECT_THAT(shape.nonfilterable, SizeIs(0));
  EXPECT_EQ(shape.mode, "");
  EXPECT_EQ(shape.created, 0);
}

TEST_F(RemoteIndex, DescriptionWithoutWhatEveryIndexHasIsCorrupted) {
  for (
      const char* body :
      {"{}", R"({"index":[]})", R"({"index":{"dimension":2}})", R"({"index":{"distanceMetric":"cosine"}})",
       R"({"index":{"dimension":0,"distanceMetric":"cosine"}})",
       R"({"index":{"dimension":2.5,"distanceMetric":"cosine"}})",
       R"({"index":{"dimension":-2,"distanceMetric":"cosine"}})",
       R"({"index":{"dimension":4097,"distanceMetric":"cosine"}})", R"({"index":{"dimension":2,"distanceMetric":1}})",
       R"({"index":{"dimension":2,"distanceMetric":"cosine","metadataConfiguration":{"nonFilterableMetadataKeys":[1]}}})",
       R"({"index":})"}) {
    AlwaysAnswer(body);
    const Error error = ErrorFrom([&] { DescribeIt("docs"); });
    EXPECT_EQ(error.code(), Code::kCorrupted) << body;
    EXPECT_THAT(error.message(), HasSubstr("\"docs\"")) << body;
  }
  AlwaysAnswer(R"({"index":{"dimension":2,"distanceMetric":"dotproduct"}})");
  EXPECT_EQ(ErrorFrom([&] { DescribeIt("docs"); }).code(), Code::kNotSupported);
}

TEST_F(RemoteIndex, MissingIndexAndMissingBucketDiffer) {
  EXPECT_EQ(ErrorFrom([&] { DescribeIt("docs"); }).code(), Code::kObjectMissing);
  service_.buckets.clear();
  EXPECT_EQ(ErrorFrom([&] { DescribeIt("docs"); }).code(), Code::kStoreMissing);
}

// --- listed and deleted ---

TEST_F(RemoteIndex, ListHasAllPagesByName) {
  for (const char* name : {"zeta", "alpha-2", "alpha-1", "alpha", "beta"}) service_.Add(name);
  for (const bool empty_token : {false, true}) {
    service_.ends_with_empty_token = empty_token;
    for (const size_t page_size : {1, 2, 5, 500}) {
      service_.page_size = page_size;
      EXPECT_THAT(Listed(""), ElementsAre("alpha", "alpha-1", "alpha-2", "beta", "zeta"));
      EXPECT_THAT(Listed("alpha"), ElementsAre("alpha", "alpha-1", "alpha-2"));
      EXPECT_THAT(Listed("none"), SizeIs(0));
    }
  }
  service_.ignores_prefix = true;
  EXPECT_THAT(Listed("alpha-"), ElementsAre("alpha-1", "alpha-2"));
}

TEST_F(RemoteIndex, ListTellsWhenEachWasMade) {
  service_.Add("old");
  service_.now += 1000;
  service_.Add("young");
  auto listed = ListRemote(fixture_.client, "", fixture_.stop);
  EXPECT_EQ(listed.at(0).created, 1795273899);
  EXPECT_EQ(listed.at(1).created, 1795274899);
  service_.times = IndexService::Times::kMissing;
  EXPECT_EQ(ListRemote(fixture_.client, "", fixture_.stop).at(0).created, 0);
}

TEST_F(RemoteIndex, ListThatNeverEndsIsGivenUp) {
  AlwaysAnswer(R"({"indexes":[],"nextToken":"again"})");
  EXPECT_EQ(ErrorFrom([&] { Listed(""); }).code(), Code::kUnavailable);
}

TEST_F(RemoteIndex, ListThatShiftsBetweenPagesNamesEachOnce) {
  int page = 0;
  service_.intercept = [&](const IndexService::Request&) -> std::optional<ServedAnswer> {
    return ++page == 1 ? Answer(200, R"({"indexes":[{"indexName":"a"},{"indexName":"b"}],"nextToken":"t"})")
                       : Answer(200, R"({"indexes":[{"indexName":"b"},{"indexName":"c"}]})");
  };
  EXPECT_THAT(Listed(""), ElementsAre("a", "b", "c"));
}

TEST_F(RemoteIndex, ListThatIsNoneIsCorrupted) {
  for (const char* body : {"{}", R"({"indexes":{}})", R"({"indexes":[{}]})", R"({"indexes":[{"indexName":1}]})"}) {
    AlwaysAnswer(body);
    EXPECT_EQ(ErrorFrom([&] { Listed(""); }).code(), Code::kCorrupted) << body;
  }
}

TEST_F(RemoteIndex, DeletingWhatIsNotThereSucceeds) {
  service_.Add("docs");
  service_.lost_answers["DeleteIndex"] = 1;
  DeleteRemote(fixture_.client, "docs", fixture_.stop);
  EXPECT_THAT(service_.Names(), SizeIs(0));
  EXPECT_NO_THROW(DeleteRemote(fixture_.client, "docs", fixture_.stop));
}

// --- left behind ---

TEST_F(RemoteIndex, UnfinishedIsTheNewestThatNobodyPublished) {
  EXPECT_EQ(Find({}, Creation()), std::nullopt);
  std::vector<std::string> made;
  for (int i = 0; i < 3; ++i) {
    made.push_back(Create(Creation()));
    service_.now += 10;
  }
  EXPECT_EQ(Find({}, Creation()), made[2]);
  EXPECT_EQ(Find({made[2]}, Creation()), made[1]);
  EXPECT_EQ(Find({made[1], made[2]}, Creation()), made[0]);
  EXPECT_EQ(Find(made, Creation()), std::nullopt);
}

TEST_F(RemoteIndex, UnfinishedHasTheShapeThatIsWanted) {
  const std::string plain = Create(Creation(Metric::kCosine, 3));
  service_.now += 10;
  const std::string keys = Create(Creation(Metric::kCosine, 3, {"b", "a"}));
  service_.now += 10;
  Create(Creation(Metric::kL2, 3));
  Create(Creation(Metric::kCosine, 4));
  EXPECT_EQ(Find({}, Creation(Metric::kCosine, 3)), plain);
  EXPECT_EQ(Find({}, Creation(Metric::kCosine, 3, {"a", "b"})), keys);
  EXPECT_EQ(Find({}, Creation(Metric::kCosine, 3, {"a"})), std::nullopt);
}

TEST_F(RemoteIndex, UnfinishedIsNeitherAMarkerNorOfAnotherIndexNorForeign) {
  service_.Add(OwnerName(kIndex, 3));
  service_.Add(GenerationName(kOther, 5));
  service_.Add(RemotePrefix(kIndex) + "-mine");
  EXPECT_EQ(Find({}, Creation()), std::nullopt);
}

TEST_F(RemoteIndex, UnfinishedWithoutTimesIsAnyOfThem) {
  service_.times = IndexService::Times::kMissing;
  const std::string name = Create(Creation());
  EXPECT_EQ(Find({}, Creation()), name);
}

TEST_F(RemoteIndex, UnfinishedThatIsBeingDeletedIsPassedOver) {
  const std::string old = Create(Creation());
  service_.now += 10;
  const std::string young = Create(Creation());
  service_.intercept = [&](const IndexService::Request& request) -> std::optional<ServedAnswer> {
    if (request.operation != "GetIndex" || request.body.at("indexName") != young) return std::nullopt;
    return Answer(404, R"({"message":"The specified index could not be found"})");
  };
  EXPECT_EQ(Find({}, Creation()), old);
}

// Killed between CreateIndex and UpdateIndexMode.
TEST_F(RemoteIndex, UnfinishedGetsItsMode) {
  service_.default_mode = "CLASSIC";
  const std::string name = Create(Creation());
  RemoteCreation wanted = Creation();
  wanted.mode = "ENHANCED";
  EXPECT_EQ(Find({}, wanted), name);
  EXPECT_EQ(DescribeIt(name).mode, "ENHANCED");
  EXPECT_EQ(Find({}, Creation()), name);
  EXPECT_EQ(service_.Count("UpdateIndexMode"), 1);
}

}  // namespace
}  // namespace s3v

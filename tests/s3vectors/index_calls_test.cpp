#include "s3vectors/index_calls.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "s3vectors/index_service.h"

namespace s3v {
namespace {

using nlohmann::json;
using testing::ErrorFrom;
using ::testing::HasSubstr;
using testing::IndexFixture;

TEST(IndexCalls, AreAddressedByBucketAndIndex) {
  const IndexFixture fixture;
  const ServiceCall call = NewCall(fixture.client, Operation::kGetIndex, "docs");
  EXPECT_EQ(call.body, R"({"indexName":"docs","vectorBucketName":"vectors"})");
  EXPECT_EQ(call.subject, "docs");
  EXPECT_EQ(NewCall(fixture.client, Operation::kListIndexes, "", {{"maxResults", JsonValue::Unsigned(5)}}).body,
            R"({"maxResults":5,"vectorBucketName":"vectors"})");
}

TEST(IndexCalls, CreateIndexSaysWhatAnIndexIs) {
  const IndexFixture fixture;
  EXPECT_EQ(json::parse(NewCreateIndex(fixture.client, "docs", Metric::kCosine, 3, {}).body),
            json::parse(R"({"vectorBucketName":"vectors","indexName":"docs","dataType":"float32","dimension":3,
                            "distanceMetric":"cosine"})"));
  EXPECT_EQ(json::parse(NewCreateIndex(fixture.client, "docs", Metric::kL2, 4096, {"a", "b"}).body),
            json::parse(R"({"vectorBucketName":"vectors","indexName":"docs","dataType":"float32","dimension":4096,
                            "distanceMetric":"euclidean",
                            "metadataConfiguration":{"nonFilterableMetadataKeys":["a","b"]}})"));
}

TEST(IndexCalls, WhatIsMadeIsEncryptedAsTheServerSays) {
  const auto encryption_of = [](const std::string& sse, const std::string& key) {
    const IndexFixture fixture([&](StoreConfig& config) {
      config.sse = sse;
      config.kms_key_id = key;
    });
    const json index = json::parse(NewCreateIndex(fixture.client, "docs", Metric::kL2, 1, {}).body);
    const json bucket = json::parse(NewCreateVectorBucket(fixture.client).body);
    EXPECT_EQ(index.value("encryptionConfiguration", json()), bucket.value("encryptionConfiguration", json()));
    EXPECT_EQ(bucket.value("vectorBucketName", ""), "vectors");
    return bucket.value("encryptionConfiguration", json());
  };
  const std::string key = "arn:aws:kms:us-east-1:123456789012:key/abc";
  EXPECT_EQ(encryption_of("", ""), json());
  EXPECT_EQ(encryption_of("AES256", ""), json({{"sseType", "AES256"}}));
  EXPECT_EQ(encryption_of("aws:kms", key), json({{"sseType", "aws:kms"}, {"kmsKeyArn", key}}));
}

TEST(IndexCalls, DeletesSeveralAtOnceAndWhatIsNotThere) {
  IndexFixture fixture;
  std::vector<std::string> names;
  for (int i = 0; i < 20; ++i) {
    names.push_back("index-" + std::to_string(i));
    if (i % 3 != 0) fixture.service.Add(names.back());
  }
  fixture.service.Add("other");
  fixture.service.lost_answers["DeleteIndex"] = 2;
  DeleteIndexes(fixture.client, names, fixture.stop);
  EXPECT_THAT(fixture.service.Names(), ::testing::ElementsAre("other"));
  EXPECT_EQ(fixture.service.Count("DeleteIndex"), 22);
  EXPECT_EQ(fixture.service.Count("GetVectorBucket"), 0) << "nobody needs to know why an index is not there";
}

TEST(IndexCalls, TimesAreSecondsRoundedDown) {
  const auto time_of = [](const char* text) { return CreationTimeOf(ParseJson(text, 8).value()); };
  EXPECT_EQ(time_of(R"({"creationTime":1795273899})"), 1795273899);
  EXPECT_EQ(time_of(R"({"creationTime":1795273899.9})"), 1795273899);
  EXPECT_EQ(time_of(R"({"creationTime":1.795273899343E9})"), 1795273899);
  for (const char* none : {"{}", R"({"creationTime":null})", R"({"creationTime":"2026-11-22T06:00:00Z"})",
                           R"({"creationTime":-5})", R"({"creationTime":1e300})"}) {
    EXPECT_EQ(time_of(none), 0) << none;
  }
}

TEST(IndexCalls, AnswersMustBeObjects) {
  ServiceCall call{.operation = Operation::kGetIndex, .subject = "docs"};
  const auto read = [&](std::string_view text) {
    call.answer.assign(text.begin(), text.end());
    return ReadAnswer(call);
  };
  EXPECT_EQ(read(R"({"later":[1,{}],"index":{}})").members.size(), 2U);
  for (const char* text : {"", "[]", "7", "{\"a\":}", "{\"a\":1e999}", "{\"a\":\"\xff\"}"}) {
    const Error error = ErrorFrom([&] { read(text); });
    EXPECT_EQ(error.code(), Code::kCorrupted) << text;
    EXPECT_THAT(error.message(), HasSubstr("GetIndex about remote index \"docs\"")) << text;
  }
}

TEST(IndexCalls, NamesThatAreNotUtf8AreSentWithReplacements) {
  const IndexFixture fixture;
  const auto sent = [&](const char* text) {
    return NewCall(fixture.client, Operation::kListIndexes, "", {{"prefix", JsonValue::Text(text)}}).body;
  };
  EXPECT_EQ(sent("gr\xfc\xdf"), "{\"prefix\":\"gr\xef\xbf\xbd\xef\xbf\xbd\",\"vectorBucketName\":\"vectors\"}");
  EXPECT_EQ(sent("gr\xc3\xbc\xc3\x9f"), "{\"prefix\":\"gr\xc3\xbc\xc3\x9f\",\"vectorBucketName\":\"vectors\"}");
}

}  // namespace
}  // namespace s3v

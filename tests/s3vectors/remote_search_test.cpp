#include "s3vectors/remote_search.h"

#include <gtest/gtest.h>

#include <cmath>
#include <set>

#include "base/error.h"
#include "support/vector_service.h"

namespace s3v {
namespace {

using nlohmann::json;
using testing::VectorService;

constexpr float kQuery[] = {1, 0, 0};

struct RemoteSearchTest : ::testing::Test {
  RemoteSearchTest() {
    for (int i = 0; i < 350; ++i) {
      service.vectors["k" + std::to_string(i)] = {{1, 0.01F * static_cast<float>(i), 0}, {{"n", i}, {"t", "text"}}};
    }
    config = service.config();
  }

  std::vector<RemoteAnswer> Search(std::vector<RemoteQuery> queries, const RemoteSearchOptions& options = {}) {
    ServiceClient client(config, ParseStoreUrl(config.url), ServiceRetryPolicy(), SystemClock());
    auto answers = SearchRemote(client, VectorService::kIndex, queries, options, stop);
    waves = client.counters().waves;
    return answers;
  }
  RemoteAnswer SearchOne(uint64_t top_k, const RemoteSearchOptions& options = {}) {
    return Search({{.vector = kQuery, .top_k = top_k}}, options).at(0);
  }
  // The first hits are those of the smallest numbers.
  static void ExpectFirst(const RemoteAnswer& answer, size_t count) {
    ASSERT_EQ(answer.hits.size(), count);
    for (size_t i = 0; i < count; ++i) EXPECT_EQ(answer.hits[i].key, "k" + std::to_string(i));
  }

  NeverStop stop;
  VectorService service;
  StoreConfig config;
  uint64_t waves = 0;
};

TEST_F(RemoteSearchTest, OnePageIsOneRequest) {
  const RemoteAnswer answer = SearchOne(10);
  ExpectFirst(answer, 10);
  EXPECT_FALSE(answer.is_whole);
  EXPECT_NEAR(answer.hits[0].distance, 0, 1e-6);
  EXPECT_NEAR(answer.hits[9].distance, 1 - 1 / std::sqrt(1 + 0.09 * 0.09), 1e-6);
  EXPECT_EQ(answer.hits[0].metadata, "");
  ASSERT_EQ(service.requests.size(), 1u);
  EXPECT_EQ(service.requests[0].body, json::parse(R"({"vectorBucketName":"vectors","indexName":"index","topK":10,
    "queryVector":{"float32":[1,0,0]},"returnDistance":true})"));
}

TEST_F(RemoteSearchTest, PagesAreAskedForWithTheSameBody) {
  ExpectFirst(SearchOne(250), 250);
  ASSERT_EQ(service.requests.size(), 3u);
  json first = service.requests[0].body;
  for (const size_t page : {1, 2}) {
    first["nextToken"] = std::to_string(100 * page);
    EXPECT_EQ(service.requests[page].body, first);
  }
}

TEST_F(RemoteSearchTest, FewerThanAskedForIsAll) {
  const RemoteAnswer answer = SearchOne(400);
  ExpectFirst(answer, 350);
  EXPECT_TRUE(answer.is_whole);
  EXPECT_EQ(service.requests.size(), 4u);
  EXPECT_FALSE(SearchOne(350).is_whole);
}

TEST_F(RemoteSearchTest, OtherServersPageOtherwise) {
  service.ends_with_empty_token = true;
  service.query_page = 10'000;
  ExpectFirst(SearchOne(400), 350);
  EXPECT_EQ(service.requests.size(), 1u);
  service.query_page = 7;
  ExpectFirst(SearchOne(30), 30);
  service.repeats_last_hit = true;
  ExpectFirst(SearchOne(30), 30);
  service.reverses_pages = true;
  ExpectFirst(SearchOne(30), 30);
}

TEST_F(RemoteSearchTest, WithoutDistancesTheOrderIsTheServices) {
  service.tells_distances = false;
  const RemoteAnswer answer = SearchOne(150);
  ExpectFirst(answer, 150);
  EXPECT_TRUE(std::isnan(answer.hits[0].distance));
}

TEST_F(RemoteSearchTest, ManyQueriesShareTheirRounds) {
  std::vector<RemoteQuery> queries;
  for (const uint64_t top_k : {5, 150, 320, 1}) queries.push_back({.vector = kQuery, .top_k = top_k});
  const std::vector<RemoteAnswer> answers = Search(queries);
  for (size_t i = 0; i < queries.size(); ++i) ExpectFirst(answers.at(i), queries[i].top_k);
  EXPECT_EQ(service.requests.size(), 4u + 2 + 1 + 1);
  EXPECT_EQ(waves, 4u);
}

TEST_F(RemoteSearchTest, FiltersAndMetadata) {
  const RemoteAnswer answer =
      SearchOne(5, {.filter = {.json = R"({"n":{"$gte":340}})", .needs_enhanced = true}, .with_metadata = true});
  ASSERT_EQ(answer.hits.size(), 5u);
  EXPECT_EQ(answer.hits[0].key, "k340");
  EXPECT_EQ(answer.hits[0].metadata, R"({"n":340,"t":"text"})");
  EXPECT_EQ(service.requests[0].body.at("queryMode"), "ENHANCED");
  EXPECT_FALSE(answer.is_whole);
}

// Ten rows match, twenty are asked for.
struct ShortAnswerTest : RemoteSearchTest {
  ShortAnswerTest() {
    service.intercept = [this](const VectorService::Request& request) -> std::optional<testing::ServedAnswer> {
      if (request.operation == "GetIndex") return testing::Answer(200, described);
      if (refuses_mode && request.body.contains("queryMode")) {
        return VectorService::Refusal(400, "ValidationException", "Unknown member queryMode");
      }
      return std::nullopt;
    };
  }
  RemoteAnswer SearchShort() { return SearchOne(20, {.filter = {.json = R"({"n":{"$gte":340}})"}}); }

  std::string described =
      R"({"index":{"vectorBucketName":"vectors","indexName":"index","indexArn":"arn","creationTime":1,
    "dataType":"float32","dimension":3,"distanceMetric":"cosine","indexMode":"CLASSIC"}})";
  bool refuses_mode = false;
};

TEST_F(ShortAnswerTest, IsWholeWhereTheServiceKnowsModes) {
  const RemoteAnswer answer = SearchShort();
  EXPECT_EQ(answer.hits.size(), 10u);
  EXPECT_TRUE(answer.is_whole);
  EXPECT_EQ(service.Count("GetIndex"), 1);
}

TEST_F(ShortAnswerTest, IsDoubtfulWhereItDoesNotTellTheMode) {
  described.erase(described.find(R"(,"indexMode")"), std::string(R"(,"indexMode":"CLASSIC")").size());
  EXPECT_FALSE(SearchShort().is_whole);
  EXPECT_TRUE(SearchOne(500).is_whole) << "nothing is thinned out without a filter";
}

TEST_F(ShortAnswerTest, IsDoubtfulWhereTheModeIsRefused) {
  refuses_mode = true;
  const RemoteAnswer answer = SearchShort();
  EXPECT_EQ(answer.hits.size(), 10u);
  EXPECT_FALSE(answer.is_whole);
  EXPECT_EQ(service.Count("GetIndex"), 0);
}

TEST_F(RemoteSearchTest, AServerWithoutPagesIsAskedForOne) {
  service.intercept = [](const VectorService::Request& request) -> std::optional<testing::ServedAnswer> {
    if (request.body.at("topK") <= 100) return std::nullopt;
    return VectorService::Refusal(400, "ValidationException", "Value at '/topK' failed to satisfy constraint");
  };
  const RemoteAnswer answer = SearchOne(250);
  ExpectFirst(answer, 100);
  EXPECT_FALSE(answer.is_whole);
}

TEST_F(RemoteSearchTest, AnExpiredTokenBeginsAnewOnce) {
  service.expired_tokens = 1;
  ExpectFirst(SearchOne(250), 250);
  EXPECT_EQ(service.requests.size(), 2u + 3);
  service.expired_tokens = 2;
  try {
    SearchOne(250);
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), Code::kInvalidArgument);
    EXPECT_NE(error.detail().find("Token has expired"), std::string::npos) << error.detail();
  }
}

TEST_F(RemoteSearchTest, AnythingElseThatIsWrongIsSaid) {
  int pages = 0;
  service.intercept = [&](const VectorService::Request&) -> std::optional<testing::ServedAnswer> {
    return ++pages == 1 ? std::nullopt
                        : std::optional(VectorService::Refusal(400, "ValidationException", "Something else"));
  };
  try {
    SearchOne(250);
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), Code::kInvalidArgument);
    EXPECT_NE(error.detail().find("Something else"), std::string::npos) << error.detail();
  }
}

TEST_F(RemoteSearchTest, AnswersThatAreNoneAreErrors) {
  for (const char* body : {R"({})", R"({"vectors":{}})", R"({"vectors":[{}]})", R"({"vectors":[{"key":1}]})",
                           R"({"vectors":[],"nextToken":5})", R"({"vectors":[{"key":"a","distance":0.1}])",
                           R"({"vectors":[1]})", R"({"vectors":[{"key":"a"},]})"}) {
    const std::string whole = body;
    service.intercept = [&](const VectorService::Request&) { return testing::Answer(200, whole); };
    try {
      SearchOne(5);
      ADD_FAILURE() << body;
    } catch (const Error& error) {
      EXPECT_TRUE(error.code() == Code::kCorrupted || error.code() == Code::kUnavailable) << error.message();
    }
  }
}

TEST_F(RemoteSearchTest, TheSamePageForeverIsAnError) {
  service.intercept = [](const VectorService::Request&) {
    return testing::Answer(200, R"({"vectors":[{"key":"a","distance":0}],"nextToken":"again"})");
  };
  try {
    SearchOne(250);
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), Code::kCorrupted);
  }
}

TEST_F(RemoteSearchTest, UnknownMembersAndOddValuesAreNoErrors) {
  service.intercept = [](const VectorService::Request&) {
    return testing::Answer(200, R"({"new":[{"x":{}}],"distanceMetric":"cosine","vectors":[
      {"scores":{"fused":1},"key":"a","distance":"NaN","metadata":null},{"key":"b","distance":1e300,"metadata":{}}],
      "nextToken":null})");
  };
  const RemoteAnswer answer = SearchOne(5, {.filter = {}, .with_metadata = true});
  ASSERT_EQ(answer.hits.size(), 2u);
  EXPECT_TRUE(std::isnan(answer.hits[0].distance));
  EXPECT_EQ(answer.hits[0].metadata, "");
  EXPECT_TRUE(std::isinf(answer.hits[1].distance));
  EXPECT_EQ(answer.hits[1].metadata, "{}");
  EXPECT_TRUE(answer.is_whole);
}

}  // namespace
}  // namespace s3v

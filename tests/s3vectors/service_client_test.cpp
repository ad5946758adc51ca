#include "s3vectors/service_client.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "s3vectors/service_fixture.h"

namespace s3v {
namespace {

using testing::Answer;
using testing::ErrorOf;
using ::testing::HasSubstr;
using testing::Refusal;
using testing::ServedAnswer;
using testing::ServedRequest;
using testing::ServiceConfigFor;
using testing::ServiceFixture;

std::string AnswerOf(const ServiceCall& call) { return std::string(AsText(call.answer)); }

// --- what is sent ---

TEST(ServiceClient, SendsWhatTheServiceExpects) {
  ServiceFixture fixture([](const ServedRequest&, int) { return Answer(200, R"({"vectors":[]})"); });
  const ServiceCall call = fixture.Run({.operation = Operation::kQueryVectors, .body = R"({"topK":3})"});
  EXPECT_EQ(call.outcome, Outcome::kDone);
  EXPECT_EQ(AnswerOf(call), R"({"vectors":[]})");
  const ServedRequest seen = fixture.server.requests().at(0);
  EXPECT_EQ(seen.method, "POST");
  EXPECT_EQ(seen.target, "/QueryVectors");
  EXPECT_EQ(seen.body, R"({"topK":3})");
  EXPECT_EQ(seen.headers.at("content-type"), "application/json");
  EXPECT_EQ(seen.headers.at("content-length"), "10");
  EXPECT_EQ(seen.headers.at("host"), fixture.server.url().substr(7));
  EXPECT_EQ(seen.headers.at("x-amz-date"), "20231114T221320Z");
  EXPECT_EQ(seen.headers.at("x-amz-security-token"), "tok3n");
  EXPECT_THAT(seen.headers.at("authorization"),
              HasSubstr("Credential=AKID/20231114/us-east-1/s3vectors/aws4_request, "
                        "SignedHeaders=content-type;host;x-amz-date;x-amz-security-token, Signature="));
  EXPECT_FALSE(seen.headers.contains("x-amz-content-sha256"));
  EXPECT_FALSE(seen.headers.contains("expect"));
}

TEST(ServiceClient, SignsAsTheServicesOwnClientsDo) {
  ServiceFixture fixture([](const ServedRequest&, int) { return Answer(200, "{}"); });
  const std::string arn = "arn:aws:s3vectors:us-east-1:123456789012:bucket/b";
  fixture.Run({.operation = Operation::kListTagsForResource, .resource_arn = arn});
  const ServedRequest seen = fixture.server.requests().at(0);
  const SigningRequest request{.method = "GET",
                               .host = fixture.server.url().substr(7),
                               .path = "/tags/arn%3Aaws%3As3vectors%3Aus-east-1%3A123456789012%3Abucket%2Fb",
                               .payload_hash = Sha256Hex({})};
  const SigningOptions options{
      .region = "us-east-1", .service = "s3vectors", .double_encode_path = true, .sign_payload_hash = false};
  const Signature expected = SignHeaders(request, {"AKID", testing::kSecret, "tok3n"}, options, 1'700'000'000);
  EXPECT_EQ(seen.target, request.path);
  EXPECT_THAT(seen.headers.at("authorization"), HasSubstr("Signature=" + expected.signature));
}

TEST(ServiceClient, TagsAreOnAResource) {
  ServiceFixture fixture([](const ServedRequest&, int) { return Answer(200, ""); });
  const std::string arn = "arn:aws:s3vectors:us-east-1:1:bucket/b";
  fixture.Run({.operation = Operation::kListTagsForResource, .resource_arn = arn});
  fixture.Run(
      {.operation = Operation::kUntagResource, .resource_arn = arn, .query = {{"tagKeys", "c"}, {"tagKeys", "a b"}}});
  fixture.Run({.operation = Operation::kTagResource, .body = R"({"tags":{}})", .resource_arn = arn});
  const std::vector<ServedRequest> seen = fixture.server.requests();
  ASSERT_EQ(seen.size(), 3u);
  const std::string path = "/tags/arn%3Aaws%3As3vectors%3Aus-east-1%3A1%3Abucket%2Fb";
  EXPECT_EQ(seen[0].method + " " + seen[0].target, "GET " + path);
  EXPECT_EQ(seen[1].method + " " + seen[1].target, "DELETE " + path + "?tagKeys=a%20b&tagKeys=c");
  EXPECT_EQ(seen[2].method + " " + seen[2].target, "POST " + path);
  for (int i : {0, 1}) {
    EXPECT_FALSE(seen[i].headers.contains("content-type")) << i;
    EXPECT_FALSE(seen[i].headers.contains("content-length")) << i;
  }
  EXPECT_EQ(seen[2].body, R"({"tags":{}})");
}

TEST(ServiceClient, ARequestWithoutMembersIsAnEmptyObject) {
  ServiceFixture fixture([](const ServedRequest&, int) { return Answer(200, "{}"); });
  fixture.Run({.operation = Operation::kListVectorBuckets});
  EXPECT_EQ(fixture.server.requests().at(0).body, "{}");
}

// --- answers ---

TEST(ServiceClient, AnEmptyAnswerIsAnEmptyObject) {
  ServiceFixture fixture([](const ServedRequest&, int n) {
    return n == 0 ? Answer(200, "") : ServedAnswer{.bytes = "HTTP/1.1 204 No Content\r\n\r\n"};
  });
  EXPECT_EQ(AnswerOf(fixture.Run(Operation::kDeleteVectors)), "{}");
  EXPECT_EQ(AnswerOf(fixture.Run(Operation::kDeleteIndex)), "{}");
}

TEST(ServiceClient, ChunkedAnswersAndClosedConnectionsAreFine) {
  ServiceFixture fixture([](const ServedRequest&, int) {
    return ServedAnswer{.bytes =
                            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n"
                            "4\r\n{\"a\"\r\n3\r\n:1}\r\n0\r\n\r\n",
                        .then = ServedAnswer::Then::kClose};
  });
  for (int i = 0; i < 3; ++i) EXPECT_EQ(AnswerOf(fixture.Run(Operation::kGetIndex)), "{\"a\":1}");
  EXPECT_EQ(fixture.sent(), 3u);
}

TEST(ServiceClient, ConnectionsAreKept) {
  ServiceFixture fixture([](const ServedRequest&, int) { return Answer(200, "{}"); });
  for (int i = 0; i < 10; ++i) fixture.Run(Operation::kQueryVectors);
  EXPECT_EQ(fixture.server.connections(), 1);
}

TEST(ServiceClient, ManyCallsGoOutAtOnceAndEachHasItsAnswer) {
  ServiceFixture fixture([](const ServedRequest& request, int) { return Answer(200, request.body); });
  std::vector<ServiceCall> calls(200);
  for (size_t i = 0; i < calls.size(); ++i) {
    calls[i] = {.operation = Operation::kGetVectors, .body = "{\"n\":" + std::to_string(i) + "}"};
  }
  fixture.client.Run(calls, fixture.never);
  for (size_t i = 0; i < calls.size(); ++i) EXPECT_EQ(AnswerOf(calls[i]), calls[i].body);
  std::set<int> connections;
  for (const ServedRequest& request : fixture.server.requests()) connections.insert(request.connection);
  EXPECT_GT(connections.size(), 5u);
  EXPECT_LE(connections.size(), 64u);
  EXPECT_EQ(fixture.client.counters().get_requests, 200u);
  EXPECT_EQ(fixture.client.counters().waves, 1u);
}

TEST(ServiceClient, ACallCanBeSentAgain) {
  ServiceFixture fixture([](const ServedRequest&, int n) {
    return n == 0 ? Refusal(409, "ConflictException", "exists") : Answer(200, "{\"n\":1}");
  });
  ServiceCall call{.operation = Operation::kCreateIndex, .body = "{}", .wanted = {Outcome::kConflict}};
  fixture.client.Run(call, fixture.never);
  EXPECT_EQ(call.outcome, Outcome::kConflict);
  EXPECT_EQ(call.error_code, "ConflictException");
  EXPECT_EQ(call.error_message, "exists");
  fixture.client.Run(call, fixture.never);
  EXPECT_EQ(call.outcome, Outcome::kDone);
  EXPECT_EQ(call.error_code, "");
  EXPECT_EQ(call.error_message, "");
  EXPECT_EQ(AnswerOf(call), "{\"n\":1}");
}

TEST(ServiceClient, CountsRequestsAndBytes) {
  ServiceFixture fixture(
      [](const ServedRequest&, int n) { return n == 0 ? Answer(500, "") : Answer(200, "{\"a\":1}"); });
  fixture.Run({.operation = Operation::kPutVectors, .body = "{\"vectors\":[]}"});
  fixture.Run(Operation::kCreateIndex);
  for (const Operation read : {Operation::kQueryVectors, Operation::kGetVectors, Operation::kListVectors,
                               Operation::kListIndexes, Operation::kListVectorBuckets}) {
    fixture.Run(read);
  }
  fixture.Run(Operation::kDeleteVectors);
  fixture.Run(Operation::kDeleteIndex);
  const StoreCounters& counters = fixture.client.counters();
  EXPECT_EQ(counters.put_requests, 3u);
  EXPECT_EQ(counters.get_requests, 5u);
  EXPECT_EQ(counters.delete_requests, 2u);
  EXPECT_EQ(counters.retries, 1u);
  EXPECT_EQ(counters.waves, 5u);
  EXPECT_EQ(counters.bytes_written, 14u + 2 + 2 + 2);
  EXPECT_EQ(counters.bytes_read, 9 * 7u);
}

TEST(ServiceClient, StopsWhenAsked) {
  class StopSoon final : public Stop {
   public:
    bool Requested() override { return ++polls > 3; }
    int polls = 0;
  };
  ServiceFixture fixture(
      [](const ServedRequest&, int) { return ServedAnswer{.bytes = "", .then = ServedAnswer::Then::kHang}; });
  StopSoon stop;
  ServiceCall call{.operation = Operation::kQueryVectors, .body = "{}"};
  EXPECT_EQ(ErrorOf([&] { fixture.client.Run(call, stop); }).code(), Code::kCancelled);
}

TEST(ServiceClient, TheTimeoutHoldsForTheWholeCall) {
  ServiceFixture fixture(
      [](const ServedRequest&, int n) {
        return n == 0 ? Refusal(500, "InternalServerException")
                      : ServedAnswer{.bytes = "", .then = ServedAnswer::Then::kHang};
      },
      [](StoreConfig& config) { config.request_timeout_ms = 1000; });
  const int64_t begin = SystemClock().SteadyMillis();
  const Error error = ErrorOf([&] { fixture.Run(Operation::kQueryVectors); });
  EXPECT_LT(SystemClock().SteadyMillis() - begin, 8000);
  EXPECT_EQ(error.code(), Code::kUnavailable);
  EXPECT_THAT(error.detail(), HasSubstr("no answer in time; before that status 500"));
}

// --- where to ---

TEST(ServiceEndpoint, DependsOnThePartition) {
  const auto of = [](const std::string& region) {
    StoreConfig config;
    config.region = region;
    return ServiceEndpointOf(config).Text();
  };
  EXPECT_EQ(of("us-east-1"), "https://s3vectors.us-east-1.api.aws");
  EXPECT_EQ(of("eu-central-1"), "https://s3vectors.eu-central-1.api.aws");
  EXPECT_EQ(of("us-gov-west-1"), "https://s3vectors.us-gov-west-1.api.aws");
  EXPECT_EQ(of("cn-north-1"), "https://s3vectors.cn-north-1.api.amazonwebservices.com.cn");
  EXPECT_EQ(of("eusc-de-east-1"), "https://s3vectors.eusc-de-east-1.api.amazonwebservices.eu");
  EXPECT_EQ(of("us-iso-east-1"), "https://s3vectors.us-iso-east-1.api.aws.ic.gov");
  EXPECT_EQ(of("us-isob-east-1"), "https://s3vectors.us-isob-east-1.api.aws.scloud");
  EXPECT_EQ(of("eu-isoe-west-1"), "https://s3vectors.eu-isoe-west-1.api.cloud-aws.adc-e.uk");
  EXPECT_EQ(of("us-isof-south-1"), "https://s3vectors.us-isof-south-1.api.aws.hci.ic.gov");
}

TEST(ServiceEndpoint, ItsOwnComesFirst) {
  StoreConfig config;
  config.endpoint = "https://vectors.example.com:9193";
  EXPECT_EQ(ServiceEndpointOf(config).Text(), "https://vectors.example.com:9193");
}

TEST(ServiceClient, NeedsCredentials) {
  StoreConfig config = ServiceConfigFor("");
  config.access_key_id = config.secret_access_key = config.session_token = "";
  const Error error = ErrorOf(
      [&] { const ServiceClient client(config, ParseStoreUrl(config.url), ServiceRetryPolicy(), SystemClock()); });
  EXPECT_EQ(error.code(), Code::kPermissionDenied);
  EXPECT_EQ(error.message(), "no credentials for s3vectors://my-vectors");
  EXPECT_THAT(error.hint(), HasSubstr("user mapping"));
}

TEST(ServiceClient, SaysWhereItIs) {
  const StoreConfig config = ServiceConfigFor("");
  const ServiceClient client(config, ParseStoreUrl(config.url), ServiceRetryPolicy(), SystemClock());
  EXPECT_EQ(client.Where(), "s3vectors://my-vectors at https://s3vectors.us-east-1.api.aws");
  EXPECT_EQ(client.bucket(), "my-vectors");
}

}  // namespace
}  // namespace s3v

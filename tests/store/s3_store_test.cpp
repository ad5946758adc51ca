// The S3 store against answers written by hand: what a real server gives rarely, or only when something is wrong.
// What is sent, what is tried again, which error is thrown. See s3_answers_test.cpp for bodies, listings and deletes.
#include "store/s3_store.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "base/error.h"
#include "net/retry.h"
#include "store/s3_fixture.h"

namespace s3v {
namespace {

using ::testing::AllOf;
using testing::Answer;
using testing::ConfigFor;
using ::testing::ElementsAre;
using testing::ErrorOf;
using testing::Fixture;
using ::testing::HasSubstr;
using testing::HttpServer;
using testing::Partial;
using testing::S3ErrorXml;
using testing::ServedAnswer;
using testing::ServedRequest;
using ::testing::StartsWith;
using Then = ServedAnswer::Then;
using PutMode = ObjectStore::PutMode;
using PutOutcome = ObjectStore::PutOutcome;

const char* const kBody = "0123456789abcdefghij";

// --- requests ---

TEST(S3Store, SignsAndAddressesAsS3Wants) {
  Fixture fixture([](const ServedRequest&, int) { return Answer(200, ""); });
  EXPECT_EQ(fixture.Create("a b/\xc3\xa9", "data"), PutOutcome::kStored);
  const ServedRequest request = fixture.server.requests().at(0);
  EXPECT_EQ(request.method, "PUT");
  EXPECT_EQ(request.target, "/bucket/pre/fix/a%20b/%C3%A9");
  EXPECT_EQ(request.headers.at("if-none-match"), "*");
  EXPECT_EQ(request.headers.at("x-amz-security-token"), "tok3n");
  EXPECT_EQ(request.headers.at("x-amz-date"), "20231114T221320Z");
  EXPECT_THAT(request.headers.at("authorization"),
              AllOf(StartsWith("AWS4-HMAC-SHA256 Credential=AKID/20231114/us-east-1/s3/aws4_request, SignedHeaders="),
                    HasSubstr("host;if-none-match;x-amz-content-sha256;x-amz-date;x-amz-security-token")));
  EXPECT_EQ(request.headers.at("x-amz-content-sha256"),
            "3a6eb0790f39ac87c94f3856b2dd2c5d110e6811602261a9a923d3bb23adc8b7");
  EXPECT_EQ(request.body, "data");
}

TEST(S3Store, VirtualHostedStylePutsTheBucketInFront) {
  Fixture fixture(
      [](const ServedRequest&, int) { return Answer(200, "x"); },
      [](StoreConfig& config) { config.endpoint.replace(config.endpoint.find("127.0.0.1"), 9, "s3.localhost"); });
  EXPECT_EQ(fixture.Get("k"), "x");
  const ServedRequest request = fixture.server.requests().at(0);
  EXPECT_EQ(request.target, "/pre/fix/k");
  EXPECT_EQ(request.headers.at("host"), "bucket.s3.localhost:" + std::to_string(fixture.server.port()));
}

TEST(S3Store, AsksForEncryptionWhereConfigured) {
  Fixture fixture([](const ServedRequest&, int) { return Answer(200, ""); },
                  [](StoreConfig& config) {
                    config.sse = "aws:kms";
                    config.kms_key_id = "key-1";
                  });
  fixture.store->Put("k", {}, PutMode::kOverwrite, fixture.never);
  const auto headers = fixture.server.requests().at(0).headers;
  EXPECT_EQ(headers.at("x-amz-server-side-encryption"), "aws:kms");
  EXPECT_EQ(headers.at("x-amz-server-side-encryption-aws-kms-key-id"), "key-1");
  EXPECT_FALSE(headers.contains("if-none-match"));
}

// A new connection costs a round trip, and two or three more with TLS.
TEST(S3Store, ConnectionsAreKeptFromOneWaveToTheNext) {
  Fixture fixture([](const ServedRequest& request, int) {
    return Partial("x", "bytes " + request.headers.at("range").substr(6) + "/100000000");
  });
  std::vector<RangeRequest> ranges;
  for (uint64_t i = 0; i < 8; ++i) ranges.push_back({"k", i * 10'000'000, 1});
  for (int wave = 0; wave < 5; ++wave)
    fixture.store->GetRanges(
        ranges, [](size_t, ByteView) {}, fixture.never);
  EXPECT_EQ(fixture.server.requests().size(), 40u);
  EXPECT_LE(fixture.server.connections(), 8);
}

TEST(S3Store, MoreRangesThanParallelRequestsShareThem) {
  const auto serve = [](const ServedRequest& request, int) {
    const std::string range = request.headers.at("range").substr(6);
    const size_t dash = range.find('-');
    const size_t length = std::stoul(range.substr(dash + 1)) - std::stoul(range.substr(0, dash)) + 1;
    return Partial(std::string(length, 'x'), "bytes " + range + "/100000000");
  };
  std::vector<RangeRequest> ranges;
  for (uint64_t i = 0; i < 16; ++i) ranges.push_back({"k", i * 200'000, 100});
  Fixture wide(serve);
  wide.store->GetRanges(
      ranges, [](size_t, ByteView) {}, wide.never);
  EXPECT_EQ(wide.store->counters().get_requests, 16u);
  Fixture narrow(serve, [](StoreConfig& config) { config.max_parallel_requests = 4; });
  narrow.store->GetRanges(
      ranges, [](size_t, ByteView) {}, narrow.never);
  EXPECT_LE(narrow.store->counters().get_requests, 4u);
}

// --- what is tried again ---

TEST(S3Store, TriesAgainAfterAPassingError) {
  Fixture fixture([](const ServedRequest&, int n) {
    return n < 3 ? Answer(503, S3ErrorXml("SlowDown"), "Retry-After: 0\r\n") : Answer(200, "x");
  });
  EXPECT_EQ(fixture.Get("k"), "x");
  EXPECT_EQ(fixture.store->counters().get_requests, 4u);
  EXPECT_EQ(fixture.store->counters().retries, 3u);
  EXPECT_EQ(fixture.store->counters().waves, 1u);
  EXPECT_EQ(fixture.store->counters().bytes_read, 1u);
}

TEST(S3Store, GivesUpAfterFiveTriesAndSaysWhatTheServerSaid) {
  Fixture fixture([](const ServedRequest&, int) { return Answer(503, S3ErrorXml("SlowDown")); });
  const Error error = ErrorOf([&] { fixture.Get("k"); });
  EXPECT_EQ(error.code(), Code::kUnavailable);
  EXPECT_EQ(error.message(), "could not use s3://bucket at " + fixture.server.url());
  EXPECT_EQ(error.detail(), "While reading object \"k\": status 503, code SlowDown, request id REQ-1 (5 tries).");
  EXPECT_EQ(fixture.server.requests().size(), 5u);
}

TEST(S3Store, DoesNotWaitBeyondItsDeadline) {
  Fixture fixture([](const ServedRequest&, int) { return Answer(503, "", "Retry-After: 3600\r\n"); });
  EXPECT_EQ(ErrorOf([&] { fixture.Get("k"); }).code(), Code::kUnavailable);
  EXPECT_EQ(fixture.server.requests().size(), 1u);
}

TEST(S3Store, ASilentServerIsAnErrorAtTheDeadline) {
  Fixture fixture([](const ServedRequest&, int) { return ServedAnswer{.bytes = "", .then = Then::kHang}; },
                  [](StoreConfig& config) { config.request_timeout_ms = 150; });
  const Error error = ErrorOf([&] { fixture.Get("k"); });
  EXPECT_EQ(error.code(), Code::kUnavailable);
  EXPECT_THAT(error.detail(), HasSubstr("no answer in time"));
}

TEST(S3Store, AnEndpointNobodyListensAtIsNamed) {
  int port;
  {
    HttpServer gone([](const ServedRequest&, int) { return Answer(200, ""); });
    port = gone.port();
  }
  StoreConfig config = ConfigFor("http://127.0.0.1:" + std::to_string(port));
  S3Tuning tuning;
  tuning.retry.base_delay_ms = 1;
  const auto store = MakeS3Store(config, tuning);
  NeverStop never;
  const Error error = ErrorOf([&] { store->Get("k", 10, never); });
  EXPECT_EQ(error.code(), Code::kUnavailable);
  EXPECT_THAT(error.message(), HasSubstr(config.endpoint));
  EXPECT_THAT(error.detail(), AllOf(HasSubstr("connect"), HasSubstr("(5 tries)")));
  EXPECT_EQ(store->counters().get_requests, 0u);
}

TEST(S3Store, ACutBodyIsFetchedAgainOnANewConnection) {
  for (const size_t cut_at : {size_t{0}, size_t{1}, size_t{10}, size_t{19}}) {
    Fixture fixture([&](const ServedRequest&, int n) {
      ServedAnswer answer = Partial(kBody, "bytes 0-19/20");
      if (n == 0) {
        answer.bytes.resize(answer.bytes.size() - 20 + cut_at);
        answer.then = Then::kClose;
      }
      return answer;
    });
    EXPECT_EQ(fixture.GetRange("k", 0, 20), kBody);
    EXPECT_EQ(fixture.server.requests().at(1).connection, 1);
    EXPECT_EQ(fixture.store->counters().get_requests, 2u);
  }
}

TEST(S3Store, AResetBeforeTheAnswerIsTriedAgain) {
  Fixture fixture([](const ServedRequest&, int n) {
    return n == 0 ? ServedAnswer{.bytes = "", .then = Then::kReset} : Answer(200, "x");
  });
  EXPECT_EQ(fixture.Get("k"), "x");
}

TEST(S3Store, OneFailingRequestOfAWaveIsRepeatedAlone) {
  Fixture fixture([](const ServedRequest& request, int n) {
    if (n == 1) return Answer(500, "");
    const std::string range = request.headers.at("range").substr(6);
    return Partial("x", "bytes " + range + "/1000000");
  });
  std::vector<RangeRequest> ranges;
  for (uint64_t i = 0; i < 8; ++i) ranges.push_back({"k", i * 100'000, 1});
  size_t arrived = 0;
  fixture.store->GetRanges(
      ranges, [&](size_t, ByteView) { ++arrived; }, fixture.never);
  EXPECT_EQ(arrived, 8u);
  EXPECT_EQ(fixture.server.requests().size(), 9u);
  EXPECT_EQ(fixture.store->counters().get_requests, 9u);
  EXPECT_EQ(fixture.store->counters().waves, 1u);
}

// --- creates whose answer was lost ---

// A server that keeps one object and may lose the answer to the first PUT after it took effect.
class KeepsOneObject {
 public:
  explicit KeepsOneObject(ServedAnswer first_answer) : first_answer_(std::move(first_answer)) {}
  ServedAnswer operator()(const ServedRequest& request, int n) {
    if (request.method == "GET") return Answer(200, object);
    if (!object.empty()) return Answer(412, S3ErrorXml("PreconditionFailed"));
    object = request.body;
    return n == 0 ? first_answer_ : Answer(200, "");
  }
  std::string object;

 private:
  ServedAnswer first_answer_;
};

TEST(S3Store, ACreateWhoseAnswerWasLostIsRecognisedAsItsOwn) {
  for (const ServedAnswer& lost :
       {ServedAnswer{.bytes = "", .then = Then::kReset},
        ServedAnswer{.bytes = "HTTP/1.1 200 OK\r\nContent-Le", .then = Then::kClose},
        Answer(500, S3ErrorXml("InternalError")), Answer(200, S3ErrorXml("InternalError"))}) {
    KeepsOneObject keeps(lost);
    Fixture fixture(std::ref(keeps));
    EXPECT_EQ(fixture.Create("k", "my own"), PutOutcome::kStored);
    EXPECT_THAT(fixture.Methods(), ElementsAre("PUT", "PUT", "GET"));
    EXPECT_EQ(fixture.store->counters().put_requests, 2u);
    EXPECT_EQ(fixture.store->counters().get_requests, 1u);
    EXPECT_EQ(fixture.store->counters().bytes_written, 6u);
  }
}

TEST(S3Store, ANameTakenByAnotherMeanwhileIsNotOurs) {
  for (const char* other : {"other!", "my owN", "my", "my own and more"}) {
    std::string object;
    Fixture fixture([&](const ServedRequest& request, int n) {
      if (request.method == "GET") return Answer(200, object);
      if (n == 0) {
        object = other;  // another one was faster, and our first answer is lost
        return ServedAnswer{.bytes = "", .then = Then::kReset};
      }
      return Answer(412, S3ErrorXml("PreconditionFailed"));
    });
    EXPECT_EQ(fixture.Create("k", "my own"), PutOutcome::kAlreadyExists) << other;
  }
}

TEST(S3Store, ANameTakenAtTheFirstTryNeedsNoLook) {
  Fixture fixture([](const ServedRequest&, int) { return Answer(412, S3ErrorXml("PreconditionFailed")); });
  EXPECT_EQ(fixture.Create("k", "x"), PutOutcome::kAlreadyExists);
  EXPECT_THAT(fixture.Methods(), ElementsAre("PUT"));
}

TEST(S3Store, RacingCreatesAreTriedAgain) {
  Fixture fixture([](const ServedRequest&, int n) {
    return n == 0 ? Answer(409, S3ErrorXml("ConditionalRequestConflict")) : Answer(412, "");
  });
  EXPECT_EQ(fixture.Create("k", "x"), PutOutcome::kAlreadyExists);
  EXPECT_THAT(fixture.Methods(), ElementsAre("PUT", "PUT"));
}

// --- errors ---

TEST(S3Store, AnErrorDocumentInASuccessIsAnError) {
  Fixture fixture([](const ServedRequest&, int) { return Answer(200, S3ErrorXml("AccessDenied")); });
  EXPECT_EQ(ErrorOf([&] { fixture.Create("k", "x"); }).code(), Code::kPermissionDenied);
  EXPECT_EQ(fixture.server.requests().size(), 1u);
}

TEST(S3Store, RedirectsAreErrorsThatNameTheRegion) {
  Fixture by_header([](const ServedRequest&, int) {
    return Answer(301, S3ErrorXml("PermanentRedirect"),
                  "Location: http://127.0.0.1:1/\r\nx-amz-bucket-region: eu-west-1\r\n");
  });
  const Error moved = ErrorOf([&] { by_header.Get("k"); });
  EXPECT_EQ(moved.code(), Code::kUnavailable);
  EXPECT_EQ(moved.hint(), "Set the server's option region to \"eu-west-1\".");
  EXPECT_THAT(moved.detail(), HasSubstr("status 301, code PermanentRedirect"));
  EXPECT_EQ(by_header.server.requests().size(), 1u);

  Fixture in_document([](const ServedRequest&, int) {
    return Answer(400, S3ErrorXml("AuthorizationHeaderMalformed", "<Region>eu-north-1</Region>"));
  });
  EXPECT_EQ(ErrorOf([&] { in_document.Get("k"); }).hint(), "Set the server's option region to \"eu-north-1\".");

  Fixture unnamed([](const ServedRequest&, int) { return Answer(307, "", "Location: http://127.0.0.1:1/\r\n"); });
  EXPECT_THAT(ErrorOf([&] { unnamed.Create("k", "x"); }).hint(), HasSubstr("Redirects are not followed"));
}

TEST(S3Store, ExpiredTokensAndWrongKeysAreFinal) {
  for (const auto& [status, code, hint] : {std::tuple{400, "ExpiredToken", "new credentials"},
                                           std::tuple{403, "InvalidAccessKeyId", "Check the credentials"},
                                           std::tuple{403, "SignatureDoesNotMatch", "Check the credentials"},
                                           std::tuple{403, "AccessDenied", "list the bucket"}}) {
    Fixture fixture([&](const ServedRequest&, int) { return Answer(status, S3ErrorXml(code)); });
    const Error error = ErrorOf([&] { fixture.Get("k"); });
    EXPECT_EQ(error.code(), Code::kPermissionDenied) << code;
    EXPECT_THAT(error.detail(), HasSubstr(code));
    EXPECT_THAT(error.hint(), HasSubstr(hint));
    EXPECT_EQ(fixture.server.requests().size(), 1u);
  }
}

TEST(S3Store, MissingBucketIsNotAMissingObject) {
  Fixture fixture([](const ServedRequest& request, int) {
    return Answer(
        404, request.target.find("gone") != std::string::npos ? S3ErrorXml("NoSuchKey") : S3ErrorXml("NoSuchBucket"));
  });
  const Error missing = ErrorOf([&] { fixture.Get("gone"); });
  EXPECT_EQ(missing.code(), Code::kObjectMissing);
  EXPECT_EQ(missing.message(), "object \"gone\" does not exist");
  EXPECT_EQ(ErrorOf([&] { fixture.Get("k"); }).code(), Code::kStoreMissing);
  EXPECT_EQ(ErrorOf([&] { fixture.Create("k", "x"); }).code(), Code::kStoreMissing);
  EXPECT_EQ(ErrorOf([&] { fixture.store->List("", fixture.never); }).code(), Code::kStoreMissing);
}

TEST(S3Store, AStoreWithoutConditionalWritesIsRefused) {
  Fixture fixture([](const ServedRequest&, int) { return Answer(501, S3ErrorXml("NotImplemented")); });
  const Error error = ErrorOf([&] { fixture.Create("k", "x"); });
  EXPECT_EQ(error.code(), Code::kNotSupported);
  EXPECT_THAT(error.hint(), HasSubstr("If-None-Match"));
}

TEST(S3Store, ClockSkewIsCorrectedOnce) {
  const int64_t server_time = 1'700'003'600;  // an hour ahead of ours
  Fixture fixture([&](const ServedRequest& request, int) {
    if (request.headers.at("x-amz-date") == "20231114T231320Z") return Answer(200, "x");
    return Answer(403, S3ErrorXml("RequestTimeTooSkewed"), "Date: Tue, 14 Nov 2023 23:13:20 GMT\r\n");
  });
  ASSERT_EQ(ParseHttpDate("Tue, 14 Nov 2023 23:13:20 GMT"), server_time);
  EXPECT_EQ(fixture.Get("k"), "x");
  EXPECT_EQ(fixture.server.requests().size(), 2u);
  EXPECT_EQ(fixture.Get("k"), "x");  // and remembered
  EXPECT_EQ(fixture.server.requests().size(), 3u);

  Fixture hopeless([](const ServedRequest&, int) {
    return Answer(403, S3ErrorXml("RequestTimeTooSkewed"), "Date: Tue, 14 Nov 2023 23:13:20 GMT\r\n");
  });
  const Error error = ErrorOf([&] { hopeless.Get("k"); });
  EXPECT_EQ(error.code(), Code::kPermissionDenied);
  EXPECT_THAT(error.hint(), HasSubstr("clock"));
  EXPECT_EQ(hopeless.server.requests().size(), 2u);
}

// --- cancel ---

class StopAfter final : public Stop {
 public:
  explicit StopAfter(int64_t delay_ms) : at_(SystemClock().SteadyMillis() + delay_ms) {}
  bool Requested() override { return SystemClock().SteadyMillis() >= at_; }

 private:
  int64_t at_;
};

TEST(S3Store, CancelWhileWaitingReturnsWithin200Milliseconds) {
  const auto hang = [](const ServedRequest&, int) { return ServedAnswer{.bytes = "", .then = Then::kHang}; };
  const auto half = [](const ServedRequest&, int) {
    return ServedAnswer{.bytes = "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf", .then = Then::kHang};
  };
  const auto slow_down = [](const ServedRequest&, int) { return Answer(503, "", "Retry-After: 20\r\n"); };
  for (const HttpServer::Handler& handler :
       {HttpServer::Handler(hang), HttpServer::Handler(half), HttpServer::Handler(slow_down)}) {
    int64_t quickest = 10'000;  // of some: the machine may be busy with something else
    for (int attempt = 0; attempt < 5 && quickest >= 200; ++attempt) {
      Fixture fixture(handler);
      const int64_t begin = SystemClock().SteadyMillis();
      StopAfter stop(50);
      EXPECT_EQ(ErrorOf([&] { fixture.store->Get("k", 1000, stop); }).code(), Code::kCancelled);
      quickest = std::min(quickest, SystemClock().SteadyMillis() - begin);
      EXPECT_EQ(fixture.store->counters().get_requests, 1u);  // sent, though never answered
    }
    EXPECT_LT(quickest, 200);
  }
}

// --- where it may connect to ---

TEST(S3Store, SpecialAddressesAreRefusedUnlessListed) {
  HttpServer server([](const ServedRequest&, int) { return Answer(200, "x"); });
  StoreConfig config = ConfigFor(server.url());
  config.check_address = true;
  NeverStop never;
  const Error error = ErrorOf([&] { MakeS3Store(config)->Get("k", 10, never); });
  EXPECT_EQ(error.code(), Code::kPermissionDenied);
  EXPECT_THAT(error.detail(), HasSubstr("address 127.0.0.1 is not allowed"));
  EXPECT_THAT(error.hint(), HasSubstr("s3v.allowed_endpoints"));
  EXPECT_EQ(server.connections(), 0);
  config.allowed_endpoints = {"127.0.0.1:" + std::to_string(server.port())};
  EXPECT_EQ(MakeS3Store(config)->Get("k", 10, never), Bytes{'x'});

  // A name leads wherever somebody else says: listing it lists no address. To libcurl this one is 127.0.0.1.
  config = ConfigFor("http://2130706433:" + std::to_string(server.port()));
  config.allow_http = true;
  config.check_address = true;
  config.allowed_endpoints = {"2130706433"};
  EXPECT_EQ(ErrorOf([&] { MakeS3Store(config)->Get("k", 10, never); }).code(), Code::kPermissionDenied);
  EXPECT_EQ(server.connections(), 1);
}

}  // namespace
}  // namespace s3v

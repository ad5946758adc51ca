// The S3 store against answers written by hand: what a real server gives rarely, or only when something is wrong.
#include "store/s3_store.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <functional>
#include <map>

#include "base/error.h"
#include "net/retry.h"
#include "support/http_server.h"

namespace s3v {
namespace {

using ::testing::AllOf;
using testing::Answer;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using testing::HttpServer;
using ::testing::Not;
using testing::S3ErrorXml;
using testing::ServedAnswer;
using testing::ServedRequest;
using ::testing::StartsWith;
using Then = ServedAnswer::Then;
using PutMode = ObjectStore::PutMode;
using PutOutcome = ObjectStore::PutOutcome;

constexpr char kSecret[] = "c4n4ry-s3cr3t";

StoreConfig ConfigFor(const std::string& endpoint) {
  StoreConfig config;
  config.url = "s3://bucket/pre/fix";
  config.endpoint = endpoint;
  config.access_key_id = "AKID";
  config.secret_access_key = kSecret;
  config.session_token = "tok3n";
  return config;
}

class TestClock final : public Clock {
 public:
  int64_t WallSeconds() const override { return wall; }
  int64_t SteadyMillis() const override { return SystemClock().SteadyMillis(); }
  int64_t wall = 1'700'000'000;
};

// A store over a server whose answers the test gives.
class Fixture {
 public:
  explicit Fixture(HttpServer::Handler handler, std::function<void(StoreConfig&)> change = {})
      : server(std::move(handler)) {
    StoreConfig config = ConfigFor(server.url());
    if (change) change(config);
    CheckStoreConfig(config);
    S3Tuning tuning;
    tuning.retry.base_delay_ms = 1;
    tuning.clock = &clock;
    store = MakeS3Store(config, tuning);
  }

  PutOutcome Create(const ObjectKey& key, std::string_view data) {
    return store->Put(key, AsBytes(data), PutMode::kCreateOnly, never);
  }
  std::string Get(const ObjectKey& key) { return std::string(AsText(store->Get(key, 1000, never))); }
  std::string GetRange(const ObjectKey& key, uint64_t offset, uint64_t length) {
    std::string got;
    const std::vector<RangeRequest> range = {{key, offset, length}};
    store->GetRanges(
        range, [&](size_t, ByteView bytes) { got = AsText(bytes); }, never);
    return got;
  }
  std::vector<std::string> Methods() {
    std::vector<std::string> methods;
    for (const ServedRequest& request : server.requests()) methods.push_back(request.method);
    return methods;
  }

  TestClock clock;
  NeverStop never;
  HttpServer server;
  std::unique_ptr<ObjectStore> store;
};

// What a call throws; fails the test if it throws nothing. No message may ever hold a secret or a server's text.
Error ErrorOf(const std::function<void()>& work) {
  try {
    work();
  } catch (const Error& error) {
    const std::string all = error.message() + error.detail() + error.hint();
    EXPECT_THAT(all, AllOf(Not(HasSubstr(kSecret)), Not(HasSubstr("tok3n")), Not(HasSubstr("not for messages"))));
    return error;
  }
  ADD_FAILURE() << "nothing was thrown";
  return Error(Code::kOk, "");
}

const char* const kBody = "0123456789abcdefghij";

ServedAnswer Partial(const std::string& body, const std::string& content_range) {
  return Answer(206, body, "Content-Range: " + content_range + "\r\n");
}

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

// --- bodies and ranges that are not what was asked for ---

TEST(S3Store, AnOversizeBodyIsRefused) {
  Fixture fixture([](const ServedRequest&, int) { return Answer(200, std::string(1001, 'x')); });
  const Error error = ErrorOf([&] { fixture.Get("k"); });
  EXPECT_EQ(error.code(), Code::kLimitExceeded);
  EXPECT_EQ(error.message(), "object \"k\" is larger than 1000 bytes");
}

TEST(S3Store, TheWholeObjectInsteadOfARangeIsCut) {
  Fixture fixture([](const ServedRequest&, int) { return Answer(200, kBody); });
  EXPECT_EQ(fixture.GetRange("k", 3, 4), "3456");
  EXPECT_EQ(fixture.GetRange("k", 0, 20), kBody);
  EXPECT_EQ(fixture.GetRange("k", 19, 1), "j");
  EXPECT_EQ(ErrorOf([&] { fixture.GetRange("k", 15, 6); }).code(), Code::kCorrupted);
}

TEST(S3Store, TheWholeObjectOfUnknownLengthIsNot) {
  Fixture fixture([](const ServedRequest&, int) {
    return ServedAnswer{.bytes = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n14\r\n" + std::string(kBody) +
                                 "\r\n0\r\n\r\n"};
  });
  const Error error = ErrorOf([&] { fixture.GetRange("k", 3, 4); });
  EXPECT_EQ(error.code(), Code::kUnavailable);
  EXPECT_THAT(error.detail(), HasSubstr("no known length"));
}

TEST(S3Store, AnotherRangeThanAskedForIsTriedAgainThenAnError) {
  for (const char* wrong : {"bytes 4-7/20", "bytes 0-3/20", "bytes 3-7/20", "bytes */20", "bytes 3-/20", "items 3-6/20",
                            "", "bytes 6-3/20", "bytes 3-18446744073709551615/20", "bytes -3-6/20", "bytes 3-6"}) {
    Fixture fixture(
        [&](const ServedRequest&, int n) { return n < 2 ? Partial("WXYZ", wrong) : Partial("3456", "bytes 3-6/20"); });
    EXPECT_EQ(fixture.GetRange("k", 3, 4), "3456") << wrong;
    Fixture stubborn([&](const ServedRequest&, int) { return Partial("WXYZ", wrong); });
    EXPECT_EQ(ErrorOf([&] { stubborn.GetRange("k", 3, 4); }).code(), Code::kUnavailable) << wrong;
  }
}

TEST(S3Store, ARangeWithTooManyOrTooFewBytesIsRefused) {
  for (const char* body : {"34567", "345", ""}) {
    Fixture fixture([&](const ServedRequest&, int) { return Partial(body, "bytes 3-6/20"); });
    EXPECT_EQ(ErrorOf([&] { fixture.GetRange("k", 3, 4); }).code(), Code::kUnavailable) << body;
  }
}

TEST(S3Store, AnObjectThatEndsEarlyIsCorrupted) {
  Fixture cut([](const ServedRequest&, int) { return Partial("ij", "bytes 18-19/20"); });
  EXPECT_EQ(ErrorOf([&] { cut.GetRange("k", 18, 4); }).code(), Code::kCorrupted);
  Fixture beyond([](const ServedRequest&, int) { return Answer(416, S3ErrorXml("InvalidRange")); });
  EXPECT_EQ(ErrorOf([&] { beyond.GetRange("k", 30, 4); }).code(), Code::kCorrupted);
  EXPECT_EQ(beyond.server.requests().size(), 1u);
}

TEST(S3Store, AnEncodedBodyIsRefused) {
  Fixture fixture([](const ServedRequest& request, int) {
    const bool ranged = request.headers.contains("range");
    return Answer(ranged ? 206 : 200, "3456",
                  std::string("Content-Encoding: gzip\r\n") + (ranged ? "Content-Range: bytes 3-6/20\r\n" : ""));
  });
  EXPECT_EQ(ErrorOf([&] { fixture.Get("k"); }).code(), Code::kUnavailable);
  EXPECT_EQ(ErrorOf([&] { fixture.GetRange("k", 3, 4); }).code(), Code::kUnavailable);
}

// --- listings and deletes ---

std::string ListXml(const std::string& contents, const std::string& more = "<IsTruncated>false</IsTruncated>") {
  return "<?xml version=\"1.0\"?><ListBucketResult xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">" + more +
         contents + "</ListBucketResult>";
}

std::string ObjectXml(const std::string& key, const std::string& date = "2024-02-29T12:00:00.000Z") {
  return "<Contents><Key>" + key + "</Key><LastModified>" + date + "</LastModified><Size>7</Size></Contents>";
}

TEST(S3Store, ListsUrlEncodedAndPlainKeys) {
  for (const auto& [written, more] : {std::pair{"pre/fix/a%20b%2Bc+%26/%C3%A9", "<EncodingType>url</EncodingType>"},
                                      std::pair{"pre/fix/a b+c &amp;/\xc3\xa9", ""}}) {
    Fixture fixture([&](const ServedRequest&, int) {
      return Answer(200, ListXml(ObjectXml(written) + ObjectXml("elsewhere/x"),
                                 std::string(more) + "<IsTruncated>false</IsTruncated>"));
    });
    const std::vector<ObjectInfo> found = fixture.store->List("a", fixture.never);
    ASSERT_EQ(found.size(), 1u);
    EXPECT_EQ(found[0].key, "a b+c &/\xc3\xa9");
    EXPECT_EQ(found[0].size, 7u);
    EXPECT_EQ(found[0].modified, 1709208000);
    EXPECT_EQ(fixture.server.requests().at(0).target,
              "/bucket/?encoding-type=url&list-type=2&max-keys=1000&prefix=pre%2Ffix%2Fa");
  }
}

TEST(S3Store, ListGoesThroughPagesAndNoticesACircle) {
  Fixture fixture([](const ServedRequest& request, int n) {
    const bool last = n == 2;
    const std::string token = n > 0 ? "continuation-token=t%2F" + std::to_string(n) : "";
    EXPECT_THAT(request.target, HasSubstr(token));
    return Answer(200, ListXml(ObjectXml("pre/fix/" + std::to_string(9 - n)),
                               last ? "<IsTruncated>false</IsTruncated>"
                                    : "<IsTruncated>true</IsTruncated><NextContinuationToken>t/" +
                                          std::to_string(n + 1) + "</NextContinuationToken>"));
  });
  const std::vector<ObjectInfo> found = fixture.store->List("", fixture.never);
  ASSERT_EQ(found.size(), 3u);
  EXPECT_EQ(found[0].key, "7");
  EXPECT_EQ(fixture.store->counters().put_requests, 3u);

  Fixture circle([](const ServedRequest&, int) {
    return Answer(200, ListXml("", "<IsTruncated>true</IsTruncated><NextContinuationToken>t</NextContinuationToken>"));
  });
  EXPECT_EQ(ErrorOf([&] { circle.store->List("", circle.never); }).code(), Code::kUnavailable);
}

TEST(S3Store, AListThatMakesNoSenseIsAnError) {
  const std::string good = ObjectXml("pre/fix/a");
  for (const std::string& body :
       {std::string(""), std::string("no xml"), std::string("<html/>"), ListXml(good, ""), ListXml("<Contents/>"),
        ListXml(ObjectXml("")), ListXml(ObjectXml("pre/fix/a", "yesterday")), ListXml(ObjectXml("pre/fix/a", "")),
        ListXml(good, "<IsTruncated>true</IsTruncated>"),
        ListXml(ObjectXml("a%zz"), "<EncodingType>url</EncodingType><IsTruncated>false</IsTruncated>"),
        ListXml(good).substr(0, 200)}) {
    Fixture fixture([&](const ServedRequest&, int) { return Answer(200, body); });
    EXPECT_EQ(ErrorOf([&] { fixture.store->List("", fixture.never); }).code(), Code::kUnavailable) << body;
  }
}

TEST(S3Store, HostileXmlIsNoList) {
  const std::string entities =
      "<?xml version=\"1.0\"?><!DOCTYPE x [<!ENTITY a \"aaaaaaaaaa\"><!ENTITY b \"&a;&a;&a;&a;\"><!ENTITY f SYSTEM "
      "\"file:///etc/passwd\">]>";
  Fixture fixture([&](const ServedRequest&, int) {
    const std::string list = ListXml(ObjectXml("pre/fix/&b;&f;"));
    return Answer(200, entities + list.substr(list.find("?>") + 2));
  });
  // Entities stay as they are written: nothing grows and nothing is read.
  EXPECT_EQ(fixture.store->List("", fixture.never).at(0).key, "&b;&f;");

  Fixture deep([](const ServedRequest&, int) {
    std::string body = "<ListBucketResult>";
    for (int i = 0; i < 500'000; ++i) body += "<a>";
    return Answer(200, body);
  });
  EXPECT_EQ(ErrorOf([&] { deep.store->List("", deep.never); }).code(), Code::kUnavailable);
}

TEST(S3Store, DeletesInBatchesOfAThousand) {
  Fixture fixture([](const ServedRequest&, int) { return Answer(200, "<DeleteResult/>"); });
  std::vector<ObjectKey> keys;
  for (int i = 0; i < 2001; ++i) keys.push_back("k&" + std::to_string(i));
  fixture.store->Delete(keys, fixture.never);
  const std::vector<ServedRequest> requests = fixture.server.requests();
  ASSERT_EQ(requests.size(), 3u);
  EXPECT_EQ(requests[0].method, "POST");
  EXPECT_EQ(requests[0].target, "/bucket/?delete=");
  EXPECT_EQ(requests[0].headers.at("content-md5").size(), 24u);
  EXPECT_THAT(requests[0].body, HasSubstr("<Object><Key>pre/fix/k&amp;0</Key></Object>"));
  EXPECT_THAT(requests[2].body, AllOf(HasSubstr("k&amp;2000<"), Not(HasSubstr("k&amp;1999<"))));
  EXPECT_EQ(fixture.store->counters().delete_requests, 3u);
}

TEST(S3Store, KeysThatCouldNotBeDeletedAreErrors) {
  const auto failing = [](const char* code) {
    return "<DeleteResult><Error><Key>pre/fix/k</Key><Code>" + std::string(code) +
           "</Code><Message>not for messages</Message></Error></DeleteResult>";
  };
  const std::vector<ObjectKey> keys = {"k"};
  Fixture denied([&](const ServedRequest&, int) { return Answer(200, failing("AccessDenied")); });
  const Error error = ErrorOf([&] { denied.store->Delete(keys, denied.never); });
  EXPECT_EQ(error.code(), Code::kPermissionDenied);
  EXPECT_THAT(error.message(), HasSubstr("\"pre/fix/k\""));

  Fixture passing([&](const ServedRequest&, int n) {
    return Answer(200, n == 0 ? failing("InternalError") : std::string("<DeleteResult/>"));
  });
  passing.store->Delete(keys, passing.never);
  EXPECT_EQ(passing.server.requests().size(), 2u);

  Fixture gone([&](const ServedRequest&, int) { return Answer(200, failing("NoSuchKey")); });
  gone.store->Delete(keys, gone.never);

  Fixture nonsense([&](const ServedRequest&, int) { return Answer(200, "<html/>"); });
  EXPECT_EQ(ErrorOf([&] { nonsense.store->Delete(keys, nonsense.never); }).code(), Code::kUnavailable);
}

TEST(S3Store, ServersTextsAreMadeFitForMessages) {
  Fixture fixture([](const ServedRequest&, int) {
    return Answer(400, "<Error><Code>Bad\nCode\xff<![CDATA[<b>]]></Code><RequestId>" + std::string(500, 'r') +
                           "</RequestId></Error>");
  });
  const Error error = ErrorOf([&] { fixture.Get("k"); });
  EXPECT_THAT(error.detail(), AllOf(HasSubstr("code Bad?Code?"), Not(HasSubstr("\n")), Not(HasSubstr("\xff"))));
  EXPECT_LT(error.detail().size(), 300u);
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
    Fixture fixture(handler);
    const int64_t begin = SystemClock().SteadyMillis();
    StopAfter stop(30);
    EXPECT_EQ(ErrorOf([&] { fixture.store->Get("k", 1000, stop); }).code(), Code::kCancelled);
    EXPECT_LT(SystemClock().SteadyMillis() - begin, 200);
    EXPECT_EQ(fixture.store->counters().get_requests, 1u);  // sent, though never answered
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
}

}  // namespace
}  // namespace s3v

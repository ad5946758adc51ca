// The client of the service against answers that are no success.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "s3vectors/service_fixture.h"

namespace s3v {
namespace {

using testing::Answer;
using testing::ErrorOf;
using ::testing::HasSubstr;
using ::testing::Not;
using testing::Refusal;
using testing::ServedAnswer;
using testing::ServedRequest;
using testing::ServiceFixture;

// What a call to a server with this one answer throws.
Error ErrorFor(const ServedAnswer& answer, Operation operation = Operation::kQueryVectors) {
  ServiceFixture fixture([&](const ServedRequest&, int) { return answer; });
  return ErrorOf([&] { fixture.Run(operation); });
}

// --- errors ---

TEST(ServiceErrors, EachKindHasItsCode) {
  EXPECT_EQ(ErrorFor(Refusal(400, "ValidationException")).code(), Code::kInvalidArgument);
  EXPECT_EQ(ErrorFor(Refusal(402, "ServiceQuotaExceededException")).code(), Code::kLimitExceeded);
  EXPECT_EQ(ErrorFor(Refusal(403, "AccessDeniedException")).code(), Code::kPermissionDenied);
  EXPECT_EQ(ErrorFor(Refusal(409, "ConflictException")).code(), Code::kUnavailable);
  EXPECT_EQ(ErrorFor(Refusal(404, "UnknownOperationException")).code(), Code::kNotSupported);
  EXPECT_EQ(ErrorFor(Answer(405, "")).code(), Code::kNotSupported);
  EXPECT_EQ(ErrorFor(Answer(501, "<html>not implemented</html>")).code(), Code::kNotSupported);
  EXPECT_EQ(ErrorFor(Answer(418, "")).code(), Code::kUnavailable);
}

TEST(ServiceErrors, TellWhatTheServiceSays) {
  const Error error = ErrorFor(Answer(
      400,
      R"({"__type":"ValidationException","message":"1 validation error detected.","fieldList":[{"path":"/topK","message":"too large"}]})",
      "x-amzn-requestid: REQ-1\r\n"));
  EXPECT_THAT(error.message(), HasSubstr("request refused by s3vectors://my-vectors at http://127.0.0.1:"));
  EXPECT_EQ(error.detail(),
            "Operation QueryVectors of remote index \"idx\": status 400, code ValidationException, request id REQ-1. "
            "The service says: 1 validation error detected. Fields: /topK: too large.");
}

TEST(ServiceErrors, AnErrorWithoutAnythingIsItsStatus) {
  for (const char* body : {"", "<html>no</html>", "{}", "[]", "{\"message\"", R"({"title":"no","status":403})"}) {
    const Error error = ErrorFor(Answer(403, body));
    EXPECT_EQ(error.code(), Code::kPermissionDenied) << body;
    EXPECT_EQ(error.detail(), "Operation QueryVectors of remote index \"idx\": status 403.") << body;
  }
}

TEST(ServiceErrors, HintsOfPermissions) {
  EXPECT_EQ(ErrorFor(Refusal(403, "AccessDeniedException"), Operation::kPutVectors).hint(),
            "The action s3vectors:PutVectors must be allowed.");
  EXPECT_THAT(ErrorFor(Refusal(403, "AccessDeniedException")).hint(), HasSubstr("s3vectors:GetVectors"));
  EXPECT_THAT(ErrorFor(Refusal(403, "AccessDeniedException"), Operation::kListVectors).hint(),
              HasSubstr("s3vectors:GetVectors"));
  for (const char* code : {"ExpiredTokenException", "ExpiredToken", "InvalidToken"}) {
    for (const int status : {400, 403}) {
      const Error error = ErrorFor(Refusal(status, code));
      EXPECT_EQ(error.code(), Code::kPermissionDenied) << code;
      EXPECT_EQ(error.hint(), "Put new credentials into the user mapping.") << code;
    }
  }
  for (const char* code : {"UnrecognizedClientException", "InvalidSignatureException", "SignatureDoesNotMatch",
                           "MissingAuthenticationTokenException"}) {
    const Error error = ErrorFor(Refusal(403, code));
    EXPECT_EQ(error.code(), Code::kPermissionDenied) << code;
    EXPECT_THAT(error.hint(), HasSubstr("Check the credentials in the user mapping")) << code;
  }
}

TEST(ServiceErrors, MessagesHoldNoSecretNoVectorAndOneLine) {
  const Error error = ErrorFor(
      Refusal(400, "ValidationException", "key c4n4ry-s3cr3t token tok3n vector [0.25, 0.5, 0.75] end\\nsecond line"));
  EXPECT_THAT(error.detail(), HasSubstr("The service says: key ... token ... vector ... end."));
  EXPECT_THAT(error.detail(), Not(HasSubstr("0.25")));
  EXPECT_THAT(error.detail(), Not(HasSubstr("second")));
  const Error long_error = ErrorFor(Refusal(400, "ValidationException", std::string(20'000, 'x')));
  EXPECT_LT(long_error.detail().size(), 600u);
  const Error huge = ErrorFor(Refusal(403, "AccessDeniedException", std::string(200'000, 'x')));
  EXPECT_EQ(huge.code(), Code::kPermissionDenied);
}

TEST(ServiceErrors, RedirectsAreNotFollowed) {
  ServiceFixture fixture([](const ServedRequest&, int) {
    return Answer(307, "", "Location: http://169.254.169.254/latest/meta-data\r\n");
  });
  const Error error = ErrorOf([&] { fixture.Run(Operation::kGetIndex); });
  EXPECT_EQ(error.code(), Code::kUnavailable);
  EXPECT_THAT(error.hint(), HasSubstr("Redirects are not followed"));
  EXPECT_EQ(fixture.sent(), 1u);
}

TEST(ServiceErrors, AnAnswerBeyondTheLimitIsRefused) {
  ServiceFixture fixture([](const ServedRequest&, int) { return Answer(200, "{" + std::string(1000, ' ') + "}"); });
  const Error error =
      ErrorOf([&] { fixture.Run({.operation = Operation::kListVectors, .body = "{}", .max_answer = 1000}); });
  EXPECT_EQ(error.code(), Code::kLimitExceeded);
  EXPECT_THAT(error.message(), HasSubstr("is too large"));
  EXPECT_EQ(fixture.sent(), 1u);
}

// --- what is missing ---

ServedAnswer Missing(const char* what) {
  return Refusal(404, "NotFoundException", std::string("The specified ") + what + " could not be found");
}

TEST(ServiceErrors, AMissingIndexIsToldFromAMissingBucket) {
  const auto with = [](const ServedAnswer& of_bucket) {
    return ServiceFixture([of_bucket](const ServedRequest& request, int) {
      if (request.target != "/GetVectorBucket") return Missing("index");
      EXPECT_EQ(request.body, R"({"vectorBucketName":"my-vectors"})");
      return of_bucket;
    });
  };
  auto there = with(Answer(200, "{\"vectorBucket\":{}}"));
  Error error = ErrorOf([&] { there.Run(Operation::kQueryVectors); });
  EXPECT_EQ(error.code(), Code::kObjectMissing);
  EXPECT_THAT(error.message(), HasSubstr("remote index \"idx\" does not exist in s3vectors://my-vectors"));
  EXPECT_THAT(error.detail(), HasSubstr("Operation QueryVectors"));
  EXPECT_EQ(there.sent(), 2u);

  auto gone = with(Missing("vector bucket"));
  error = ErrorOf([&] { gone.Run(Operation::kPutVectors); });
  EXPECT_EQ(error.code(), Code::kStoreMissing);
  EXPECT_THAT(error.message(), HasSubstr("vector bucket \"my-vectors\" does not exist at http://127.0.0.1"));
  EXPECT_THAT(error.hint(), HasSubstr("Create the vector bucket"));

  auto denied = with(Refusal(403, "AccessDeniedException"));
  EXPECT_EQ(ErrorOf([&] { denied.Run(Operation::kGetIndex); }).code(), Code::kObjectMissing);
  auto unable = with(Refusal(404, "UnknownOperationException"));
  EXPECT_EQ(ErrorOf([&] { unable.Run(Operation::kGetIndex); }).code(), Code::kObjectMissing);
  auto down = with(Answer(500, ""));
  EXPECT_EQ(ErrorOf([&] { down.Run(Operation::kGetIndex); }).code(), Code::kUnavailable);
}

TEST(ServiceErrors, ManyCallsOnAMissingIndexAskForTheBucketOnce) {
  ServiceFixture fixture([](const ServedRequest& request, int) {
    return request.target == "/GetVectorBucket" ? Answer(200, "{}") : Missing("index");
  });
  std::vector<ServiceCall> calls(20, ServiceCall{.operation = Operation::kQueryVectors, .body = "{}", .subject = "x"});
  EXPECT_EQ(ErrorOf([&] { fixture.client.Run(calls, fixture.never); }).code(), Code::kObjectMissing);
  EXPECT_EQ(fixture.sent(), 21u);
}

TEST(ServiceErrors, OfABucketNothingIsAsked) {
  for (const Operation operation : {Operation::kGetVectorBucket, Operation::kListIndexes, Operation::kCreateIndex,
                                    Operation::kPutVectorBucketDefaultIndexMode}) {
    ServiceFixture fixture([](const ServedRequest&, int) { return Missing("vector bucket"); });
    EXPECT_EQ(ErrorOf([&] { fixture.Run(operation); }).code(), Code::kStoreMissing);
    EXPECT_EQ(fixture.sent(), 1u);
  }
}

// --- outcomes that the caller wants to see ---

TEST(ServiceErrors, WantedOutcomesEndTheCallAtOnce) {
  const std::pair<ServedAnswer, Outcome> rows[] = {
      {Missing("index"), Outcome::kNotFound},
      {Refusal(409, "ConflictException", "exists"), Outcome::kConflict},
      {Refusal(400, "ValidationException", "bad"), Outcome::kRefused},
      {Refusal(429, "TooManyRequestsException"), Outcome::kThrottled},
      {Refusal(400, "ThrottlingException"), Outcome::kThrottled},
      {Refusal(503, "ServiceUnavailableException", "Currently unable to handle the request"), Outcome::kOverloaded},
      {Answer(503, "<html/>"), Outcome::kOverloaded}};
  for (const auto& [answer, outcome] : rows) {
    ServiceFixture fixture([&](const ServedRequest&, int) { return answer; });
    const ServiceCall call = fixture.Run(
        Operation::kPutVectors,
        {Outcome::kNotFound, Outcome::kConflict, Outcome::kRefused, Outcome::kThrottled, Outcome::kOverloaded});
    EXPECT_EQ(call.outcome, outcome);
    EXPECT_EQ(fixture.sent(), 1u);
    EXPECT_TRUE(call.answer.empty());
  }
}

TEST(ServiceErrors, AWantedOutcomeOfOneCallLeavesTheOthersAlone) {
  ServiceFixture fixture([](const ServedRequest& request, int) {
    return request.body == "{\"n\":1}" ? Refusal(503, "ServiceUnavailableException") : Answer(200, request.body);
  });
  std::vector<ServiceCall> calls(3);
  for (int i = 0; i < 3; ++i) {
    calls[i] = {.operation = Operation::kPutVectors,
                .body = "{\"n\":" + std::to_string(i) + "}",
                .wanted = {Outcome::kOverloaded}};
  }
  fixture.client.Run(calls, fixture.never);
  EXPECT_EQ(calls[0].outcome, Outcome::kDone);
  EXPECT_EQ(calls[1].outcome, Outcome::kOverloaded);
  EXPECT_EQ(calls[1].error_code, "ServiceUnavailableException");
  EXPECT_EQ(calls[2].outcome, Outcome::kDone);
}

// --- further tries ---

TEST(ServiceErrors, PassingErrorsAreTriedAgain) {
  for (const int status : {408, 429, 500, 502, 503, 504}) {
    ServiceFixture fixture([&](const ServedRequest&, int n) { return n < 2 ? Answer(status, "") : Answer(200, "{}"); });
    EXPECT_EQ(fixture.Run(Operation::kQueryVectors).outcome, Outcome::kDone) << status;
    EXPECT_EQ(fixture.sent(), 3u) << status;
    ServiceFixture stubborn([&](const ServedRequest&, int) { return Answer(status, ""); });
    const Error error = ErrorOf([&] { stubborn.Run(Operation::kQueryVectors); });
    EXPECT_EQ(error.code(), Code::kUnavailable) << status;
    EXPECT_THAT(error.detail(), HasSubstr("status " + std::to_string(status) + " (3 tries)"));
    EXPECT_EQ(stubborn.sent(), 3u) << status;
  }
}

TEST(ServiceErrors, PermanentErrorsAreNot) {
  for (const int status : {400, 401, 402, 403, 405, 409, 410, 413, 418, 501, 505}) {
    ServiceFixture fixture([&](const ServedRequest&, int) { return Answer(status, ""); });
    ErrorOf([&] { fixture.Run(Operation::kQueryVectors); });
    EXPECT_EQ(fixture.sent(), 1u) << status;
  }
}

TEST(ServiceErrors, BrokenAnswersAreTriedAgain) {
  const ServedAnswer broken[] = {
      {.bytes = "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{\"vectors\":[", .then = ServedAnswer::Then::kClose},
      {.bytes = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{\"vec", .then = ServedAnswer::Then::kClose},
      {.bytes = "HTTP/1.1 200 OK\r\nContent-Le", .then = ServedAnswer::Then::kClose},
      {.bytes = "", .then = ServedAnswer::Then::kReset},
      Answer(200, "<html>please log in</html>"),
      Answer(200, "{\"vectors\":[")};
  for (const ServedAnswer& answer : broken) {
    for (const Operation operation : {Operation::kQueryVectors, Operation::kPutVectors, Operation::kDeleteVectors}) {
      ServiceFixture fixture([&](const ServedRequest&, int n) { return n < 2 ? answer : Answer(200, "{\"a\":1}"); });
      const ServiceCall call = fixture.Run(operation);
      EXPECT_EQ(AsText(call.answer), "{\"a\":1}") << answer.bytes;
      EXPECT_TRUE(call.answer_was_lost) << answer.bytes;
    }
    ServiceFixture stubborn([&](const ServedRequest&, int) { return answer; });
    EXPECT_EQ(ErrorOf([&] { stubborn.Run(Operation::kQueryVectors); }).code(), Code::kUnavailable) << answer.bytes;
  }
}

TEST(ServiceErrors, AServerThatIsNotThere) {
  int port;
  {
    const testing::HttpServer server([](const ServedRequest&, int) { return Answer(200, "{}"); });
    port = server.port();
  }
  const StoreConfig config = testing::ServiceConfigFor("http://127.0.0.1:" + std::to_string(port));
  ServiceClient client(config, ParseStoreUrl(config.url), {.max_tries = 3, .base_delay_ms = 1}, SystemClock());
  NeverStop never;
  ServiceCall call{.operation = Operation::kCreateIndex, .body = "{}"};
  EXPECT_EQ(ErrorOf([&] { client.Run(call, never); }).code(), Code::kUnavailable);
  EXPECT_FALSE(call.answer_was_lost);
}

TEST(ServiceErrors, ALostAnswerOfACreateIsTold) {
  for (const ServedAnswer& lost :
       {ServedAnswer{.bytes = "", .then = ServedAnswer::Then::kReset}, Refusal(500, "InternalServerException")}) {
    ServiceFixture fixture([&](const ServedRequest&, int n) {
      return n == 0 ? lost : Refusal(409, "ConflictException", "An index with the specified name already exists");
    });
    const ServiceCall call = fixture.Run(Operation::kCreateIndex, {Outcome::kConflict});
    EXPECT_EQ(call.outcome, Outcome::kConflict);
    EXPECT_TRUE(call.answer_was_lost);
  }
  ServiceFixture deletes([&](const ServedRequest&, int n) {
    return n == 0 ? ServedAnswer{.bytes = "", .then = ServedAnswer::Then::kReset} : Missing("index");
  });
  const ServiceCall call = deletes.Run(Operation::kDeleteIndex, {Outcome::kNotFound});
  EXPECT_EQ(call.outcome, Outcome::kNotFound);
  EXPECT_TRUE(call.answer_was_lost);
  ServiceFixture first([&](const ServedRequest&, int) { return Refusal(409, "ConflictException"); });
  EXPECT_FALSE(first.Run(Operation::kCreateIndex, {Outcome::kConflict}).answer_was_lost);
}

TEST(ServiceErrors, TheServiceSaysWhenToComeBack) {
  for (const char* header : {"x-amz-retry-after: 120\r\n", "Retry-After: 1\r\n"}) {
    ServiceFixture fixture([&](const ServedRequest&, int n) {
      return n == 0 ? Refusal(500, "InternalServerException", "", header) : Answer(200, "{}");
    });
    const int64_t begin = SystemClock().SteadyMillis();
    fixture.Run(Operation::kQueryVectors);
    EXPECT_GE(SystemClock().SteadyMillis() - begin, 120) << header;
  }
}

// --- clocks ---

TEST(ServiceErrors, ThisMachinesClockIsCorrectedOnce) {
  for (const auto& [code, message] :
       {std::pair{"RequestTimeTooSkewed", "too large"},
        std::pair{"InvalidSignatureException",
                  "Signature expired: 20231114T221320Z is now earlier than 20231115T000000Z"},
        std::pair{"SignatureDoesNotMatch", "Signature not yet current: 20231114T221320Z"}}) {
    ServiceFixture fixture([&](const ServedRequest& request, int) {
      if (request.headers.at("x-amz-date").starts_with("20231115T04")) return Answer(200, "{}");
      return Refusal(403, code, message, "Date: Wed, 15 Nov 2023 04:13:20 GMT\r\n");
    });
    std::vector<ServiceCall> calls(10, ServiceCall{.operation = Operation::kQueryVectors, .body = "{}"});
    fixture.client.Run(calls, fixture.never);
    EXPECT_LE(fixture.sent(), 20u) << code;
    const size_t before = fixture.sent();
    fixture.Run(Operation::kQueryVectors);
    EXPECT_EQ(fixture.sent(), before + 1) << code;
  }
}

TEST(ServiceErrors, AServiceThatIsNeverContentWithTheTimeIsAnError) {
  ServiceFixture fixture([](const ServedRequest&, int) {
    return Refusal(403, "RequestTimeTooSkewed", "", "Date: Wed, 15 Nov 2023 04:13:20 GMT\r\n");
  });
  const Error error = ErrorOf([&] { fixture.Run(Operation::kGetIndex); });
  EXPECT_EQ(error.code(), Code::kPermissionDenied);
  EXPECT_THAT(error.hint(), HasSubstr("clocks"));
  EXPECT_EQ(fixture.sent(), 2u);
}

TEST(ServiceErrors, TheClockIsBlamedOnlyForWhatItDid) {
  ServiceFixture fixture([](const ServedRequest&, int n) {
    return n == 0 ? Refusal(403, "RequestTimeTooSkewed", "", "Date: Wed, 15 Nov 2023 04:13:20 GMT\r\n")
                  : Refusal(403, "AccessDeniedException");
  });
  EXPECT_THAT(ErrorOf([&] { fixture.Run(Operation::kGetIndex); }).hint(), HasSubstr("s3vectors:GetIndex"));
}

TEST(ServiceErrors, ASignatureThatIsWrongForAnotherReasonIsNotTriedAgain) {
  for (const char* date : {"Date: Tue, 14 Nov 2023 22:13:30 GMT\r\n", "", "Date: yesterday\r\n"}) {
    ServiceFixture fixture([&](const ServedRequest&, int) {
      return Refusal(403, "InvalidSignatureException", "Signature expired", date);
    });
    EXPECT_EQ(ErrorOf([&] { fixture.Run(Operation::kGetIndex); }).code(), Code::kPermissionDenied);
    EXPECT_EQ(fixture.sent(), 1u) << date;
  }
  ServiceFixture fixture([](const ServedRequest&, int) {
    return Refusal(403, "InvalidSignatureException", "The request signature we calculated does not match",
                   "Date: Wed, 15 Nov 2023 04:13:20 GMT\r\n");
  });
  ErrorOf([&] { fixture.Run(Operation::kGetIndex); });
  EXPECT_EQ(fixture.sent(), 1u);
}

}  // namespace
}  // namespace s3v

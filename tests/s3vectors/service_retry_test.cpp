#include "s3vectors/service_retry.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace s3v {
namespace {

ServiceVerdict Of(int status, const std::string& code = {}, const std::string& message = {}) {
  return JudgeReply({.status = status, .code = code, .message = message});
}

ServiceVerdict Of(Transport transport, int status = 0) {
  return JudgeReply({.transport = transport, .status = status});
}

TEST(ServiceRetry, TheErrorsOfTheModel) {
  struct Row {
    int status;
    const char* code;
    std::optional<Outcome> outcome;
    Code error;
    bool retry;
  };
  const Row rows[] = {{200, "", Outcome::kDone, Code::kOk, false},
                      {204, "", Outcome::kDone, Code::kOk, false},
                      {400, "ValidationException", Outcome::kRefused, Code::kInvalidArgument, false},
                      {400, "KmsDisabledException", Outcome::kRefused, Code::kInvalidArgument, false},
                      {402, "ServiceQuotaExceededException", std::nullopt, Code::kLimitExceeded, false},
                      {403, "AccessDeniedException", std::nullopt, Code::kPermissionDenied, false},
                      {404, "NotFoundException", Outcome::kNotFound, Code::kObjectMissing, false},
                      {408, "RequestTimeoutException", std::nullopt, Code::kUnavailable, true},
                      {409, "ConflictException", Outcome::kConflict, Code::kUnavailable, false},
                      {429, "TooManyRequestsException", Outcome::kThrottled, Code::kUnavailable, true},
                      {500, "InternalServerException", std::nullopt, Code::kUnavailable, true},
                      {503, "ServiceUnavailableException", Outcome::kOverloaded, Code::kUnavailable, true}};
  for (const Row& row : rows) {
    for (const std::string& code : {std::string(row.code), std::string()}) {
      const ServiceVerdict verdict = Of(row.status, code);
      EXPECT_EQ(verdict.outcome, row.outcome) << row.status << code;
      EXPECT_EQ(verdict.code, row.error) << row.status << code;
      EXPECT_EQ(verdict.retry, row.retry) << row.status << code;
      EXPECT_FALSE(verdict.on_new_connection) << row.status << code;
    }
  }
}

TEST(ServiceRetry, OtherStatuses) {
  for (const int status : {502, 504}) EXPECT_TRUE(Of(status).retry) << status;
  for (const int status : {405, 501}) EXPECT_EQ(Of(status).code, Code::kNotSupported) << status;
  for (const int status : {301, 307, 406, 410, 411, 413, 418, 431, 451, 499, 505, 520}) {
    EXPECT_EQ(Of(status).code, Code::kUnavailable) << status;
    EXPECT_FALSE(Of(status).retry) << status;
    EXPECT_EQ(Of(status).outcome, std::nullopt) << status;
  }
  EXPECT_EQ(Of(401).code, Code::kPermissionDenied);
}

TEST(ServiceRetry, SomeCodesSayMoreThanTheirStatus) {
  for (const char* code : {"ThrottlingException", "Throttling", "SlowDown", "TooManyRequests"}) {
    EXPECT_EQ(Of(400, code).outcome, Outcome::kThrottled) << code;
    EXPECT_TRUE(Of(400, code).retry) << code;
  }
  for (const char* code : {"ExpiredTokenException", "ExpiredToken", "UnrecognizedClientException",
                           "InvalidSignatureException", "MissingAuthenticationToken", "IncompleteSignature"}) {
    for (const int status : {400, 401, 403}) {
      EXPECT_EQ(Of(status, code).code, Code::kPermissionDenied) << code;
      EXPECT_EQ(Of(status, code).outcome, std::nullopt) << code;
    }
  }
  EXPECT_EQ(Of(404, "UnknownOperationException").code, Code::kNotSupported);
  EXPECT_EQ(Of(400, "UnknownOperationException").code, Code::kNotSupported);
  EXPECT_EQ(Of(400, "ServiceQuotaExceededException").code, Code::kLimitExceeded);
  EXPECT_TRUE(Of(400, "RequestTimeout").retry);
  EXPECT_FALSE(Of(500, "AccessDenied").code == Code::kPermissionDenied);
}

TEST(ServiceRetry, WhatAWriteMayHaveDone) {
  for (const int status : {408, 500, 502, 503, 504}) EXPECT_TRUE(Of(status).may_have_acted) << status;
  for (const int status : {200, 400, 402, 403, 404, 409, 429, 501}) EXPECT_FALSE(Of(status).may_have_acted) << status;
  EXPECT_TRUE(Of(Transport::kBroken).may_have_acted);
  EXPECT_FALSE(Of(Transport::kNotConnected).may_have_acted);
}

TEST(ServiceRetry, TransfersThatFailed) {
  EXPECT_TRUE(Of(Transport::kNotConnected).retry);
  EXPECT_TRUE(Of(Transport::kBroken, 200).retry);
  EXPECT_TRUE(Of(Transport::kBroken, 200).on_new_connection);
  EXPECT_EQ(Of(Transport::kAddressRefused).code, Code::kPermissionDenied);
  EXPECT_EQ(Of(Transport::kTooLarge, 200).code, Code::kLimitExceeded);
  EXPECT_EQ(Of(Transport::kTooLarge, 403).code, Code::kPermissionDenied);
  for (const Transport transport : {Transport::kUntrusted, Transport::kDeadline}) {
    EXPECT_EQ(Of(transport).code, Code::kUnavailable);
    EXPECT_FALSE(Of(transport).retry);
  }
}

TEST(ServiceRetry, ASuccessThatIsNoObjectIsAskedForAgain) {
  const ServiceVerdict verdict = JudgeReply({.status = 200, .is_useful = false});
  EXPECT_EQ(verdict.outcome, std::nullopt);
  EXPECT_TRUE(verdict.retry);
  EXPECT_TRUE(verdict.on_new_connection);
  EXPECT_TRUE(verdict.may_have_acted);
}

TEST(ServiceRetry, ComplaintsOfTheTime) {
  EXPECT_TRUE(Of(403, "RequestTimeTooSkewed").may_be_clock);
  EXPECT_TRUE(
      Of(403, "InvalidSignatureException", "Signature expired: 20260102T030405Z is now earlier than 20260102T031000Z")
          .may_be_clock);
  EXPECT_TRUE(Of(400, "InvalidSignatureException", "Signature not yet current: 20260102T030405Z").may_be_clock);
  EXPECT_TRUE(Of(403, "SignatureDoesNotMatch", "the request time is too far away").may_be_clock);
  EXPECT_FALSE(Of(403, "InvalidSignatureException", "The request signature we calculated does not match").may_be_clock);
  EXPECT_FALSE(Of(403, "AccessDeniedException", "expired").may_be_clock);
  EXPECT_FALSE(Of(403, "ExpiredTokenException", "The security token included in the request is expired").may_be_clock);
}

// --- waits ---

struct Waits {
  int64_t least = INT64_MAX;
  int64_t most = -1;
};

Waits WaitsAfter(int tries, bool is_throttling, const ServiceWish& wish = {}, int64_t deadline_ms = 1'000'000) {
  Random random(7);
  Waits waits;
  for (int i = 0; i < 2000; ++i) {
    const auto delay = NextServiceDelay({.max_tries = 20, .base_delay_ms = 50, .max_delay_ms = 20'000}, is_throttling,
                                        tries, wish, 0, deadline_ms, &random);
    if (!delay) return {};
    waits.least = std::min(waits.least, *delay);
    waits.most = std::max(waits.most, *delay);
  }
  return waits;
}

TEST(ServiceRetry, WaitsDoubleFromFiftyMillisecondsOrASecond) {
  EXPECT_EQ(WaitsAfter(1, false).least, 0);
  EXPECT_EQ(WaitsAfter(1, false).most, 50);
  EXPECT_EQ(WaitsAfter(3, false).most, 200);
  EXPECT_NEAR(static_cast<double>(WaitsAfter(1, true).most), 1000, 5);
  EXPECT_NEAR(static_cast<double>(WaitsAfter(3, true).most), 4000, 20);
  EXPECT_NEAR(static_cast<double>(WaitsAfter(15, true).most), 20'000, 100);
}

TEST(ServiceRetry, TheServiceMayAskForMore) {
  EXPECT_EQ(WaitsAfter(1, false, {.retry_after_ms = 3000}).least, 3000);
  const Waits raised = WaitsAfter(1, false, {.amz_retry_after_ms = 1200});
  EXPECT_EQ(raised.least, 1200);
  EXPECT_EQ(raised.most, 1200);
  const Waits capped = WaitsAfter(1, false, {.amz_retry_after_ms = 60'000});
  EXPECT_EQ(capped.least, 5000);
  EXPECT_EQ(capped.most, 5050);
  EXPECT_EQ(WaitsAfter(1, false, {.amz_retry_after_ms = 0}).most, 50);  // it raises, and never lowers
}

TEST(ServiceRetry, ThereIsAnEnd) {
  Random random(7);
  const RetryPolicy policy = ServiceRetryPolicy();
  EXPECT_TRUE(NextServiceDelay(policy, false, 2, {}, 0, 1'000'000, &random).has_value());
  EXPECT_FALSE(NextServiceDelay(policy, false, 3, {}, 0, 1'000'000, &random).has_value());
  EXPECT_EQ(WaitsAfter(1, false, {.retry_after_ms = 3000}, 2000).most, -1);
  EXPECT_EQ(WaitsAfter(1, false, {.amz_retry_after_ms = 3000}, 2000).most, -1);
}

}  // namespace
}  // namespace s3v

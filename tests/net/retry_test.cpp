#include "net/retry.h"

#include <gtest/gtest.h>

namespace s3v {
namespace {

constexpr Verb kAllVerbs[] = {Verb::kRead, Verb::kOverwrite, Verb::kCreate, Verb::kList, Verb::kDelete};

Decision Of(Verb verb, int status, const std::string& s3_code = {}) {
  return Classify(verb, {.transport = Transport::kComplete, .status = status, .s3_code = s3_code});
}
Decision Of(Verb verb, Transport transport) { return Classify(verb, {.transport = transport, .status = 0}); }

TEST(Classify, PassingFaultsAreRetriedWhateverTheVerb) {
  for (const Verb verb : kAllVerbs) {
    for (const int status : {408, 429, 500, 502, 503, 504})
      EXPECT_EQ(Of(verb, status).action, Action::kRetry) << status;
    EXPECT_EQ(Of(verb, 400, "RequestTimeout").action, Action::kRetry);
    EXPECT_EQ(Of(verb, 503, "SlowDown").action, Action::kRetry);
    EXPECT_EQ(Of(verb, Transport::kNotConnected).action, Action::kRetry);
    EXPECT_FALSE(Of(verb, Transport::kNotConnected).may_have_acted);
  }
}

TEST(Classify, BrokenTransfersGoToANewConnectionAndMayHaveActed) {
  for (const Verb verb : kAllVerbs) {
    EXPECT_EQ(Of(verb, Transport::kBroken).action, Action::kRetryOnNewConnection);
    EXPECT_TRUE(Of(verb, Transport::kBroken).may_have_acted);
  }
  EXPECT_TRUE(Of(Verb::kCreate, 500).may_have_acted);
  EXPECT_EQ(Of(Verb::kCreate, 400, "BadDigest").action, Action::kRetryOnNewConnection);
}

TEST(Classify, NameTakenIsAnAnswerToCreatesOnly) {
  EXPECT_EQ(Of(Verb::kCreate, 412).action, Action::kNameTaken);
  EXPECT_EQ(Of(Verb::kCreate, 412, "PreconditionFailed").action, Action::kNameTaken);
  EXPECT_EQ(Of(Verb::kRead, 412).action, Action::kFail);
  EXPECT_EQ(Of(Verb::kCreate, 409, "ConditionalRequestConflict").action, Action::kRetry);
  EXPECT_EQ(Of(Verb::kRead, 409).action, Action::kFail);
}

TEST(Classify, MissingObjectIsNotAMissingBucket) {
  EXPECT_EQ(Of(Verb::kRead, 404, "NoSuchKey").code, Code::kObjectMissing);
  for (const Verb verb : kAllVerbs) EXPECT_EQ(Of(verb, 404, "NoSuchBucket").code, Code::kStoreMissing);
  EXPECT_EQ(Of(Verb::kDelete, 404).action, Action::kAccept);
  // A server that means something else by 404: not a reason to believe that the object is gone.
  EXPECT_EQ(Of(Verb::kRead, 404).code, Code::kUnavailable);
  EXPECT_EQ(Of(Verb::kRead, 404, "XAdminUserNotFound").code, Code::kUnavailable);
  EXPECT_EQ(Of(Verb::kCreate, 404, "NoSuchUpload").code, Code::kUnavailable);
}

TEST(Classify, RefusalsAreFinal) {
  for (const Verb verb : kAllVerbs) {
    for (const int status : {401, 403}) {
      EXPECT_EQ(Of(verb, status, "AccessDenied").action, Action::kFail);
      EXPECT_EQ(Of(verb, status, "AccessDenied").code, Code::kPermissionDenied);
    }
    EXPECT_EQ(Of(verb, 400, "ExpiredToken").code, Code::kPermissionDenied);
    for (const int status : {301, 302, 307, 308}) {
      EXPECT_EQ(Of(verb, status).action, Action::kFail);
      EXPECT_EQ(Of(verb, status).code, Code::kUnavailable);
    }
    EXPECT_EQ(Of(verb, Transport::kUntrusted).action, Action::kFail);
    EXPECT_EQ(Of(verb, Transport::kAddressRefused).code, Code::kPermissionDenied);
    EXPECT_EQ(Of(verb, Transport::kDeadline).action, Action::kFail);
    EXPECT_EQ(Of(verb, 501).code, Code::kNotSupported);
  }
  EXPECT_EQ(Of(Verb::kRead, 416).code, Code::kCorrupted);
  EXPECT_EQ(Of(Verb::kRead, Transport::kTooLarge).code, Code::kLimitExceeded);
}

TEST(Classify, ClockSkewIsCorrected) {
  for (const Verb verb : kAllVerbs) EXPECT_EQ(Of(verb, 403, "RequestTimeTooSkewed").action, Action::kCorrectClock);
}

TEST(Classify, ASuccessWithAnErrorDocumentIsThatError) {
  EXPECT_EQ(Of(Verb::kCreate, 200).action, Action::kAccept);
  EXPECT_EQ(Of(Verb::kRead, 206).action, Action::kAccept);
  EXPECT_EQ(Of(Verb::kCreate, 200, "InternalError").action, Action::kRetry);
  EXPECT_EQ(Of(Verb::kOverwrite, 200, "AccessDenied").code, Code::kPermissionDenied);
  EXPECT_EQ(Of(Verb::kOverwrite, 200, "SomethingNew").action, Action::kFail);
}

TEST(Classify, AnErrorDocumentTooLongToReadIsJudgedByItsStatus) {
  const Answer answer{.transport = Transport::kTooLarge, .status = 503};
  EXPECT_EQ(Classify(Verb::kRead, answer).action, Action::kRetry);
}

TEST(NextDelay, FullJitterDoublesUpToTheCap) {
  Random random(7);
  const RetryPolicy policy{.max_tries = 20};
  int64_t longest = 100;
  for (int tries = 1; tries < 20; ++tries) {
    int64_t seen = 0;
    for (int i = 0; i < 400; ++i) {
      const int64_t delay = NextDelay(policy, tries, std::nullopt, 0, 1'000'000, &random).value();
      ASSERT_GE(delay, 0);
      ASSERT_LE(delay, longest);
      seen = std::max(seen, delay);
    }
    EXPECT_GT(seen, longest * 9 / 10) << tries;
    longest = std::min<int64_t>(longest * 2, 5000);
  }
}

TEST(NextDelay, EndsWithTriesOrTime) {
  Random random(7);
  const RetryPolicy policy;
  EXPECT_TRUE(NextDelay(policy, 4, std::nullopt, 0, 100'000, &random));
  EXPECT_FALSE(NextDelay(policy, 5, std::nullopt, 0, 100'000, &random));
  EXPECT_FALSE(NextDelay(policy, 1, std::nullopt, 100, 100, &random));
  for (int i = 0; i < 100; ++i) {
    const auto delay = NextDelay(policy, 1, std::nullopt, 0, 50, &random);
    EXPECT_LT(delay.value_or(0), 50);
  }
}

TEST(NextDelay, HonoursRetryAfterWithinTheDeadline) {
  Random random(7);
  const RetryPolicy policy;
  EXPECT_EQ(NextDelay(policy, 1, 2000, 0, 30'000, &random), 2000);
  EXPECT_FALSE(NextDelay(policy, 1, 60'000, 0, 30'000, &random));
}

TEST(RetryAfter, SecondsOrDate) {
  EXPECT_EQ(ParseRetryAfter("3", 0), 3000);
  EXPECT_EQ(ParseRetryAfter("Sun, 06 Nov 1994 08:49:37 GMT", 784111770), 7000);
  EXPECT_EQ(ParseRetryAfter("Sun, 06 Nov 1994 08:49:37 GMT", 784111800), 0);
  EXPECT_EQ(ParseRetryAfter("-5", 0), 0);
  EXPECT_EQ(ParseRetryAfter("soon", 0), std::nullopt);
  EXPECT_EQ(ParseRetryAfter("99999999999999999999", 0), std::nullopt);
  EXPECT_EQ(ParseRetryAfter("9999999999", 0), 86400 * 1000);
}

TEST(HttpDate, Parses) {
  EXPECT_EQ(ParseHttpDate("Sun, 06 Nov 1994 08:49:37 GMT"), 784111777);
  EXPECT_EQ(ParseHttpDate("nonsense"), std::nullopt);
}

}  // namespace
}  // namespace s3v

#include "net/retry.h"

#include <curl/curl.h>

#include <algorithm>
#include <charconv>
#include <string_view>

namespace s3v {
namespace {

bool IsOneOf(std::string_view text, std::initializer_list<std::string_view> choices) {
  return std::find(choices.begin(), choices.end(), text) != choices.end();
}

Decision ClassifyTransport(Transport transport) {
  switch (transport) {
    case Transport::kNotConnected:
      return {Action::kRetry, Code::kUnavailable};
    case Transport::kBroken:
      return {.action = Action::kRetryOnNewConnection, .code = Code::kUnavailable, .may_have_acted = true};
    case Transport::kAddressRefused:
      return {Action::kFail, Code::kPermissionDenied};
    case Transport::kTooLarge:
      return {Action::kFail, Code::kLimitExceeded};
    default:
      return {Action::kFail, Code::kUnavailable};
  }
}

// An answer that a later try may not repeat. 5xx of a write leaves open whether it was done.
bool IsPassing(const Answer& answer) {
  const bool by_status = answer.status == 408 || answer.status == 429 || answer.status == 500 || answer.status == 502 ||
                         answer.status == 503 || answer.status == 504;
  return by_status || IsOneOf(answer.s3_code, {"InternalError", "SlowDown", "ServiceUnavailable", "RequestTimeout",
                                               "Throttling", "ThrottlingException", "TooManyRequests"});
}

// The body did not arrive as it was sent.
bool IsGarbledBody(const std::string& s3_code) {
  return IsOneOf(s3_code, {"BadDigest", "IncompleteBody", "XAmzContentSHA256Mismatch"});
}

Decision ClassifyMissing(Verb verb, const std::string& s3_code) {
  if (s3_code == "NoSuchBucket") return {Action::kFail, Code::kStoreMissing};
  if (verb == Verb::kDelete && IsOneOf(s3_code, {"", "NoSuchKey"})) return {Action::kAccept};
  // Only the store's own word counts: a 404 without it comes from a gateway or a wrong endpoint, and must not look like
  // a lost object, for which the source would be scanned.
  if (verb == Verb::kRead && IsOneOf(s3_code, {"NoSuchKey", "NoSuchVersion", "NotFound"})) {
    return {Action::kFail, Code::kObjectMissing};
  }
  return {Action::kFail, Code::kUnavailable};
}

Decision ClassifyConflict(Verb verb, const std::string& s3_code) {
  const bool passing = verb == Verb::kCreate || verb == Verb::kOverwrite || verb == Verb::kDelete;
  if (passing && IsOneOf(s3_code, {"", "ConditionalRequestConflict", "OperationAborted"})) {
    return {Action::kRetry, Code::kUnavailable};
  }
  return {Action::kFail, Code::kUnavailable};
}

}  // namespace

Decision Classify(Verb verb, const Answer& answer) {
  const bool has_error_status = answer.status >= 300;
  // An error answer whose document was too long to read is judged by its status.
  const bool judged_by_status = answer.transport == Transport::kTooLarge && has_error_status;
  if (answer.transport != Transport::kComplete && !judged_by_status) return ClassifyTransport(answer.transport);

  // A 200 may carry an error document: it counts as that error.
  if (!has_error_status && answer.s3_code.empty()) return {Action::kAccept};
  if (answer.s3_code == "RequestTimeTooSkewed") return {Action::kCorrectClock, Code::kPermissionDenied};
  if (IsPassing(answer)) return {Action::kRetry, Code::kUnavailable, /*may_have_acted=*/true};
  if (IsGarbledBody(answer.s3_code)) return {Action::kRetryOnNewConnection, Code::kUnavailable};
  if (answer.status == 412 || answer.s3_code == "PreconditionFailed") {
    return verb == Verb::kCreate ? Decision{Action::kNameTaken} : Decision{Action::kFail, Code::kUnavailable};
  }
  if (answer.status == 409) return ClassifyConflict(verb, answer.s3_code);
  if (answer.status == 404 || IsOneOf(answer.s3_code, {"NoSuchBucket", "NoSuchKey"})) {
    return ClassifyMissing(verb, answer.s3_code);
  }
  if (answer.status == 416) return {Action::kFail, Code::kCorrupted};
  if (answer.status == 501 || answer.s3_code == "NotImplemented") return {Action::kFail, Code::kNotSupported};
  const bool denied = answer.status == 401 || answer.status == 403 ||
                      IsOneOf(answer.s3_code, {"AccessDenied", "ExpiredToken", "InvalidToken", "TokenRefreshRequired"});
  return {Action::kFail, denied ? Code::kPermissionDenied : Code::kUnavailable};
}

std::optional<int64_t> NextDelay(const RetryPolicy& policy, int tries, std::optional<int64_t> retry_after_ms,
                                 int64_t now_ms, int64_t deadline_ms, Random* random) {
  if (tries >= policy.max_tries || now_ms >= deadline_ms) return std::nullopt;
  const int doublings = std::clamp(tries - 1, 0, 30);
  const int64_t longest = std::min(policy.max_delay_ms, policy.base_delay_ms << doublings);
  int64_t delay = static_cast<int64_t>(random->Below(static_cast<uint64_t>(longest) + 1));
  if (retry_after_ms) delay = std::max(delay, *retry_after_ms);
  if (delay >= deadline_ms - now_ms) return std::nullopt;
  return delay;
}

std::optional<int64_t> ParseRetryAfter(const std::string& value, int64_t now) {
  int64_t seconds = 0;
  const char* end = value.data() + value.size();
  const auto [rest, failure] = std::from_chars(value.data(), end, seconds);
  if (failure != std::errc() || rest != end) {
    const std::optional<int64_t> date = ParseHttpDate(value);
    if (!date) return std::nullopt;
    seconds = *date - now;
  }
  constexpr int64_t kOneDay = 86400;
  return std::clamp<int64_t>(seconds, 0, kOneDay) * 1000;
}

std::optional<int64_t> ParseHttpDate(const std::string& value) {
  const auto seconds = static_cast<int64_t>(curl_getdate(value.c_str(), nullptr));
  if (seconds < 0) return std::nullopt;
  return seconds;
}

}  // namespace s3v

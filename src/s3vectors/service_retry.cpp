#include "s3vectors/service_retry.h"

#include <algorithm>

namespace s3v {
namespace {

constexpr int kThrottlingFactor = 20;  // 1 s for 50 ms
constexpr int64_t kMostRaisedMs = 5000;

bool IsOneOf(std::string_view text, std::initializer_list<std::string_view> choices) {
  return std::find(choices.begin(), choices.end(), text) != choices.end();
}

// Front ends of the same provider write a code with and without "Exception" behind it.
std::string_view StemOf(std::string_view code) {
  static constexpr std::string_view kEnd = "Exception";
  return code.ends_with(kEnd) ? code.substr(0, code.size() - kEnd.size()) : code;
}

bool SaysThrottled(std::string_view stem) {
  return IsOneOf(
      stem, {"TooManyRequests", "Throttling", "Throttled", "RequestThrottled", "RequestLimitExceeded", "SlowDown"});
}

bool SaysDenied(std::string_view code) {
  return SaysExpired(code) || SaysWrongCredentials(code) ||
         IsOneOf(StemOf(code), {"AccessDenied", "RequestTimeTooSkewed", "RequestExpired", "RequestInTheFuture"});
}

// A signature is also called invalid when its time is too far away: "Signature expired: ... is now earlier than ...",
// "Signature not yet current: ...".
bool SaysWrongTime(std::string_view code, const std::string& message) {
  const std::string_view stem = StemOf(code);
  if (IsOneOf(stem, {"RequestTimeTooSkewed", "RequestExpired", "RequestInTheFuture"})) return true;
  if (!IsOneOf(stem, {"InvalidSignature", "SignatureDoesNotMatch"})) return false;
  const auto says = [&](const char* part) { return message.find(part) != std::string::npos; };
  return says("expired") || says("not yet current") || says("time");
}

ServiceVerdict OfTransport(Transport transport) {
  switch (transport) {
    case Transport::kNotConnected:
      return {.code = Code::kUnavailable, .retry = true};
    case Transport::kBroken:
      return {.code = Code::kUnavailable, .retry = true, .on_new_connection = true, .may_have_acted = true};
    case Transport::kAddressRefused:
      return {.code = Code::kPermissionDenied};
    case Transport::kTooLarge:
      return {.code = Code::kLimitExceeded};
    default:
      return {.code = Code::kUnavailable};
  }
}

// Codes that say more than the status of some server does.
std::optional<ServiceVerdict> OfCode(std::string_view code, const std::string& message) {
  const std::string_view stem = StemOf(code);
  if (SaysThrottled(stem)) {
    return ServiceVerdict{
        .outcome = Outcome::kThrottled, .code = Code::kUnavailable, .retry = true, .is_throttling = true};
  }
  if (SaysDenied(code)) {
    return ServiceVerdict{.code = Code::kPermissionDenied, .may_be_clock = SaysWrongTime(code, message)};
  }
  if (stem == "RequestTimeout") {
    return ServiceVerdict{.code = Code::kUnavailable, .retry = true, .may_have_acted = true};
  }
  if (IsOneOf(stem, {"UnknownOperation", "NotImplemented"})) return ServiceVerdict{.code = Code::kNotSupported};
  if (stem == "ServiceQuotaExceeded") return ServiceVerdict{.code = Code::kLimitExceeded};
  return std::nullopt;
}

ServiceVerdict OfStatus(int status) {
  switch (status) {
    case 400:
      return {.outcome = Outcome::kRefused, .code = Code::kInvalidArgument};
    case 401:
    case 403:
      return {.code = Code::kPermissionDenied};
    case 402:
      return {.code = Code::kLimitExceeded};
    case 404:
      return {.outcome = Outcome::kNotFound, .code = Code::kObjectMissing};
    case 405:
    case 501:
      return {.code = Code::kNotSupported};
    case 408:
    case 500:
    case 502:
    case 504:
      return {.code = Code::kUnavailable, .retry = true, .may_have_acted = true};
    case 409:
      return {.outcome = Outcome::kConflict, .code = Code::kUnavailable};
    case 429:
      return {.outcome = Outcome::kThrottled, .code = Code::kUnavailable, .retry = true, .is_throttling = true};
    case 503:
      return {.outcome = Outcome::kOverloaded,
              .code = Code::kUnavailable,
              .retry = true,
              .is_throttling = true,  // the service advises longer waits here, too
              .may_have_acted = true};
    default:
      return {.code = Code::kUnavailable};
  }
}

}  // namespace

bool SaysExpired(std::string_view code) {
  return IsOneOf(StemOf(code), {"ExpiredToken", "InvalidToken", "TokenRefreshRequired"});
}

bool SaysWrongCredentials(std::string_view code) {
  return IsOneOf(StemOf(code),
                 {"UnrecognizedClient", "InvalidSignature", "SignatureDoesNotMatch", "InvalidClientTokenId",
                  "InvalidAccessKeyId", "IncompleteSignature", "MissingAuthenticationToken"});
}

ServiceVerdict JudgeReply(const ServiceReply& reply) {
  // An error whose text was too long to read is judged by its status.
  const bool has_error_status = reply.status >= 300;
  const bool judged_by_status = reply.transport == Transport::kTooLarge && has_error_status;
  if (reply.transport != Transport::kComplete && !judged_by_status) return OfTransport(reply.transport);
  if (!has_error_status && reply.is_useful) return {.outcome = Outcome::kDone};
  // A proxy's page, most likely; behind it the request may have been served.
  if (!has_error_status) return OfTransport(Transport::kBroken);
  if (reply.status >= 400 && reply.status < 500) {
    if (const auto verdict = OfCode(reply.code, reply.message)) return *verdict;
  }
  return OfStatus(reply.status);
}

std::optional<int64_t> NextServiceDelay(const RetryPolicy& policy, bool is_throttling, int tries,
                                        const ServiceWish& wish, int64_t now_ms, int64_t deadline_ms, Random* random) {
  RetryPolicy slower = policy;
  if (is_throttling) slower.base_delay_ms *= kThrottlingFactor;
  std::optional<int64_t> delay = NextDelay(slower, tries, wish.retry_after_ms, now_ms, deadline_ms, random);
  if (!delay || !wish.amz_retry_after_ms) return delay;
  delay = std::clamp(*wish.amz_retry_after_ms, *delay, *delay + kMostRaisedMs);
  if (*delay >= deadline_ms - now_ms) return std::nullopt;
  return delay;
}

}  // namespace s3v

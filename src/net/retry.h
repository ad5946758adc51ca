// What to do with an answer of an S3-like service, and how long to wait before the next try. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "base/error.h"
#include "base/random.h"

namespace s3v {

// How a transfer ended below HTTP.
enum class Transport {
  kComplete,        // an answer with a status, whole
  kNotConnected,    // name not found, refused, no route, connect timeout: nothing was sent
  kBroken,          // reset, cut, stalled or garbled after the request was on its way
  kUntrusted,       // TLS: certificate or host name did not verify
  kAddressRefused,  // our own rule refuses the address that the name stands for
  kTooLarge,        // headers or body beyond the limit
  kSinkStopped,     // the receiver had enough
  kDeadline,        // the call's time is up
};

enum class Verb { kRead, kOverwrite, kCreate, kList, kDelete };

struct Answer {
  Transport transport = Transport::kComplete;
  int status = 0;
  std::string s3_code = {};  // <Code> of an S3 error document; empty if there was none
};

enum class Action {
  kAccept,
  kRetry,
  kRetryOnNewConnection,
  kCorrectClock,  // once: take the time from the Date header and retry; a second time it is an error
  kNameTaken,     // a create met an object of that name: its own after a lost answer, else someone's
  kFail,          // with the code beside it
};

struct Decision {
  Action action;
  Code code = Code::kOk;        // of the error once tries are used up, or at once with kFail
  bool may_have_acted = false;  // a write may have taken effect although the answer says or shows nothing
};

Decision Classify(Verb verb, const Answer& answer);

// Full jitter: a random wait in [0, min(cap, base * 2^(tries - 1))].
struct RetryPolicy {
  int max_tries = 5;
  int64_t base_delay_ms = 100;
  int64_t max_delay_ms = 5000;
};

// The wait before the next try, after `tries` of them; nothing when tries or time are used up. A Retry-After that ends
// behind the deadline uses the time up. `deadline_ms` and `now_ms` are of the same steady clock.
std::optional<int64_t> NextDelay(const RetryPolicy& policy, int tries, std::optional<int64_t> retry_after_ms,
                                 int64_t now_ms, int64_t deadline_ms, Random* random);

// Seconds or an HTTP date, as milliseconds from `now` (seconds since 1970).
std::optional<int64_t> ParseRetryAfter(const std::string& value, int64_t now);

// An HTTP date ("Sun, 06 Nov 1994 08:49:37 GMT") as seconds since 1970.
std::optional<int64_t> ParseHttpDate(const std::string& value);

}  // namespace s3v

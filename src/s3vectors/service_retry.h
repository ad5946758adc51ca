// What to do with an answer of the service, and how long to wait before the next try. Pure.
// Source: reference "S3 Vectors API", sections 1.5 and 5.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "net/retry.h"
#include "s3vectors/service_client.h"

namespace s3v {

struct ServiceReply {
  Transport transport = Transport::kComplete;
  int status = 0;
  std::string code = {};     // of an error; may be empty
  std::string message = {};  // of an error; may be empty
  bool is_useful = true;     // a 2xx answer: nothing, or a JSON object
};

struct ServiceVerdict {
  std::optional<Outcome> outcome = {};  // what callers may want to see instead of an error
  Code code = Code::kOk;                // of the error, once tries are used up or at once
  bool retry = false;
  bool on_new_connection = false;
  bool is_throttling = false;   // waits are longer
  bool may_have_acted = false;  // a write may have taken effect although the answer says or shows nothing
  bool may_be_clock = false;    // the service may hold our time against us: its Date header tells
};

ServiceVerdict JudgeReply(const ServiceReply& reply);

// Is the code one of expired credentials; of credentials or a signature that the service does not know?
bool SaysExpired(std::string_view code);
bool SaysWrongCredentials(std::string_view code);

// What the service itself says of when to come back.
struct ServiceWish {
  std::optional<int64_t> retry_after_ms = {};      // Retry-After: not earlier
  std::optional<int64_t> amz_retry_after_ms = {};  // x-amz-retry-after: raises a wait, by at most 5 seconds
};

// As NextDelay; for throttling the base is 20 times as long.
std::optional<int64_t> NextServiceDelay(const RetryPolicy& policy, bool is_throttling, int tries,
                                        const ServiceWish& wish, int64_t now_ms, int64_t deadline_ms, Random* random);

}  // namespace s3v

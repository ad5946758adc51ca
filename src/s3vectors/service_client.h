// Signed requests to the service: every answer judged, tried again where that can help, turned into errors where not.
// Source: reference "S3 Vectors API", sections 1.1 to 1.5 and 5.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/clock.h"
#include "net/address.h"
#include "net/http.h"
#include "net/retry.h"
#include "net/sigv4.h"
#include "s3vectors/operations.h"
#include "store/object_store.h"
#include "store/open_store.h"
#include "store/store_url.h"

namespace s3v {

// What came of a call.
enum class Outcome {
  kDone,        // 2xx
  kNotFound,    // 404: bucket, index or policy
  kConflict,    // 409: the name exists, or the bucket is not empty
  kRefused,     // 400: `error_message` says why
  kThrottled,   // 429
  kOverloaded,  // 503; of PutVectors also: this batch is too large at the moment
};

// One request of a batch, and what came of it.
struct ServiceCall {
  Operation operation = Operation::kGetIndex;
  std::string body = {};            // JSON; empty for operations on a resource without one
  std::string resource_arn = {};    // operations on a resource
  QueryParameters query = {};       // tagKeys
  std::string subject = {};         // what messages name: the remote index; empty: the vector bucket
  uint64_t expected_bytes = 16384;  // of the answer: counts against the bytes in flight
  uint64_t max_answer = 64 * 1024 * 1024;
  // Outcomes besides kDone that the caller wants to see: they end the call at once, without further tries. All others
  // are retried where that can help, and then thrown.
  std::vector<Outcome> wanted = {};

  Outcome outcome = Outcome::kDone;  // out
  Bytes answer = {};                 // out: body of a 2xx answer, "{}" where there was none
  std::string error_code = {};       // out: as the service spells it; may be empty
  std::string error_message = {};    // out: fit for messages; may be empty
  bool answer_was_lost = false;      // out: a try before may have had its effect unseen
};

class ServiceClient {
 public:
  // `clock` must outlive the client.
  ServiceClient(const StoreConfig& config, const StoreUrl& url, const RetryPolicy& retry, const Clock& clock);
  ~ServiceClient();

  // Sends all calls at once, and returns when each has an outcome; throws the first error otherwise:
  //   kPermissionDenied  403 (hint: the action s3vectors:<Operation> is needed; expired or wrong credentials say so)
  //   kObjectMissing     404 of an operation on an index, unless the bucket itself is missing: then kStoreMissing
  //   kStoreMissing      404 of an operation on the bucket
  //   kInvalidArgument   400, with the service's message and fieldList in the detail
  //   kLimitExceeded     402 quota; answers beyond max_answer
  //   kNotSupported      405, 501, and UnknownOperation answers
  //   kUnavailable       everything else, once tries or the request timeout are used up
  // An answer without any error code or message is judged by its status alone.
  void Run(std::span<ServiceCall> calls, Stop& stop);
  void Run(ServiceCall& call, Stop& stop) { Run({&call, 1}, stop); }

  const std::string& bucket() const { return bucket_; }
  // "s3vectors://bucket at https://...", for messages.
  std::string Where() const;

  // QueryVectors, GetVectors and lists count as get_requests, all else but deletions as put_requests.
  StoreCounters& counters() { return counters_; }
  const StoreCounters& counters() const { return counters_; }
  const StoreConfig& config() const { return config_; }
  // Of remote indexes, as far as somebody asked: whether the service told their mode, and so knows of modes.
  std::unordered_map<std::string, bool>& knows_modes() { return knows_modes_; }
  const Clock& clock() const { return clock_; }

 private:
  class Exchange;

  StoreConfig config_;
  std::string bucket_;
  Endpoint endpoint_;
  std::string host_;
  Credentials credentials_;
  SigningOptions signing_;
  RetryPolicy retry_;
  const Clock& clock_;
  StoreCounters counters_;
  Random random_;
  int64_t clock_skew_seconds_ = 0;
  std::unordered_map<std::string, bool> knows_modes_;
  std::unique_ptr<HttpClient> http_;
};

// The endpoint that a config of an s3vectors:// server leads to: its own, or Amazon's for the region, whose suffix
// depends on the partition. Throws kInvalidArgument.
Endpoint ServiceEndpointOf(const StoreConfig& config);

// 3 tries, base 50 ms (throttling: 1 s), at most 20 s, full jitter; what the service's own SDKs do.
RetryPolicy ServiceRetryPolicy();

}  // namespace s3v

// Signed requests to one bucket: every answer judged, tried again where that can help, turned into errors where not.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/clock.h"
#include "net/address.h"
#include "net/http.h"
#include "net/retry.h"
#include "net/sigv4.h"
#include "store/object_store.h"
#include "store/open_store.h"
#include "store/store_url.h"

namespace s3v {

// One request of a batch, and what came of it.
struct S3Call {
  Verb verb = Verb::kRead;
  std::string method = "GET";
  ObjectKey key;  // below the prefix; empty: the bucket itself
  QueryParameters query;
  Headers headers;
  ByteView body;
  std::string payload_hash;  // of the body
  uint64_t max_body = 0;
  uint64_t expected_bytes = 0;

  // Before every try: forget what the last one brought.
  std::function<void()> reset;
  // Takes the body of a 2xx answer; false: it has what it needs, or the answer is of no use.
  std::function<bool(const HttpResponse& head, ByteView piece)> sink;
  // Takes a 2xx answer. A text says why it is of no use: it is asked for again, on a new connection. May throw.
  std::function<std::optional<std::string>(HttpResponse& response)> accept;

  bool name_taken = false;       // out: a create met an object of that name
  bool answer_was_lost = false;  // out: a try before may have had its effect unseen
};

class S3Client {
 public:
  // `counters` and `clock` must outlive the client.
  S3Client(const StoreConfig& config, const StoreUrl& url, const RetryPolicy& retry, const Clock& clock,
           StoreCounters* counters);

  // Sends all calls at once. Returns when each was accepted or, for creates, met an object of its name; throws the
  // first error otherwise. The request timeout holds for the whole batch.
  void Run(std::span<S3Call> calls, Stop& stop);
  void Run(S3Call& call, Stop& stop) { Run({&call, 1}, stop); }

  // The key in the bucket.
  std::string FullKey(const ObjectKey& key) const { return url_.prefix.empty() ? key : url_.prefix + "/" + key; }
  const StoreUrl& url() const { return url_; }

 private:
  class Exchange;

  std::string PathOf(const S3Call& call) const;
  bool LearnClock(const HttpResponse& response);
  [[noreturn]] void Throw(const S3Call& call, const HttpResponse& response, Code code, const std::string& cause,
                          int tries) const;
  std::string HintFor(const S3Call& call, const HttpResponse& response) const;

  StoreUrl url_;
  Endpoint endpoint_;
  std::string host_;  // with the bucket in front unless path style
  bool path_style_;
  Credentials credentials_;
  SigningOptions signing_;
  int64_t timeout_ms_;
  RetryPolicy retry_;
  const Clock& clock_;
  StoreCounters* counters_;
  Random random_;
  int64_t clock_skew_seconds_ = 0;  // the server's clock minus ours, once it complained
  HttpClient http_;
};

// The endpoint that a config leads to: its own, or Amazon's for the region. Throws kInvalidArgument.
Endpoint EndpointOf(const StoreConfig& config);

}  // namespace s3v

// Many HTTP requests at once on one thread, over libcurl's multi interface. Nothing is followed, read from the
// environment or decoded on the way; limits hold for headers, bodies, time and parallel requests.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/stop.h"
#include "net/retry.h"
#include "net/sigv4.h"

namespace s3v {

struct HttpOptions {
  std::string ca_file;          // empty: the system's
  bool allow_plain = false;     // http:// urls, too
  bool only_loopback = false;   // refuse to connect elsewhere
  bool refuse_special = false;  // refuse to connect to what IsSpecialAddress names
  int max_parallel = 64;
  uint64_t max_bytes_in_flight = 32 * 1024 * 1024;  // sum of expected_bytes; one request may exceed it alone
  int64_t connect_timeout_ms = 5000;
  int64_t low_speed_bytes = 1024;  // a transfer slower than this per second ...
  int64_t low_speed_seconds = 10;  // ... for so long is broken
};

struct HttpResponse;

struct HttpRequest {
  std::string method;  // GET, PUT, POST; DELETE without a body
  std::string url;     // encoded
  Headers headers = {};
  ByteView body = {};     // must outlive the exchange
  uint64_t max_body = 0;  // of a 2xx answer without sink; error documents are cut at 64 KiB
  // Takes the body of a 2xx answer piece by piece; false ends the transfer. What it throws reaches Perform's caller.
  std::function<bool(const HttpResponse& head, ByteView piece)> sink = {};
};

struct HttpResponse {
  Transport transport = Transport::kComplete;
  std::string transport_error;  // what libcurl said
  int status = 0;
  Headers headers;  // names in lower case
  Bytes body;
  uint64_t payload_bytes = 0;  // of a 2xx answer, given to the sink or not
  int times_sent = 0;          // libcurl repeats a request by itself when a kept connection turns out dead

  // The first header of that name (lower case); nullptr if there is none.
  const std::string* Header(std::string_view name) const;
  std::optional<uint64_t> ContentLength() const;
};

struct Resend {
  int64_t delay_ms = 0;
  bool on_new_connection = false;
};

// One request and its further tries.
class HttpExchange {
 public:
  virtual ~HttpExchange() = default;
  // Size of the expected answer, counted against max_bytes_in_flight.
  virtual uint64_t expected_bytes() const = 0;
  // The request to send now; called again for every try.
  virtual HttpRequest Prepare() = 0;
  // The request went out. Called by libcurl: do no more than count.
  virtual void OnSent() noexcept = 0;
  // Judges an answer or its absence: nothing ends the exchange. May throw, which ends the whole batch.
  virtual std::optional<Resend> Finish(HttpResponse& response) = 0;
};

// Used from one thread at a time. Keeps connections between calls. Must not live across a fork.
class HttpClient {
 public:
  HttpClient(HttpOptions options, const Clock& clock);
  ~HttpClient();
  HttpClient(const HttpClient&) = delete;
  HttpClient& operator=(const HttpClient&) = delete;

  // Sends all exchanges, first ones first, and returns when each is over. At `deadline_ms` (of the clock's steady time)
  // every exchange that is not over gets an answer with Transport::kDeadline. Polls `stop` at least every 50 ms, name
  // look-up included. Whatever ends it early also ends the transfers under way, with their connections.
  void Perform(std::span<HttpExchange* const> exchanges, int64_t deadline_ms, Stop& stop);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

// At the end of the process, when no HttpClient is left: gives back what libcurl holds for it.
void ReleaseLibcurl();

}  // namespace s3v

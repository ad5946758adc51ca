// Requests whose answers are kept, for tests of the HTTP client.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

#include "net/http.h"

namespace s3v::testing {

// Sends one request, again as often as told, and keeps the answers.
class OneRequest final : public HttpExchange {
 public:
  explicit OneRequest(HttpRequest request, int more_tries = 0)
      : request_(std::move(request)), more_tries_(more_tries) {}
  uint64_t expected_bytes() const override { return expected; }
  HttpRequest Prepare() override { return request_; }
  void OnSent() noexcept override { ++sent; }
  std::optional<Resend> Finish(HttpResponse& response) override {
    answers.push_back(std::move(response));
    if (fails_on_answer) throw std::runtime_error("the answer is not liked");
    if (static_cast<int>(answers.size()) > more_tries_) return std::nullopt;
    return Resend{.delay_ms = 1, .on_new_connection = true};
  }
  const HttpResponse& last() const { return answers.back(); }

  uint64_t expected = 0;
  bool fails_on_answer = false;
  int sent = 0;
  std::vector<HttpResponse> answers;

 private:
  HttpRequest request_;
  int more_tries_;
};

inline HttpRequest Get(const std::string& url) { return {.method = "GET", .url = url, .max_body = 1 << 20}; }

inline HttpOptions Plain() {
  HttpOptions options;
  options.allow_plain = true;
  return options;
}

inline void Perform(HttpClient& client, std::vector<HttpExchange*> exchanges, Stop& stop, int64_t timeout_ms = 10'000) {
  client.Perform(exchanges, SystemClock().SteadyMillis() + timeout_ms, stop);
}

inline void Perform(HttpClient& client, std::vector<HttpExchange*> exchanges, int64_t timeout_ms = 10'000) {
  NeverStop never;
  Perform(client, std::move(exchanges), never, timeout_ms);
}

inline int64_t MillisOf(const std::function<void()>& work) {
  const int64_t begin = SystemClock().SteadyMillis();
  work();
  return SystemClock().SteadyMillis() - begin;
}

}  // namespace s3v::testing

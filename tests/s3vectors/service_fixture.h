// A client of the service whose server gives the answers that a test writes.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "s3vectors/service_client.h"
#include "store/s3_fixture.h"

namespace s3v::testing {

inline StoreConfig ServiceConfigFor(const std::string& endpoint) {
  StoreConfig config = ConfigFor(endpoint);
  config.url = "s3vectors://my-vectors";
  return config;
}

class ServiceFixture {
 public:
  explicit ServiceFixture(HttpServer::Handler handler, const std::function<void(StoreConfig&)>& change = {})
      : server(std::move(handler)), client(ConfigOf(change), ParseStoreUrl("s3vectors://my-vectors"), Quick(), clock) {}

  // Sends one call and gives it back.
  ServiceCall Run(ServiceCall call) {
    client.Run(call, never);
    return call;
  }
  ServiceCall Run(Operation operation, std::vector<Outcome> wanted = {}) {
    return Run(ServiceCall{.operation = operation, .body = "{}", .subject = "idx", .wanted = std::move(wanted)});
  }
  size_t sent() { return server.requests().size(); }

  TestClock clock;
  NeverStop never;
  HttpServer server;
  ServiceClient client;

 private:
  StoreConfig ConfigOf(const std::function<void(StoreConfig&)>& change) const {
    StoreConfig config = ServiceConfigFor(server.url());
    if (change) change(config);
    CheckStoreConfig(config);
    return config;
  }
  static RetryPolicy Quick() {
    RetryPolicy policy = ServiceRetryPolicy();
    policy.base_delay_ms = 1;
    return policy;
  }
};

// The way in which the service is known to refuse: code in the header, message in the body.
inline ServedAnswer Refusal(int status, const std::string& code, const std::string& message = {},
                            const std::string& headers = {}) {
  return Answer(status, "{\"message\":\"" + message + "\"}",
                "x-amzn-errortype: " + code + "\r\nx-amzn-requestid: REQ-1\r\n" + headers);
}

}  // namespace s3v::testing

// A store over S3 whose server gives the answers that a test writes.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/error.h"
#include "store/s3_store.h"
#include "support/http_server.h"

namespace s3v::testing {

inline constexpr char kSecret[] = "c4n4ry-s3cr3t";

inline StoreConfig ConfigFor(const std::string& endpoint) {
  StoreConfig config;
  config.url = "s3://bucket/pre/fix";
  config.endpoint = endpoint;
  config.access_key_id = "AKID";
  config.secret_access_key = kSecret;
  config.session_token = "tok3n";
  return config;
}

class TestClock final : public Clock {
 public:
  int64_t WallSeconds() const override { return wall; }
  int64_t SteadyMillis() const override { return SystemClock().SteadyMillis(); }
  int64_t wall = 1'700'000'000;
};

// A store over a server whose answers the test gives.
class Fixture {
 public:
  explicit Fixture(HttpServer::Handler handler, std::function<void(StoreConfig&)> change = {})
      : server(std::move(handler)) {
    StoreConfig config = ConfigFor(server.url());
    if (change) change(config);
    CheckStoreConfig(config);
    S3Tuning tuning;
    tuning.retry.base_delay_ms = 1;
    tuning.clock = &clock;
    store = MakeS3Store(config, tuning);
  }

  ObjectStore::PutOutcome Create(const ObjectKey& key, std::string_view data) {
    return store->Put(key, AsBytes(data), ObjectStore::PutMode::kCreateOnly, never);
  }
  std::string Get(const ObjectKey& key) { return std::string(AsText(store->Get(key, 1000, never))); }
  std::string GetRange(const ObjectKey& key, uint64_t offset, uint64_t length) {
    std::string got;
    const std::vector<RangeRequest> range = {{key, offset, length}};
    store->GetRanges(
        range, [&](size_t, ByteView bytes) { got = AsText(bytes); }, never);
    return got;
  }
  std::vector<std::string> Methods() {
    std::vector<std::string> methods;
    for (const ServedRequest& request : server.requests()) methods.push_back(request.method);
    return methods;
  }

  TestClock clock;
  NeverStop never;
  HttpServer server;
  std::unique_ptr<ObjectStore> store;
};

// What a call throws; fails the test if it throws nothing. No message may ever hold a secret or a server's text.
inline Error ErrorOf(const std::function<void()>& work) {
  try {
    work();
  } catch (const Error& error) {
    const std::string all = error.message() + error.detail() + error.hint();
    EXPECT_THAT(all, ::testing::AllOf(::testing::Not(::testing::HasSubstr(kSecret)),
                                      ::testing::Not(::testing::HasSubstr("tok3n")),
                                      ::testing::Not(::testing::HasSubstr("not for messages"))));
    return error;
  }
  ADD_FAILURE() << "nothing was thrown";
  return Error(Code::kOk, "");
}

inline ServedAnswer Partial(const std::string& body, const std::string& content_range) {
  return Answer(206, body, "Content-Range: " + content_range + "\r\n");
}

}  // namespace s3v::testing

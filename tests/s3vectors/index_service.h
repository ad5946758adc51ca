// Amazon S3 Vectors as far as indexes go, in this process: keeps vector buckets and indexes, and answers in the words
// of the service. Tests switch on what it does rarely, or what only others that speak the protocol do.
#pragma once

#include <functional>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "base/error.h"
#include "s3vectors/service_client.h"
#include "support/http_server.h"

namespace s3v::testing {

inline constexpr char kServiceSecret[] = "c4n4ry-s3cr3t";

class IndexService {
 public:
  struct Index {
    double created = 0;          // 0: the service does not say
    nlohmann::json description;  // GetIndex's, without the creation time
  };
  struct Bucket {
    nlohmann::json encryption;
    std::map<std::string, Index> indexes;
  };
  struct Request {
    std::string operation;
    nlohmann::json body;
  };
  enum class Times { kFractional, kExponent, kMissing };
  // Answers before anything else does, and instead of it.
  using Interceptor = std::function<std::optional<ServedAnswer>(const Request& request)>;

  IndexService();

  std::string url() const { return server_.url(); }
  int Count(const std::string& operation) const;
  // Names in the bucket "vectors", which is there from the beginning.
  std::vector<std::string> Names() const;
  void Add(const std::string& name, const nlohmann::json& members = {});

  // Switches and state, for tests to change between calls.
  std::map<std::string, Bucket> buckets;
  std::vector<Request> requests;
  std::map<std::string, int> lost_answers;  // by operation: so many times it happens, and the connection breaks
  Interceptor intercept;
  double now = 1'795'273'899.343;
  Times times = Times::kFractional;
  bool tells_mode = true;
  bool reverses_keys = false;
  bool ignores_prefix = false;
  bool ends_with_empty_token = false;
  size_t page_size = 500;
  std::string default_mode = "ENHANCED";

 private:
  ServedAnswer Serve(const ServedRequest& request);
  ServedAnswer Perform(const Request& request);
  ServedAnswer PerformOnBucket(const Request& request, Bucket& bucket);
  ServedAnswer PerformOnIndex(const Request& request, Bucket& bucket, Index& index);
  ServedAnswer CreateIndex(const nlohmann::json& body, Bucket& bucket);
  ServedAnswer ListIndexes(const nlohmann::json& body, const Bucket& bucket);
  ServedAnswer GetIndex(const Index& index);
  void AddCreationTime(double created, nlohmann::json* description) const;
  ServedAnswer Refuse(int status, const std::string& code, const std::string& message);

  int refusals_ = 0;
  HttpServer server_;  // last: its threads end first
};

// The service and a client of its bucket "vectors".
struct IndexFixture {
  explicit IndexFixture(const std::function<void(StoreConfig&)>& change = {});

  NeverStop stop;
  IndexService service;
  ServiceClient client;
};

// What a call throws; fails the test if it throws nothing, or a secret.
Error ErrorFrom(const std::function<void()>& work);

}  // namespace s3v::testing

// One index of Amazon S3 Vectors in this process, as far as its vectors go: exact, in pages, in the words of the
// service. Tests switch on what it does rarely. For unit tests; tests/s3vectors_stub is the whole service.
#pragma once

#include <functional>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "s3vectors/service_client.h"
#include "support/http_server.h"

namespace s3v::testing {

class VectorService {
 public:
  static constexpr char kBucket[] = "vectors";
  static constexpr char kIndex[] = "index";

  struct Vector {
    std::vector<float> values;
    nlohmann::json metadata;  // null: it has none
  };
  struct Request {
    std::string operation;
    nlohmann::json body;
  };
  // Answers before anything else does, and instead of it.
  using Interceptor = std::function<std::optional<ServedAnswer>(const Request& request)>;

  // The answer to what the service refuses.
  static ServedAnswer Refusal(int status, const std::string& code, const std::string& message);

  VectorService();

  std::string url() const { return server_.url(); }
  StoreConfig config() const;
  int Count(const std::string& operation) const;

  // State and switches, for tests to change between calls.
  std::map<std::string, Vector> vectors;
  size_t dimensions = 3;
  std::string mode = "ENHANCED";  // empty: it does not say
  std::vector<Request> requests;
  Interceptor intercept;
  bool discards = false;    // takes every write for good, unread
  size_t query_page = 100;  // hits of an answer
  size_t list_page = 1000;  // vectors of an answer
  bool ends_with_empty_token = false;
  bool repeats_last_hit = false;  // on the next page
  bool reverses_pages = false;    // farthest first within each answer
  bool tells_distances = true;
  bool knows_segments = true;     // else 400
  bool ignores_segments = false;  // each of them is the whole index
  size_t most_vectors = 500;      // 503 beyond
  int throttled = 0;              // so many requests more get 429
  int expired_tokens = 0;         // so many more are not taken

 private:
  ServedAnswer Serve(const ServedRequest& request);
  ServedAnswer Perform(const Request& request);
  ServedAnswer Get() const;
  ServedAnswer Put(const nlohmann::json& body);
  ServedAnswer Delete(const nlohmann::json& body);
  ServedAnswer Query(const nlohmann::json& body);
  ServedAnswer List(const nlohmann::json& body);
  void AddToken(size_t next, size_t count, nlohmann::json* answer) const;

  HttpServer server_;  // last: its threads end first
};

}  // namespace s3v::testing

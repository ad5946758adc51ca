#include "support/vector_service.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "support/service_rules.h"

namespace s3v::testing {
namespace {

using nlohmann::json;

ServedAnswer Done(const json& body = json::object()) {
  return Answer(200, body.dump(), "Content-Type: application/json\r\n");
}

ServedAnswer Invalid(const std::string& message) { return VectorService::Refusal(400, "ValidationException", message); }

bool Passes(const json& body, const json& metadata) {
  if (!body.contains("filter")) return true;
  const JsonNode row = ReadJson(metadata.is_null() ? "{}" : metadata.dump());
  return ServiceFilter({}).Match(ReadJson(body["filter"].dump()), row);
}

double CosineDistance(const std::vector<float>& a, const std::vector<float>& b) {
  double product = 0;
  double a_square = 0;
  double b_square = 0;
  for (size_t i = 0; i < a.size(); ++i) {
    product += static_cast<double>(a[i]) * b[i];
    a_square += static_cast<double>(a[i]) * a[i];
    b_square += static_cast<double>(b[i]) * b[i];
  }
  return 1 - product / std::sqrt(a_square * b_square);
}

// Where the page begins that the token stands for.
size_t BeginOf(const json& body) {
  return body.contains("nextToken") ? std::stoul(body["nextToken"].get<std::string>()) : 0;
}

}  // namespace

ServedAnswer VectorService::Refusal(int status, const std::string& code, const std::string& message) {
  return Answer(status, json{{"message", message}}.dump(), "x-amzn-errortype: " + code + "\r\n");
}

VectorService::VectorService() : server_([this](const ServedRequest& request, int) { return Serve(request); }) {}

StoreConfig VectorService::config() const {
  StoreConfig config;
  config.url = std::string("s3vectors://") + kBucket;
  config.endpoint = url();
  config.access_key_id = "AKID";
  config.secret_access_key = "secret";
  return config;
}

int VectorService::Count(const std::string& operation) const {
  return static_cast<int>(std::ranges::count(requests, operation, &Request::operation));
}

ServedAnswer VectorService::Serve(const ServedRequest& request) {
  if (discards) return Done();
  requests.push_back({request.target.substr(1), json::parse(request.body)});
  const Request parsed = requests.back();
  if (intercept) {
    if (auto answer = intercept(parsed)) return *answer;
  }
  if (throttled > 0) {
    --throttled;
    return Refusal(429, "TooManyRequestsException", "Rate exceeded");
  }
  if (parsed.body["vectorBucketName"] != kBucket || parsed.body["indexName"] != kIndex) {
    return Refusal(404, "NotFoundException", "The specified index could not be found");
  }
  if (parsed.body.contains("nextToken") && expired_tokens > 0) {
    --expired_tokens;
    return Invalid("The pagination Token has expired");
  }
  return Perform(parsed);
}

ServedAnswer VectorService::Perform(const Request& request) {
  if (request.operation == "GetIndex") return Get();
  if (request.operation == "PutVectors") return Put(request.body);
  if (request.operation == "DeleteVectors") return Delete(request.body);
  if (request.operation == "QueryVectors") return Query(request.body);
  if (request.operation == "ListVectors") return List(request.body);
  return Refusal(400, "UnknownOperationException", "");
}

ServedAnswer VectorService::Get() const {
  json index = {{"indexName", kIndex},   {"vectorBucketName", kBucket}, {"creationTime", 1'795'273'899.343},
                {"dataType", "float32"}, {"dimension", dimensions},     {"distanceMetric", "cosine"}};
  if (!mode.empty()) index["indexMode"] = mode;
  return Done({{"index", index}});
}

ServedAnswer VectorService::Put(const json& body) {
  const json& list = body.at("vectors");
  if (list.empty() || list.size() > 500) return Invalid("1 validation error detected");
  if (list.size() > most_vectors) {
    return Refusal(503, "ServiceUnavailableException", "Currently unable to handle the request");
  }
  std::set<std::string> keys;
  for (const json& vector : list) {
    const std::string key = vector.at("key");
    const size_t length = vector.at("data").at("float32").size();
    if (!keys.insert(key).second) return Invalid("Request must not contain duplicate keys");
    if (length != dimensions) {
      return Invalid("Invalid record for key '" + key + "': vector must have length " + std::to_string(dimensions) +
                     ", but has length " + std::to_string(length));
    }
  }
  for (const json& vector : list) {
    vectors[vector["key"]] = {vector["data"]["float32"], vector.value("metadata", json())};
  }
  return Done();
}

ServedAnswer VectorService::Delete(const json& body) {
  const json& keys = body.at("keys");
  if (keys.empty() || keys.size() > 500) return Invalid("1 validation error detected");
  for (const json& key : keys) vectors.erase(key.get<std::string>());
  return Done();
}

void VectorService::AddToken(size_t next, size_t count, json* answer) const {
  if (next < count) {
    (*answer)["nextToken"] = std::to_string(next);
  } else if (ends_with_empty_token) {
    (*answer)["nextToken"] = "";
  }
}

ServedAnswer VectorService::Query(const json& body) {
  const std::vector<float> query = body.at("queryVector").at("float32");
  if (query.size() != dimensions) return Invalid("Query vector must have length " + std::to_string(dimensions));
  std::vector<std::pair<double, std::string>> ranked;
  for (const auto& [key, vector] : vectors) {
    if (Passes(body, vector.metadata)) ranked.emplace_back(CosineDistance(query, vector.values), key);
  }
  std::ranges::sort(ranked);
  ranked.resize(std::min(ranked.size(), body.at("topK").get<size_t>()));

  const size_t begin = std::min(BeginOf(body), ranked.size());
  const size_t end = std::min(begin + query_page, ranked.size());
  json answer = {{"distanceMetric", "cosine"}, {"vectors", json::array()}};
  for (size_t i = begin - (repeats_last_hit && begin > 0 ? 1 : 0); i < end; ++i) {
    json hit = {{"key", ranked[i].second}};
    if (body.value("returnDistance", false) && tells_distances) hit["distance"] = static_cast<float>(ranked[i].first);
    const json& metadata = vectors.at(ranked[i].second).metadata;
    if (body.value("returnMetadata", false)) hit["metadata"] = metadata.is_null() ? json::object() : metadata;
    answer["vectors"].push_back(hit);
  }
  if (reverses_pages) std::ranges::reverse(answer["vectors"]);
  AddToken(end, ranked.size(), &answer);
  return Done(answer);
}

ServedAnswer VectorService::List(const json& body) {
  if (body.contains("segmentCount") && !knows_segments) return Invalid("Unknown member segmentCount");
  const bool is_segment = body.contains("segmentCount") && !ignores_segments;
  std::vector<std::string> keys;
  for (const auto& [key, vector] : vectors) {
    if (is_segment && std::hash<std::string>()(key) % body["segmentCount"].get<size_t>() != body["segmentIndex"])
      continue;
    keys.push_back(key);
  }
  const size_t begin = std::min(BeginOf(body), keys.size());
  const size_t end = std::min({begin + list_page, begin + body.at("maxResults").get<size_t>(), keys.size()});
  json answer = {{"vectors", json::array()}};
  for (size_t i = begin; i < end; ++i) {
    const Vector& vector = vectors.at(keys[i]);
    json listed = {{"key", keys[i]}, {"data", {{"float32", vector.values}}}};
    if (!vector.metadata.is_null()) listed["metadata"] = vector.metadata;
    answer["vectors"].push_back(listed);
  }
  AddToken(end, keys.size(), &answer);
  return Done(answer);
}

}  // namespace s3v::testing

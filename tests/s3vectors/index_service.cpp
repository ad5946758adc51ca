#include "s3vectors/index_service.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdio>

namespace s3v::testing {
namespace {

using nlohmann::json;

constexpr char kBucket[] = "vectors";
constexpr char kNoIndex[] = "The specified index could not be found";

StoreConfig ConfigFor(const std::string& endpoint, const std::function<void(StoreConfig&)>& change) {
  StoreConfig config;
  config.url = std::string("s3vectors://") + kBucket;
  config.endpoint = endpoint;
  config.access_key_id = "AKID";
  config.secret_access_key = kServiceSecret;
  if (change) change(config);
  return config;
}

// JSON with numbers as somebody else prints them: what stands between the marks loses its quotes.
constexpr char kBefore[] = "\"@";
constexpr char kBehind[] = "@\"";

ServedAnswer Done(const json& body = json::object()) {
  std::string text = body.dump();
  for (const char* mark : {kBefore, kBehind}) {
    for (size_t at = text.find(mark); at != std::string::npos; at = text.find(mark)) text.erase(at, 2);
  }
  return Answer(200, text, "Content-Type: application/json\r\n");
}

}  // namespace

IndexService::IndexService()
    : buckets{{kBucket, {}}}, server_([this](const ServedRequest& request, int) { return Serve(request); }) {}

int IndexService::Count(const std::string& operation) const {
  return static_cast<int>(std::ranges::count(requests, operation, &Request::operation));
}

std::vector<std::string> IndexService::Names() const {
  std::vector<std::string> names;
  for (const auto& [name, index] : buckets.at(kBucket).indexes) names.push_back(name);
  return names;
}

void IndexService::Add(const std::string& name, const json& members) {
  Index& index = buckets.at(kBucket).indexes[name];
  index.created = now;
  index.description = {{"indexName", name}, {"vectorBucketName", kBucket}, {"dataType", "float32"},
                       {"dimension", 3},    {"distanceMetric", "cosine"},  {"indexMode", default_mode}};
  if (!members.is_null()) index.description.update(members);
}

ServedAnswer IndexService::Serve(const ServedRequest& request) {
  EXPECT_EQ(request.method, "POST");
  EXPECT_EQ(request.headers.at("content-type"), "application/json");
  requests.push_back({request.target.substr(1), json::parse(request.body)});
  const Request& parsed = requests.back();
  if (intercept) {
    if (std::optional<ServedAnswer> answer = intercept(parsed)) return *answer;
  }
  ServedAnswer answer = Perform(parsed);
  if (lost_answers[parsed.operation] > 0) {
    --lost_answers[parsed.operation];
    return {.bytes = "", .then = ServedAnswer::Then::kReset};
  }
  return answer;
}

ServedAnswer IndexService::Perform(const Request& request) {
  const bool is_about_index = request.body.contains("indexName");
  const std::string name = request.body.at("vectorBucketName");
  const auto found = buckets.find(name);
  if (request.operation == "CreateVectorBucket") {
    if (found != buckets.end()) {
      return Refuse(409, "ConflictException", "A vector bucket with the specified name already exists");
    }
    buckets[name].encryption = request.body.value("encryptionConfiguration", json());
    return Done({{"vectorBucketArn", "arn:aws:s3vectors:us-east-1:123456789012:bucket/" + name}});
  }
  if (found == buckets.end()) {
    return Refuse(404, "NotFoundException",
                  is_about_index ? kNoIndex : "The specified vector bucket could not be found");
  }
  return PerformOnBucket(request, found->second);
}

ServedAnswer IndexService::PerformOnBucket(const Request& request, Bucket& bucket) {
  if (request.operation == "GetVectorBucket") {
    return Done({{"vectorBucket", {{"vectorBucketName", request.body.at("vectorBucketName")}, {"creationTime", 1e9}}}});
  }
  if (request.operation == "ListIndexes") return ListIndexes(request.body, bucket);
  if (request.operation == "CreateIndex") return CreateIndex(request.body, bucket);
  const auto found = bucket.indexes.find(request.body.at("indexName"));
  if (found == bucket.indexes.end()) return Refuse(404, "NotFoundException", kNoIndex);
  return PerformOnIndex(request, bucket, found->second);
}

ServedAnswer IndexService::PerformOnIndex(const Request& request, Bucket& bucket, Index& index) {
  if (request.operation == "GetIndex") return GetIndex(index);
  if (request.operation == "UpdateIndexMode") {
    index.description["indexMode"] = request.body.at("indexMode");
    return Done();
  }
  if (request.operation == "DeleteIndex") {
    bucket.indexes.erase(request.body.at("indexName"));
    return Done();
  }
  return Refuse(400, "UnknownOperationException", "");
}

ServedAnswer IndexService::CreateIndex(const json& body, Bucket& bucket) {
  const std::string name = body.at("indexName");
  const json keys = body.value("metadataConfiguration", json::object()).value("nonFilterableMetadataKeys", json());
  for (const json& key : keys.is_null() ? json::array() : keys) {
    EXPECT_GE(key.get<std::string>().size(), 1U);
    EXPECT_LE(key.get<std::string>().size(), 63U);
  }
  EXPECT_LE(keys.size(), 10U);
  EXPECT_FALSE(keys.is_array() && keys.empty());
  EXPECT_EQ(body.at("dataType"), "float32");
  if (const int dimension = body.at("dimension"); dimension < 1 || dimension > 4096) {
    return Refuse(400, "ValidationException",
                  "1 validation error detected. Value at '/dimension' failed to satisfy constraint: Member must be "
                  "between 1 and 4096, inclusive");
  }
  if (bucket.indexes.contains(name)) {
    return Refuse(409, "ConflictException", "An index with the specified name already exists");
  }
  Index& index = bucket.indexes[name];
  index.created = now;
  index.description = body;
  index.description["indexMode"] = default_mode;
  return Done({{"indexArn", "arn:aws:s3vectors:us-east-1:123456789012:bucket/vectors/index/" + name}});
}

ServedAnswer IndexService::GetIndex(const Index& index) {
  json description = index.description;
  AddCreationTime(index.created, &description);
  if (!tells_mode) description.erase("indexMode");
  if (reverses_keys && description.contains("metadataConfiguration")) {
    json& keys = description["metadataConfiguration"]["nonFilterableMetadataKeys"];
    std::reverse(keys.begin(), keys.end());
  }
  return Done({{"index", description}});
}

ServedAnswer IndexService::ListIndexes(const json& body, const Bucket& bucket) {
  EXPECT_LE(body.value("maxResults", 1), 500);
  const std::string prefix = ignores_prefix ? "" : body.value("prefix", "");
  const std::string after = body.value("nextToken", "");
  json page = {{"indexes", json::array()}};
  for (auto index = bucket.indexes.lower_bound(after.substr(0, after.find('!'))); index != bucket.indexes.end();
       ++index) {
    if (!index->first.starts_with(prefix)) continue;
    if (page["indexes"].size() == page_size) {
      page["nextToken"] = index->first + "!";
      break;
    }
    json description = {{"indexName", index->first}, {"vectorBucketName", kBucket}};
    AddCreationTime(index->second.created, &description);
    page["indexes"].push_back(description);
  }
  if (ends_with_empty_token && !page.contains("nextToken")) page["nextToken"] = "";
  return Done(page);
}

void IndexService::AddCreationTime(double created, json* description) const {
  if (times == Times::kMissing || created == 0) return;
  (*description)["creationTime"] = created;
  if (times != Times::kExponent) return;
  char text[40];
  std::snprintf(text, sizeof text, "@%.12E@", created);
  (*description)["creationTime"] = text;
}

ServedAnswer IndexService::Refuse(int status, const std::string& code, const std::string& message) {
  // Where the code travels is not documented: by turns in the header and in the body.
  const json in_header = {{"message", message}};
  const json in_body = {{"__type", "com.amazonaws.s3vectors#" + code}, {"message", message}};
  return ++refusals_ % 2 == 0 ? Answer(status, in_body.dump())
                              : Answer(status, in_header.dump(), "x-amzn-errortype: " + code + ":http://internal/\r\n");
}

IndexFixture::IndexFixture(const std::function<void(StoreConfig&)>& change)
    : client(ConfigFor(service.url(), change), ParseStoreUrl("s3vectors://vectors"),
             {.max_tries = 3, .base_delay_ms = 1, .max_delay_ms = 2}, SystemClock()) {}

Error ErrorFrom(const std::function<void()>& work) {
  try {
    work();
  } catch (const Error& error) {
    EXPECT_EQ((error.message() + error.detail() + error.hint()).find(kServiceSecret), std::string::npos);
    return error;
  }
  ADD_FAILURE() << "nothing was thrown";
  return Error(Code::kOk, "");
}

}  // namespace s3v::testing

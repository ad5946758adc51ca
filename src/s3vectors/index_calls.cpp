#include "s3vectors/index_calls.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "base/error.h"

namespace s3v {
namespace {

constexpr size_t kDeletionsAtOnce = 8;
constexpr size_t kMaxDepth = 8;  // deeper than anything that answers about indexes say

// How the service is to encrypt what is made; without "sse" the bucket's own setting holds.
void AddEncryption(const StoreConfig& config, JsonValue::Object* members) {
  if (config.sse.empty()) return;
  JsonValue::Object encryption = {{"sseType", JsonValue::Text(config.sse)}};
  if (!config.kms_key_id.empty()) encryption.push_back({"kmsKeyArn", JsonValue::Text(config.kms_key_id)});
  members->push_back({"encryptionConfiguration", JsonValue::WithMembers(std::move(encryption))});
}

}  // namespace

ServiceCall NewCall(const ServiceClient& service, Operation operation, const std::string& name,
                    JsonValue::Object members) {
  members.push_back({"vectorBucketName", JsonValue::Text(service.bucket())});
  if (!name.empty()) members.push_back({"indexName", JsonValue::Text(name)});
  return {.operation = operation, .body = WriteJson(JsonValue::WithMembers(std::move(members))), .subject = name};
}

ServiceCall NewCreateIndex(const ServiceClient& service, const std::string& name, Metric metric, size_t dimensions,
                           const std::vector<std::string>& nonfilterable) {
  JsonValue::Object members = {{"dataType", JsonValue::Text("float32")},
                               {"dimension", JsonValue::Unsigned(dimensions)},
                               {"distanceMetric", JsonValue::Text(metric == Metric::kCosine ? "cosine" : "euclidean")}};
  if (!nonfilterable.empty()) {
    members.push_back({"metadataConfiguration",
                       JsonValue::WithMembers({{"nonFilterableMetadataKeys", JsonValue::TextArray(nonfilterable)}})});
  }
  AddEncryption(service.config(), &members);
  ServiceCall call = NewCall(service, Operation::kCreateIndex, name, std::move(members));
  call.wanted = {Outcome::kConflict, Outcome::kNotFound};
  return call;
}

ServiceCall NewCreateVectorBucket(const ServiceClient& service) {
  JsonValue::Object members;
  AddEncryption(service.config(), &members);
  return NewCall(service, Operation::kCreateVectorBucket, "", std::move(members));
}

void DeleteIndexes(ServiceClient& service, std::span<const std::string> names, Stop& stop) {
  for (size_t begin = 0; begin < names.size(); begin += kDeletionsAtOnce) {
    std::vector<ServiceCall> calls;
    for (const std::string& name : names.subspan(begin, std::min(kDeletionsAtOnce, names.size() - begin))) {
      calls.push_back(NewCall(service, Operation::kDeleteIndex, name));
      calls.back().wanted = {Outcome::kNotFound};
    }
    service.Run(calls, stop);
  }
}

JsonValue ReadAnswer(const ServiceCall& call) {
  std::optional<JsonValue> answer = ParseJson(AsText(call.answer), kMaxDepth);
  if (!answer || answer->type != JsonValue::Type::kObject) {
    throw Error(Code::kCorrupted, "the answer of " + std::string(TraitsOf(call.operation).name) +
                                      (call.subject.empty() ? "" : " about remote index \"" + call.subject + "\"") +
                                      " is no JSON object");
  }
  return *std::move(answer);
}

int64_t CreationTimeOf(const JsonValue& description) {
  constexpr double kEndOfTime = 1e15;  // far beyond any date, and safe to convert
  const JsonValue* found = description.Find("creationTime");
  const double seconds = found != nullptr ? found->AsNumber().value_or(0) : 0;
  return seconds > 0 && seconds < kEndOfTime ? static_cast<int64_t>(std::floor(seconds)) : 0;
}

void ThrowBucketMissing(const ServiceClient& service) {
  throw Error(Code::kStoreMissing, "vector bucket \"" + service.bucket() + "\" does not exist", service.Where(),
              "Create it, or give the index the option {\"create_bucket\": true}.");
}

}  // namespace s3v

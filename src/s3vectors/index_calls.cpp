#include "s3vectors/index_calls.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "base/error.h"

namespace s3v {
namespace {

constexpr size_t kDeletionsAtOnce = 8;

// How the service is to encrypt what is made; without "sse" the bucket's own setting holds.
void AddEncryption(const StoreConfig& config, nlohmann::json* members) {
  if (config.sse.empty()) return;
  nlohmann::json& encryption = (*members)["encryptionConfiguration"];
  encryption["sseType"] = config.sse;
  if (!config.kms_key_id.empty()) encryption["kmsKeyArn"] = config.kms_key_id;
}

}  // namespace

std::string AsJson(const nlohmann::json& value) {
  return value.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

ServiceCall NewCall(const ServiceClient& service, Operation operation, const std::string& name,
                    nlohmann::json members) {
  members["vectorBucketName"] = service.bucket();
  if (!name.empty()) members["indexName"] = name;
  return {.operation = operation, .body = AsJson(members), .subject = name};
}

ServiceCall NewCreateIndex(const ServiceClient& service, const std::string& name, Metric metric, size_t dimensions,
                           const std::vector<std::string>& nonfilterable) {
  nlohmann::json members = {{"dataType", "float32"},
                            {"dimension", dimensions},
                            {"distanceMetric", metric == Metric::kCosine ? "cosine" : "euclidean"}};
  if (!nonfilterable.empty()) members["metadataConfiguration"]["nonFilterableMetadataKeys"] = nonfilterable;
  AddEncryption(service.config(), &members);
  ServiceCall call = NewCall(service, Operation::kCreateIndex, name, std::move(members));
  call.wanted = {Outcome::kConflict, Outcome::kNotFound};
  return call;
}

ServiceCall NewCreateVectorBucket(const ServiceClient& service) {
  nlohmann::json members = nlohmann::json::object();
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

nlohmann::json ReadAnswer(const ServiceCall& call) {
  nlohmann::json answer = nlohmann::json::parse(call.answer.begin(), call.answer.end(), nullptr, false);
  if (!answer.is_object()) {
    throw Error(Code::kCorrupted, "the answer of " + std::string(TraitsOf(call.operation).name) +
                                      (call.subject.empty() ? "" : " about remote index \"" + call.subject + "\"") +
                                      " is no JSON object");
  }
  return answer;
}

int64_t CreationTimeOf(const nlohmann::json& description) {
  constexpr double kEndOfTime = 1e15;  // far beyond any date, and safe to convert
  const auto found = description.find("creationTime");
  if (found == description.end() || !found->is_number()) return 0;
  const double seconds = found->get<double>();
  return seconds > 0 && seconds < kEndOfTime ? static_cast<int64_t>(std::floor(seconds)) : 0;
}

void ThrowBucketMissing(const ServiceClient& service) {
  throw Error(Code::kStoreMissing, "vector bucket \"" + service.bucket() + "\" does not exist", service.Where(),
              "Create it, or give the index the option {\"create_bucket\": true}.");
}

}  // namespace s3v

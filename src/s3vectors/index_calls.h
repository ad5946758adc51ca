// Requests about indexes as the service takes them, and its answers taken apart.
// Source: reference "S3 Vectors API", sections 1.3 to 1.5.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "base/stop.h"
#include "format/json_value.h"
#include "ivf/distance.h"
#include "s3vectors/service_client.h"

namespace s3v {

// `members` and the address: the vector bucket, and the index unless `name` is empty.
ServiceCall NewCall(const ServiceClient& service, Operation operation, const std::string& name,
                    JsonValue::Object members = {});

// Encrypted as the config says. Sees kConflict and kNotFound; the latter is a missing bucket: ThrowBucketMissing().
// REQUIRES: cosine or l2.
ServiceCall NewCreateIndex(const ServiceClient& service, const std::string& name, Metric metric, size_t dimensions,
                           const std::vector<std::string>& nonfilterable);
ServiceCall NewCreateVectorBucket(const ServiceClient& service);

// Several at once. An index that is not there is deleted.
void DeleteIndexes(ServiceClient& service, std::span<const std::string> names, Stop& stop);

// The answer's JSON object. Throws kCorrupted.
JsonValue ReadAnswer(const ServiceCall& call);

// Seconds since 1970, rounded down, of a creationTime; 0: it is missing, or no time.
int64_t CreationTimeOf(const JsonValue& description);

[[noreturn]] void ThrowBucketMissing(const ServiceClient& service);

}  // namespace s3v

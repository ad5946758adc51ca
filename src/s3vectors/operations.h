// The operations of Amazon S3 Vectors, API version 2025-07-15, one row each.
// Source: the service's model (botocore s3vectors/2025-07-15), 22 operations.
#pragma once

#include <span>
#include <string_view>

namespace s3v {

enum class Operation {
  kCreateVectorBucket,
  kGetVectorBucket,
  kListVectorBuckets,
  kDeleteVectorBucket,
  kPutVectorBucketPolicy,
  kGetVectorBucketPolicy,
  kDeleteVectorBucketPolicy,
  kPutVectorBucketDefaultIndexMode,
  kCreateIndex,
  kGetIndex,
  kListIndexes,
  kUpdateIndexMode,
  kUpdateMetadataConfiguration,
  kDeleteIndex,
  kPutVectors,
  kGetVectors,
  kListVectors,
  kDeleteVectors,
  kQueryVectors,
  kTagResource,
  kUntagResource,
  kListTagsForResource,
};

// What a repeated request does.
enum class Repeat {
  kHarmless,   // reads, and writes with the idempotent trait
  kAmbiguous,  // Create* and Delete* of buckets and indexes: after a lost answer, 409 or 404 may be our own doing
};

// How a price list counts it.
enum class Billing { kQuery, kPut, kOther };

struct OperationTraits {
  Operation operation;
  std::string_view name;    // also the path, "/" + name, but for those on a resource
  std::string_view method;  // POST, GET, DELETE
  bool is_on_resource;      // path /tags/{resourceArn}, percent-encoded as one segment
  bool is_read;             // the model's read-only trait
  Repeat repeat;
  Billing billing;
};

std::span<const OperationTraits> AllOperations();
const OperationTraits& TraitsOf(Operation operation);

}  // namespace s3v

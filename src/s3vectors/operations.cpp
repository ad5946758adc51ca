#include "s3vectors/operations.h"

namespace s3v {
namespace {

constexpr OperationTraits OnBody(Operation operation, std::string_view name, bool is_read, Repeat repeat,
                                 Billing billing = Billing::kOther) {
  return {operation, name, "POST", false, is_read, repeat, billing};
}

constexpr OperationTraits OnResource(Operation operation, std::string_view name, std::string_view method,
                                     bool is_read) {
  return {operation, name, method, true, is_read, Repeat::kHarmless, Billing::kOther};
}

constexpr OperationTraits Read(Operation operation, std::string_view name, Billing billing = Billing::kOther) {
  return OnBody(operation, name, true, Repeat::kHarmless, billing);
}

constexpr OperationTraits Idempotent(Operation operation, std::string_view name, Billing billing = Billing::kOther) {
  return OnBody(operation, name, false, Repeat::kHarmless, billing);
}

constexpr OperationTraits Ambiguous(Operation operation, std::string_view name) {
  return OnBody(operation, name, false, Repeat::kAmbiguous);
}

constexpr OperationTraits kOperations[] = {
    Ambiguous(Operation::kCreateVectorBucket, "CreateVectorBucket"),
    Read(Operation::kGetVectorBucket, "GetVectorBucket"),
    Read(Operation::kListVectorBuckets, "ListVectorBuckets"),
    Ambiguous(Operation::kDeleteVectorBucket, "DeleteVectorBucket"),
    Idempotent(Operation::kPutVectorBucketPolicy, "PutVectorBucketPolicy"),
    Read(Operation::kGetVectorBucketPolicy, "GetVectorBucketPolicy"),
    Idempotent(Operation::kDeleteVectorBucketPolicy, "DeleteVectorBucketPolicy"),
    Idempotent(Operation::kPutVectorBucketDefaultIndexMode, "PutVectorBucketDefaultIndexMode"),
    Ambiguous(Operation::kCreateIndex, "CreateIndex"),
    Read(Operation::kGetIndex, "GetIndex"),
    Read(Operation::kListIndexes, "ListIndexes"),
    Idempotent(Operation::kUpdateIndexMode, "UpdateIndexMode"),
    // Adding a text search configuration twice is a conflict, as creating an index twice is.
    Ambiguous(Operation::kUpdateMetadataConfiguration, "UpdateMetadataConfiguration"),
    Ambiguous(Operation::kDeleteIndex, "DeleteIndex"),
    Idempotent(Operation::kPutVectors, "PutVectors", Billing::kPut),
    Read(Operation::kGetVectors, "GetVectors"),
    Read(Operation::kListVectors, "ListVectors"),
    Idempotent(Operation::kDeleteVectors, "DeleteVectors"),
    Read(Operation::kQueryVectors, "QueryVectors", Billing::kQuery),
    OnResource(Operation::kTagResource, "TagResource", "POST", false),
    OnResource(Operation::kUntagResource, "UntagResource", "DELETE", false),
    OnResource(Operation::kListTagsForResource, "ListTagsForResource", "GET", true),
};

constexpr bool StandInTheirOwnPlaces() {
  for (size_t i = 0; i < std::size(kOperations); ++i) {
    if (static_cast<size_t>(kOperations[i].operation) != i) return false;
  }
  return true;
}
static_assert(StandInTheirOwnPlaces());

}  // namespace

std::span<const OperationTraits> AllOperations() { return kOperations; }

const OperationTraits& TraitsOf(Operation operation) { return kOperations[static_cast<size_t>(operation)]; }

}  // namespace s3v

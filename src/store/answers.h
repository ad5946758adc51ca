// What all stores answer in the same words, and count in the same way.
#pragma once

#include <cstdint>
#include <string>

#include "base/error.h"
#include "store/coalesce.h"

namespace s3v {

inline constexpr uint64_t kListPageSize = 1000;     // objects that one LIST answers
inline constexpr uint64_t kDeleteBatchSize = 1000;  // objects that one DeleteObjects takes

// Requests that listing or deleting `objects` costs on S3.
inline uint64_t ListPages(uint64_t objects) { return objects == 0 ? 1 : (objects + kListPageSize - 1) / kListPageSize; }
inline uint64_t DeleteBatches(uint64_t objects) { return (objects + kDeleteBatchSize - 1) / kDeleteBatchSize; }

[[noreturn]] inline void ThrowMissing(const ObjectKey& key) {
  throw Error(Code::kObjectMissing, "object \"" + key + "\" does not exist");
}

[[noreturn]] inline void ThrowLarger(const ObjectKey& key, uint64_t max_size) {
  throw Error(Code::kLimitExceeded, "object \"" + key + "\" is larger than " + std::to_string(max_size) + " bytes");
}

[[noreturn]] inline void ThrowShorter(const CoalescedRange& request) {
  throw Error(Code::kCorrupted, "object \"" + request.key + "\" is too short",
              "Bytes " + std::to_string(request.offset) + " to " + std::to_string(request.offset + request.length) +
                  " should be there.");
}

}  // namespace s3v

// Copies a version into the prefix of another index, on the same store or another one (s3v_fork).
#pragma once

#include <cstdint>

#include "base/random.h"
#include "base/stop.h"
#include "engine/build.h"
#include "store/object_store.h"

namespace s3v {

struct ForkResult {
  uint64_t objects = 0;
  uint64_t bytes = 0;
};

// Objects keep their ids, with which their checksums are computed; their headers name the new index. The manifest comes
// last. What was written is read again, from the store itself, before this returns: a version that is named is whole.
// Memory: one object, and the navigation tier. `progress` may be empty; counts bytes.
// Throws kObjectMissing, kCorrupted for what is missing or damaged of the version, in whatever plane.
// REQUIRES: the caller owns the prefix of `to_index`, which holds no objects of a version yet.
ForkResult ForkVersion(ObjectStore& from, const ObjectId& from_index, const ObjectId& manifest, ObjectStore& to,
                       const ObjectId& to_index, const BuildProgress& progress, Stop& stop);

}  // namespace s3v

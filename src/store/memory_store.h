// Objects in the memory of this process, for tests.
#pragma once

#include <memory>
#include <string>

#include "base/clock.h"
#include "store/object_store.h"

namespace s3v {

// Stores of one name share their objects, also across threads, for the life of the process; every store of the empty
// name has its own. Counts as the S3 store would. `clock` dates new objects and must outlive them.
std::unique_ptr<ObjectStore> MakeMemoryStore(const std::string& name = {}, const Clock& clock = SystemClock());

}  // namespace s3v

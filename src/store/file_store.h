// Objects as files below a directory.
#pragma once

#include <memory>
#include <string>

#include "store/coalesce.h"
#include "store/object_store.h"

namespace s3v {

// An object is written under a temporary name, synced, and renamed (or, to create only, linked) into place; then its
// directories are synced. Temporary names begin with ".s3v-tmp-", which no key segment may; a crash can leave one
// behind: no listing shows it, and one that finds it a day old removes it. A missing directory is an empty store and is
// made by the first Put. Unlike on S3, "a" and "a/b" cannot both be objects. `directory` is absolute. Reads come one
// after another, yet ranges share reads as they would share requests to a store that takes so many in parallel: so the
// counters tell what a query would cost there, and a file server answers fewer round trips.
std::unique_ptr<ObjectStore> MakeFileStore(const std::string& directory,
                                           int max_parallel_requests = kUsualParallelRequests);

}  // namespace s3v

// Deletes generations that no retained version names. As engine/collect, for a vector bucket.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "base/random.h"
#include "base/stop.h"
#include "engine/collect.h"
#include "s3vectors/service_client.h"

namespace s3v {

// As Collect() of engine/collect.h, with names of generations in place of manifests. "Now" is the service's own time of
// the owner marker that the caller has just claimed. `bytes` are not known: 0.
CollectResult CollectRemote(ServiceClient& service, const ObjectId& index, IndexState state,
                            const std::vector<std::string>& retained, int64_t keep_seconds, uint64_t owner_number,
                            const std::function<void()>& before_delete, Stop& stop);

// Uuids of all indexes that have anything in the bucket, and how many names there are not ours.
StoredIndexes FindRemoteIndexes(ServiceClient& service, Stop& stop);

}  // namespace s3v

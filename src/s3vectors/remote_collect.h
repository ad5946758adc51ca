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

// Owner markers before `owner_number`, which was claimed just now, but for the one before it and those younger than
// kMarkerAgeSeconds: each is an index of the bucket, which holds no more than 10,000. Run by every claim, a few at a
// time. A rival so slow that it makes a deleted number again is stopped when it verifies: its number is not the last.
inline constexpr int64_t kMarkerAgeSeconds = 3600;
void RetireMarkers(ServiceClient& service, const ObjectId& index, uint64_t owner_number, Stop& stop);

// Uuids of all indexes that have anything in the bucket, and how many names there are not ours.
StoredIndexes FindRemoteIndexes(ServiceClient& service, Stop& stop);

}  // namespace s3v

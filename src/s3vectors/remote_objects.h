// What s3v made in a vector bucket, seen as objects of a store, so that the fence and the clean-up are those of every
// other store: owner markers under the names of format/names.h, generations as "<uuid>/generation/<8 hex digits>".
#pragma once

#include <memory>

#include "s3vectors/service_client.h"
#include "store/object_store.h"

namespace s3v {

// Create-only Put, Get and List of owner markers; List and Delete of both. A marker is an empty index of one dimension
// whose bytes, in base64, are its non-filterable keys. Everything else throws kInternal. Foreign names are listed as
// they are. `service` must outlive it.
std::unique_ptr<ObjectStore> MakeRemoteObjects(ServiceClient* service);

}  // namespace s3v

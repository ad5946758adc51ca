// The manifest of a version, from the store.
#pragma once

#include "base/random.h"
#include "base/stop.h"
#include "engine/snapshot.h"
#include "format/manifest.h"
#include "store/object_store.h"

namespace s3v {

// One request. Throws kObjectMissing, kCorrupted.
Manifest ReadManifest(ObjectStore& store, const ObjectId& index, const ObjectId& id, Stop& stop);

// What opens the version that it describes.
VersionNames NamesOf(const Manifest& manifest);

}  // namespace s3v

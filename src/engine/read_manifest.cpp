#include "engine/read_manifest.h"

#include "format/names.h"

namespace s3v {
namespace {

constexpr uint64_t kMaxManifestBytes = 256u << 20;

}  // namespace

Manifest ReadManifest(ObjectStore& store, const ObjectId& index, const ObjectId& id, Stop& stop) {
  const std::string key = ManifestKey(index, id);
  return DecodeManifest(store.Get(key, kMaxManifestBytes, stop), index, id, key);
}

VersionNames NamesOf(const Manifest& manifest) {
  return {.index = manifest.index, .base = manifest.base, .deltas = manifest.deltas};
}

}  // namespace s3v

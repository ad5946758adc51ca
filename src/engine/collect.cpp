#include "engine/collect.h"

#include <algorithm>
#include <set>
#include <span>

#include "engine/read_manifest.h"
#include "format/names.h"

namespace s3v {
namespace {

constexpr size_t kBatch = 1000;
constexpr uint64_t kMarkersKept = 16;  // the newest: whoever claims looks at the head of the chain only

std::set<std::string> NamedKeys(ObjectStore& store, const ObjectId& index, const std::vector<ObjectId>& manifests,
                                Stop& stop) {
  std::set<std::string> named;
  for (const ObjectId& id : manifests) {
    const Manifest manifest = ReadManifest(store, index, id, stop);
    named.insert(ManifestKey(index, id));
    named.insert(NavigationKey(index, manifest.base.id));
    for (const ObjectName& delta : manifest.deltas) named.insert(NavigationKey(index, delta.id));
    for (const ObjectName& segment : manifest.segments) named.insert(SegmentKey(index, segment.id));
  }
  return named;
}

int64_t StoreNow(const std::vector<ObjectInfo>& objects, const ObjectId& index, uint64_t owner_number) {
  const std::string marker = OwnerKey(index, owner_number);
  const auto found = std::ranges::find(objects, marker, &ObjectInfo::key);
  if (found == objects.end()) {
    throw Error(Code::kConflict, "owner marker \"" + marker + "\" is missing",
                "It tells the store's own time, and that this server may delete.");
  }
  return found->modified;
}

class Deletion {
 public:
  Deletion(ObjectStore& store, const std::function<void()>& before_delete, CollectResult& result, Stop& stop)
      : store_(store), before_delete_(before_delete), result_(result), stop_(stop) {}

  void Run(std::span<const ObjectInfo> objects) {
    for (size_t begin = 0; begin < objects.size(); begin += kBatch) {
      const auto batch = objects.subspan(begin, std::min(kBatch, objects.size() - begin));
      std::vector<ObjectKey> keys;
      for (const ObjectInfo& object : batch) keys.push_back(object.key);
      before_delete_();
      store_.Delete(keys, stop_);
      result_.deleted += batch.size();
      for (const ObjectInfo& object : batch) result_.bytes += object.size;
    }
  }

 private:
  ObjectStore& store_;
  const std::function<void()>& before_delete_;
  CollectResult& result_;
  Stop& stop_;
};

}  // namespace

CollectResult Collect(ObjectStore& store, const ObjectId& index, IndexState state,
                      const std::vector<ObjectId>& retained_manifests, int64_t keep_seconds, uint64_t owner_number,
                      const std::function<void()>& before_delete, Stop& stop) {
  if (state == IndexState::kDropped && !retained_manifests.empty()) {
    throw Error(Code::kInternal, "a dropped index retains " + std::to_string(retained_manifests.size()) + " versions");
  }
  const std::set<std::string> named = NamedKeys(store, index, retained_manifests, stop);
  const std::vector<ObjectInfo> objects = store.List(IndexPrefix(index), stop);
  const int64_t now = StoreNow(objects, index, owner_number);

  CollectResult result;
  std::vector<ObjectInfo> unnamed;
  std::vector<ObjectInfo> markers;
  for (const ObjectInfo& object : objects) {
    ParsedKey name;
    if (!ParseKey(index, object.key, &name)) {
      ++result.foreign_objects;
    } else if (name.kind == ObjectKind::kOwner) {
      const bool is_old = now - object.modified >= keep_seconds && name.number + kMarkersKept < owner_number;
      (is_old ? unnamed : markers).push_back(object);
    } else if (named.contains(object.key) || now - object.modified < keep_seconds) {
      ++result.kept;
    } else {
      unnamed.push_back(object);
    }
  }

  Deletion deletion(store, before_delete, result, stop);
  deletion.Run(unnamed);
  if (state == IndexState::kLiving || result.kept > 0) {
    result.kept += markers.size();
    return result;
  }
  // A dropped index of which nothing is left. Our own marker goes alone and last: until then it is what before_delete
  // looks for.
  std::ranges::stable_partition(markers,
                                [&](const ObjectInfo& marker) { return marker.key != OwnerKey(index, owner_number); });
  deletion.Run(std::span(markers).first(markers.size() - 1));
  deletion.Run(std::span(markers).last(1));
  return result;
}

StoredIndexes FindIndexes(ObjectStore& store, Stop& stop) {
  constexpr size_t kUuidSize = 36;
  StoredIndexes found;
  std::set<ObjectId> indexes;
  std::vector<ObjectId> homes;  // of objects below some uuid that do not fit the grammar
  for (const ObjectInfo& object : store.List("", stop)) {
    ObjectId index;
    ParsedKey name;
    if (!ParseUuid(object.key.substr(0, kUuidSize), &index)) {
      ++found.foreign_objects;
    } else if (ParseKey(index, object.key, &name)) {
      indexes.insert(index);
    } else {
      homes.push_back(index);
    }
  }
  // Those in an index's own folder are counted when that index is collected.
  found.foreign_objects += static_cast<uint64_t>(
      std::ranges::count_if(homes, [&](const ObjectId& home) { return !indexes.contains(home); }));
  found.indexes.assign(indexes.begin(), indexes.end());
  return found;
}

}  // namespace s3v

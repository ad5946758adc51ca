#include "model/map_index.h"

#include <cstring>

#include "base/error.h"
#include "model/server.h"

namespace s3v::model {
namespace {

// A version: its objects, of which it shares some with the version that it was made from, and what they say.
struct Version {
  std::set<std::string> segments;
  std::map<Key, Content> rows;
};

class MapIndex final : public Index {
 public:
  MapIndex(const Clock& clock, StoreWatch& watch) : clock_(clock), watch_(watch) {}

  void FailAfter(int objects) override { objects_left_ = objects; }

  Published Build(const std::vector<IndexedRow>& rows) override {
    Version version;
    for (const IndexedRow& row : rows) version.rows[row.key] = row.content;
    return Write(std::move(version));
  }

  bool Update(const Published& current, const std::set<Key>& changed, const ReadRow& read,
              Published* updated) override {
    Version version = At(current.manifest);
    bool is_changed = false;
    for (const Key key : changed) {
      Content content = kNoVector;
      is_changed |= version.rows.erase(key) > 0;
      if (!read(key, &content)) continue;
      version.rows[key] = content;
      is_changed = true;
    }
    if (!is_changed) return false;
    if (version.segments.size() >= kMostSegments) version.segments.clear();
    *updated = Write(std::move(version));
    return true;
  }

  std::vector<IndexedRow> SearchAll(const Published& published, const std::set<Key>& without) override {
    std::vector<IndexedRow> rows;
    for (const auto& [key, content] : Contents(published)) {
      if (!without.contains(key)) rows.push_back({key, content});
    }
    return rows;
  }

  const std::map<Key, Content>& Contents(const Published& published) override {
    const Version& version = At(published.manifest);
    for (const std::string& segment : version.segments) CheckStored(segment);
    return version.rows;
  }

  uint64_t ClaimOwnership(uint64_t) override { return ++owner_; }
  void VerifyOwnership(uint64_t number) override {
    if (number != owner_) throw SqlError{"55000", "another one writes to this index"};
  }

  void Collect(const std::vector<ObjectId>& retained, int64_t keep_seconds, uint64_t) override {
    std::set<std::string> named;
    for (const ObjectId& manifest : retained) named.merge(ObjectsOf(manifest));
    for (auto object = stored_.begin(); object != stored_.end();) {
      const bool goes = !named.contains(object->first) && clock_.WallSeconds() - object->second >= keep_seconds;
      if (goes) watch_.OnDelete(object->first);
      object = goes ? stored_.erase(object) : std::next(object);
    }
  }

  std::set<std::string> ObjectsOf(const ObjectId& manifest) override {
    std::set<std::string> objects = At(manifest).segments;
    objects.insert(ManifestName(manifest));
    return objects;
  }
  std::map<std::string, int64_t> Stored() override { return stored_; }

 private:
  static constexpr size_t kMostSegments = 4;

  static std::string ManifestName(const ObjectId& manifest) { return "manifest/" + IdText(manifest); }

  Published Write(Version version) {
    const std::string segment = "segment/" + std::to_string(++names_);
    version.segments.insert(segment);
    Put(segment);
    Published published;
    const uint64_t number = ++names_;
    std::memcpy(published.manifest.data(), &number, sizeof(number));
    Put(ManifestName(published.manifest));
    versions_[published.manifest] = std::move(version);
    return published;
  }

  void Put(const std::string& object) {
    if (objects_left_ == 0) {
      objects_left_ = -1;
      throw StoreFailure{};
    }
    if (objects_left_ > 0) --objects_left_;
    watch_.OnPut(object);
    stored_[object] = clock_.WallSeconds();
  }

  void CheckStored(const std::string& object) const {
    if (!stored_.contains(object)) throw Error(Code::kObjectMissing, "object \"" + object + "\" is missing");
  }

  const Version& At(const ObjectId& manifest) const {
    CheckStored(ManifestName(manifest));
    return versions_.at(manifest);
  }

  const Clock& clock_;
  StoreWatch& watch_;
  std::map<std::string, int64_t> stored_;
  std::map<ObjectId, Version> versions_;
  uint64_t names_ = 0;
  uint64_t owner_ = 0;
  int objects_left_ = -1;
};

}  // namespace

std::unique_ptr<Index> MakeMapIndex(const Clock& clock, StoreWatch& watch) {
  return std::make_unique<MapIndex>(clock, watch);
}

}  // namespace s3v::model

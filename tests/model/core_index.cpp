#include "model/core_index.h"

#include <cmath>

#include "base/error.h"
#include "engine/build.h"
#include "engine/collect.h"
#include "engine/contents.h"
#include "engine/ownership.h"
#include "engine/read_manifest.h"
#include "engine/search.h"
#include "engine/update.h"
#include "format/content_hash.h"
#include "format/names.h"
#include "ivf/distance.h"
#include "model/oracles.h"
#include "store/memory_store.h"
#include "support/metadata_rows.h"
#include "support/temp_spill.h"

namespace s3v::model {
namespace {

constexpr ObjectId kIndexId = {42};
constexpr size_t kDimensions = 8;
constexpr int kBits = 8;

// Keys as the shim makes them of int8: the sign bit flipped, big-endian.
std::string EncodedKey(Key key) {
  const uint64_t flipped = static_cast<uint64_t>(key) ^ (1ULL << 63);
  std::string bytes;
  for (int shift = 56; shift >= 0; shift -= 8) bytes.push_back(static_cast<char>(flipped >> shift));
  return bytes;
}

Key DecodedKey(std::string_view bytes) {
  uint64_t flipped = 0;
  for (const char byte : bytes) flipped = flipped << 8 | static_cast<uint8_t>(byte);
  return static_cast<Key>(flipped ^ (1ULL << 63));
}

std::vector<float> VectorOf(Content content) {
  Random random(static_cast<uint64_t>(content));
  std::vector<float> vector(kDimensions);
  for (float& value : vector) value = static_cast<float>(random.Unit() - 0.5);
  return vector;
}

Bytes MetadataOf(Content content) { return testing::MetadataWriter().Integer(content).row(); }

// Tells the oracles what is written and deleted, and fails when the schedule wants it to.
class WatchedStore final : public ObjectStore {
 public:
  WatchedStore(const Clock& clock, StoreWatch& watch) : inner_(MakeMemoryStore({}, clock)), watch_(watch) {}

  void GetRanges(std::span<const RangeRequest> ranges, const RangeSink& sink, Stop& stop) override {
    inner_->GetRanges(ranges, sink, stop);
  }
  Bytes Get(const ObjectKey& key, uint64_t max_size, Stop& stop) override { return inner_->Get(key, max_size, stop); }
  PutOutcome Put(const ObjectKey& key, ByteView data, PutMode mode, Stop& stop) override {
    if (!IsOwnerMarker(key)) {
      if (objects_left == 0) {
        objects_left = -1;
        throw Error(Code::kUnavailable, "failure on purpose");
      }
      if (objects_left > 0) --objects_left;
      watch_.OnPut(key);
    }
    return inner_->Put(key, data, mode, stop);
  }
  std::vector<ObjectInfo> List(const std::string& prefix, Stop& stop) override { return inner_->List(prefix, stop); }
  void Delete(std::span<const ObjectKey> keys, Stop& stop) override {
    for (const ObjectKey& key : keys) {
      if (!IsOwnerMarker(key)) watch_.OnDelete(key);
    }
    inner_->Delete(keys, stop);
  }
  const StoreCounters& counters() const override { return inner_->counters(); }

  static bool IsOwnerMarker(const ObjectKey& key) {
    ParsedKey name;
    return ParseKey(kIndexId, key, &name) && name.kind == ObjectKind::kOwner;
  }

  int objects_left = -1;

 private:
  std::unique_ptr<ObjectStore> inner_;
  StoreWatch& watch_;
};

// What the schedule wants to fail is not the core's fault.
template <class Work>
auto Writing(Work&& work) {
  try {
    return work();
  } catch (const Error& error) {
    if (error.code() == Code::kUnavailable) throw StoreFailure{};
    throw;
  }
}

class CoreIndex final : public Index {
 public:
  CoreIndex(const Clock& clock, StoreWatch& watch) : store_(clock, watch) {}

  void FailAfter(int objects) override { store_.objects_left = objects; }

  Published Build(const std::vector<IndexedRow>& rows) override {
    BuildOptions options;
    options.index = kIndexId;
    options.metric = Metric::kL2;
    options.dimensions = kDimensions;
    options.key_kind = KeyKind::kInteger;
    options.metadata_columns = {"n"};
    options.bits = kBits;
    return Writing([&] {
      IndexBuild build(options, store_, spill_, nullptr);
      for (const IndexedRow& row : rows)
        build.Add(AsBytes(EncodedKey(row.key)), Vector(row.content), MetadataOf(row.content), stop_);
      return PublishedAs(build.Finish(stop_).manifest);
    });
  }

  bool Update(const Published& current, const std::set<Key>& changed, const ReadRow& read,
              Published* updated) override {
    UpdateOptions options;
    options.metadata_columns = {"n"};
    return Writing([&] {
      IndexUpdate update(Open(current), options, store_, spill_, nullptr);
      const auto put = [&](Key key) {
        Content content = kNoVector;
        if (!read(key, &content)) return false;
        update.Put(AsBytes(EncodedKey(key)), Vector(content), MetadataOf(content), stop_);
        return true;
      };
      for (const Key key : changed) {
        if (!put(key)) update.Remove(AsBytes(EncodedKey(key)));
      }
      update.Plan(stop_);
      for (;;) {
        const std::vector<std::string> keys = update.TakeKeys(3, stop_);
        if (keys.empty()) break;
        for (const std::string& key : keys) (void)put(DecodedKey(key));
      }
      const UpdateResult result = update.Finish(stop_);
      if (result.is_changed) *updated = PublishedAs(result.built.manifest);
      return result.is_changed;
    });
  }

  // Keys by a search, what they hold by the key planes; the search's estimate must be of just that.
  std::vector<IndexedRow> SearchAll(const Published& published, const std::set<Key>& without) override {
    const std::map<Key, Content>& contents = Contents(published);
    const std::vector<float> query(kDimensions, 0.25F);
    KeySet pending;
    for (const Key key : without) pending.insert(EncodedKey(key));
    SearchOptions options;
    options.k = 10;
    options.probes = SIZE_MAX;
    options.without = &pending;
    Search search(Open(published), query, options, store_);
    std::vector<IndexedRow> rows;
    for (;;) {
      const std::vector<Candidate> found = search.Next(1000, stop_);
      if (found.empty() && !search.Widen(stop_)) break;
      for (const Candidate& candidate : found) {
        const auto content = contents.find(DecodedKey(candidate.key));
        if (content == contents.end()) throw Violation{"O1", "a key is in a list, and not in the key plane"};
        rows.push_back({content->first, content->second});
        const double exact = ExactDistance(Metric::kL2, query, Vector(content->second));
        if (std::abs(candidate.estimate - exact) > kTolerance)
          throw Violation{"O1", "a key's code is not of its row: distance " + std::to_string(exact) + ", estimate " +
                                    std::to_string(candidate.estimate)};
      }
    }
    return rows;
  }

  const std::map<Key, Content>& Contents(const Published& published) override {
    const auto known = contents_.find(published.manifest);
    // Also of a version that is known, whose objects may have gone since.
    const std::shared_ptr<const Navigation> navigation = Open(published);
    if (known != contents_.end()) return known->second;
    IndexContents contents(navigation, {}, store_);
    std::map<Key, Content> rows;
    ByteView key;
    uint64_t hash = 0;
    while (contents.Next(&key, &hash, stop_)) {
      const auto content = by_hash_.find(hash);
      if (content == by_hash_.end()) throw Violation{"O3", "a content hash is of no row that there ever was"};
      if (!rows.emplace(DecodedKey(AsText(key)), content->second).second)
        throw Violation{"O3", "the key planes tell a key twice"};
    }
    return contents_.emplace(published.manifest, std::move(rows)).first->second;
  }

  uint64_t ClaimOwnership(uint64_t recorded) override {
    OwnerMarker mine;
    mine.token = RandomId();
    const uint64_t number = s3v::ClaimOwnership(store_, kIndexId, recorded, tokens_, mine, false, stop_);
    tokens_.push_back(mine.token);
    return number;
  }
  void VerifyOwnership(uint64_t number) override { s3v::VerifyOwnership(store_, kIndexId, number, stop_); }

  void Collect(const std::vector<ObjectId>& retained, int64_t keep_seconds, uint64_t owner) override {
    s3v::Collect(
        store_, kIndexId, IndexState::kLiving, retained, keep_seconds, owner, [&] { VerifyOwnership(owner); }, stop_);
  }

  std::set<std::string> ObjectsOf(const ObjectId& id) override {
    const auto known = objects_.find(id);
    if (known != objects_.end()) return known->second;
    const Manifest manifest = ReadManifest(store_, kIndexId, id, stop_);
    std::set<std::string> names = {ManifestKey(kIndexId, id), NavigationKey(kIndexId, manifest.base.id)};
    for (const ObjectName& delta : manifest.deltas) names.insert(NavigationKey(kIndexId, delta.id));
    for (const ObjectName& segment : manifest.segments) names.insert(SegmentKey(kIndexId, segment.id));
    return objects_.emplace(id, std::move(names)).first->second;
  }

  std::map<std::string, int64_t> Stored() override {
    std::map<std::string, int64_t> stored;
    for (const ObjectInfo& object : store_.List({}, stop_)) {
      if (!WatchedStore::IsOwnerMarker(object.key)) stored[object.key] = object.modified;
    }
    return stored;
  }

 private:
  // Codes of 8 bits; rows lie within 4 of each other.
  static constexpr double kTolerance = 0.05;

  std::span<const float> Vector(Content content) {
    std::vector<float>& vector = vectors_[content];
    if (vector.empty()) {
      vector = VectorOf(content);
      by_hash_[ContentHash(vector, MetadataOf(content))] = content;
    }
    return vector;
  }

  static Published PublishedAs(const Manifest& manifest) {
    return {.manifest = manifest.id, .names = NamesOf(manifest)};
  }

  // Like a backend that has just started: nothing of an earlier version is at hand, so what is missing is noticed.
  std::shared_ptr<const Navigation> Open(const Published& published) {
    return NavigationCache().Open(published.names, store_, stop_);
  }

  WatchedStore store_;
  testing::TempSpillFactory spill_;
  NeverStop stop_;
  std::vector<ObjectId> tokens_;
  std::map<Content, std::vector<float>> vectors_;
  std::map<uint64_t, Content> by_hash_;
  std::map<ObjectId, std::map<Key, Content>> contents_;
  std::map<ObjectId, std::set<std::string>> objects_;
};

}  // namespace

std::unique_ptr<Index> MakeCoreIndex(const Clock& clock, StoreWatch& watch) {
  return std::make_unique<CoreIndex>(clock, watch);
}

}  // namespace s3v::model

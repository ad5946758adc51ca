// A whole life of an index - build, updates that mask, split, dissolve, compact and calibrate anew, clean-up - in which
// every call of the store fails once, before its effect and after it. Afterwards the old version reads as before, a
// repeat succeeds, and clean-up leaves what the new version names.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdio>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "engine/collect.h"
#include "engine/living_index.h"
#include "engine/ownership.h"
#include "format/names.h"
#include "support/faulty_store.h"

namespace s3v {
namespace {

using testing::Clustered;
using testing::FaultyStore;
using testing::IntegerKey;
using testing::LivingIndex;
using testing::Table;

const ObjectId kIndex = {7, 7};

using Objects = std::map<std::string, Bytes>;

Objects ObjectsIn(ObjectStore& store) {
  NeverStop stop;
  Objects objects;
  for (const ObjectInfo& object : store.List("", stop)) objects[object.key] = store.Get(object.key, UINT64_MAX, stop);
  return objects;
}

bool IsMarker(const std::string& key) {
  ParsedKey name;
  return ParseKey(kIndex, key, &name) && name.kind == ObjectKind::kOwner;
}

std::set<std::string> KeysBesideMarkers(ObjectStore& store) {
  NeverStop stop;
  std::set<std::string> keys;
  for (const ObjectInfo& object : store.List("", stop)) {
    if (!IsMarker(object.key)) keys.insert(object.key);
  }
  return keys;
}

std::set<std::string> KeysOf(const Manifest& manifest) {
  std::set<std::string> keys = {ManifestKey(kIndex, manifest.id), NavigationKey(kIndex, manifest.base.id)};
  for (const ObjectName& delta : manifest.deltas) keys.insert(NavigationKey(kIndex, delta.id));
  for (const ObjectName& segment : manifest.segments) keys.insert(SegmentKey(kIndex, segment.id));
  return keys;
}

// What the version row of the index would say.
struct Version {
  Manifest manifest;
  std::shared_ptr<const Navigation> navigation;  // null: none yet
  uint64_t owner = 0;
};

using Contents = std::vector<std::pair<std::string, uint64_t>>;

// From the store, as a process does that has just started.
Contents ContentsOf(const Version& version, ObjectStore& store) {
  NeverStop stop;
  Contents rows;
  if (!version.navigation) return rows;
  IndexContents contents(NavigationCache().Open(NamesOf(version.manifest), store, stop), {}, store);
  ByteView key;
  uint64_t hash = 0;
  while (contents.Next(&key, &hash, stop)) rows.emplace_back(AsText(key), hash);
  return rows;
}

class Life {
 public:
  Life(size_t rows, size_t dimensions, RawPlane raw, Duplicates duplicates, size_t memory_bytes)
      : rows_(rows),
        table_(Clustered(4 * rows + 20, dimensions, 8, 5)),
        index_(Options(dimensions, raw, duplicates, memory_bytes), {}) {
    for (size_t i = 0; i < rows; ++i) Put(i);
    index_.changed.clear();
    index_.store = MakeMemoryStore();
    index_.navigation = nullptr;
  }

  // Walks one step through all its failures, and does it then.
  void WalkBuild() {
    Walk("build", [&] { index_.Rebuild(); });
  }
  void WalkUpdate(const char* what, bool optimize = false) {
    Walk(what, [&] { index_.Sync(optimize); });
  }
  void WalkCollect() {
    const Objects before = ObjectsIn(*index_.store);
    WalkFailures(
        "collect", before, [&](ObjectStore& store) { CollectIn(store, {version_}); },
        [&](ObjectStore& store) {
          ExpectReadsAs(version_, contents_, store);
          CollectIn(store, {version_});
          EXPECT_EQ(KeysBesideMarkers(store), KeysOf(version_.manifest));
        });
    Refill(before);
    CollectIn(*index_.store, {version_});
    EXPECT_EQ(KeysBesideMarkers(*index_.store), KeysOf(version_.manifest));
  }

  // ---- changes

  void Put(size_t number) {
    const auto row = table_.row((number + turn_) % table_.rows());
    index_.Put(IntegerKey(static_cast<int64_t>(number)), {{row.begin(), row.end()}, testing::MetadataOf(number)});
  }
  void ChangeSome() {
    ++turn_;
    for (size_t i = 0; i < rows_; i += 9) Put(i);
    for (size_t i = 3; i < rows_; i += 17) index_.Remove(IntegerKey(static_cast<int64_t>(i)));
  }
  void Grow() {
    for (size_t i = rows_; i < 3 * rows_ + 10; ++i) Put(i);
  }
  void Shrink() {
    for (size_t i = rows_ / 4; i < 3 * rows_ + 10; ++i) index_.Remove(IntegerKey(static_cast<int64_t>(i)));
  }
  void Empty() {
    while (!index_.source.empty()) index_.Remove(index_.source.begin()->first);
  }

  const LivingIndex& index() const { return index_; }
  int positions() const { return positions_; }
  uint64_t orphans() const { return orphans_; }
  uint64_t calibrations() const { return calibrations_; }

 private:
  static BuildOptions Options(size_t dimensions, RawPlane raw, Duplicates duplicates, size_t memory_bytes) {
    BuildOptions options;
    options.index = kIndex;
    options.metric = Metric::kL2;
    options.dimensions = dimensions;
    options.key_kind = KeyKind::kInteger;
    options.metadata_columns = {"n"};
    options.raw = raw;
    options.duplicates = duplicates;
    options.memory_bytes = memory_bytes;
    return options;
  }

  void Refill(const Objects& objects) {
    index_.store = MakeMemoryStore();
    for (const auto& [key, bytes] : objects) {
      index_.store->Put(key, bytes, ObjectStore::PutMode::kCreateOnly, index_.stop);
    }
  }

  // As a sync has it: claim, write, look again. The commit is the caller's.
  void Sync(const std::function<void()>& write) {
    OwnerMarker mine;
    mine.token = RandomId();
    const std::vector<ObjectId> known = tokens_;
    tokens_.push_back(mine.token);
    claimed_ = ClaimOwnership(*index_.store, kIndex, version_.owner, known, mine, false, index_.stop);
    write();
    VerifyOwnership(*index_.store, kIndex, claimed_, index_.stop);
  }

  void CollectIn(ObjectStore& store, const std::vector<Version>& retained) {
    OwnerMarker mine;
    mine.token = RandomId();
    const std::vector<ObjectId> known = tokens_;
    tokens_.push_back(mine.token);
    const uint64_t number = ClaimOwnership(store, kIndex, version_.owner, known, mine, false, index_.stop);
    std::vector<ObjectId> manifests;
    for (const Version& version : retained) {
      if (version.navigation) manifests.push_back(version.manifest.id);
    }
    Collect(
        store, kIndex, IndexState::kLiving, manifests, 0, number,
        [&] { VerifyOwnership(store, kIndex, number, index_.stop); }, index_.stop);
  }

  void ExpectReadsAs(const Version& version, const Contents& contents, ObjectStore& store) {
    EXPECT_EQ(ContentsOf(version, store), contents) << "the version has changed";
    if (!version.navigation) return;
    const Damage damage = Verify(NamesOf(version.manifest), version.manifest.id, store, index_.stop);
    EXPECT_TRUE(damage.objects == 0 && !damage.is_unusable) << damage.first_complaint;
  }

  // Fails call after call of `work`, each time on the store as it was, until it gets through; `check` sees the store
  // after each failure.
  void WalkFailures(const char* what, const Objects& before, const std::function<void(ObjectStore&)>& work,
                    const std::function<void(ObjectStore&)>& check) {
    for (const auto when : {FaultyStore::When::kBefore, FaultyStore::When::kAfter}) {
      int n = 0;
      for (bool has_failed = true; has_failed; ++n) {
        SCOPED_TRACE(std::string(what) + ", call " + std::to_string(n) +
                     (when == FaultyStore::When::kBefore ? ", before its effect" : ", after its effect"));
        Refill(before);
        auto faulty = std::make_unique<FaultyStore>(std::move(index_.store));
        FaultyStore& store = *faulty;
        index_.store = std::move(faulty);
        store.FailingAt(n, when);
        try {
          work(store);
          EXPECT_FALSE(store.has_failed()) << "it was not noticed";
        } catch (const Error& error) {
          ASSERT_EQ(error.code(), Code::kUnavailable) << error.message();
        }
        has_failed = store.has_failed();
        if (!has_failed) break;
        for (const auto& [key, bytes] : ObjectsIn(store)) {
          const auto old = before.find(key);
          ASSERT_TRUE(old == before.end() || old->second == bytes) << key << " was overwritten";
        }
        check(store);
        ++positions_;
        if (::testing::Test::HasFailure()) return;
      }
      EXPECT_GE(n, 4) << what;
    }
  }

  void Walk(const char* what, const std::function<void()>& write) {
    if (::testing::Test::HasFailure()) return;
    const Objects before = ObjectsIn(*index_.store);
    const Version old = version_;
    const std::set<std::string> changed = index_.changed;
    const uint64_t seed = index_.seed;
    const auto reset = [&] {
      index_.changed = changed;
      index_.seed = seed;
      index_.manifest = old.manifest;
      index_.navigation = old.navigation;
    };
    WalkFailures(
        what, before,
        [&](ObjectStore&) {
          reset();
          Sync(write);
        },
        [&](ObjectStore& store) {
          // What the failed attempt made is not published, whatever it came to.
          reset();
          ExpectReadsAs(old, contents_, store);
          const std::set<std::string> with_orphans = KeysBesideMarkers(store);
          Sync(write);
          index_.ExpectWhole();
          ExpectCollected(old, {index_.manifest, index_.navigation, claimed_}, with_orphans, store);
        });
    if (::testing::Test::HasFailure()) return;
    Refill(before);
    reset();
    Sync(write);
    const uint64_t calibrated = old.navigation ? old.navigation->state.calibrated_entries : 0;
    calibrations_ += index_.navigation->state.calibrated_entries == calibrated ? 0 : 1;
    version_ = {index_.manifest, index_.navigation, claimed_};
    contents_ = ContentsOf(version_, *index_.store);
  }

  // Orphans go, and only those; then the old version as well.
  void ExpectCollected(const Version& old, const Version& now, const std::set<std::string>& with_orphans,
                       ObjectStore& store) {
    const uint64_t before = version_.owner;
    const Contents contents = ContentsOf(now, store);
    version_.owner = now.owner;
    std::set<std::string> named = KeysOf(now.manifest);
    if (old.navigation) named.merge(KeysOf(old.manifest));
    orphans_ += static_cast<uint64_t>(
        std::count_if(with_orphans.begin(), with_orphans.end(), [&](const auto& key) { return !named.contains(key); }));
    CollectIn(store, {old, now});
    EXPECT_EQ(KeysBesideMarkers(store), named);
    ExpectReadsAs(old, contents_, store);
    CollectIn(store, {now});
    EXPECT_EQ(KeysBesideMarkers(store), KeysOf(now.manifest));
    ExpectReadsAs(now, contents, store);
    version_.owner = before;
  }

  size_t rows_;
  size_t turn_ = 0;
  Table table_;
  LivingIndex index_;
  std::vector<ObjectId> tokens_;
  Version version_;
  Contents contents_;
  uint64_t claimed_ = 0;
  int positions_ = 0;
  uint64_t orphans_ = 0;
  uint64_t calibrations_ = 0;
};

struct Size {
  const char* name;
  size_t rows;
  size_t dimensions;
  RawPlane raw;
  Duplicates duplicates;
};

class FailingWalk : public ::testing::TestWithParam<Size> {};

TEST_P(FailingWalk, EveryCallOfAWholeLife) {
  const Size& size = GetParam();
  Life life(size.rows, size.dimensions, size.raw, size.duplicates, 1u << 20);
  life.WalkBuild();
  life.ChangeSome();
  life.WalkUpdate("masks and puts");
  life.Grow();
  life.WalkUpdate("growth");
  life.ChangeSome();
  life.WalkUpdate("compaction", true);
  life.WalkCollect();
  life.Shrink();
  life.WalkUpdate("shrinking");
  life.ChangeSome();
  life.WalkBuild();
  life.Empty();
  life.WalkUpdate("nothing left");
  life.Grow();
  life.WalkUpdate("growth from nothing");
  life.WalkCollect();
  std::printf(
      "%s: %d positions, %llu orphans collected, %llu bases by updates, %llu rows read again, %llu calibrations\n",
      size.name, life.positions(), static_cast<unsigned long long>(life.orphans()),
      static_cast<unsigned long long>(life.index().bases), static_cast<unsigned long long>(life.index().reread),
      static_cast<unsigned long long>(life.calibrations()));
  EXPECT_GT(life.positions(), 150);
  EXPECT_GT(life.orphans(), 100U);
  EXPECT_GE(life.calibrations(), 2U);
  if (size.rows >= 600) {
    EXPECT_GT(life.index().bases, 0U) << "lists were split or dissolved";
  }
}

INSTANTIATE_TEST_SUITE_P(Sizes, FailingWalk,
                         ::testing::Values(Size{"few", 12, 8, RawPlane::kNone, Duplicates::kOff},
                                           Size{"a_hundred", 100, 16, RawPlane::kFloat16, Duplicates::kOn},
                                           Size{"hundreds", 600, 16, RawPlane::kNone, Duplicates::kOff}),
                         [](const auto& size) { return std::string(size.param.name); });

}  // namespace
}  // namespace s3v

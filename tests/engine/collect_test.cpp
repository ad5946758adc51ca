#include "engine/collect.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "engine/ownership.h"
#include "format/manifest.h"
#include "format/names.h"
#include "store/memory_store.h"
#include "support/faulty_store.h"

namespace s3v {
namespace {

using testing::FaultyStore;
using ::testing::IsSupersetOf;

class ManualClock final : public Clock {
 public:
  int64_t WallSeconds() const override { return now; }
  int64_t SteadyMillis() const override { return now * 1000; }
  int64_t now = 1000000;
};

const ObjectId kIndex = {7};
const ObjectId kOther = {8};
constexpr int64_t kDay = 86400;
const std::vector<ObjectId> kOwnTokens = {{}};

// An index of two versions that share a base, a delta and a segment, garbage, another index, and names that are not
// ours.
class Collecting : public ::testing::Test {
 protected:
  void SetUp() override { Fill(); }

  void Fill() {
    const ObjectId base = {1};
    old_version_ = PutVersion({10}, base, {{11}, {14}}, {{12}, {13}});
    new_version_ = PutVersion({20}, base, {{14}, {21}}, {{13}, {22}});
    for (const std::string& key : {SegmentKey(kIndex, {90}), NavigationKey(kIndex, {91}), ManifestKey(kIndex, {92})}) {
      PutObject(key);
      orphans_.insert(key);
    }
    for (const std::string& key : {IndexPrefix(kIndex) + "notes.txt", IndexPrefix(kIndex) + "segment/README",
                                   IndexPrefix(kIndex) + "segment/ABCDEF", IndexPrefix(kIndex) + "owner/7"}) {
      PutObject(key);
      foreign_.insert(key);
    }
    for (const std::string& key : {SegmentKey(kOther, {90}), std::string("unrelated")}) {
      PutObject(key);
      elsewhere_.insert(key);
    }
    ClaimOwnership(*store_, kIndex, 0, {}, {}, false, stop_);
    clock_.now += 30 * kDay;
  }

  std::set<std::string> PutVersion(const ObjectId& id, const ObjectId& base, const std::vector<ObjectId>& deltas,
                                   const std::vector<ObjectId>& segments) {
    Manifest manifest;
    manifest.index = kIndex;
    manifest.id = id;
    manifest.base = {base, 100};
    std::set<std::string> keys = {ManifestKey(kIndex, id), NavigationKey(kIndex, base)};
    for (const ObjectId& delta : deltas) {
      manifest.deltas.push_back({delta, 100});
      keys.insert(NavigationKey(kIndex, delta));
    }
    for (const ObjectId& segment : segments) {
      manifest.segments.push_back({segment, 100});
      keys.insert(SegmentKey(kIndex, segment));
    }
    for (const std::string& key : keys) PutObject(key);
    const Bytes bytes = EncodeManifest(manifest);
    store_->Put(ManifestKey(kIndex, id), bytes, ObjectStore::PutMode::kOverwrite, stop_);
    return keys;
  }

  void PutObject(const std::string& key) { store_->Put(key, Bytes(100), ObjectStore::PutMode::kOverwrite, stop_); }

  std::set<std::string> Keys() {
    std::set<std::string> keys;
    for (const ObjectInfo& object : store_->List("", stop_)) keys.insert(object.key);
    return keys;
  }

  CollectResult Run(const std::vector<ObjectId>& retained, int64_t keep = 7 * kDay) {
    return RunOn(*store_, retained, keep);
  }
  CollectResult RunOn(ObjectStore& store, const std::vector<ObjectId>& retained, int64_t keep = 7 * kDay) {
    return RunOn(store, retained.empty() ? IndexState::kDropped : IndexState::kLiving, retained, keep);
  }
  CollectResult RunOn(ObjectStore& store, IndexState state, const std::vector<ObjectId>& retained, int64_t keep) {
    const uint64_t number = ClaimOwnership(store, kIndex, 0, kOwnTokens, {}, false, stop_);
    return Collect(
        store, kIndex, state, retained, keep, number, [&] { VerifyOwnership(store, kIndex, number, stop_); }, stop_);
  }

  ManualClock clock_;
  std::unique_ptr<ObjectStore> store_ = MakeMemoryStore({}, clock_);
  NeverStop stop_;
  std::set<std::string> old_version_, new_version_, orphans_, foreign_, elsewhere_;
};

TEST_F(Collecting, KeepsAllThatRetainedVersionsName) {
  const CollectResult result = Run({{10}, {20}});
  EXPECT_EQ(result.deleted, 3U);
  EXPECT_EQ(result.bytes, 300U);
  EXPECT_EQ(result.foreign_objects, 4U);
  EXPECT_EQ(result.kept, 9U + 2U) << "objects of both versions, two markers";
  const auto keys = Keys();
  EXPECT_THAT(keys, IsSupersetOf(old_version_));
  EXPECT_THAT(keys, IsSupersetOf(new_version_));
  EXPECT_THAT(keys, IsSupersetOf(foreign_));
  EXPECT_THAT(keys, IsSupersetOf(elsewhere_));
  for (const std::string& orphan : orphans_) EXPECT_FALSE(keys.contains(orphan));
}

TEST_F(Collecting, DeletesTheOldVersionButNotWhatItShares) {
  EXPECT_EQ(Run({{20}}).deleted, 3U + 3U) << "orphans; manifest, delta and segment of the old version";
  const auto keys = Keys();
  EXPECT_THAT(keys, IsSupersetOf(new_version_));
  EXPECT_FALSE(keys.contains(SegmentKey(kIndex, {12})));
  EXPECT_FALSE(keys.contains(NavigationKey(kIndex, {11})));
  EXPECT_TRUE(keys.contains(SegmentKey(kIndex, {13})));
  EXPECT_EQ(Run({{20}}).deleted, 0U) << "a second run finds nothing";
}

TEST_F(Collecting, YoungObjectsStay) {
  PutObject(SegmentKey(kIndex, {99}));
  clock_.now += 7 * kDay - 1;
  Run({{20}});
  EXPECT_TRUE(Keys().contains(SegmentKey(kIndex, {99})));
  clock_.now += 1;
  Run({{20}});
  EXPECT_FALSE(Keys().contains(SegmentKey(kIndex, {99})));
}

TEST_F(Collecting, KeepNothingDeletesWhatIsNewToo) {
  PutObject(SegmentKey(kIndex, {99}));
  EXPECT_EQ(Run({{20}}, 0).deleted, 7U);
  EXPECT_THAT(Keys(), IsSupersetOf(new_version_));
}

TEST_F(Collecting, MissingOrDamagedManifestDeletesNothing) {
  const auto before = Keys().size();
  EXPECT_THROW(Run({{20}, {77}}), Error);
  EXPECT_EQ(Keys().size(), before + 1) << "the marker just claimed";
  PutObject(ManifestKey(kIndex, {20}));
  EXPECT_THROW(Run({{20}}), Error);
  EXPECT_EQ(Keys().size(), before + 2);
}

TEST_F(Collecting, MissingMarkerDeletesNothing) {
  const auto before = Keys();
  EXPECT_THROW(Collect(
                   *store_, kIndex, IndexState::kLiving, {{20}}, 0, 55, [] {}, stop_),
               Error);
  EXPECT_EQ(Keys(), before);
}

TEST_F(Collecting, DroppedIndexGoesMarkersLast) {
  const CollectResult result = Run({});
  EXPECT_EQ(result.kept, 0U);
  EXPECT_EQ(result.foreign_objects, 4U);
  std::set<std::string> left = foreign_;
  left.insert(elsewhere_.begin(), elsewhere_.end());
  EXPECT_EQ(Keys(), left);
}

TEST_F(Collecting, LivingIndexWithoutVersionsKeepsItsMarkers) {
  const CollectResult result = RunOn(*store_, IndexState::kLiving, {}, 0);
  EXPECT_GT(result.deleted, 0U);
  EXPECT_TRUE(Keys().contains(OwnerKey(kIndex, 2))) << "the marker just claimed, which the caller looks at again";
}

TEST_F(Collecting, OldMarkersOfALongChainGo) {
  for (int i = 0; i < 40; ++i) ClaimOwnership(*store_, kIndex, 0, kOwnTokens, {}, false, stop_);
  clock_.now += 30 * kDay;
  Run({{20}});
  uint64_t markers = 0;
  ParsedKey name;
  for (const std::string& key : Keys()) {
    if (ParseKey(kIndex, key, &name) && name.kind == ObjectKind::kOwner) ++markers;
  }
  EXPECT_EQ(markers, 17U) << "the head and sixteen before it";
  EXPECT_NO_THROW(ClaimOwnership(*store_, kIndex, 0, kOwnTokens, {}, false, stop_));
}

TEST_F(Collecting, DroppedIndexWithYoungObjectsKeepsItsMarkers) {
  PutObject(SegmentKey(kIndex, {99}));
  const CollectResult result = Run({});
  EXPECT_EQ(result.kept, 3U) << "the young one, two markers";
  EXPECT_TRUE(Keys().contains(OwnerKey(kIndex, 2)));
}

TEST_F(Collecting, FenceIsLookedAtBeforeEveryBatch) {
  for (int i = 0; i < 2500; ++i)
    PutObject(SegmentKey(kIndex, {200, static_cast<uint8_t>(i), static_cast<uint8_t>(i >> 8)}));
  clock_.now += 30 * kDay;
  const uint64_t number = ClaimOwnership(*store_, kIndex, 0, kOwnTokens, {}, false, stop_);
  int looks = 0;
  const auto fenced_at_the_third = [&] {
    if (++looks == 3) throw Error(Code::kConflict, "fenced");
  };
  EXPECT_THROW(Collect(*store_, kIndex, IndexState::kLiving, {{20}}, 0, number, fenced_at_the_third, stop_), Error);
  EXPECT_EQ(looks, 3);
  const auto keys = Keys();
  EXPECT_THAT(keys, IsSupersetOf(new_version_));
  EXPECT_GE(keys.size(), 500U) << "two batches of a thousand were deleted, no more";
}

TEST_F(Collecting, FailureAtEveryCallDeletesNothingRetainedAndARepeatCompletes) {
  for (const auto when : {FaultyStore::When::kBefore, FaultyStore::When::kAfter}) {
    for (int n = 0;; ++n) {
      store_ = MakeMemoryStore({}, clock_);
      Fill();
      FaultyStore faulty(store_.get());
      faulty.FailingAt(n, when);
      bool finished = false;
      try {
        RunOn(faulty, {{20}});
        finished = true;
      } catch (const Error& error) {
        ASSERT_EQ(error.code(), Code::kUnavailable);
      }
      EXPECT_THAT(Keys(), IsSupersetOf(new_version_));
      EXPECT_THAT(Keys(), IsSupersetOf(elsewhere_));
      Run({{20}});
      EXPECT_FALSE(Keys().contains(SegmentKey(kIndex, {12})));
      EXPECT_THAT(Keys(), IsSupersetOf(new_version_));
      if (finished) break;
    }
  }
}

TEST_F(Collecting, FindIndexesNamesEveryPrefixWithObjects) {
  PutObject(UuidText({9}) + "/picture.png");
  const StoredIndexes found = FindIndexes(*store_, stop_);
  EXPECT_THAT(found.indexes, ::testing::ElementsAre(kIndex, kOther));
  EXPECT_EQ(found.foreign_objects, 2U) << "one that is below no uuid, one below a uuid that is no index";
}

}  // namespace
}  // namespace s3v

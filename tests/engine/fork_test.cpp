#include "engine/fork.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "engine/changing_store.h"
#include "engine/contents.h"
#include "engine/hand_made_index.h"
#include "engine/read_manifest.h"
#include "engine/small_index.h"
#include "store/memory_store.h"
#include "support/faulty_store.h"

namespace s3v {
namespace {

using testing::FaultyStore;
using testing::HandMadeIndex;
using ::testing::HasSubstr;
using testing::Numbers;
using testing::TextEntries;

const ObjectId kCopy = {42, 1};

// Two deltas, three segments, with masks, raw vectors.
HandMadeIndex Original() {
  HandMadeIndex index(KeyKind::kText, false, RawPlane::kFloat16);
  index.AddSegment(TextEntries(Numbers(7, 100, 1)));
  index.AddSegment(TextEntries(Numbers(1, 100, 2)));
  index.WriteDelta();
  index.AddSegment(TextEntries(Numbers(4, 100, 3)));
  index.Mask(0, 0, 2);  // no piece is dead: of such a one nobody reads anything
  index.WriteDelta();
  index.WriteManifest();
  return index;
}

ForkResult ForkOf(const HandMadeIndex& index, ObjectStore& from, ObjectStore& to) {
  NeverStop stop;
  return ForkVersion(from, index.names.index, index.manifest, to, kCopy, nullptr, stop);
}

std::map<std::string, Bytes> ObjectsOf(ObjectStore& store) {
  NeverStop stop;
  std::map<std::string, Bytes> objects;
  for (const ObjectInfo& object : store.List("", stop)) objects[object.key] = store.Get(object.key, 1u << 30, stop);
  return objects;
}

std::vector<std::pair<std::string, uint64_t>> ContentsOf(const VersionNames& names, ObjectStore& store) {
  NeverStop stop;
  NavigationCache cache;
  IndexContents contents(cache.Open(names, store, stop), {}, store);
  std::vector<std::pair<std::string, uint64_t>> all;
  ByteView key;
  uint64_t hash;
  while (contents.Next(&key, &hash, stop)) all.emplace_back(AsText(key), hash);
  return all;
}

TEST(Fork, HoldsTheSameOnTheSameStore) {
  const HandMadeIndex index = Original();
  const auto before = ObjectsOf(*index.store);
  const ForkResult result = ForkOf(index, *index.store, *index.store);
  EXPECT_EQ(result.objects, 1 + 2 + 3 + 1);

  NeverStop stop;
  const Manifest copy = ReadManifest(*index.store, kCopy, index.manifest, stop);
  EXPECT_EQ(copy.index, kCopy);
  EXPECT_EQ(ContentsOf(NamesOf(copy), *index.store), ContentsOf(index.names, *index.store));
  const auto after = ObjectsOf(*index.store);
  EXPECT_EQ(after.size(), before.size() + result.objects);
  for (const auto& [key, bytes] : before) EXPECT_EQ(after.at(key), bytes) << key;
}

TEST(Fork, LivesOnAnotherStoreWithoutTheOriginal) {
  HandMadeIndex index = Original();
  const std::unique_ptr<ObjectStore> elsewhere = MakeMemoryStore();
  const auto contents = ContentsOf(index.names, *index.store);
  ForkOf(index, *index.store, *elsewhere);
  NeverStop stop;
  for (const ObjectInfo& object : index.store->List("", stop)) index.store->Delete({&object.key, 1}, stop);
  const Manifest copy = ReadManifest(*elsewhere, kCopy, index.manifest, stop);
  EXPECT_EQ(ContentsOf(NamesOf(copy), *elsewhere), contents);
  EXPECT_EQ(Verify(NamesOf(copy), copy.id, *elsewhere, stop).objects, 0U);
}

TEST(Fork, RefusesDamageInAnyByte) {
  const HandMadeIndex index = Original();
  uint64_t tried = 0;
  for (const auto& [key, bytes] : ObjectsOf(*index.store)) {
    for (size_t i = 0; i < bytes.size(); i += 7) {
      NeverStop stop;
      Bytes damaged = bytes;
      damaged[i] ^= 0x20;
      const std::unique_ptr<ObjectStore> to = MakeMemoryStore();
      index.store->Put(key, damaged, ObjectStore::PutMode::kOverwrite, stop);
      try {
        ForkOf(index, *index.store, *to);
        ADD_FAILURE() << "byte " << i << " of " << key << " went unseen";
      } catch (const Error& error) {
        EXPECT_TRUE(error.code() == Code::kCorrupted || error.code() == Code::kNotSupported) << error.message();
      }
      index.store->Put(key, bytes, ObjectStore::PutMode::kOverwrite, stop);
      ++tried;
    }
  }
  EXPECT_GT(tried, 500U);
}

TEST(Fork, NamesWhatIsMissing) {
  const HandMadeIndex index = Original();
  NeverStop stop;
  for (const auto& [key, bytes] : ObjectsOf(*index.store)) {
    const std::unique_ptr<ObjectStore> to = MakeMemoryStore();
    index.store->Delete({&key, 1}, stop);
    try {
      ForkOf(index, *index.store, *to);
      ADD_FAILURE() << key << " was not missed";
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), Code::kObjectMissing);
      EXPECT_THAT(error.message(), HasSubstr(key));
    }
    index.store->Put(key, bytes, ObjectStore::PutMode::kOverwrite, stop);
  }
}

// Whatever fails, and whether it took effect or not: the original stands, the copy is whole or has no manifest, and the
// next attempt succeeds.
TEST(Fork, SurvivesEveryFailure) {
  const HandMadeIndex index = Original();
  const auto original = ObjectsOf(*index.store);
  NeverStop stop;
  int with_manifest = 0;
  for (const auto when : {FaultyStore::When::kBefore, FaultyStore::When::kAfter}) {
    for (int n = 0;; ++n) {
      const std::unique_ptr<ObjectStore> to = MakeMemoryStore();
      FaultyStore from(index.store.get());
      FaultyStore faulty(to.get());
      from.FailingAt(n, when);
      faulty.FailingAt(n, when);
      try {
        ForkOf(index, from, faulty);
      } catch (const Error& error) {
        EXPECT_EQ(error.code(), Code::kUnavailable);
      }
      if (!from.has_failed() && !faulty.has_failed()) {
        // Each of seven objects is read from the one and written to the other.
        EXPECT_GE(n, 7);
        break;
      }
      EXPECT_EQ(ObjectsOf(*index.store), original);
      ASSERT_LT(n, 100);
      if (ObjectsOf(*to).contains(ManifestKey(kCopy, index.manifest))) {
        const Manifest copy = ReadManifest(*to, kCopy, index.manifest, stop);
        EXPECT_EQ(Verify(NamesOf(copy), copy.id, *to, stop).objects, 0U) << "failure " << n;
        ++with_manifest;
      }
      const ForkResult again = ForkOf(index, *index.store, *to);
      EXPECT_EQ(again.objects, 7U);
      EXPECT_EQ(ObjectsOf(*to).size(), 7U);
    }
  }
  // The answer to its manifest is lost.
  EXPECT_GE(with_manifest, 1);
}

}  // namespace
}  // namespace s3v

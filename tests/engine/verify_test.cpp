#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "engine/changing_store.h"
#include "engine/contents.h"
#include "engine/hand_made_index.h"
#include "engine/small_index.h"
#include "store/cache_fixture.h"
#include "store/cached_store.h"
#include "support/faulty_store.h"

namespace s3v {
namespace {

using testing::HandMadeIndex;
using testing::Numbers;
using testing::TextEntries;

Damage VerifyIn(const HandMadeIndex& index, ObjectStore& store) {
  NeverStop stop;
  return Verify(index.names, index.manifest, store, stop);
}
Damage VerifyOf(const HandMadeIndex& index) { return VerifyIn(index, *index.store); }

// Two deltas, three segments, with masks.
HandMadeIndex Small(RawPlane raw = RawPlane::kNone) {
  HandMadeIndex index(KeyKind::kText, false, raw);
  index.AddSegment(TextEntries(Numbers(7, 100, 1)));
  index.AddSegment(TextEntries(Numbers(1, 100, 2)));
  index.WriteDelta();
  index.AddSegment(TextEntries(Numbers(4, 100, 3)));
  index.Mask(0, 0, 3);  // all of the first piece
  index.WriteDelta();
  index.WriteManifest();
  return index;
}

// Objects of the version, and the segment that each is; SIZE_MAX for all others.
std::vector<std::pair<std::string, size_t>> ObjectsOf(const HandMadeIndex& index) {
  std::vector<std::pair<std::string, size_t>> objects;
  objects.emplace_back(ManifestKey(index.names.index, index.manifest), SIZE_MAX);
  objects.emplace_back(NavigationKey(index.names.index, index.names.base.id), SIZE_MAX);
  for (const ObjectName& delta : index.names.deltas)
    objects.emplace_back(NavigationKey(index.names.index, delta.id), SIZE_MAX);
  for (size_t i = 0; i < index.segments.size(); ++i) objects.emplace_back(index.KeyOf(i), i);
  return objects;
}

void ExpectSound(const Damage& damage) {
  EXPECT_FALSE(damage.is_unusable);
  EXPECT_TRUE(damage.segments.empty());
  EXPECT_EQ(damage.objects, 0U);
  EXPECT_EQ(damage.first_complaint, "");
}

// That object alone.
bool IsDamageOf(const HandMadeIndex& index, const Damage& damage, const std::string& key, size_t segment) {
  const bool is_segment = segment != SIZE_MAX;
  const std::vector<ObjectId> segments =
      is_segment ? std::vector{index.segments[segment].info.id} : std::vector<ObjectId>();
  return damage.objects == 1 && damage.is_unusable == !is_segment && damage.segments == segments &&
         damage.first_complaint.find(key) != std::string::npos;
}

TEST(Verify, SoundVersions) {
  ExpectSound(VerifyOf(Small()));
  HandMadeIndex empty;
  empty.WriteDelta();
  empty.WriteManifest();
  ExpectSound(VerifyOf(empty));
  const testing::Table table = testing::Clustered(500, 8, 4, 1);
  testing::SmallIndex built(table, testing::SmallOptions(table, Metric::kL2, 6));
  ExpectSound(Verify(testing::NamesOf(built.built.manifest), built.built.manifest.id, *built.store, built.stop));
}

TEST(Verify, NoticesEachFlippedByte) {
  HandMadeIndex index = Small();
  for (const auto& [key, segment] : ObjectsOf(index)) {
    const Bytes sound = index.Get(key);
    for (size_t at = 0; at < sound.size(); ++at) {
      Bytes flipped = sound;
      flipped[at] ^= static_cast<uint8_t>(1 << at % 8);
      index.Put(key, flipped);
      const Damage damage = VerifyOf(index);
      ASSERT_TRUE(IsDamageOf(index, damage, key, segment))
          << key << " at " << at << ", " << damage.objects << " objects: " << damage.first_complaint;
    }
    index.Put(key, sound);
  }
  ExpectSound(VerifyOf(index));
}

TEST(Verify, RawVectorsAreNotRead) {
  HandMadeIndex index = Small(RawPlane::kFloat32);
  const auto navigation = index.Open();
  const Bytes sound = index.Get(index.KeyOf(0));
  const uint64_t end = navigation->segments[0].info.keys.offset;
  const uint64_t first = end - 7 * RawBytes(RawPlane::kFloat32, 64);
  for (size_t at = 0; at < sound.size(); at += at + 1 >= first && at < end ? 50 : 1) {
    Bytes flipped = sound;
    flipped[at] ^= 0x10;
    index.Put(index.KeyOf(0), flipped);
    const Damage damage = VerifyOf(index);
    ASSERT_EQ(damage.objects, at >= first && at < end ? 0U : 1U) << at;
  }
}

TEST(Verify, NoticesEachMissingObject) {
  HandMadeIndex index = Small();
  for (const auto& [key, segment] : ObjectsOf(index)) {
    const Bytes sound = index.Get(key);
    index.Delete(key);
    const Damage damage = VerifyOf(index);
    EXPECT_TRUE(IsDamageOf(index, damage, key, segment)) << key << ": " << damage.first_complaint;
    index.Put(key, sound);
  }
}

TEST(Verify, NoticesEachTruncatedObject) {
  for (const RawPlane raw : {RawPlane::kNone, RawPlane::kFloat16}) {
    HandMadeIndex index = Small(raw);
    for (const auto& [key, segment] : ObjectsOf(index)) {
      const Bytes sound = index.Get(key);
      for (const size_t left : {sound.size() - 1, sound.size() / 2, size_t{48}, size_t{1}, size_t{0}}) {
        index.Put(key, ByteView(sound).first(left));
        const Damage damage = VerifyOf(index);
        EXPECT_TRUE(IsDamageOf(index, damage, key, segment)) << key << " " << left << ": " << damage.first_complaint;
      }
      index.Put(key, sound);
    }
  }
}

TEST(Verify, NoticesSwappedObjects) {
  HandMadeIndex index = Small();
  const Bytes first = index.Get(index.KeyOf(0));
  index.Put(index.KeyOf(0), index.Get(index.KeyOf(2)));
  EXPECT_TRUE(IsDamageOf(index, VerifyOf(index), index.KeyOf(0), 0));
  index.Put(index.KeyOf(2), first);
  EXPECT_EQ(VerifyOf(index).segments.size(), 2U);
}

// More segments than are looked at together, some of them damaged in different ways: each is named once.
TEST(Verify, ManyDamagedSegments) {
  HandMadeIndex index;
  for (size_t i = 0; i < 150; ++i) index.AddSegment(TextEntries(Numbers(20 + i, 3000, i)));
  index.WriteDelta();
  index.WriteManifest();
  ExpectSound(VerifyOf(index));
  std::vector<ObjectId> damaged;
  for (size_t i = 0; i < 150; i += 7) {
    Bytes object = index.Get(index.KeyOf(i));
    damaged.push_back(index.segments[i].info.id);
    if (i % 3 == 0) {
      index.Delete(index.KeyOf(i));
      continue;
    }
    for (size_t at = 40 + i; at < object.size(); at += 100) object[at] ^= 1;
    if (i % 3 == 1) object.resize(object.size() - 20);
    index.Put(index.KeyOf(i), object);
  }
  Damage damage = VerifyOf(index);
  EXPECT_FALSE(damage.is_unusable);
  EXPECT_EQ(damage.objects, damaged.size());
  std::ranges::sort(damage.segments);
  std::ranges::sort(damaged);
  EXPECT_EQ(damage.segments, damaged);
}

TEST(Verify, EverythingGone) {
  HandMadeIndex index = Small();
  for (const auto& [key, segment] : ObjectsOf(index)) index.Delete(key);
  const Damage damage = VerifyOf(index);
  EXPECT_TRUE(damage.is_unusable);
  EXPECT_EQ(damage.objects, 4U) << "manifest, base, two deltas: they alone know the segments";
  EXPECT_NE(damage.first_complaint.find("does not exist"), std::string::npos) << damage.first_complaint;
}

TEST(Verify, LostManifestDoesNotHideDamagedSegments) {
  HandMadeIndex index = Small();
  index.Delete(ManifestKey(index.names.index, index.manifest));
  index.Delete(index.KeyOf(1));
  const Damage damage = VerifyOf(index);
  EXPECT_TRUE(damage.is_unusable);
  EXPECT_EQ(damage.objects, 2U);
  EXPECT_EQ(damage.segments, std::vector{index.segments[1].info.id});
}

TEST(Verify, ManifestOfAnotherVersion) {
  HandMadeIndex index = Small();
  const Manifest sound = index.MakeManifest();
  const std::string key = ManifestKey(index.names.index, index.manifest);
  Manifest fewer_segments = sound;
  fewer_segments.segments.pop_back();
  Manifest other_length = sound;
  other_length.segments.front().length += 1;
  Manifest other_base = sound;
  other_base.base.id = RandomId();
  Manifest fewer_deltas = sound;
  fewer_deltas.deltas.pop_back();
  for (const Manifest& other : {fewer_segments, other_length, other_base, fewer_deltas}) {
    index.WriteManifest(other);
    EXPECT_TRUE(IsDamageOf(index, VerifyOf(index), key, SIZE_MAX));
  }
  Manifest more_segments = sound;  // that no entry lives in any more
  more_segments.segments.push_back({RandomId(), 5});
  index.WriteManifest(more_segments);
  ExpectSound(VerifyOf(index));
}

TEST(Verify, DeltasThatAreWholeButDoNotFit) {
  HandMadeIndex index = Small();
  std::swap(index.names.deltas[0], index.names.deltas[1]);  // so the numbers are those of the version before
  index.WriteManifest();
  const Damage damage = VerifyOf(index);
  EXPECT_TRUE(damage.is_unusable);
  EXPECT_EQ(damage.objects, 1U);
  EXPECT_NE(damage.first_complaint.find("does not fit its version"), std::string::npos) << damage.first_complaint;
}

TEST(Verify, DamageOnTheWayHeals) {
  HandMadeIndex index = Small();
  testing::ChangingStore once(*index.store, testing::FlipFirst(1, 60));
  ExpectSound(VerifyIn(index, once));
  // Of the segments as well: the first wave that comes after base and deltas.
  int waves = 0;
  testing::ChangingStore later(*index.store, [&](Bytes& bytes) {
    if (++waves > 3 && waves <= 9) bytes[0] ^= 1;
  });
  ExpectSound(VerifyIn(index, later));
  EXPECT_GT(waves, 9);
}

TEST(Verify, LooksPastTheLocalCache) {
  HandMadeIndex index = Small();
  const testing::CacheDirectoryForTest directory;
  const auto cached = MakeCachedStore(std::make_unique<testing::FaultyStore>(index.store.get()),
                                      {.directory = directory.path, .max_bytes = 64 << 20, .store = "s"}, true);
  NeverStop stop;
  const auto navigation = NavigationCache().Open(index.names, *cached, stop);
  IndexContents contents(navigation, {}, *cached);
  ByteView key;
  uint64_t hash;
  while (contents.Next(&key, &hash, stop)) continue;
  ExpectSound(VerifyIn(index, *cached));
  for (const auto& [object, segment] : ObjectsOf(index)) {
    const Bytes sound = index.Get(object);
    index.Delete(object);
    EXPECT_TRUE(IsDamageOf(index, VerifyIn(index, *cached), object, segment)) << object;
    index.Put(object, sound);
  }
}

TEST(Verify, StoreThatDoesNotAnswerIsNoDamage) {
  HandMadeIndex index = Small();
  int calls = 0;
  for (bool has_failed = true; has_failed; ++calls) {
    testing::FaultyStore store(index.store.get());
    store.FailingAt(calls);
    try {
      ExpectSound(VerifyIn(index, store));
      has_failed = store.has_failed();
      EXPECT_FALSE(has_failed);
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), Code::kUnavailable);
    }
  }
  EXPECT_EQ(calls, 5) << "navigation, manifest, key indexes, all other ranges";
}

TEST(Verify, CanBeCancelledAnywhere) {
  HandMadeIndex index = Small();
  bool was_reached = true;
  int polls = 0;
  for (; was_reached; ++polls) {
    testing::StopAtPoll stop(polls);
    try {
      ExpectSound(Verify(index.names, index.manifest, *index.store, stop));
      EXPECT_FALSE(stop.was_reached());
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), Code::kCancelled);
    }
    was_reached = stop.was_reached();
  }
  EXPECT_GT(polls, 10);
}

}  // namespace
}  // namespace s3v

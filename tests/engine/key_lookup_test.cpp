#include "engine/key_lookup.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>
#include <tuple>

#include "engine/changing_store.h"
#include "engine/hand_made_index.h"
#include "store/cache_fixture.h"
#include "store/cached_store.h"
#include "support/faulty_store.h"

namespace s3v {
namespace {

using testing::HandMadeIndex;
using testing::KeyAndHash;
using testing::Numbers;
using testing::TextEntries;
using testing::TextKey;

using Found = std::vector<std::tuple<uint32_t, uint32_t, std::string>>;  // segment, position, key

Found Find(const Navigation& navigation, const std::vector<std::string>& keys, ObjectStore& store,
           std::span<const uint8_t> skip = {}) {
  NeverStop stop;
  Found found;
  for (const FoundEntry& entry : FindEntries(navigation, keys, skip, store, stop))
    found.emplace_back(entry.segment, entry.position, keys[entry.key]);
  return found;
}

// What should be found, segments being those of the version.
Found Expected(const HandMadeIndex& index, const std::vector<std::string>& keys, std::span<const uint8_t> skip = {}) {
  Found found;
  for (uint32_t segment = 0; segment < index.segments.size(); ++segment) {
    if (!skip.empty() && skip[segment] != 0) continue;
    const auto& [info, entries, masked] = index.segments[segment];
    for (uint32_t i = 0; i < entries.size(); ++i) {
      if (!masked[i] && std::ranges::binary_search(keys, entries[i].key))
        found.emplace_back(segment, i, entries[i].key);
    }
  }
  return found;
}

std::vector<std::string> SortedKeys(std::span<const uint64_t> numbers) {
  std::set<std::string> keys;
  for (const uint64_t number : numbers) keys.insert(TextKey(number));
  return {keys.begin(), keys.end()};
}

// Seven segments in three deltas, of 1 to 1,500 entries, with keys in common; some entries masked.
HandMadeIndex ManySegments() {
  HandMadeIndex index;
  Random random(5);
  const size_t sizes[] = {1500, 1, 256, 257, 512, 2, 900};
  for (size_t i = 0; i < std::size(sizes); ++i) {
    index.AddSegment(TextEntries(Numbers(sizes[i], 3000, i)));
    if (i % 3 != 2) continue;
    for (size_t segment = 0; segment <= i; ++segment) {
      const auto entries = static_cast<uint32_t>(index.segments[segment].entries.size());
      const uint32_t step = 40 + static_cast<uint32_t>(i);
      for (uint32_t at = step / 2; at + 4 < entries; at += step)
        index.Mask(segment, at, 1 + static_cast<uint32_t>(random.Below(4)));
    }
    index.WriteDelta();
  }
  index.WriteDelta();
  return index;
}

TEST(FindEntries, FindsLiveEntriesOfAllSegments) {
  HandMadeIndex index = ManySegments();
  const auto navigation = index.Open();
  ASSERT_EQ(navigation->segments.size(), 7U);
  for (const size_t count : {1U, 3U, 50U, 700U, 3000U, 4000U}) {
    const auto keys = SortedKeys(Numbers(count, 4000, count));  // a quarter of them in no segment
    const Found expected = Expected(index, keys);
    EXPECT_EQ(Find(*navigation, keys, *index.store), expected) << count;
    EXPECT_TRUE(count < 50 || expected.size() > count / 2);
  }
}

TEST(FindEntries, EveryKeyAlone) {
  HandMadeIndex index;
  index.AddSegment(TextEntries(Numbers(700, 800, 1)));
  index.Mask(0, 100, 20);
  index.WriteDelta();
  const auto navigation = index.Open();
  for (uint64_t number = 0; number < 810; ++number) {
    const std::vector<std::string> key = {TextKey(number)};
    ASSERT_EQ(Find(*navigation, key, *index.store), Expected(index, key)) << number;
  }
}

TEST(FindEntries, NoKeysNoSegmentsNothingThere) {
  HandMadeIndex index;
  index.WriteDelta();
  EXPECT_EQ(Find(*index.Open(), {TextKey(1)}, *index.store), Found());
  index.AddSegment(TextEntries(Numbers(600, 600, 1)));
  index.WriteDelta();
  const auto navigation = index.Open();
  const StoreCounters before = index.store->counters();
  EXPECT_EQ(Find(*navigation, {}, *index.store), Found());
  EXPECT_EQ(index.store->counters().waves, before.waves);
  EXPECT_EQ(Find(*navigation, {"", "A", "a common beginning of all keys"}, *index.store), Found());
  EXPECT_EQ(index.store->counters().waves, before.waves + 1) << "no block can have what sorts before all keys";
  EXPECT_EQ(Find(*navigation, {"b", "c", std::string("z\0", 2)}, *index.store), Found());
}

TEST(FindEntries, TwoWavesAndOnlyTheBlocksThatCanHoldAKey) {
  HandMadeIndex index;
  for (uint64_t seed = 0; seed < 3; ++seed) index.AddSegment(TextEntries(Numbers(4000, 4000, seed)));
  index.WriteDelta();
  const auto navigation = index.Open();
  index.store->coalesce_gap = 0;
  const StoreCounters before = index.store->counters();
  EXPECT_EQ(Find(*navigation, SortedKeys({{300, 301, 2000}}), *index.store).size(), 9U);
  const StoreCounters after = index.store->counters();
  EXPECT_EQ(after.waves - before.waves, 2U);
  EXPECT_EQ(after.get_requests - before.get_requests, 3U + 6U);
  uint64_t indexes = 0;
  for (const LiveSegment& segment : navigation->segments) indexes += segment.info.keys.index_length;
  EXPECT_LT(after.bytes_read - before.bytes_read, indexes + 6 * 256 * (12 + 4 + TextKey(0).size()) + 6 * 100);
}

TEST(FindEntries, EqualKeysStraddleBlocks) {
  HandMadeIndex index;
  std::vector<KeyAndHash> entries = TextEntries(Numbers(400, 400, 1));
  for (int i = 0; i < 1000; ++i) entries.push_back({TextKey(200), 1});
  index.AddSegment(entries);
  index.WriteDelta();
  const auto navigation = index.Open();
  for (const auto& keys : {SortedKeys({{200}}), SortedKeys({{199, 200, 201}}), SortedKeys({{10, 200}})})
    EXPECT_EQ(Find(*navigation, keys, *index.store), Expected(index, keys));
}

TEST(FindEntries, SkippedSegmentsAreNotRead) {
  HandMadeIndex index = ManySegments();
  const auto navigation = index.Open();
  const std::vector<uint8_t> skip = {1, 0, 0, 1, 0, 0, 1};
  for (const size_t segment : {0U, 3U, 6U}) index.Delete(index.KeyOf(segment));
  const auto keys = SortedKeys(Numbers(500, 3000, 9));
  EXPECT_EQ(Find(*navigation, keys, *index.store, skip), Expected(index, keys, skip));
  try {
    Find(*navigation, keys, *index.store);
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), Code::kObjectMissing);
    EXPECT_NE(error.message().find(index.KeyOf(0)), std::string::npos) << error.message();
  }
}

TEST(FindEntries, IntegerAndUuidKeys) {
  for (const KeyKind kind : {KeyKind::kInteger, KeyKind::kUuid}) {
    HandMadeIndex index(kind);
    Random random(3);
    std::vector<KeyAndHash> entries;
    for (int i = 0; i < 2000; ++i) {
      std::string key;
      while (key.size() < KeyWidth(kind)) key.push_back(static_cast<char>(random.Next()));
      entries.push_back({key, random.Next()});
    }
    index.AddSegment(entries);
    index.WriteDelta();
    std::vector<std::string> keys;
    for (size_t i = 0; i < entries.size(); i += 5) keys.push_back(entries[i].key);
    std::ranges::sort(keys);
    const Found found = Find(*index.Open(), keys, *index.store);
    EXPECT_EQ(found, Expected(index, keys));
    EXPECT_EQ(found.size(), 400U);
  }
}

TEST(FindEntries, MoreBlocksThanFitOneWave) {
  HandMadeIndex index;
  std::vector<KeyAndHash> entries;
  std::vector<std::string> keys;
  for (uint64_t i = 0; i < 600; ++i) {
    keys.push_back(TextKey(i) + std::string(60'000, 'x'));
    entries.push_back({keys.back(), i});
  }
  index.AddSegment(entries);
  index.WriteDelta();
  const auto navigation = index.Open();
  const uint64_t before = index.store->counters().waves;
  EXPECT_EQ(Find(*navigation, keys, *index.store), Expected(index, keys));
  EXPECT_EQ(index.store->counters().waves - before, 3U) << "34 MiB of blocks in two waves";
}

TEST(FindEntries, WhatWasReadIsReadAgainFromTheLocalCache) {
  HandMadeIndex index = ManySegments();
  const auto navigation = index.Open();
  const testing::CacheDirectoryForTest directory;
  const auto cached = MakeCachedStore(std::make_unique<testing::FaultyStore>(index.store.get()),
                                      {.directory = directory.path, .max_bytes = 64 << 20, .store = "s"}, true);
  const auto keys = SortedKeys(Numbers(100, 3000, 1));
  EXPECT_EQ(Find(*navigation, keys, *cached), Expected(index, keys));
  const StoreCounters before = cached->counters();
  EXPECT_EQ(Find(*navigation, keys, *cached), Expected(index, keys));
  EXPECT_EQ(cached->counters().get_requests, before.get_requests);
  EXPECT_GT(cached->counters().cache_hits, before.cache_hits);
}

TEST(FindEntries, WhatArrivedDamagedIsNotKept) {
  HandMadeIndex index = ManySegments();
  const auto navigation = index.Open();
  const testing::CacheDirectoryForTest directory;
  const auto cached = MakeCachedStore(std::make_unique<testing::ChangingStore>(*index.store, testing::FlipFirst(5, 20)),
                                      {.directory = directory.path, .max_bytes = 64 << 20, .store = "s"}, true);
  const auto keys = SortedKeys(Numbers(100, 3000, 1));
  for (int i = 0; i < 2; ++i) EXPECT_EQ(Find(*navigation, keys, *cached), Expected(index, keys));
}

TEST(FindEntries, DamageOnTheWayHealsAndDamageInTheStoreIsTold) {
  HandMadeIndex index = ManySegments();
  const auto navigation = index.Open();
  const auto keys = SortedKeys(Numbers(700, 3000, 1));
  // Some of the seven indexes, all of them, some of the blocks that follow.
  for (const auto& [first, last] : {std::pair(0, 1), std::pair(0, 7), std::pair(7, 11)}) {
    int number = 0;
    const auto flip = [&, first = first, last = last](Bytes& bytes) {
      if (number >= first && number < last) bytes[33] ^= 4;
      ++number;
    };
    testing::ChangingStore once(*index.store, flip, /*reverses=*/true);
    EXPECT_EQ(Find(*navigation, keys, once), Expected(index, keys));
    EXPECT_EQ(once.waves, 3);
  }
  Bytes object = index.Get(index.KeyOf(4));
  object[navigation->segments[4].info.keys.offset + 3] ^= 1;
  index.Put(index.KeyOf(4), object);
  try {
    Find(*navigation, keys, *index.store);
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), Code::kCorrupted);
    EXPECT_NE(error.message().find(index.KeyOf(4)), std::string::npos) << error.message();
  }
}

TEST(FindEntries, FailureAndCancelComeThrough) {
  HandMadeIndex index = ManySegments();
  const auto navigation = index.Open();
  const auto keys = SortedKeys(Numbers(700, 3000, 1));
  for (int call = 0; call < 2; ++call) {
    testing::FaultyStore store(index.store.get());
    store.FailingAt(call);
    try {
      Find(*navigation, keys, store);
      FAIL() << call;
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), Code::kUnavailable);
    }
  }
}

TEST(ReadContentHashes, OfEachPositionMaskedOrNot) {
  HandMadeIndex index = ManySegments();
  const auto navigation = index.Open();
  NeverStop stop;
  for (size_t segment = 0; segment < index.segments.size(); ++segment) {
    std::vector<uint64_t> expected;
    for (const KeyAndHash& entry : index.segments[segment].entries) expected.push_back(entry.hash);
    const StoreCounters before = index.store->counters();
    EXPECT_EQ(ReadContentHashes(*navigation, segment, *index.store, stop), expected);
    EXPECT_EQ(index.store->counters().get_requests - before.get_requests, 1U);
  }
}

// The key plane of a segment, made anew of other entries.
void ReplaceKeyPlane(HandMadeIndex& index, size_t segment, const Navigation& navigation,
                     std::span<const KeyEntry> entries) {
  const LiveSegment& live = navigation.segments[segment];
  Bytes object = index.Get(live.key);
  object.resize(live.info.keys.offset);
  ASSERT_EQ(AppendKeyPlane(object, navigation.segment_shape(live), entries), live.info.keys);
  index.Put(live.key, object);
}

TEST(ReadContentHashes, TwoKeysOfOnePositionAreDamage) {
  HandMadeIndex index;
  index.AddSegment({{"a", 1}, {"b", 2}, {"c", 3}});
  index.WriteDelta();
  const auto navigation = index.Open();
  const KeyEntry entries[] = {{AsBytes("a"), 0, 1}, {AsBytes("b"), 2, 2}, {AsBytes("c"), 2, 3}};
  ReplaceKeyPlane(index, 0, *navigation, entries);
  NeverStop stop;
  try {
    ReadContentHashes(*navigation, 0, *index.store, stop);
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), Code::kCorrupted);
    EXPECT_NE(error.detail().find("position 2"), std::string::npos) << error.detail();
  }
}

TEST(ReadContentHashes, DamageOnTheWayHeals) {
  HandMadeIndex index;
  index.AddSegment({{"a", 1}, {"b", 2}});
  index.WriteDelta();
  const auto navigation = index.Open();
  NeverStop stop;
  testing::ChangingStore once(*index.store, testing::FlipFirst(1, 0));
  EXPECT_EQ(ReadContentHashes(*navigation, 0, once, stop), (std::vector<uint64_t>{1, 2}));
  testing::ChangingStore always(*index.store, testing::FlipFirst(100, 0));
  EXPECT_THROW(ReadContentHashes(*navigation, 0, always, stop), Error);
}

}  // namespace
}  // namespace s3v

#include "engine/contents.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "engine/changing_store.h"
#include "engine/hand_made_index.h"
#include "engine/small_index.h"
#include "support/faulty_store.h"

namespace s3v {
namespace {

using testing::HandMadeIndex;
using testing::KeyAndHash;
using testing::Numbers;
using testing::TextEntries;
using testing::TextKey;

using Contents = std::vector<KeyAndHash>;

Contents Read(std::shared_ptr<const Navigation> navigation, ObjectStore& store, std::vector<ObjectId> skip = {}) {
  NeverStop stop;
  IndexContents contents(std::move(navigation), std::move(skip), store);
  Contents all;
  ByteView key;
  uint64_t hash;
  while (contents.Next(&key, &hash, stop)) all.push_back({std::string(AsText(key)), hash});
  EXPECT_FALSE(contents.Next(&key, &hash, stop)) << "the end stays the end";
  return all;
}

Contents Expected(const HandMadeIndex& index) {
  Contents expected;
  for (const auto& [key, hash] : index.Contents()) {
    if (expected.empty() || expected.back().key != key) expected.push_back({key, hash});
  }
  return expected;
}

// Different keys over segments of very different sizes; some entries masked, so that keys and whole blocks are gone.
HandMadeIndex ManySegments() {
  HandMadeIndex index;
  const std::vector<uint64_t> numbers = Numbers(9000, 20000, 1);
  const size_t sizes[] = {5000, 1, 256, 257, 3, 2000, 1, 700, 600};
  size_t first = 0;
  for (size_t i = 0; i < std::size(sizes); ++i) {
    index.AddSegment(TextEntries(std::span(numbers).subspan(first, sizes[i])));
    first += sizes[i];
    if (i % 4 == 3) index.WriteDelta();
  }
  for (uint32_t at = 0; at + 30 < 5000; at += 100) index.Mask(0, at, 30);
  index.Mask(3, 0, 256);
  index.WriteDelta();
  return index;
}

TEST(IndexContents, AllLiveKeysInOrder) {
  HandMadeIndex index = ManySegments();
  const Contents expected = Expected(index);
  ASSERT_GT(expected.size(), 6000U);
  EXPECT_EQ(Read(index.Open(), *index.store), expected);
  // Whatever the order of arrival.
  testing::ChangingStore reversed(*index.store, nullptr, /*reverses=*/true);
  EXPECT_EQ(Read(index.Open(), reversed), expected);
}

TEST(IndexContents, OfAnEmptyVersion) {
  HandMadeIndex index;
  index.WriteDelta();
  EXPECT_EQ(Read(index.Open(), *index.store), Contents());
}

TEST(IndexContents, EmptyKeyAndKeysThatBeginAlike) {
  HandMadeIndex index;
  index.AddSegment({{"b", 1}, {"", 2}, {std::string("a\0", 2), 3}, {"\xff", 4}});
  index.AddSegment({{"a", 5}, {"ab", 6}, {"\x7f", 7}});
  index.WriteDelta();
  EXPECT_EQ(Read(index.Open(), *index.store),
            (Contents{{"", 2}, {"a", 5}, {std::string("a\0", 2), 3}, {"ab", 6}, {"b", 1}, {"\x7f", 7}, {"\xff", 4}}));
}

TEST(IndexContents, SkippedSegmentsAreNotRead) {
  HandMadeIndex index = ManySegments();
  const auto navigation = index.Open();
  const std::vector<ObjectId> skip = {index.segments[0].info.id, index.segments[6].info.id, RandomId()};
  for (const size_t segment : {0U, 6U}) {
    index.Delete(index.KeyOf(segment));
    index.segments[segment].entries.clear();
  }
  EXPECT_EQ(Read(navigation, *index.store, skip), Expected(index));
  EXPECT_THROW(Read(navigation, *index.store), Error);
}

TEST(IndexContents, RowsInTwoListsAreGivenOnce) {
  HandMadeIndex index(KeyKind::kText, /*has_duplicates=*/true);
  std::vector<KeyAndHash> entries = TextEntries(Numbers(1000, 2000, 1));
  index.AddSegment(entries);
  index.AddSegment({entries.begin(), entries.begin() + 500});  // twice in two segments
  entries.assign(entries.begin() + 500, entries.end());
  std::vector<KeyAndHash> of_one = TextEntries(Numbers(300, 300, 2));
  for (KeyAndHash& entry : of_one) entry.key += "x";
  for (size_t i = 0; i < 300; ++i) of_one.push_back(of_one[i]);  // twice in one
  index.AddSegment(of_one);
  index.WriteDelta();
  const Contents expected = Expected(index);
  EXPECT_EQ(expected.size(), 1300U);
  EXPECT_EQ(Read(index.Open(), *index.store), expected);
}

// Such a row is to be found stale, whatever it is in the source.
TEST(IndexContents, EntriesThatNoRowCanHaveHaveAnotherHash) {
  const auto hash_of_a = [](bool has_duplicates, std::vector<KeyAndHash> entries) {
    HandMadeIndex index(KeyKind::kText, has_duplicates);
    entries.push_back({"b", 5});
    index.AddSegment(entries);
    index.WriteDelta();
    const Contents contents = Read(index.Open(), *index.store);
    EXPECT_EQ(contents.size(), 2U);
    EXPECT_EQ(contents[1], (KeyAndHash{"b", 5}));
    EXPECT_EQ(contents[0].key, "a");
    return contents[0].hash;
  };
  EXPECT_EQ(hash_of_a(false, {{"a", 1}}), 1U);
  EXPECT_EQ(hash_of_a(true, {{"a", 1}, {"a", 1}}), 1U);
  for (const uint64_t hash : {hash_of_a(false, {{"a", 1}, {"a", 1}}), hash_of_a(true, {{"a", 1}, {"a", 2}}),
                              hash_of_a(true, {{"a", 2}, {"a", 1}}), hash_of_a(true, {{"a", 1}, {"a", 1}, {"a", 1}})}) {
    EXPECT_NE(hash, 1U);
    EXPECT_NE(hash, 2U);
  }
}

TEST(IndexContents, OneWaveForAllIndexesAndOneForAllFirstBlocks) {
  HandMadeIndex index = ManySegments();
  const auto navigation = index.Open();
  const uint64_t before = index.store->counters().waves;
  Read(navigation, *index.store);
  EXPECT_EQ(index.store->counters().waves - before, 2U);
}

TEST(IndexContents, ReadsAheadInBoundedWaves) {
  HandMadeIndex index(KeyKind::kInteger);
  Random random(1);
  std::vector<KeyAndHash> entries[3];
  for (int64_t i = 0; i < 450'000; ++i)
    entries[random.Below(3)].push_back({testing::IntegerKey(i), static_cast<uint64_t>(i)});
  for (std::vector<KeyAndHash>& of_segment : entries) index.AddSegment(std::move(of_segment));
  index.WriteDelta();
  const auto navigation = index.Open();
  const StoreCounters before = index.store->counters();
  EXPECT_EQ(Read(navigation, *index.store), Expected(index));
  const StoreCounters after = index.store->counters();
  uint64_t planes = 0;
  for (const LiveSegment& segment : navigation->segments) planes += segment.info.length - segment.info.keys.offset;
  ASSERT_GT(planes, 9'000'000U);
  EXPECT_EQ(after.bytes_read - before.bytes_read, planes) << "each byte once";
  const uint64_t waves = after.waves - before.waves;
  EXPECT_GE(waves, 1 + planes / (3 << 20)) << "at most a megabyte ahead of each segment";
  EXPECT_LE(waves, 3 + planes / (3 << 20)) << "refilled together";
}

TEST(IndexContents, DamageOnTheWayHealsAndDamageInTheStoreIsTold) {
  HandMadeIndex index = ManySegments();
  const auto navigation = index.Open();
  testing::ChangingStore once(*index.store, testing::FlipFirst(3, 50));
  EXPECT_EQ(Read(navigation, once), Expected(index));
  Bytes object = index.Get(index.KeyOf(5));
  object[navigation->segments[5].info.keys.offset + 3] ^= 1;
  index.Put(index.KeyOf(5), object);
  try {
    Read(navigation, *index.store);
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), Code::kCorrupted);
    EXPECT_NE(error.message().find(index.KeyOf(5)), std::string::npos) << error.message();
  }
}

TEST(IndexContents, BlocksOutOfOrderAreDamage) {
  HandMadeIndex index(KeyKind::kInteger);
  std::vector<KeyAndHash> entries;
  for (int64_t i = 0; i < 300; ++i) entries.push_back({testing::IntegerKey(2 * i), 1});
  index.AddSegment(entries);
  index.WriteDelta();
  const auto navigation = index.Open();
  // The last key of the first block, beyond the first of the second.
  entries[255].key = testing::IntegerKey(2 * 256 + 1);
  std::vector<KeyEntry> keys;
  for (uint32_t i = 0; i < 300; ++i) keys.push_back({AsBytes(entries[i].key), i, 1});
  const LiveSegment& segment = navigation->segments[0];
  Bytes object = index.Get(segment.key);
  object.resize(segment.info.keys.offset);
  AppendKeyPlane(object, navigation->segment_shape(segment), keys);
  index.Put(segment.key, object);
  try {
    Read(navigation, *index.store);
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), Code::kCorrupted);
    EXPECT_NE(error.detail().find("below those of the block before"), std::string::npos) << error.detail();
  }
}

TEST(IndexContents, FailureAndCancelComeThrough) {
  HandMadeIndex index = ManySegments();
  const auto navigation = index.Open();
  for (int call = 0; call < 2; ++call) {
    testing::FaultyStore store(index.store.get());
    store.FailingAt(call);
    EXPECT_THROW(Read(navigation, store), Error) << call;
  }
  // Asked to stop when all it needs is in memory.
  IndexContents contents(navigation, {}, *index.store);
  ByteView key;
  uint64_t hash;
  NeverStop never;
  ASSERT_TRUE(contents.Next(&key, &hash, never));
  const uint64_t waves = index.store->counters().waves;
  try {
    testing::StopAtPoll stop(0);
    while (contents.Next(&key, &hash, stop)) continue;
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), Code::kCancelled);
  }
  EXPECT_EQ(index.store->counters().waves, waves);
}

}  // namespace
}  // namespace s3v

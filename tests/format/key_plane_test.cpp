#include "format/key_plane.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <functional>

#include "base/error.h"
#include "format/coding.h"
#include "format/samples.h"

namespace s3v {
namespace {

const std::string kKey = "segment";

SegmentShape ShapeOf(KeyKind kind) {
  SegmentShape shape = testing::SampleShape();
  shape.key_kind = kind;
  return shape;
}

// A segment that has a key plane and little else.
struct Plane {
  SegmentShape shape;
  std::vector<KeyEntry> entries;  // views into `keys`
  std::vector<std::string> keys;
  Bytes object;
  KeyPlanePlace place;

  uint32_t count() const { return static_cast<uint32_t>(entries.size()); }
  uint64_t index_offset() const { return object.size() - place.index_length; }
  ByteView index() const { return ByteView(object).subspan(index_offset()); }
  ByteView range(const KeyBlockPlace& block) const { return ByteView(object).subspan(block.offset, block.length); }
  std::vector<KeyBlockPlace> Blocks() const {
    return DecodeKeyIndex(index(), shape, place, object.size(), count(), kKey);
  }
  KeyBlock Open(const KeyBlockPlace& block) const { return KeyBlock(range(block), block, shape, count(), kKey); }
};

// Every key at a position of its own, keys in whatever order.
Plane PlaneOf(const SegmentShape& shape, std::vector<std::string> keys) {
  Plane plane{.shape = shape, .entries = {}, .keys = std::move(keys), .object = Bytes(100, 0xee), .place = {}};
  for (size_t i = 0; i < plane.keys.size(); ++i) {
    plane.entries.push_back({.key = AsBytes(plane.keys[i]), .position = static_cast<uint32_t>(i), .content_hash = ~i});
  }
  std::ranges::sort(plane.entries, std::less());
  plane.place = AppendKeyPlane(plane.object, shape, plane.entries);
  return plane;
}

std::vector<std::string> RandomKeys(KeyKind kind, size_t count, uint64_t seed) {
  Random random(seed);
  std::vector<std::string> keys;
  for (size_t i = 0; i < count; ++i) {
    const size_t width = KeyWidth(kind);
    std::string key(width > 0 ? width : random.Below(12), '\0');
    for (char& c : key) c = static_cast<char>(random.Below(4) * 80);  // some are equal, some have the highest bit
    keys.push_back(key);
  }
  return keys;
}

Code CodeOf(const std::function<void()>& call) {
  try {
    call();
  } catch (const Error& error) {
    return error.code();
  }
  return Code::kOk;
}

constexpr KeyKind kKinds[] = {KeyKind::kInteger, KeyKind::kUuid, KeyKind::kText};

TEST(KeyPlane, OrderIsByKeyAsBytesThenPosition) {
  const auto entry = [](std::string_view key, uint32_t position) {
    return KeyEntry{.key = AsBytes(key), .position = position, .content_hash = 0};
  };
  EXPECT_TRUE(entry("", 9) < entry("a", 0));
  EXPECT_TRUE(entry("a", 9) < entry("ab", 0));
  EXPECT_TRUE(entry("b", 0) < entry("\xc3", 0)) << "bytes have no sign";
  EXPECT_TRUE(entry("ab", 1) < entry("ab", 2));
  EXPECT_FALSE(entry("ab", 2) < entry("ab", 2));
  EXPECT_FALSE(entry("b", 0) < entry("ab", 2));
  EXPECT_FALSE(entry({}, 0) < entry("", 0));
}

TEST(KeyPlane, EveryEntryComesBack) {
  for (const KeyKind kind : kKinds) {
    for (const size_t count : {0, 1, 2, 255, 256, 257, 512, 1000}) {
      const Plane plane = PlaneOf(ShapeOf(kind), RandomKeys(kind, count, count));
      EXPECT_EQ(plane.place.offset, 100U);
      const std::vector<KeyBlockPlace> blocks = plane.Blocks();
      EXPECT_EQ(blocks.size(), (count + kKeysPerBlock - 1) / kKeysPerBlock);
      size_t seen = 0;
      uint64_t end = plane.place.offset;
      for (const KeyBlockPlace& place : blocks) {
        EXPECT_EQ(place.offset, end);
        end += place.length;
        const KeyBlock block = plane.Open(place);
        ASSERT_EQ(block.count(), place.count);
        for (size_t i = 0; i < block.count(); ++i, ++seen) {
          const KeyEntry read = block.entry(i);
          EXPECT_EQ(AsText(read.key), AsText(plane.entries[seen].key));
          EXPECT_EQ(read.position, plane.entries[seen].position);
          EXPECT_EQ(read.content_hash, plane.entries[seen].content_hash);
        }
        EXPECT_EQ(AsText(block.entry(0).key), place.first_key);
      }
      EXPECT_EQ(seen, count);
      EXPECT_EQ(end, plane.index_offset());
    }
  }
}

// The keys of a segment lie in its scan ranges, and the object moves while it grows.
TEST(KeyPlane, KeysMayBeViewsIntoTheObject) {
  for (size_t spare = 0; spare < 400; spare += 40) {
    Bytes object;
    object.reserve(3000 + spare);
    object.resize(3000, 'x');
    std::vector<KeyEntry> entries;
    for (uint32_t i = 0; i < 100; ++i) entries.push_back({.key = ByteView(object).subspan(30 * i, 30), .position = i});
    const SegmentShape shape = ShapeOf(KeyKind::kText);
    const KeyPlanePlace place = AppendKeyPlane(object, shape, entries);
    const ByteView index = ByteView(object).last(place.index_length);
    const auto blocks = DecodeKeyIndex(index, shape, place, object.size(), 100, kKey);
    ASSERT_EQ(blocks.size(), 1U);
    const KeyBlock block(ByteView(object).subspan(3000, blocks[0].length), blocks[0], shape, 100, kKey);
    EXPECT_EQ(AsText(block.entry(99).key), std::string(30, 'x'));
  }
}

TEST(KeyPlane, BlocksOfLongKeysAreShort) {
  std::vector<std::string> keys;
  for (char c = 'a'; c <= 'z'; ++c) keys.push_back(std::string(kMaxKeyBytes, c));
  for (int i = 0; i < 100; ++i) keys.push_back("m" + std::to_string(i) + std::string(3000, 'x'));
  const Plane plane = PlaneOf(ShapeOf(KeyKind::kText), keys);
  uint32_t entries = 0;
  for (const KeyBlockPlace& place : plane.Blocks()) {
    EXPECT_GE(place.count, 1U);
    EXPECT_LE(place.length, kKeyBytesPerBlock + 16 * place.count + 8);
    entries += place.count;
    EXPECT_EQ(AsText(plane.Open(place).entry(0).key), place.first_key);
  }
  EXPECT_EQ(entries, keys.size());
}

TEST(KeyPlane, ItsSizeIsKnownBefore) {
  for (const KeyKind kind : kKinds) {
    for (const size_t count : {0, 1, 256, 257, 1000}) {
      const Plane plane = PlaneOf(ShapeOf(kind), RandomKeys(kind, count, 3));
      const uint64_t size = plane.object.size() - plane.place.offset;
      uint64_t key_bytes = 0;
      for (const std::string& key : plane.keys) key_bytes += key.size();
      EXPECT_LE(size, MostKeyPlaneBytes(kind, count, key_bytes, 12));
      EXPECT_GE(size, MostKeyPlaneBytes(kind, count, 0, 0));
      if (KeyWidth(kind) > 0) {
        EXPECT_EQ(size, MostKeyPlaneBytes(kind, count, key_bytes, 12));
      }
    }
  }
  const Plane empty = PlaneOf(ShapeOf(KeyKind::kText), std::vector<std::string>(600));
  EXPECT_EQ(empty.object.size() - 100, MostKeyPlaneBytes(KeyKind::kText, 600, 0, 0));
  Random random(17);
  for (int round = 0; round < 60; ++round) {
    std::vector<std::string> keys;
    uint64_t key_bytes = 0;
    uint64_t longest = 0;
    const uint64_t scale = uint64_t{1} << (3 + random.Below(14));
    for (uint64_t left = 1 + random.Below(400); left > 0 && key_bytes < 2'000'000; --left) {
      const uint64_t length = std::min<uint64_t>(random.Below(scale), kMaxKeyBytes);
      keys.push_back(std::string(length, static_cast<char>('a' + random.Below(26))));
      key_bytes += length;
      longest = std::max(longest, length);
    }
    const size_t count = keys.size();
    const Plane plane = PlaneOf(ShapeOf(KeyKind::kText), std::move(keys));
    EXPECT_LE(plane.object.size() - 100, MostKeyPlaneBytes(KeyKind::kText, count, key_bytes, longest));
  }
}

// Looking up each key and its neighbours finds what a walk over all entries finds.
TEST(KeyPlane, LookUpsFindAllAndOnlyTheirKey) {
  for (const KeyKind kind : kKinds) {
    std::vector<std::string> keys = RandomKeys(kind, 1500, 21);
    for (int i = 0; i < 600; ++i) keys.push_back(keys[7]);  // one key fills more than two blocks
    const Plane plane = PlaneOf(ShapeOf(kind), keys);
    const std::vector<KeyBlockPlace> blocks = plane.Blocks();
    std::vector<std::string> wanted(keys.begin(), keys.begin() + 300);
    for (const std::string& key : RandomKeys(kind, 300, 22)) wanted.push_back(key);
    wanted.push_back(std::string(KeyWidth(kind), '\0'));
    wanted.push_back(std::string(std::max<size_t>(KeyWidth(kind), 14), '\xff'));
    for (const std::string& key : wanted) {
      size_t found = 0;
      const auto [first, last] = BlocksOf(blocks, AsBytes(key));
      ASSERT_LE(first, last);
      ASSERT_LE(last, blocks.size());
      for (size_t b = first; b < last; ++b) {
        const KeyBlock block = plane.Open(blocks[b]);
        const size_t lower = block.LowerBound(AsBytes(key));
        ASSERT_TRUE(lower == 0 || AsText(block.entry(lower - 1).key) < key);
        for (size_t i = lower; i < block.count() && AsText(block.entry(i).key) == key; ++i) ++found;
      }
      EXPECT_EQ(found, static_cast<size_t>(std::ranges::count(keys, key)));
    }
  }
}

TEST(KeyPlane, FewBlocksAreLookedAt) {
  std::vector<std::string> keys;
  for (int i = 0; i < 1024; ++i) keys.push_back({static_cast<char>(i / 4), static_cast<char>(i % 4)});
  const std::vector<KeyBlockPlace> blocks = PlaneOf(ShapeOf(KeyKind::kText), keys).Blocks();
  ASSERT_EQ(blocks.size(), 4U);
  EXPECT_EQ(BlocksOf(blocks, AsBytes("")), std::pair(size_t{0}, size_t{0})) << "before all";
  EXPECT_EQ(BlocksOf(blocks, AsBytes(keys[1])), std::pair(size_t{0}, size_t{1}));
  EXPECT_EQ(BlocksOf(blocks, AsBytes(keys[257])), std::pair(size_t{1}, size_t{2}));
  EXPECT_EQ(BlocksOf(blocks, AsBytes(keys[256])), std::pair(size_t{0}, size_t{2})) << "may begin in the block before";
  EXPECT_EQ(BlocksOf(blocks, AsBytes("\xff\xff")), std::pair(size_t{3}, size_t{4}));
  EXPECT_EQ(BlocksOf({}, AsBytes("a")), std::pair(size_t{0}, size_t{0}));
}

TEST(KeyPlane, VerifiedBlocksAreNotVerifiedAgain) {
  Plane plane = PlaneOf(ShapeOf(KeyKind::kInteger), {"11111111", "22222222"});
  const KeyBlockPlace place = plane.Blocks()[0];
  plane.object[place.offset + place.length - 1] ^= 1;
  EXPECT_EQ(CodeOf([&] { plane.Open(place); }), Code::kCorrupted);
  const KeyBlock block(plane.range(place), place, plane.shape, 2, kKey, Trust::kVerified);
  EXPECT_EQ(AsText(block.entry(1).key), "22222222");
  for (size_t size = 0; size < place.length; ++size) {
    const Bytes cut(plane.range(place).begin(), plane.range(place).begin() + static_cast<int64_t>(size));
    KeyBlockPlace short_place = place;
    EXPECT_EQ(CodeOf([&] { KeyBlock(cut, short_place, plane.shape, 2, kKey, Trust::kVerified); }), Code::kCorrupted);
    short_place.length = size;
    EXPECT_EQ(CodeOf([&] { KeyBlock(cut, short_place, plane.shape, 2, kKey, Trust::kVerified); }), Code::kCorrupted);
  }
}

TEST(KeyPlane, AnyAlignment) {
  const Plane plane = PlaneOf(ShapeOf(KeyKind::kText), RandomKeys(KeyKind::kText, 50, 4));
  const KeyBlockPlace place = plane.Blocks()[0];
  for (size_t shift = 0; shift < 8; ++shift) {
    Bytes bytes(shift);
    Append(bytes, plane.range(place));
    const KeyBlock block(ByteView(bytes).subspan(shift), place, plane.shape, 50, kKey);
    EXPECT_EQ(block.entry(49).content_hash, plane.entries[49].content_hash);
  }
}

}  // namespace
}  // namespace s3v

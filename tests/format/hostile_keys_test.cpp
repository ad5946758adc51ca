// Key planes that are not what they claim: cut, damaged, swapped, or with numbers that lie under a good checksum.
#include <gtest/gtest.h>

#include <algorithm>
#include <functional>

#include "base/error.h"
#include "format/coding.h"
#include "format/key_plane.h"
#include "format/samples.h"

namespace s3v {
namespace {

const std::string kKey = "segment";
constexpr uint32_t kEntries = 300;  // in two blocks: 256 and 44

SegmentShape ShapeOf(KeyKind kind) {
  SegmentShape shape = testing::SampleShape();
  shape.key_kind = kind;
  return shape;
}

// Keys "\0\0\0\0\0\0\0\1" and on, each at its own position; as text they are as long.
struct Plane {
  SegmentShape shape;
  Bytes object;
  KeyPlanePlace place;

  explicit Plane(KeyKind kind) : shape(ShapeOf(kind)), object(1000) {
    std::vector<std::string> keys;
    std::vector<KeyEntry> entries;
    for (uint32_t i = 0; i < kEntries; ++i) {
      std::string key(8, '\0');
      key[6] = static_cast<char>(i >> 8);
      key[7] = static_cast<char>(i);
      keys.push_back(std::move(key));
    }
    for (uint32_t i = 0; i < kEntries; ++i) entries.push_back({AsBytes(keys[i]), i, 1000 + i});
    place = AppendKeyPlane(object, shape, entries);
  }
  uint64_t index_offset() const { return object.size() - place.index_length; }
  Bytes Index() const { return {object.begin() + static_cast<int64_t>(index_offset()), object.end()}; }
  std::vector<KeyBlockPlace> Blocks() const {
    return DecodeKeyIndex(Index(), shape, place, object.size(), kEntries, kKey);
  }
  Bytes Block(const KeyBlockPlace& block) const {
    const auto begin = object.begin() + static_cast<int64_t>(block.offset);
    return {begin, begin + static_cast<int64_t>(block.length)};
  }
};

// What the reader says; nothing when it accepts.
std::string FaultOf(const std::function<void()>& read) {
  try {
    read();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), Code::kCorrupted) << error.message();
    return error.detail();
  }
  return "";
}

std::string IndexFault(const Plane& plane, const Bytes& bytes, const KeyPlanePlace& place, uint64_t segment_length,
                       uint32_t entries = kEntries) {
  return FaultOf([&] { DecodeKeyIndex(bytes, plane.shape, place, segment_length, entries, kKey); });
}

// The index after `damage`, its checksum made to fit again.
std::string ForgedIndex(KeyKind kind, const std::function<void(Bytes&)>& damage) {
  const Plane plane(kind);
  Bytes bytes = plane.Index();
  bytes.resize(bytes.size() - 4);
  damage(bytes);
  AppendRangeChecksum(bytes, plane.shape.object, 0, plane.index_offset());
  KeyPlanePlace place = plane.place;
  place.index_length = bytes.size();
  return IndexFault(plane, bytes, place, plane.index_offset() + bytes.size());
}

// The first block after `damage`.
std::string ForgedBlock(KeyKind kind, const std::function<void(Bytes&, KeyBlockPlace&)>& damage) {
  const Plane plane(kind);
  KeyBlockPlace place = plane.Blocks()[0];
  Bytes bytes = plane.Block(place);
  bytes.resize(bytes.size() - 4);
  damage(bytes, place);
  AppendRangeChecksum(bytes, plane.shape.object, 0, place.offset);
  place.length = bytes.size();
  const auto open = [&](Trust trust) { KeyBlock(bytes, place, plane.shape, kEntries, kKey, trust); };
  const std::string fault = FaultOf([&] { open(Trust::kVerify); });
  EXPECT_EQ(FaultOf([&] { open(Trust::kVerified); }), fault);
  return fault;
}

void Write(Bytes& bytes, size_t offset, uint32_t value) { std::memcpy(bytes.data() + offset, &value, 4); }

constexpr KeyKind kKinds[] = {KeyKind::kInteger, KeyKind::kText};

TEST(HostileKeys, EveryFlippedByteAndEveryCut) {
  for (const KeyKind kind : kKinds) {
    const Plane plane(kind);
    const Bytes index = plane.Index();
    ASSERT_EQ(IndexFault(plane, index, plane.place, plane.object.size()), "");
    for (size_t i = 0; i < index.size(); ++i) {
      Bytes bytes = index;
      bytes[i] ^= 0x40;
      EXPECT_NE(IndexFault(plane, bytes, plane.place, plane.object.size()), "") << i;
      bytes = Bytes(index.begin(), index.begin() + static_cast<int64_t>(i));
      EXPECT_NE(IndexFault(plane, bytes, plane.place, plane.object.size()), "") << i;
      KeyPlanePlace place = plane.place;
      place.index_length = i;
      EXPECT_NE(IndexFault(plane, bytes, place, plane.object.size()), "") << i;
    }
    for (const KeyBlockPlace& place : plane.Blocks()) {
      const Bytes block = plane.Block(place);
      const auto fault = [&](const Bytes& bytes) {
        return FaultOf([&] { KeyBlock(bytes, place, plane.shape, kEntries, kKey); });
      };
      ASSERT_EQ(fault(block), "");
      for (size_t i = 0; i < block.size(); ++i) {
        Bytes bytes = block;
        bytes[i] ^= 0x40;
        ASSERT_NE(fault(bytes), "") << i;
        ASSERT_NE(fault(Bytes(block.begin(), block.begin() + static_cast<int64_t>(i))), "") << i;
      }
    }
  }
}

// Every cut of a block and of the index, under a good checksum.
TEST(HostileKeys, EveryCutUnderAGoodChecksum) {
  for (const KeyKind kind : kKinds) {
    const size_t index = Plane(kind).Index().size() - 4;
    for (size_t size = 0; size < index; ++size) {
      EXPECT_NE(ForgedIndex(kind, [&](Bytes& bytes) { bytes.resize(size); }), "") << size;
    }
    EXPECT_NE(ForgedIndex(kind, [&](Bytes& bytes) { bytes.push_back(0); }), "");
    const size_t block = Plane(kind).Blocks()[0].length - 4;
    for (size_t size = 0; size < block; ++size) {
      ASSERT_NE(ForgedBlock(kind, [&](Bytes& bytes, KeyBlockPlace&) { bytes.resize(size); }), "") << size;
    }
    EXPECT_NE(ForgedBlock(kind, [&](Bytes& bytes, KeyBlockPlace&) { bytes.push_back(0); }), "");
  }
}

TEST(HostileKeys, SwappedAndForeign) {
  const Plane plane(KeyKind::kInteger);
  const std::vector<KeyBlockPlace> blocks = plane.Blocks();
  KeyBlockPlace moved = blocks[0];
  ++moved.offset;
  EXPECT_NE(FaultOf([&] { KeyBlock(plane.Block(blocks[0]), moved, plane.shape, kEntries, kKey); }), "");
  EXPECT_NE(FaultOf([&] { KeyBlock(plane.Block(blocks[1]), blocks[0], plane.shape, kEntries, kKey); }), "");
  Plane other = plane;
  other.shape.object[0] ^= 1;
  EXPECT_NE(FaultOf([&] { KeyBlock(plane.Block(blocks[0]), blocks[0], other.shape, kEntries, kKey); }), "");
  EXPECT_NE(FaultOf([&] { other.Blocks(); }), "");
}

TEST(HostileKeys, IndexThatDoesNotFitItsSegment) {
  const Plane plane(KeyKind::kInteger);
  const Bytes index = plane.Index();
  const uint64_t length = plane.object.size();
  EXPECT_EQ(IndexFault(plane, index, plane.place, length, kEntries - 1), "blocks have 300 keys of 299 entries");
  EXPECT_EQ(IndexFault(plane, index, plane.place, length, 0xffffffff), "blocks have 300 keys of 4294967295 entries");
  KeyPlanePlace place = plane.place;
  for (const uint64_t offset : {uint64_t{999}, uint64_t{1001}, length, UINT64_MAX}) {
    place.offset = offset;
    EXPECT_NE(IndexFault(plane, index, place, length), "") << offset;
  }
  EXPECT_NE(IndexFault(plane, index, plane.place, length + 1), "");
  EXPECT_NE(IndexFault(plane, index, plane.place, index.size() - 1), "");
  EXPECT_NE(IndexFault(plane, index, plane.place, 0), "");
}

TEST(HostileKeys, LyingIndex) {
  constexpr size_t kPlaces = 4;
  constexpr size_t kKeys = kPlaces + 2 * 8;
  for (const KeyKind kind : kKinds) {
    const auto forged = [&](size_t offset, uint32_t value) {
      return ForgedIndex(kind, [&](Bytes& bytes) { Write(bytes, offset, value); });
    };
    ASSERT_EQ(forged(0, 2), "");
    for (const uint32_t blocks : {0U, 1U, 3U, 0x20000000U, 0x80000000U, 0xffffffffU}) {
      EXPECT_NE(forged(0, blocks), "") << blocks;
    }
    const uint32_t length = static_cast<uint32_t>(Plane(kind).Blocks()[0].length);
    for (const uint32_t other : {0U, length - 1, length + 1, 0x80000000U, 0xffffffffU}) {
      EXPECT_NE(forged(kPlaces, other), "") << other;
    }
    for (const uint32_t count : {0U, 255U, 257U, 0x10000000U, 0xffffffffU}) {
      EXPECT_NE(forged(kPlaces + 4, count), "") << count;
    }
    EXPECT_EQ(forged(kPlaces + 4, 0), "a block of keys has 0 entries");
    EXPECT_EQ(forged(kPlaces + 4, 257), "a block of keys has 257 entries");
  }
  EXPECT_EQ(ForgedIndex(KeyKind::kInteger, [](Bytes& bytes) { bytes[kKeys] = 1; }), "blocks of keys are out of order");
  EXPECT_EQ(ForgedIndex(KeyKind::kInteger,
                        [](Bytes& bytes) { std::copy_n(bytes.begin() + kKeys, 8, bytes.begin() + kKeys + 8); }),
            "")
      << "equal ones follow each other";
  const auto with_end = [&](size_t i, uint32_t end) {
    return ForgedIndex(KeyKind::kText, [&](Bytes& bytes) { Write(bytes, kKeys + 4 * i, end); });
  };
  EXPECT_EQ(with_end(0, 8), "");
  for (const uint32_t end : {17U, 0x80000000U, 0xffffffffU}) EXPECT_NE(with_end(0, end), "") << end;
  for (const uint32_t end : {0U, 7U, 15U, 17U, 0xffffffffU}) EXPECT_NE(with_end(1, end), "") << end;
}

// Lengths that are shifted between two blocks of text: nothing says so before the blocks are read.
TEST(HostileKeys, BlocksOfTextThatShareTheirBytesWrongly) {
  const Plane plane(KeyKind::kText);
  const std::vector<KeyBlockPlace> good = plane.Blocks();
  const auto shift = [&](Bytes& bytes) {
    Write(bytes, 4, static_cast<uint32_t>(good[0].length + 1));
    Write(bytes, 12, static_cast<uint32_t>(good[1].length - 1));
  };
  EXPECT_EQ(ForgedIndex(KeyKind::kText, shift), "");
  EXPECT_EQ(ForgedIndex(KeyKind::kInteger, shift), "a block of keys has another length than its entries");
  KeyBlockPlace longer = good[0];
  ++longer.length;
  EXPECT_NE(FaultOf([&] { KeyBlock(plane.Block(longer), longer, plane.shape, kEntries, kKey); }), "");
}

TEST(HostileKeys, LyingBlocks) {
  constexpr size_t kPositions = 4;
  constexpr size_t kHashes = kPositions + 4 * kKeysPerBlock;
  constexpr size_t kKeys = kHashes + 8 * kKeysPerBlock;
  for (const KeyKind kind : kKinds) {
    const auto forged = [&](size_t offset, uint32_t value) {
      return ForgedBlock(kind, [&](Bytes& bytes, KeyBlockPlace&) { Write(bytes, offset, value); });
    };
    ASSERT_EQ(forged(0, 256), "");
    for (const uint32_t count : {0U, 1U, 255U, 257U, 0x80000000U, 0xffffffffU}) {
      EXPECT_NE(forged(0, count), "") << count;
      EXPECT_NE(ForgedBlock(kind,
                            [&](Bytes& bytes, KeyBlockPlace& place) {
                              Write(bytes, 0, count);
                              place.count = count;
                            }),
                "")
          << count;
    }
    EXPECT_EQ(forged(kPositions + 4, kEntries - 1), "") << "some entry's";
    for (const uint32_t position : {kEntries, 0x80000000U, 0xffffffffU}) {
      EXPECT_EQ(forged(kPositions + 4, position), "a key belongs to an entry that does not exist") << position;
    }
    EXPECT_EQ(forged(kHashes, 0xffffffff), "") << "a hash may be anything";
    EXPECT_EQ(ForgedBlock(kind, [](Bytes&, KeyBlockPlace& place) { place.first_key[3] = 'x'; }),
              "the block of keys begins with another key than the index says");
  }
  const auto with_key = [&](size_t i, uint8_t last) {
    return ForgedBlock(KeyKind::kInteger, [&](Bytes& bytes, KeyBlockPlace&) { bytes[kKeys + 8 * i + 7] = last; });
  };
  EXPECT_EQ(with_key(9, 9), "");
  EXPECT_EQ(with_key(9, 8), "") << "equal to the one before, at a later position";
  EXPECT_EQ(with_key(9, 7), "keys are out of order");
  EXPECT_EQ(with_key(9, 11), "keys are out of order");
  EXPECT_EQ(ForgedBlock(KeyKind::kInteger,
                        [&](Bytes& bytes, KeyBlockPlace&) {
                          bytes[kKeys + 8 * 9 + 7] = 8;
                          Write(bytes, kPositions + 4 * 9, 8);
                        }),
            "keys are out of order")
      << "the same entry twice";
  const auto with_end = [&](size_t i, uint32_t end) {
    return ForgedBlock(KeyKind::kText, [&](Bytes& bytes, KeyBlockPlace&) { Write(bytes, kKeys + 4 * i, end); });
  };
  EXPECT_EQ(with_end(0, 8), "");
  for (const uint32_t end : {17U, 0x80000000U, 0xffffffffU}) EXPECT_NE(with_end(0, end), "") << end;
  for (const uint32_t end : {0U, 2047U, 2049U, 0xffffffffU}) EXPECT_NE(with_end(255, end), "") << end;
}

}  // namespace
}  // namespace s3v

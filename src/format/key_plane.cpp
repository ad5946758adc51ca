#include "format/key_plane.h"

#include <algorithm>

#include "format/coding.h"
#include "format/items.h"

namespace s3v {
namespace {

constexpr uint64_t kEntrySize = sizeof(uint32_t) + sizeof(uint64_t);       // position and hash, beside the key
constexpr uint64_t kBlockFrameSize = sizeof(uint32_t) + kChecksumSize;     // count and checksum
constexpr uint64_t kIndexFrameSize = sizeof(uint32_t) + kChecksumSize;     // blocks and checksum
constexpr uint64_t kIndexEntrySize = sizeof(uint32_t) + sizeof(uint32_t);  // length and count of a block

uint64_t LeastKeyBytes(KeyKind kind) { return HasEnds(kind) ? kEndSize : KeyWidth(kind); }

int Compare(ByteView a, ByteView b) {
  const size_t common = std::min(a.size(), b.size());
  const int order = common == 0 ? 0 : std::memcmp(a.data(), b.data(), common);
  if (order != 0) return order;
  return a.size() < b.size() ? -1 : a.size() > b.size() ? 1 : 0;
}

// As many of the entries as the next block takes: at least one.
std::span<const KeyEntry> NextBlock(std::span<const KeyEntry> entries) {
  size_t count = 0;
  size_t bytes = 0;
  while (count < entries.size() && count < kKeysPerBlock) {
    bytes += entries[count].key.size();
    if (count > 0 && bytes > kKeyBytesPerBlock) break;
    ++count;
  }
  return entries.first(count);
}

ByteView KeyOf(const KeyEntry& entry) { return entry.key; }

void AppendBlock(Bytes& plane, const SegmentShape& shape, std::span<const KeyEntry> entries, uint64_t plane_offset) {
  const size_t start = plane.size();
  Append(plane, static_cast<uint32_t>(entries.size()));
  for (const KeyEntry& entry : entries) Append(plane, entry.position);
  for (const KeyEntry& entry : entries) Append(plane, entry.content_hash);
  AppendKeys(plane, shape.key_kind, entries, KeyOf);
  AppendRangeChecksum(plane, shape.object, start, plane_offset + start);
}

}  // namespace

bool KeyEntry::operator<(const KeyEntry& other) const {
  const int order = Compare(key, other.key);
  return order != 0 ? order < 0 : position < other.position;
}

KeyPlanePlace AppendKeyPlane(Bytes& object, const SegmentShape& shape, std::span<const KeyEntry> entries) {
  const uint64_t plane_offset = object.size();
  // Apart from the object, which may have to move and holds the keys.
  Bytes plane;
  Bytes places;
  std::vector<ByteView> first_keys;
  for (std::span<const KeyEntry> rest = entries; !rest.empty();) {
    const std::span<const KeyEntry> block = NextBlock(rest);
    const size_t start = plane.size();
    AppendBlock(plane, shape, block, plane_offset);
    Append(places, static_cast<uint32_t>(plane.size() - start));
    Append(places, static_cast<uint32_t>(block.size()));
    first_keys.push_back(block.front().key);
    rest = rest.subspan(block.size());
  }
  const size_t index = plane.size();
  Append(plane, static_cast<uint32_t>(first_keys.size()));
  Append(plane, ByteView(places));
  AppendKeys(plane, shape.key_kind, first_keys, [](ByteView key) { return key; });
  AppendRangeChecksum(plane, shape.object, index, plane_offset + index);
  Append(object, ByteView(plane));
  return {.offset = plane_offset, .index_length = plane.size() - index};
}

uint64_t MostKeyPlaneBytes(KeyKind kind, uint64_t entries, uint64_t key_bytes, uint64_t longest_key) {
  const uint64_t fixed = LeastKeyBytes(kind);
  uint64_t blocks = (entries + kKeysPerBlock - 1) / kKeysPerBlock;
  uint64_t variable = 0;
  if (HasEnds(kind)) {
    // A block that is full of bytes has, together with the next, more of them than one may have.
    blocks += 2 * key_bytes / kKeyBytesPerBlock;
    variable = key_bytes + blocks * longest_key;
  }
  return entries * (kEntrySize + fixed) + blocks * (kBlockFrameSize + kIndexEntrySize + fixed) + kIndexFrameSize +
         variable;
}

std::vector<KeyBlockPlace> DecodeKeyIndex(ByteView bytes, const SegmentShape& shape, const KeyPlanePlace& place,
                                          uint64_t segment_length, uint32_t entries, const std::string& key) {
  if (bytes.size() != place.index_length || bytes.size() > segment_length ||
      place.offset > segment_length - bytes.size()) {
    ThrowCorrupted(key, place.offset, "the index of the keys has another length than its place");
  }
  const uint64_t index_offset = segment_length - bytes.size();
  Decoder decoder(CheckRange(bytes, shape.object, index_offset, key), key, index_offset);
  const auto count = decoder.Read<uint32_t>();
  const uint64_t places_offset = decoder.offset();
  const uint8_t* places = TakeItems(decoder, count, kIndexEntrySize);
  const size_t key_width = KeyWidth(shape.key_kind);
  const Items keys = TakeKeys(decoder, shape.key_kind, count);

  std::vector<KeyBlockPlace> blocks(count);
  uint64_t offset = place.offset;
  uint64_t counted = 0;
  for (size_t i = 0; i < count; ++i) {
    KeyBlockPlace& block = blocks[i];
    block.offset = offset;
    block.length = ReadAt<uint32_t>(places, 2 * i);
    block.count = ReadAt<uint32_t>(places, 2 * i + 1);
    block.first_key = AsText(KeyAt(key_width, keys.ends, keys.bytes, i));
    const uint64_t at = places_offset + i * kIndexEntrySize;
    if (block.count < 1 || block.count > kKeysPerBlock) {
      ThrowCorrupted(key, at, "a block of keys has " + std::to_string(block.count) + " entries");
    }
    const uint64_t least = kBlockFrameSize + block.count * (kEntrySize + LeastKeyBytes(shape.key_kind));
    if (HasEnds(shape.key_kind) ? block.length < least : block.length != least) {
      ThrowCorrupted(key, at, "a block of keys has another length than its entries");
    }
    if (i > 0 && Compare(AsBytes(block.first_key), AsBytes(blocks[i - 1].first_key)) < 0) {
      ThrowCorrupted(key, at, "blocks of keys are out of order");
    }
    offset += block.length;
    counted += block.count;
  }
  if (offset != index_offset) ThrowCorrupted(key, places_offset, "blocks of keys do not fill their plane");
  if (counted != entries) {
    ThrowCorrupted(key, places_offset,
                   "blocks have " + std::to_string(counted) + " keys of " + std::to_string(entries) + " entries");
  }
  return blocks;
}

std::pair<size_t, size_t> BlocksOf(std::span<const KeyBlockPlace> blocks, ByteView key) {
  const auto is_before = [&](const KeyBlockPlace& block) { return Compare(AsBytes(block.first_key), key) < 0; };
  const auto is_not_behind = [&](const KeyBlockPlace& block) { return Compare(AsBytes(block.first_key), key) <= 0; };
  const auto lower = std::partition_point(blocks.begin(), blocks.end(), is_before) - blocks.begin();
  const auto upper = std::partition_point(blocks.begin(), blocks.end(), is_not_behind) - blocks.begin();
  // The block before those that begin with the key may end with it.
  return {static_cast<size_t>(lower > 0 ? lower - 1 : 0), static_cast<size_t>(upper)};
}

KeyBlock::KeyBlock(ByteView bytes, const KeyBlockPlace& place, const SegmentShape& shape, uint32_t entries,
                   const std::string& key, Trust trust)
    : count_(place.count), key_width_(KeyWidth(shape.key_kind)) {
  if (bytes.size() != place.length) ThrowCorrupted(key, place.offset, "the block of keys has another length");
  Decoder decoder(trust == Trust::kVerify ? CheckRange(bytes, shape.object, place.offset, key)
                                          : SkipChecksum(bytes, place.offset, key),
                  key, place.offset);
  if (decoder.Read<uint32_t>() != place.count) {
    ThrowCorrupted(key, place.offset, "the block of keys has another count than the index");
  }
  const uint64_t positions_offset = decoder.offset();
  positions_ = TakeItems(decoder, count_, sizeof(uint32_t));
  hashes_ = TakeItems(decoder, count_, sizeof(uint64_t));
  const Items keys = TakeKeys(decoder, shape.key_kind, count_);
  key_ends_ = keys.ends;
  keys_ = keys.bytes;

  for (size_t i = 0; i < count_; ++i) {
    const uint64_t at = positions_offset + i * sizeof(uint32_t);
    const KeyEntry here = entry(i);
    if (here.position >= entries) ThrowCorrupted(key, at, "a key belongs to an entry that does not exist");
    if (i > 0 && !(entry(i - 1) < here)) ThrowCorrupted(key, at, "keys are out of order");
  }
  if (count_ > 0 && Compare(entry(0).key, AsBytes(place.first_key)) != 0) {
    ThrowCorrupted(key, place.offset, "the block of keys begins with another key than the index says");
  }
}

KeyEntry KeyBlock::entry(size_t i) const {
  return {.key = KeyAt(key_width_, key_ends_, keys_, i),
          .position = ReadAt<uint32_t>(positions_, i),
          .content_hash = ReadAt<uint64_t>(hashes_, i)};
}

size_t KeyBlock::LowerBound(ByteView key) const {
  size_t first = 0;
  size_t last = count_;
  while (first < last) {
    const size_t middle = first + (last - first) / 2;
    if (Compare(KeyAt(key_width_, key_ends_, keys_, middle), key) < 0) {
      first = middle + 1;
    } else {
      last = middle;
    }
  }
  return first;
}

}  // namespace s3v

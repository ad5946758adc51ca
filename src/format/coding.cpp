#include "format/coding.h"

#include <algorithm>
#include <bit>
#include <limits>

#include "base/checksum.h"

namespace s3v {
namespace {

constexpr char kMagic[] = {'S', '3', 'V'};
constexpr size_t kChecksumOffset = kHeaderSize - sizeof(uint32_t);

constexpr const char* kRebuildHint = "Rebuild the index: s3v_sync with mode 'rebuild'.";
constexpr const char* kUpgradeHint =
    "Upgrade the extension, or rebuild the index with this release: s3v_sync with mode 'rebuild'.";

constexpr uint32_t kSign = 0x80000000;

constexpr uint32_t kMoreFollows = 0x80;  // in a byte of a varint
constexpr int kVarintBits = 7;
constexpr int kLastVarintShift = 28;  // of the fifth byte, which has the highest four bits of 32

// Where the bits of a float, masked, are first beyond those of `greatest`. The bits of numbers from 0 up are ordered as
// the numbers are; a sign or a NaN comes after all of them.
size_t FindBeyond(const uint8_t* floats, size_t count, uint32_t mask, float greatest) {
  const auto limit = std::bit_cast<uint32_t>(greatest);
  const auto is_beyond = [=](size_t i) {
    uint32_t bits;
    std::memcpy(&bits, floats + i * sizeof bits, sizeof bits);
    return (bits & mask) > limit;
  };
  // Every scan comes through here. Blocks of a fixed size become vectors, whatever the compiler's level.
  constexpr size_t kBlock = 16;
  size_t i = 0;
  for (; i + kBlock <= count; i += kBlock) {
    uint32_t beyond = 0;
    for (size_t j = 0; j < kBlock; ++j) beyond |= static_cast<uint32_t>(is_beyond(i + j));
    if (beyond != 0) break;
  }
  while (i < count && !is_beyond(i)) ++i;
  return i;
}

}  // namespace

void AppendHeader(Bytes& out, const ObjectHeader& header) {
  const size_t start = out.size();
  Append(out, AsBytes({kMagic, sizeof kMagic}));
  Append(out, header.kind);
  Append(out, header.format);
  Append(out, uint16_t{0});  // flags
  Append(out, ByteView(header.index));
  Append(out, ByteView(header.object));
  Append(out, uint32_t{0});  // reserved
  Append(out, Crc32c(ByteView(out).subspan(start)));
}

void CheckHeader(ByteView object, const ObjectHeader& expected, const std::string& key) {
  if (object.size() < kHeaderSize) ThrowCorrupted(key, object.size(), "the object ends inside its header");
  Decoder decoder(object.first(kHeaderSize), key);
  if (AsText(decoder.Take(sizeof kMagic)) != std::string_view(kMagic, sizeof kMagic)) {
    ThrowCorrupted(key, 0, "this is no object of s3v");
  }
  uint32_t checksum;
  std::memcpy(&checksum, object.data() + kChecksumOffset, sizeof checksum);
  if (checksum != Crc32c(object.first(kChecksumOffset))) {
    ThrowCorrupted(key, kChecksumOffset, "the header's checksum does not match");
  }

  const auto kind = decoder.Read<char>();
  const auto format = decoder.Read<uint16_t>();
  const auto flags = decoder.Read<uint16_t>();
  if (format != expected.format || flags != 0) {
    throw Error(Code::kNotSupported,
                "object \"" + key + "\" has format " + std::to_string(format) + " with flags " + std::to_string(flags),
                "This release of s3v reads format " + std::to_string(expected.format) + " with flags 0.",
                format < expected.format ? kRebuildHint : kUpgradeHint);
  }
  if (kind != expected.kind) ThrowCorrupted(key, sizeof kMagic, "the object is of another kind");
  const ByteView index = decoder.Take(sizeof(ObjectId));
  if (!std::ranges::equal(index, expected.index)) {
    ThrowCorrupted(key, decoder.offset() - sizeof(ObjectId), "the object belongs to index " + ToHex(index));
  }
  const ByteView id = decoder.Take(sizeof(ObjectId));
  if (!std::ranges::equal(id, expected.object)) {
    ThrowCorrupted(key, decoder.offset() - sizeof(ObjectId), "the object was written as " + ToHex(id));
  }
  if (decoder.Read<uint32_t>() != 0) {
    ThrowCorrupted(key, decoder.offset() - sizeof(uint32_t), "a reserved field is not zero");
  }
}

ByteView Decoder::Take(uint64_t size) {
  if (size > bytes_.size()) Fail("a length leaves the object");
  const ByteView taken = bytes_.first(size);
  bytes_ = bytes_.subspan(size);
  taken_ += size;
  return taken;
}

uint8_t Decoder::ReadNumber(int first, int last, const char* what) {
  const uint64_t offset = this->offset();
  const auto number = Read<uint8_t>();
  if (number < first || number > last) {
    FailAt(offset, std::string(what) + " " + std::to_string(number) + " is unknown");
  }
  return number;
}

void Decoder::RequireZero(uint64_t size) {
  const uint64_t offset = this->offset();
  for (const uint8_t byte : Take(size)) {
    if (byte != 0) FailAt(offset, "a reserved field is not zero");
  }
}

uint32_t Decoder::ReadVarint() {
  uint64_t value = 0;
  for (int shift = 0; shift <= kLastVarintShift; shift += kVarintBits) {
    const uint64_t byte = Read<uint8_t>();
    value |= (byte & (kMoreFollows - 1)) << shift;
    if ((byte & kMoreFollows) != 0) continue;
    if (value > UINT32_MAX || (byte == 0 && shift > 0)) break;
    return static_cast<uint32_t>(value);
  }
  Fail("a number is too long");
}

void AppendVarint(Bytes& out, uint32_t value) {
  for (; value >= kMoreFollows; value >>= kVarintBits) out.push_back(static_cast<uint8_t>(value | kMoreFollows));
  out.push_back(static_cast<uint8_t>(value));
}

void Decoder::FailAt(uint64_t offset, const std::string& what) const { ThrowCorrupted(key_, offset, what); }

void AppendRangeChecksum(Bytes& out, const ObjectId& object, size_t start, uint64_t offset) {
  Append(out, RangeChecksum(object, offset, ByteView(out).subspan(start)));
}

ByteView CheckRange(ByteView range, const ObjectId& object, uint64_t offset, const std::string& key) {
  const ByteView payload = SkipChecksum(range, offset, key);
  uint32_t checksum;
  std::memcpy(&checksum, payload.data() + payload.size(), sizeof checksum);
  if (checksum != RangeChecksum(object, offset, payload)) {
    ThrowCorrupted(key, offset, "the checksum of the range does not match");
  }
  return payload;
}

ByteView SkipChecksum(ByteView range, uint64_t offset, const std::string& key) {
  if (range.size() < sizeof(uint32_t)) ThrowCorrupted(key, offset + range.size(), "the range ends before its checksum");
  return range.first(range.size() - sizeof(uint32_t));
}

size_t FindNoLength(const uint8_t* floats, size_t count, float greatest) {
  return FindBeyond(floats, count, ~uint32_t{0}, greatest);
}

size_t FindNotFinite(const uint8_t* floats, size_t count) {
  return FindBeyond(floats, count, ~kSign, std::numeric_limits<float>::max());
}

void ThrowCorrupted(const std::string& key, uint64_t offset, const std::string& what) {
  throw Error(Code::kCorrupted, "object \"" + key + "\" is corrupted at offset " + std::to_string(offset), what);
}

}  // namespace s3v

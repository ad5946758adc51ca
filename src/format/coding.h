// What all binary objects share: the header, and reading that checks every length and number before use.
#pragma once

#include <cstdint>
#include <string>

#include "base/bytes.h"
#include "base/error.h"
#include "base/random.h"

namespace s3v {

// object header, 48 bytes:
//   magic "S3V" kind u8 | format u16 | flags u16 = 0 | index uuid 16 | object id 16 | reserved u32 = 0 | crc32c u32 of
//   the 44 bytes before
inline constexpr size_t kHeaderSize = 48;

// One number for all kinds of objects.
inline constexpr uint16_t kFormat = 4;

struct ObjectHeader {
  char kind = 0;  // 'O' owner, 'M' manifest, 'B' navigation base, 'D' navigation delta, 'G' segment
  uint16_t format = kFormat;
  ObjectId index{};
  ObjectId object{};
};

void AppendHeader(Bytes& out, const ObjectHeader& header);

// Checks magic, checksum, kind, format, flags, index and object id. `key` names the object in errors. Throws
// kCorrupted; for a format or flag that this release does not read, kNotSupported with both numbers and the hint to
// rebuild or to upgrade.
void CheckHeader(ByteView object, const ObjectHeader& expected, const std::string& key);

// Reads an object front to back. Throws kCorrupted naming key and offset when bytes run out.
class Decoder {
 public:
  Decoder(ByteView bytes, const std::string& key, uint64_t base_offset = 0)
      : bytes_(bytes), key_(key), base_(base_offset) {}

  template <class T>
  requires std::is_trivially_copyable_v<T> T Read() {
    const ByteView raw = Take(sizeof(T));
    T value;
    std::memcpy(&value, raw.data(), sizeof(T));
    return value;
  }
  // count elements of T; the product is checked against the bytes left before anything is allocated.
  template <class T>
  std::vector<T> ReadArray(uint64_t count) {
    if (count > bytes_.size() / sizeof(T)) Fail("a length leaves the object");
    const ByteView raw = Take(count * sizeof(T));
    std::vector<T> values(count);
    if (count > 0) std::memcpy(values.data(), raw.data(), raw.size());
    return values;
  }
  ByteView Take(uint64_t size);
  // A number from `first` to `last`; `what` names it in errors.
  uint8_t ReadNumber(int first, int last, const char* what);
  bool ReadFlag() { return ReadNumber(0, 1, "flag") == 1; }
  // Filler that a later format may give a meaning: refused, not ignored, when it is not zero.
  void RequireZero(uint64_t size);
  // As AppendVarint writes it, and no longer than it needs to be.
  uint32_t ReadVarint();
  size_t left() const { return bytes_.size(); }
  ByteView rest() const { return bytes_; }
  uint64_t offset() const { return base_ + taken_; }
  // Throws kCorrupted naming the place where reading stands, or another one.
  [[noreturn]] void Fail(const std::string& what) const { FailAt(offset(), what); }
  [[noreturn]] void FailAt(uint64_t offset, const std::string& what) const;

 private:
  ByteView bytes_;
  const std::string& key_;
  uint64_t base_;
  uint64_t taken_ = 0;
};

// LEB128: seven bits a byte, the low ones first, the highest bit set in all bytes but the last.
void AppendVarint(Bytes& out, uint32_t value);

// A range that is read alone ends with its own checksum (RangeChecksum of everything before, seeded with the range's
// offset in the object). The first appends the checksum of what `out` holds from `start` on; the second verifies one
// and answers the payload before it, or throws kCorrupted.
void AppendRangeChecksum(Bytes& out, const ObjectId& object, size_t start, uint64_t offset);
ByteView CheckRange(ByteView range, const ObjectId& object, uint64_t offset, const std::string& key);
// The payload alone, of a range that was verified before.
ByteView SkipChecksum(ByteView range, uint64_t offset, const std::string& key);

// Where `count` floats, at any address, first hold something else than a number from 0 to `greatest` (which may be
// infinity): NaN, negative, -0. `count`: nowhere.
size_t FindNoLength(const uint8_t* floats, size_t count, float greatest);
// Where they first hold an infinity or a NaN.
size_t FindNotFinite(const uint8_t* floats, size_t count);

// kCorrupted, message: object "<key>" is corrupted at offset <offset>; detail: what.
[[noreturn]] void ThrowCorrupted(const std::string& key, uint64_t offset, const std::string& what);

}  // namespace s3v

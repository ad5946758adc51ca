// What those who write and those who read a column range have in common.
#pragma once

#include <cstddef>
#include <cstdint>

namespace s3v {

inline constexpr uint64_t kBitsPerByte = 8;
inline constexpr size_t kFormFiller = 1;        // behind the form
inline constexpr size_t kDictionaryFiller = 3;  // behind the width
inline constexpr size_t kIntegersFiller = 1;
inline constexpr size_t kFloatsFiller = 3;

// Bits of a number below `values`: a power of two or none, so that none crosses a byte.
inline uint8_t CodeBits(uint64_t values) {
  for (const uint8_t bits : {0, 1, 2, 4, 8, 16}) {
    if (values <= uint64_t{1} << bits) return bits;
  }
  return 32;
}

// Bytes that hold so many numbers of so many bits.
inline uint64_t PackedBytes(uint64_t count, uint64_t bits) { return (count * bits + kBitsPerByte - 1) / kBitsPerByte; }

}  // namespace s3v

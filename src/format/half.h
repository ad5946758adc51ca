// IEEE 754 binary16, the numbers of half-width raw planes.
#pragma once

#include <bit>
#include <cstdint>
#include <span>

namespace s3v {

// Nearest, ties to even. What is beyond the largest finite number becomes that number (65504), so that a vector never
// turns infinite by being stored.
inline uint16_t ToHalf(float value) {
  constexpr uint32_t kInfinity = 0x7f800000;
  constexpr uint32_t kLargest = 0x477fe000;   // 65504
  constexpr uint32_t kSmallest = 0x38800000;  // 2^-14, the smallest that is not subnormal
  const auto bits = std::bit_cast<uint32_t>(value);
  const uint32_t sign = (bits >> 16) & 0x8000;
  const uint32_t magnitude = bits & 0x7fffffff;
  uint32_t half;
  if (magnitude > kInfinity) {
    half = 0x7e00;  // NaN
  } else if (magnitude >= kLargest) {
    half = 0x7bff;
  } else if (magnitude < kSmallest) {
    // Beside 1/2, a float's last bit is 2^-24, as a subnormal half's is: the addition rounds.
    half = std::bit_cast<uint32_t>(std::bit_cast<float>(magnitude) + 0.5F) - std::bit_cast<uint32_t>(0.5F);
  } else {
    const uint32_t is_odd = (magnitude >> 13) & 1;
    half = (magnitude - (uint32_t{127 - 15} << 23) + 0xfff + is_odd) >> 13;
  }
  return static_cast<uint16_t>(sign | half);
}

// Exact. Without branches, for loops that become vectors.
inline float FromHalf(uint16_t half) {
  const uint32_t sign = uint32_t{half} << 16 & 0x80000000;
  const uint32_t magnitude = half & 0x7fffU;
  // The exponent moves from bias 15 to bias 127 by a product, which is right for subnormals as well.
  const auto value = std::bit_cast<uint32_t>(std::bit_cast<float>(magnitude << 13) * 0x1p112F);
  const uint32_t not_finite = magnitude >= 0x7c00 ? 0x7f800000 : 0;
  return std::bit_cast<float>(sign | value | not_finite);
}

// As many as there are values, at any address, little-endian.
void FromHalves(const uint8_t* halves, std::span<float> values);

}  // namespace s3v

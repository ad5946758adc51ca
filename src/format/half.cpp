#include "format/half.h"

#include <cstring>

namespace s3v {

void FromHalves(const uint8_t* halves, std::span<float> values) {
  // Blocks of a fixed size become vectors, whatever the compiler's level.
  constexpr size_t kBlock = 8;
  size_t i = 0;
  for (; i + kBlock <= values.size(); i += kBlock) {
    uint16_t block[kBlock];
    std::memcpy(block, halves + i * sizeof(uint16_t), sizeof block);
    float* out = values.data() + i;
    for (size_t j = 0; j < kBlock; ++j) out[j] = FromHalf(block[j]);
  }
  for (; i < values.size(); ++i) {
    uint16_t half;
    std::memcpy(&half, halves + i * sizeof half, sizeof half);
    values[i] = FromHalf(half);
  }
}

}  // namespace s3v

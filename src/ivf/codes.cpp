#include "ivf/codes.h"

#include <algorithm>
#include <cassert>
#include <cstring>

namespace s3v {

void DecodeResidual(const CodeShape& shape, std::span<const uint64_t> signs, std::span<const uint64_t> extension,
                    float scale, std::span<float> residual) {
  const size_t words = shape.words();
  assert(signs.size() == words && extension.size() * 8 == shape.extension_bytes());
  assert(residual.size() == shape.dimensions);
  const double middle = ((1 << shape.bits) - 1) / 2.0;
  for (size_t i = 0; i < shape.dimensions; ++i) {
    unsigned code = signs[i / 64] >> (i % 64) & 1;
    for (size_t w = i / 64; w < extension.size(); w += words) code = 2 * code + (extension[w] >> (i % 64) & 1);
    residual[i] = static_cast<float>(scale * (code - middle));
  }
}

void InterleaveSigns(const CodeShape& shape, std::span<const uint64_t> signs, size_t count, uint8_t* out) {
  const size_t words = shape.words();
  assert(signs.size() == count * words);
  std::fill_n(out, shape.sign_plane_bytes(count), uint8_t{0});
  for (size_t i = 0; i < count; ++i) {
    uint8_t* block = out + i / kSignBlock * kSignBlock * shape.sign_bytes();
    for (size_t w = 0; w < words; ++w) {
      std::memcpy(block + (w * kSignBlock + i % kSignBlock) * 8, &signs[i * words + w], 8);
    }
  }
}

}  // namespace s3v

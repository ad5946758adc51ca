// A random orthogonal map that costs O(d log d): what makes the error of RaBitQ codes random whatever the data are.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace s3v {

// Any dimension from 1 on; the output has as many. The same seed gives the same map on every machine, up to the
// rounding of float. Linear, keeps lengths and inner products.
class Rotation {
 public:
  Rotation() = default;
  Rotation(size_t dimensions, uint64_t seed);
  size_t dimensions() const { return dimensions_; }
  // in and out may be the same. REQUIRES: both have dimensions() elements.
  void Apply(std::span<const float> in, std::span<float> out) const;
  // Row-major, count x dimensions(); in place.
  void ApplyRows(std::span<float> rows) const;

 private:
  void Transform(float* row) const;

  size_t dimensions_ = 0;
  size_t window_ = 0;            // the largest power of two that fits; 0: `matrix_` is used
  std::vector<uint32_t> signs_;  // bits, in the order of use
  std::vector<float> matrix_;    // of few dimensions, row-major
};

}  // namespace s3v

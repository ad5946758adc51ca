// Dense products and distances.
#pragma once

#include <cstdint>

#include "random.h"

namespace s3v::bench {

// Products are made for so many columns at a time.
constexpr int64_t kPanel = 32;

// out[r][c] = sum over k of a[r][k] * panel[k][c], for a panel of kPanel columns.
void MultiplyPanel(const float* a, int64_t rows, int64_t inner, const float* panel, float* out, int64_t out_stride);

// A matrix [inner][columns], cut into panels; columns are filled up with zeros.
class Panels {
 public:
  Panels(const float* matrix, int64_t inner, int64_t columns, bool transposed = false)
      : inner_(inner), count_((columns + kPanel - 1) / kPanel), values_(count_ * inner * kPanel) {
    for (int64_t k = 0; k < inner; ++k) {
      for (int64_t c = 0; c < columns; ++c) {
        values_[((c / kPanel) * inner + k) * kPanel + c % kPanel] =
            transposed ? matrix[c * inner + k] : matrix[k * columns + c];
      }
    }
  }
  int64_t count() const { return count_; }
  int64_t stride() const { return count_ * kPanel; }

  void MultiplyOne(int64_t panel, const float* a, int64_t rows, float* out, int64_t out_stride) const {
    MultiplyPanel(a, rows, inner_, values_.data() + panel * inner_ * kPanel, out, out_stride);
  }
  // out is [rows][stride()].
  void Multiply(const float* a, int64_t rows, float* out) const {
    for (int64_t p = 0; p < count_; ++p) MultiplyOne(p, a, rows, out + p * kPanel, stride());
  }

 private:
  int64_t inner_, count_;
  Floats values_;
};

// In double, term by term.
double Dot(const float* a, const float* b, int64_t d);
double SquaredL2(const float* a, const float* b, int64_t d);

}  // namespace s3v::bench

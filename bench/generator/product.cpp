#include "product.h"

#include <algorithm>
#include <cstring>

#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__)
#define FOR_EACH_PROCESSOR __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
#else
#define FOR_EACH_PROCESSOR
#endif

namespace s3v::bench {

namespace {

typedef float Lane __attribute__((vector_size(64), aligned(4)));
constexpr int64_t kLaneWidth = 16;

}  // namespace

// Vectors run along the columns, so that the order of the sums is the same on every processor.
FOR_EACH_PROCESSOR void MultiplyPanel(const float* a, int64_t rows, int64_t inner, const float* panel, float* out,
                                      int64_t out_stride) {
  for (int64_t r = 0; r < rows; r += 4) {
    const float* row[4];
    for (int64_t i = 0; i < 4; ++i) row[i] = a + std::min(r + i, rows - 1) * inner;
    Lane sum[4][2] = {};
    for (int64_t k = 0; k < inner; ++k) {
      const Lane left = *reinterpret_cast<const Lane*>(panel + k * kPanel);
      const Lane right = *reinterpret_cast<const Lane*>(panel + k * kPanel + kLaneWidth);
      for (int64_t i = 0; i < 4; ++i) {
        sum[i][0] += row[i][k] * left;
        sum[i][1] += row[i][k] * right;
      }
    }
    for (int64_t i = 0; i < 4 && r + i < rows; ++i) std::memcpy(out + (r + i) * out_stride, sum[i], sizeof sum[i]);
  }
}

double Dot(const float* a, const float* b, int64_t d) {
  double sum = 0;
  for (int64_t i = 0; i < d; ++i) sum += static_cast<double>(a[i]) * b[i];
  return sum;
}

double SquaredL2(const float* a, const float* b, int64_t d) {
  double sum = 0;
  for (int64_t i = 0; i < d; ++i) sum += (static_cast<double>(a[i]) - b[i]) * (static_cast<double>(a[i]) - b[i]);
  return sum;
}

}  // namespace s3v::bench

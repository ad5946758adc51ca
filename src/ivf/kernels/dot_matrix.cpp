// The dense product of training and assignment, blocked as in Goto and van de Geijn, "Anatomy of High-Performance
// Matrix Multiplication" (ACM TOMS 2008), without packing `a`: its rows are read once a panel, by broadcast.
//
// A panel holds the rows of `b` that fill two vectors (or one, where fewer are left), transposed, so that one vector
// load gives the same element of as many rows. Each element of `c` sums its products in the order of k, whatever tile
// it falls into: the result for a pair of rows does not depend on which other rows are in the call.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "ivf/kernels/dot_matrix.cpp"
// foreach_target.h must be the first of Highway's headers, after the choice of targets.
// clang-format off
#include "ivf/kernels/targets.h"
#include "hwy/foreach_target.h"
// clang-format on
#include <algorithm>
#include <new>

#include "hwy/aligned_allocator.h"
#include "hwy/highway.h"
#include "ivf/kernels/kernels.h"

HWY_BEFORE_NAMESPACE();
namespace s3v::kernels::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

using D = hn::ScalableTag<float>;
using V = hn::Vec<D>;

// Rows of `a` in a tile: as many as the registers hold two accumulators for, besides two loads of `b` and one
// broadcast.
#if HWY_TARGET <= HWY_AVX3 || HWY_TARGET == HWY_NEON
constexpr size_t kTileRows = 12;
#else
constexpr size_t kTileRows = 6;
#endif
// Elements of a row taken at once: a panel of 32 columns is then 32 KiB, which stays in the first-level cache's reach.
constexpr size_t kDepth = 256;

// panel[k * columns + j] = b[j * dim + k] for j < used; columns beyond are zero.
void PackPanel(const float* HWY_RESTRICT b, size_t used, size_t dim, size_t depth, size_t columns,
               float* HWY_RESTRICT panel) {
  size_t j = 0;
  for (; j + 4 <= used; j += 4) {
    const float* b0 = b + j * dim;
    const float* b1 = b0 + dim;
    const float* b2 = b1 + dim;
    const float* b3 = b2 + dim;
    float* to = panel + j;
    for (size_t k = 0; k < depth; ++k, to += columns) {
      to[0] = b0[k];
      to[1] = b1[k];
      to[2] = b2[k];
      to[3] = b3[k];
    }
  }
  for (; j < columns; ++j) {
    for (size_t k = 0; k < depth; ++k) panel[k * columns + j] = j < used ? b[j * dim + k] : 0.0f;
  }
}

// c[i][j] (+)= sum_k a[i][k] * panel[k][j] for kRows rows and one panel of columns.
template <size_t kRows, size_t kVectors>
HWY_INLINE void Tile(const float* HWY_RESTRICT a, size_t dim, const float* HWY_RESTRICT panel, size_t depth,
                     bool accumulate, float* HWY_RESTRICT c, size_t ldc) {
  const D d;
  const size_t lanes = hn::Lanes(d);
  V sum[kRows][2];
  HWY_UNROLL(16)
  for (size_t i = 0; i < kRows; ++i) {
    sum[i][0] = accumulate ? hn::LoadU(d, c + i * ldc) : hn::Zero(d);
    if constexpr (kVectors == 2) sum[i][1] = accumulate ? hn::LoadU(d, c + i * ldc + lanes) : hn::Zero(d);
  }
  for (size_t k = 0; k < depth; ++k) {
    const V b0 = hn::Load(d, panel);
    const V b1 = kVectors == 2 ? hn::Load(d, panel + lanes) : b0;
    panel += kVectors * lanes;
    HWY_UNROLL(16)
    for (size_t i = 0; i < kRows; ++i) {
      const V x = hn::Set(d, a[i * dim + k]);
      sum[i][0] = hn::MulAdd(x, b0, sum[i][0]);
      if constexpr (kVectors == 2) sum[i][1] = hn::MulAdd(x, b1, sum[i][1]);
    }
  }
  HWY_UNROLL(16)
  for (size_t i = 0; i < kRows; ++i) {
    hn::StoreU(sum[i][0], d, c + i * ldc);
    if constexpr (kVectors == 2) hn::StoreU(sum[i][1], d, c + i * ldc + lanes);
  }
}

// All rows of `a` against one panel, whose columns all have a place in `c`.
template <size_t kVectors>
void MultiplyPanel(const float* a, size_t m, size_t dim, const float* panel, size_t depth, bool accumulate, float* c,
                   size_t ldc) {
  size_t i = 0;
  for (; i + kTileRows <= m; i += kTileRows) {
    Tile<kTileRows, kVectors>(a + i * dim, dim, panel, depth, accumulate, c + i * ldc, ldc);
  }
  for (; i + 2 <= m; i += 2) Tile<2, kVectors>(a + i * dim, dim, panel, depth, accumulate, c + i * ldc, ldc);
  if (i < m) Tile<1, kVectors>(a + i * dim, dim, panel, depth, accumulate, c + i * ldc, ldc);
}

void DotMatrix(const float* a, size_t m, const float* b, size_t n, size_t dim, float* c, size_t ldc) {
  if (m == 0 || n == 0) return;
  if (dim == 0) {
    for (size_t i = 0; i < m; ++i) std::fill_n(c + i * ldc, n, 0.0f);
    return;
  }
  const D d;
  const size_t lanes = hn::Lanes(d);
  const auto panel = hwy::AllocateAligned<float>(2 * lanes * kDepth);
  // Columns of the last panel beyond n have no place in `c`: that panel is computed here and copied.
  const auto spare = hwy::AllocateAligned<float>(n % lanes == 0 ? 1 : m * 2 * lanes);
  if (panel == nullptr || spare == nullptr) throw std::bad_alloc();
  for (size_t j = 0; j < n;) {
    const size_t left = n - j;
    const size_t columns = left > lanes ? 2 * lanes : lanes;
    const size_t used = std::min(columns, left);
    float* out = used == columns ? c + j : spare.get();
    const size_t out_stride = used == columns ? ldc : columns;
    for (size_t k = 0; k < dim; k += kDepth) {
      const size_t depth = std::min(kDepth, dim - k);
      PackPanel(b + j * dim + k, used, dim, depth, columns, panel.get());
      const auto multiply = columns == lanes ? &MultiplyPanel<1> : &MultiplyPanel<2>;
      multiply(a + k, m, dim, panel.get(), depth, k > 0, out, out_stride);
    }
    if (used < columns) {
      for (size_t i = 0; i < m; ++i) std::copy_n(out + i * columns, used, c + i * ldc + j);
    }
    j += used;
  }
}

}  // namespace s3v::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace s3v::kernels {
HWY_EXPORT(DotMatrix);

void DotMatrix(const float* a, size_t m, const float* b, size_t n, size_t dim, float* c, size_t ldc) {
  HWY_DYNAMIC_DISPATCH(DotMatrix)(a, m, b, n, dim, c, ldc);
}

}  // namespace s3v::kernels
#endif

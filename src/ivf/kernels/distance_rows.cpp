// One query against many rows: dot products and squared distances.
//
// Four partial sums a row hide the latency of the multiply-add; two rows at a time share the loads of the query. A
// row's result depends on the row alone, not on its neighbours. No chain of additions is longer than dim / 4 + 32, which
// bounds the rounding error.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "ivf/kernels/distance_rows.cpp"
// foreach_target.h must be the first of Highway's headers, after the choice of targets.
// clang-format off
#include "ivf/kernels/targets.h"
#include "hwy/foreach_target.h"
// clang-format on
#include <cstring>

#include "hwy/highway.h"
#include "ivf/kernels/kernels.h"

HWY_BEFORE_NAMESPACE();
namespace s3v::kernels::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

using D = hn::ScalableTag<float>;
using V = hn::Vec<D>;

// Rows lie in byte strings at any address, where even a single float must be copied out.
HWY_INLINE float LoadOne(const float* p) {
  float value;
  std::memcpy(&value, p, sizeof value);
  return value;
}

HWY_INLINE V LoadLanes(D d, const float* p) {
#if HWY_TARGET == HWY_SCALAR
  return hn::Set(d, LoadOne(p));
#else
  return hn::LoadU(d, p);
#endif
}

struct Product {
  HWY_INLINE V operator()(V sum, V a, V b) const { return hn::MulAdd(a, b, sum); }
  HWY_INLINE float operator()(float sum, float a, float b) const { return sum + a * b; }
};

struct SquaredDifference {
  HWY_INLINE V operator()(V sum, V a, V b) const {
    const V difference = hn::Sub(a, b);
    return hn::MulAdd(difference, difference, sum);
  }
  HWY_INLINE float operator()(float sum, float a, float b) const { return sum + (a - b) * (a - b); }
};

template <class Op>
HWY_INLINE float FinishRow(Op op, V s0, V s1, V s2, V s3, const float* query, const float* row, size_t k, size_t dim) {
  const D d;
  const size_t lanes = hn::Lanes(d);
  for (; k + lanes <= dim; k += lanes) s0 = op(s0, hn::LoadU(d, query + k), LoadLanes(d, row + k));
  const V sum = hn::Add(hn::Add(s0, s1), hn::Add(s2, s3));
  float total = hn::GetLane(hn::SumOfLanes(d, sum));
  for (; k < dim; ++k) total = op(total, query[k], LoadOne(row + k));
  return total;
}

template <class Op>
HWY_INLINE void ScoreRows(Op op, const float* query, const float* rows, size_t count, size_t dim, float* out) {
  const D d;
  const size_t lanes = hn::Lanes(d);
  const size_t step = 4 * lanes;
  size_t i = 0;
  for (; i + 2 <= count; i += 2) {
    const float* a = rows + i * dim;
    const float* b = a + dim;
    V a0 = hn::Zero(d), a1 = a0, a2 = a0, a3 = a0;
    V b0 = a0, b1 = a0, b2 = a0, b3 = a0;
    size_t k = 0;
    for (; k + step <= dim; k += step) {
      const V q0 = hn::LoadU(d, query + k);
      const V q1 = hn::LoadU(d, query + k + lanes);
      const V q2 = hn::LoadU(d, query + k + 2 * lanes);
      const V q3 = hn::LoadU(d, query + k + 3 * lanes);
      a0 = op(a0, q0, LoadLanes(d, a + k));
      b0 = op(b0, q0, LoadLanes(d, b + k));
      a1 = op(a1, q1, LoadLanes(d, a + k + lanes));
      b1 = op(b1, q1, LoadLanes(d, b + k + lanes));
      a2 = op(a2, q2, LoadLanes(d, a + k + 2 * lanes));
      b2 = op(b2, q2, LoadLanes(d, b + k + 2 * lanes));
      a3 = op(a3, q3, LoadLanes(d, a + k + 3 * lanes));
      b3 = op(b3, q3, LoadLanes(d, b + k + 3 * lanes));
    }
    out[i] = FinishRow(op, a0, a1, a2, a3, query, a, k, dim);
    out[i + 1] = FinishRow(op, b0, b1, b2, b3, query, b, k, dim);
  }
  if (i < count) {
    const float* a = rows + i * dim;
    V a0 = hn::Zero(d), a1 = a0, a2 = a0, a3 = a0;
    size_t k = 0;
    for (; k + step <= dim; k += step) {
      a0 = op(a0, hn::LoadU(d, query + k), LoadLanes(d, a + k));
      a1 = op(a1, hn::LoadU(d, query + k + lanes), LoadLanes(d, a + k + lanes));
      a2 = op(a2, hn::LoadU(d, query + k + 2 * lanes), LoadLanes(d, a + k + 2 * lanes));
      a3 = op(a3, hn::LoadU(d, query + k + 3 * lanes), LoadLanes(d, a + k + 3 * lanes));
    }
    out[i] = FinishRow(op, a0, a1, a2, a3, query, a, k, dim);
  }
}

void DotRows(const float* query, const float* rows, size_t count, size_t dim, float* out) {
  ScoreRows(Product(), query, rows, count, dim, out);
}

void SquaredL2Rows(const float* query, const float* rows, size_t count, size_t dim, float* out) {
  ScoreRows(SquaredDifference(), query, rows, count, dim, out);
}

const char* TargetName() { return hwy::TargetName(HWY_TARGET); }

}  // namespace s3v::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace s3v::kernels {
HWY_EXPORT(DotRows);
HWY_EXPORT(SquaredL2Rows);
HWY_EXPORT(TargetName);

void DotRows(const float* query, const float* rows, size_t count, size_t dim, float* out) {
  HWY_DYNAMIC_DISPATCH(DotRows)(query, rows, count, dim, out);
}

void SquaredL2Rows(const float* query, const float* rows, size_t count, size_t dim, float* out) {
  HWY_DYNAMIC_DISPATCH(SquaredL2Rows)(query, rows, count, dim, out);
}

const char* TargetName() { return HWY_DYNAMIC_DISPATCH(TargetName)(); }

}  // namespace s3v::kernels
#endif

// A query's side of the codes: its difference to a centroid, quantized to integers.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "ivf/kernels/query_values.cpp"
// foreach_target.h must be the first of Highway's headers, after the choice of targets.
// clang-format off
#include "ivf/kernels/targets.h"
#include "hwy/foreach_target.h"
// clang-format on
#include <algorithm>
#include <cmath>

#include "hwy/highway.h"
#include "ivf/kernels/kernels.h"

HWY_BEFORE_NAMESPACE();
namespace s3v::kernels::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

using D = hn::ScalableTag<float>;
using V = hn::Vec<D>;
using D64 = hn::ScalableTag<double>;
using V64 = hn::Vec<D64>;
using DN = hn::Rebind<float, D64>;  // as many floats as a vector holds doubles

void Subtract(const float* a, const float* b, size_t size, float* difference) {
  const D d;
  const size_t lanes = hn::Lanes(d);
  size_t i = 0;
  for (; i + lanes <= size; i += lanes) {
    hn::StoreU(hn::Sub(hn::LoadU(d, a + i), hn::LoadU(d, b + i)), d, difference + i);
  }
  for (; i < size; ++i) difference[i] = a[i] - b[i];
}

QuerySums SumQuery(const float* query, const float* centroid, const float* values, size_t size) {
  const D64 d64;
  const DN dn;
  const size_t lanes = hn::Lanes(dn);
  V64 value_squares = hn::Zero(d64);
  V64 query_squares = value_squares, centroid_squares = value_squares, dot = value_squares, largest = value_squares;
  size_t i = 0;
  for (; i + lanes <= size; i += lanes) {
    const V64 q = hn::PromoteTo(d64, hn::LoadU(dn, query + i));
    const V64 c = hn::PromoteTo(d64, hn::LoadU(dn, centroid + i));
    const V64 v = hn::PromoteTo(d64, hn::LoadU(dn, values + i));
    value_squares = hn::MulAdd(v, v, value_squares);
    query_squares = hn::MulAdd(q, q, query_squares);
    centroid_squares = hn::MulAdd(c, c, centroid_squares);
    dot = hn::MulAdd(q, c, dot);
    largest = hn::Max(largest, hn::Abs(v));
  }
  QuerySums sums;
  sums.value_squares = hn::GetLane(hn::SumOfLanes(d64, value_squares));
  sums.query_squares = hn::GetLane(hn::SumOfLanes(d64, query_squares));
  sums.centroid_squares = hn::GetLane(hn::SumOfLanes(d64, centroid_squares));
  sums.dot = hn::GetLane(hn::SumOfLanes(d64, dot));
  sums.largest = hn::GetLane(hn::MaxOfLanes(d64, largest));
  for (; i < size; ++i) {
    const double q = query[i];
    const double c = centroid[i];
    const double v = values[i];
    sums.value_squares += v * v;
    sums.query_squares += q * q;
    sums.centroid_squares += c * c;
    sums.dot += q * c;
    sums.largest = std::max(sums.largest, std::abs(v));
  }
  return sums;
}

int32_t QuantizeValues(const float* values, size_t size, float scale, int16_t* integers, int8_t* low, int8_t* high) {
  const D d;
  const hn::Rebind<int32_t, D> d32;
  const hn::Rebind<int16_t, D> d16;
  const hn::Rebind<int8_t, D> d8;
  const size_t lanes = hn::Lanes(d);
  const V s = hn::Set(d, scale);
  auto sums = hn::Zero(d32);
  size_t i = 0;
  for (; i + lanes <= size; i += lanes) {
    const auto integer = hn::NearestInt(hn::Mul(hn::LoadU(d, values + i), s));
    sums = hn::Add(sums, integer);
    const auto upper = hn::ShiftRight<8>(hn::Add(integer, hn::Set(d32, 128)));
    hn::StoreU(hn::DemoteTo(d16, integer), d16, integers + i);
    hn::StoreU(hn::DemoteTo(d8, hn::Sub(integer, hn::ShiftLeft<8>(upper))), d8, low + i);
    hn::StoreU(hn::DemoteTo(d8, upper), d8, high + i);
  }
  int32_t sum = hn::GetLane(hn::SumOfLanes(d32, sums));
  for (; i < size; ++i) {
    const int32_t integer = static_cast<int32_t>(std::nearbyint(values[i] * scale));
    sum += integer;
    const int32_t upper = (integer + 128) >> 8;
    integers[i] = static_cast<int16_t>(integer);
    low[i] = static_cast<int8_t>(integer - upper * 256);
    high[i] = static_cast<int8_t>(upper);
  }
  return sum;
}

}  // namespace s3v::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace s3v::kernels {
HWY_EXPORT(Subtract);
HWY_EXPORT(SumQuery);
HWY_EXPORT(QuantizeValues);

void Subtract(const float* a, const float* b, size_t size, float* difference) {
  HWY_DYNAMIC_DISPATCH(Subtract)(a, b, size, difference);
}

QuerySums SumQuery(const float* query, const float* centroid, const float* values, size_t size) {
  return HWY_DYNAMIC_DISPATCH(SumQuery)(query, centroid, values, size);
}

int32_t QuantizeValues(const float* values, size_t size, float scale, int16_t* integers, int8_t* low, int8_t* high) {
  return HWY_DYNAMIC_DISPATCH(QuantizeValues)(values, size, scale, integers, low, high);
}

}  // namespace s3v::kernels
#endif

// The inner loops, each compiled for every instruction set that Highway targets and chosen at run time.
#pragma once

#include <cstddef>
#include <cstdint>

namespace s3v::kernels {

// out[i] = sum_j query[j] * rows[i * dim + j], i in [0, count). Any alignment.
void DotRows(const float* query, const float* rows, size_t count, size_t dim, float* out);

// out[i] = sum_j (query[j] - rows[i * dim + j])^2
void SquaredL2Rows(const float* query, const float* rows, size_t count, size_t dim, float* out);

// Sums in double of terms in double, each added without being fused to its product, in eight interleaved accumulators:
// the same bits on every machine.
double DotInDouble(const float* a, const float* b, size_t size);
double SquaredL2InDouble(const float* a, const float* b, size_t size);

// scaled[i] = values[i] * factor, in double, then rounded; the same on every machine. `scaled` may be `values`.
// REQUIRES: the products lie within float's range.
void ScaleInDouble(const float* values, size_t size, double factor, float* scaled);

// c[i * ldc + j] = sum_k a[i * dim + k] * b[j * dim + k]: the dense product of training and assignment.
// `a` is m x dim, `b` is n x dim, both row-major. Register-blocked; one thread.
void DotMatrix(const float* a, size_t m, const float* b, size_t n, size_t dim, float* c, size_t ldc);

// The centroid with the least lengths[c] - 2 * products[c], the first of equals; the first of all, with the greatest
// float, when none is less. NaN is passed over. REQUIRES: count < 2^31.
struct Nearest {
  uint32_t centroid = 0;
  float score = 0;
};
Nearest NearestCentroid(const float* products, const float* lengths, size_t count);

// sums[i] += values[i]
void AddToSums(const float* values, size_t count, double* sums);

// out[i] = sum_j query[j] * rows[i * dim + j], exactly. Any values, any alignment. REQUIRES: dim < 65,536.
void DotRowsInt8(const int8_t* query, const int8_t* rows, size_t count, size_t dim, int32_t* out);

// out[i * n + j] = sum_k a[i * stride + k] * b[j * stride + k], exactly: the dense product of rounded rows.
// `a` is m x stride, `b` is n x stride. REQUIRES: stride is a multiple of 64, below 65,536.
void DotMatrixInt8(const int8_t* a, size_t m, const int8_t* b, size_t n, size_t stride, int32_t* out);

// scores[c] = offsets[c] - factor * scales[c] * dots[c]; answers the least, at most the greatest float. NaN is passed
// over.
float RoundedScores(const int32_t* dots, const float* offsets, const float* scales, float factor, size_t count,
                    float* scores);

// The largest |values[i]|, 0 for none; NaN is passed over.
float LargestAbsolute(const float* values, size_t count);

// out[i] = values[i] * factor, rounded to the nearest, halves away from zero, and held to -127 .. 127; the same on
// every machine. NaN becomes any of these.
void RoundToInt8(const float* values, size_t count, float factor, int8_t* out);

// Numbers of the values that are not above `limit` (NaN among them), ascending, to selected[], which has room for all;
// answers how many. *least_rest becomes the least of itself and the values above the limit.
size_t SelectAtMost(const float* values, size_t count, float limit, uint32_t* selected, float* least_rest);

// RaBitQ codes (ivf/rotation.h, ivf/codes.h).

// An orthogonal Hadamard transform in place, of values whose signs are flipped first where bits are set (bit i % 32 of
// word i / 32). REQUIRES: size is a power of two, at least 64.
void SignedHadamard(float* values, size_t size, const uint32_t* signs);

// (low, high) = (low + s high, low - s high) / sqrt(2), element by element; s = -1 where the bit is set.
void MixHalves(float* low, float* high, size_t half, const uint32_t* signs);

struct ResidualSums {
  double squares = 0;
  double absolutes = 0;
};
ResidualSums SumResidual(const float* residual, size_t size);

// magnitudes[i] = |residual[i]| * scale
void ScaledMagnitudes(const float* residual, size_t size, float scale, float* magnitudes);

// How well x_i = min(floor(scale * magnitudes[i]), most) + 1/2 points in the direction of the magnitudes.
struct CodeFit {
  double dot = 0;      // <x, magnitudes>; of WriteCode <x, |residual|>
  double squares = 0;  // |x|^2
};
// In float arithmetic, for comparisons.
CodeFit FitCode(const float* magnitudes, size_t size, float scale, float most);

// The code itself, a byte an element: 2^(bits-1) + floor(...), or 2^(bits-1) - 1 - floor(...) where the residual is
// negative. How well it fits the residual, in double arithmetic: codes of many bits miss it by less than a millionth,
// and that is a difference. REQUIRES: 1 <= bits <= 8.
CodeFit WriteCode(const float* residual, const float* magnitudes, size_t size, float scale, int bits, uint8_t* codes);

// Bit `bit` of 64 * words bytes.
void CutPlane(const uint8_t* bytes, size_t words, int bit, uint64_t* plane);

// difference = a - b
void Subtract(const float* a, const float* b, size_t size, float* difference);

struct QuerySums {
  double value_squares = 0;
  double query_squares = 0;
  double centroid_squares = 0;
  double dot = 0;      // <query, centroid>
  double largest = 0;  // |value|
};
QuerySums SumQuery(const float* query, const float* centroid, const float* values, size_t size);

// integers = values * scale, rounded to the nearest; the same cut into bytes: integer = 256 * high + low. Answers the
// sum of the integers. REQUIRES: |values * scale| <= 16383.
int32_t QuantizeValues(const float* values, size_t size, float scale, int16_t* integers, int8_t* low, int8_t* high);

// Tables for SumSigns: words * SignTableBytes(bytes) of them. `bytes`: 1 when four integers' absolute values sum to at
// most 255, else 2 (at most 65,535). Answers the `base` that SumSigns needs.
constexpr size_t SignTableBytes(size_t bytes) { return 256 * bytes; }
int32_t BuildSignTables(const int16_t* integers, size_t words, size_t bytes, uint8_t* tables);

// sums[i] = sum of the integers where the sign plane of entry i has a bit; `plane` as InterleaveSigns (ivf/codes.h)
// lays it out, at any address.
void SumSigns(const uint8_t* tables, size_t bytes, const uint8_t* plane, size_t words, size_t count, int32_t base,
              int32_t* sums);

// What turns the sums into scores and their bounds:
//   inner  = scale * half_step * (2 <integers, u> - (2^bits - 1) element_sum)
//   score  = constant + squared_norm_weight * norm^2 - inner
//   margin = sigmas * deviation * sqrt(variance)
//            + slack + slack_of_norm * norm + slack_of_square * norm^2 + slack_of_inner * |inner|
// where the variance is sign_scale_variance * scale^2 - sign_norm_variance * norm^2 by the sign plane (bits is 1 and u
// the sign), error^2 * code_error_variance + norm^2 * code_norm_variance by the code. The margin is infinite where
// squares leave float's range: where norm > most_norm or norm < least_norm, but for 0, where inner or margin > `most`
// and where anything is NaN.
struct ScoreTerms {
  float constant = 0;
  float squared_norm_weight = 0;
  float half_step = 0;
  int32_t element_sum = 0;
  float deviation = 0;
  float sign_scale_variance = 0;
  float sign_norm_variance = 0;
  float code_error_variance = 0;
  float code_norm_variance = 0;
  float slack = 0;
  float slack_of_norm = 0;
  float slack_of_square = 0;
  float slack_of_inner = 0;
  float least_norm = 0;
  float most_norm = -1;
  float most = 0;
};

// Lower bounds by the sign plane, and upper bounds unless that is null; norms and scales at any address.
void BoundBySigns(const ScoreTerms& terms, float sigmas, const float* norms, const float* scales,
                  const int32_t* sign_sums, size_t count, float* lower_bounds, float* upper_bounds);

// One entry's code: what ScoreSigns and its factors gave, and the planes of the other bits at any address.
struct CodeEntry {
  int32_t sign_sum = 0;
  const uint8_t* planes = nullptr;
  float norm = 0;
  float scale = 0;
  float error = 0;
};
// The query's integers, 64 * words of them with zeros at the end, and the same as bytes (QuantizeValues).
struct QuantizedQuery {
  const int16_t* integers = nullptr;
  const int8_t* low = nullptr;
  const int8_t* high = nullptr;
  size_t words = 0;
};
struct CodeScore {
  float score = 0;
  float lower_bound = 0;
  float upper_bound = 0;
};
using CodeKernel = CodeScore (*)(const ScoreTerms& terms, float sigmas, const QuantizedQuery& query,
                                 const CodeEntry& entry);
// For codes of `bits` (1..8); `wide`: integers need more than a byte. Chosen once, since one score takes no longer than
// a choice does.
CodeKernel CodeKernelFor(int bits, bool wide);

// The name of the instruction set in use ("AVX3", "AVX2", "NEON", ...), for tests and the bench.
const char* TargetName();

}  // namespace s3v::kernels

// RaBitQ codes of 1 to 8 bits a dimension, in planes, with unbiased estimates and error bounds.
//
// Gao and Long, "RaBitQ" (SIGMOD 2024, arXiv 2405.12497) for one bit; Gao et al., "Practical and Asymptotically Optimal
// Quantization..." (SIGMOD 2025, arXiv 2409.09913) for more. A row is coded as its residual r to the centroid of its
// list, in rotated space. The code is u in {0 .. 2^bits - 1}^d; x = u - (2^bits - 1) / 2 points in the direction of r,
// and <r, v> is estimated as |r|^2 / <x, r> * <x, v>.
//
// Two steps: the sign plane (the highest bit of each element) alone gives an estimate and a bound good enough to drop
// most entries; the extension (the other bits) gives those of the full code. docs/design/codes.md.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "base/bytes.h"
#include "ivf/distance.h"
#include "ivf/kernels/kernels.h"

namespace s3v {

inline constexpr int kMaxBits = 8;
inline constexpr size_t kSignBlock = 8;  // entries whose sign words are interleaved

struct CodeShape {
  size_t dimensions = 0;
  int bits = 4;  // 1..8

  size_t words() const { return (dimensions + 63) / 64; }  // of one plane of one row; bits beyond are zero
  size_t sign_bytes() const { return words() * 8; }        // of one entry
  size_t extension_bytes() const { return static_cast<size_t>(bits - 1) * words() * 8; }  // of one entry
  // Of the interleaved sign plane of `count` entries: whole blocks.
  size_t sign_plane_bytes(size_t count) const {
    return (count + kSignBlock - 1) / kSignBlock * kSignBlock * sign_bytes();
  }
};

// Numbers beside a code. Residuals whose squares float cannot hold (longer than 1e18, or shorter than 1e-12 but for 0)
// have infinite bounds: they are always looked at exactly.
struct SignFactors {
  float residual_norm = 0;  // |r|
  float scale = 0;          // |r|^2 / <x1, r> with x1 = sign - 1/2
};
struct CodeFactors {
  float scale = 0;  // |r|^2 / <x, r>
  float error = 0;  // |r| sqrt(1 / cos^2 - 1) / sqrt(d - 1), cos the angle between x and r: times |v| one standard
                    // deviation of the estimate of <r, v>
};

// Codes one rotated residual. `signs` gets words() words, `extension` (bits - 1) * words() words: plane after plane,
// highest bit first; element i is bit i % 64 of word i / 64. `code_factors` is not touched when bits == 1.
void EncodeResidual(const CodeShape& shape, std::span<const float> residual, std::span<uint64_t> signs,
                    std::span<uint64_t> extension, SignFactors* sign_factors, CodeFactors* code_factors);

// The direction that a code stands for, scaled so that its inner product with r is |r|^2 (scale * x); for tests and
// rebuilding.
void DecodeResidual(const CodeShape& shape, std::span<const uint64_t> signs, std::span<const uint64_t> extension,
                    float scale, std::span<float> residual);

// Lays the sign words of `count` entries (row after row) out in blocks of kSignBlock: word w of the entries of a block
// lie side by side; places beyond `count` are zero. out.size() == sign_plane_bytes(count).
void InterleaveSigns(const CodeShape& shape, std::span<const uint64_t> signs, size_t count, uint8_t* out);

// What a score means: cosine 1 - cos, l2 the *squared* distance, ip the negative inner product.
//
// How the rows of one list are coded: cosine: rows at unit length less the centroid; l2, ip: rows less the centroid
// (for ip the first `dimensions` elements of it). So with v the rotated query (unit length under cosine) less the
// centroid (l2, cosine), or the rotated query itself (ip):
//   l2      |v|^2 + |r|^2 - 2 <r, v>
//   cosine  (|v|^2 + |r|^2) / 2 - <r, v>       halves of squared distances of unit vectors
//   ip      -<q, c> - <r, v>
// Under cosine rows are within 1e-6 of unit length, which the bounds include.

// A query against the entries of one list: its side of the sums, quantized to signed integers and tabulated.
class ListQuery {
 public:
  // Reuses its memory from list to list. `query_bits` 4..16 (sign included; of 16 one is not used): 7 or 8, or 14 for
  // codes of 7 bits and more. Up to 7 bits take less time, more than 8 take no longer but for codes of many bits.
  ListQuery(const CodeShape& shape, Metric metric, int query_bits);

  // `query` in rotated space (cosine: unit length), `centroid` the list's, dequantized.
  void Set(std::span<const float> query, std::span<const float> centroid);

  // First step, for entries [0, count): lower_bounds[i] of the score by the sign plane, at `sigmas` standard
  // deviations. `plane` is interleaved, `factors` are count pairs (norm, scale) as two arrays; any alignment.
  // Also the upper bounds, when upper_bounds is not null.
  void ScoreSigns(const uint8_t* plane, const float* norms, const float* scales, size_t count, double sigmas,
                  float* lower_bounds, float* upper_bounds, int32_t* sign_sums);

  struct Estimate {
    float score = 0;
    float lower_bound = 0;
    float upper_bound = 0;
  };
  // Second step, one entry: `sign_sum` as ScoreSigns gave it for this entry, `extension` its planes (any alignment).
  Estimate ScoreCode(int32_t sign_sum, const uint8_t* extension, float residual_norm, const CodeFactors& factors,
                     double sigmas) const;

 private:
  void SetTerms(const kernels::QuerySums& sums, double step);

  CodeShape shape_;
  Metric metric_;
  int query_bits_;
  size_t sum_bytes_ = 0;  // of a sum in sign_tables_
  kernels::CodeKernel code_kernel_ = nullptr;
  kernels::ScoreTerms terms_;
  std::vector<float> values_;         // v, but for ip
  std::vector<int16_t> integers_;     // the quantized v, with zeros to whole words
  std::vector<int8_t> low_, high_;    // their bytes
  std::vector<uint8_t> sign_tables_;  // of kernels::SumSigns
  int32_t sign_base_ = 0;
  int32_t element_sum_ = 0;  // of the quantized v
};

}  // namespace s3v

#include "ivf/rotation.h"

#include <algorithm>
#include <bit>
#include <cassert>
#include <cmath>
#include <numbers>

#include "base/random.h"
#include "ivf/kernels/kernels.h"

namespace s3v {
namespace {

// Below this a dense matrix costs as little and mixes perfectly.
constexpr size_t kFewDimensions = 64;
// The first spreads a basis vector, the second makes its elements look normal.
constexpr size_t kRounds = 2;
constexpr size_t kBitsOfWord = 32;

size_t WordsFor(size_t bits) { return (bits + kBitsOfWord - 1) / kBitsOfWord; }

// Box and Muller: no rejection, so that a rounding of the last digit never shifts the stream.
std::vector<double> NormalNumbers(Random& random, size_t count) {
  std::vector<double> numbers(count);
  for (double& number : numbers) {
    const double length = std::sqrt(-2 * std::log(1 - random.Unit()));
    number = length * std::cos(2 * std::numbers::pi * random.Unit());
  }
  return numbers;
}

// Gram and Schmidt on normal numbers, which is uniform among all orthogonal maps.
std::vector<float> RandomOrthogonalMatrix(size_t size, uint64_t seed) {
  Random random(seed);
  std::vector<double> rows = NormalNumbers(random, size * size);
  for (size_t i = 0; i < size; ++i) {
    double* row = rows.data() + i * size;
    // Twice: once leaves what cancellation lost.
    for (int pass = 0; pass < 2; ++pass) {
      for (size_t j = 0; j < i; ++j) {
        const double* other = rows.data() + j * size;
        double dot = 0;
        for (size_t k = 0; k < size; ++k) dot += row[k] * other[k];
        for (size_t k = 0; k < size; ++k) row[k] -= dot * other[k];
      }
      double squares = 0;
      for (size_t k = 0; k < size; ++k) squares += row[k] * row[k];
      for (size_t k = 0; k < size; ++k) row[k] /= std::sqrt(squares);
    }
  }
  return {rows.begin(), rows.end()};
}

}  // namespace

Rotation::Rotation(size_t dimensions, uint64_t seed) : dimensions_(dimensions) {
  if (dimensions < kFewDimensions) {
    matrix_ = RandomOrthogonalMatrix(dimensions, seed);
    return;
  }
  window_ = std::bit_floor(dimensions);
  signs_.resize(kRounds * 2 * WordsFor(window_) + WordsFor(dimensions / 2));
  Random random(seed);
  for (uint32_t& word : signs_) word = static_cast<uint32_t>(random.Next() >> 32);
}

void Rotation::Apply(std::span<const float> in, std::span<float> out) const {
  assert(in.size() == dimensions_ && out.size() == dimensions_);
  if (in.data() != out.data()) std::copy(in.begin(), in.end(), out.begin());
  Transform(out.data());
}

void Rotation::ApplyRows(std::span<float> rows) const {
  assert(dimensions_ > 0 && rows.size() % dimensions_ == 0);
  for (size_t i = 0; i < rows.size(); i += dimensions_) Transform(rows.data() + i);
}

// A Hadamard transform mixes a window of a power of two, the first elements and then the last. Where that is not the
// whole, the halves are mixed between the rounds: the windows may have a single element in common.
void Rotation::Transform(float* row) const {
  if (window_ == 0) {
    float copy[kFewDimensions];
    std::copy_n(row, dimensions_, copy);
    kernels::DotRows(copy, matrix_.data(), dimensions_, dimensions_, row);
    return;
  }
  const uint32_t* signs = signs_.data();
  const size_t half = dimensions_ / 2;
  for (size_t round = 0; round < kRounds; ++round) {
    if (round > 0 && window_ < dimensions_) {
      kernels::MixHalves(row, row + dimensions_ - half, half, signs);
      signs += WordsFor(half);
    }
    kernels::SignedHadamard(row, window_, signs);
    signs += WordsFor(window_);
    kernels::SignedHadamard(row + dimensions_ - window_, window_, signs);
    signs += WordsFor(window_);
  }
}

}  // namespace s3v

// Small seeded data sets for the tests of this folder.
#pragma once

#include <cmath>
#include <cstddef>
#include <span>
#include <vector>

#include "base/random.h"

namespace s3v::testing {

// Roughly normal, mean 0, deviation 1.
inline float Normal(Random& random) {
  double sum = 0;
  for (int i = 0; i < 12; ++i) sum += random.Unit();
  return static_cast<float>(sum - 6);
}

inline std::vector<float> NormalVector(Random& random, size_t size, double scale = 1) {
  std::vector<float> values(size);
  for (float& value : values) value = static_cast<float>(Normal(random) * scale);
  return values;
}

// `count` rows around `blobs` centres, which lie `spread` apart for rows of deviation 1.
inline std::vector<float> Blobs(Random& random, size_t count, size_t width, size_t blobs, double spread) {
  const std::vector<float> centres = NormalVector(random, blobs * width, spread);
  std::vector<float> rows(count * width);
  for (size_t i = 0; i < count; ++i) {
    const size_t blob = random.Below(blobs);
    for (size_t j = 0; j < width; ++j) rows[i * width + j] = centres[blob * width + j] + Normal(random);
  }
  return rows;
}

inline std::span<const float> Row(std::span<const float> matrix, size_t width, size_t i) {
  return matrix.subspan(i * width, width);
}

inline double SquaredDistance(std::span<const float> a, std::span<const float> b) {
  long double sum = 0;
  for (size_t i = 0; i < a.size(); ++i) {
    const long double difference = static_cast<long double>(a[i]) - b[i];
    sum += difference * difference;
  }
  return static_cast<double>(sum);
}

}  // namespace s3v::testing

// Lists of coded rows for tests, as they lie in segments.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "ivf/codes.h"
#include "ivf/rotation.h"
#include "ivf/test_vectors.h"

namespace s3v::testing {

inline double Dot(std::span<const float> a, std::span<const float> b) {
  double sum = 0;
  for (size_t i = 0; i < a.size(); ++i) sum += double{a[i]} * b[i];
  return sum;
}

struct Code {
  Code(const CodeShape& shape, std::span<const float> residual)
      : signs(shape.words()), extension(shape.extension_bytes() / 8) {
    EncodeResidual(shape, residual, signs, extension, &sign_factors, &code_factors);
  }

  std::vector<uint64_t> signs, extension;
  SignFactors sign_factors;
  CodeFactors code_factors;
};

// The codes of a list's rows, as they lie in a segment.
struct CodedList {
  explicit CodedList(const CodeShape& code_shape) : shape(code_shape) {}

  void Add(std::span<const float> residual) {
    const Code code(shape, residual);
    signs.insert(signs.end(), code.signs.begin(), code.signs.end());
    extensions.push_back(code.extension);
    norms.push_back(code.sign_factors.residual_norm);
    scales.push_back(code.sign_factors.scale);
    factors.push_back(code.code_factors);
  }

  struct Scores {
    std::vector<float> lower, upper;             // by the sign plane
    std::vector<ListQuery::Estimate> estimates;  // by the code
  };
  Scores Score(ListQuery& query, double sigmas) const {
    const size_t count = norms.size();
    std::vector<uint8_t> plane(shape.sign_plane_bytes(count));
    InterleaveSigns(shape, signs, count, plane.data());
    Scores scores;
    scores.lower.resize(count);
    scores.upper.resize(count);
    std::vector<int32_t> sums(count);
    query.ScoreSigns(plane.data(), norms.data(), scales.data(), count, sigmas, scores.lower.data(), scores.upper.data(),
                     sums.data());
    if (shape.bits == 1) return scores;
    for (size_t i = 0; i < count; ++i) {
      const auto* extension = reinterpret_cast<const uint8_t*>(extensions[i].data());
      scores.estimates.push_back(query.ScoreCode(sums[i], extension, norms[i], factors[i], sigmas));
    }
    return scores;
  }

  CodeShape shape;
  std::vector<uint64_t> signs;
  std::vector<std::vector<uint64_t>> extensions;
  std::vector<float> norms, scales;
  std::vector<CodeFactors> factors;
};

inline void Normalize(std::vector<float>& vector) {
  const double length = std::sqrt(Dot(vector, vector));
  for (float& element : vector) element = static_cast<float>(element / length);
}

inline double ExactScore(Metric metric, std::span<const float> query, std::span<const float> row) {
  if (metric == Metric::kL2) return SquaredDistance(query, row);
  const double dot = Dot(query, row);
  if (metric == Metric::kInnerProduct) return -dot;
  return 1 - dot / std::sqrt(Dot(query, query) * Dot(row, row));
}

// A list of rows around a centroid and a query near it: exact scores, and those by the codes. Few elements of rows are
// large, which only the rotation makes normal.
struct Experiment {
  Experiment(const CodeShape& shape, Metric list_metric, uint64_t seed, size_t rows, double centroid_length = 1)
      : metric(list_metric), list(shape), rotation(shape.dimensions, seed), random(seed) {
    const size_t d = shape.dimensions;
    centroid = NormalVector(random, d, centroid_length / std::sqrt(static_cast<double>(d)));
    query = Near();
    rotated_centroid.resize(d);
    rotation.Apply(centroid, rotated_centroid);
    std::vector<float> rotated(d);
    for (size_t i = 0; i < rows; ++i) {
      const std::vector<float> row = Near();
      exact.push_back(ExactScore(metric, query, row));
      rotation.Apply(row, rotated);
      for (size_t j = 0; j < d; ++j) rotated[j] -= rotated_centroid[j];
      list.Add(rotated);
    }
  }

  std::vector<float> Near() {
    const size_t d = centroid.size();
    std::vector<float> vector = centroid;
    for (float& element : vector) {
      const double rare = random.Below(10) == 0 ? 3 : 0.3;
      element += Normal(random) * static_cast<float>(rare / std::sqrt(static_cast<double>(d)));
    }
    if (metric == Metric::kCosine) Normalize(vector);
    return vector;
  }

  CodedList::Scores Score(int query_bits, double sigmas) const {
    ListQuery list_query(list.shape, metric, query_bits);
    std::vector<float> rotated(query.size());
    rotation.Apply(query, rotated);
    list_query.Set(rotated, rotated_centroid);
    return list.Score(list_query, sigmas);
  }

  Metric metric;
  CodedList list;
  Rotation rotation;
  Random random;
  std::vector<float> centroid, query, rotated_centroid;
  std::vector<double> exact;
};

}  // namespace s3v::testing

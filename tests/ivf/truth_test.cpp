#include "ivf/truth.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "ivf/test_vectors.h"

namespace s3v {
namespace {

using testing::NormalVector;

// Against every exact distance; the own row is left out.
void CheckTruth(Metric metric, size_t rows, size_t dim, double scale) {
  Random random(rows + dim);
  std::vector<std::vector<float>> table;
  for (size_t i = 0; i < rows; ++i) table.push_back(NormalVector(random, dim, scale));
  constexpr size_t kQueries = 5;
  std::vector<float> queries;
  std::vector<std::string> own;
  for (size_t q = 0; q < kQueries; ++q) {
    const size_t row = q * rows / kQueries;
    queries.insert(queries.end(), table[row].begin(), table[row].end());
    own.push_back(std::to_string(row));
  }
  Truth truth(metric, dim, queries, own, 10);
  for (size_t i = 0; i < rows; ++i) truth.Add(std::to_string(i), table[i]);
  for (size_t q = 0; q < kQueries; ++q) {
    std::vector<double> all;
    for (size_t i = 0; i < rows; ++i) {
      if (std::to_string(i) == own[q]) continue;
      all.push_back(ExactDistance(metric, std::span(queries).subspan(q * dim, dim), table[i]));
    }
    std::ranges::sort(all);
    all.resize(std::min<size_t>(10, all.size()));
    EXPECT_EQ(truth.Nearest(q), all) << q;
  }
}

TEST(Truth, EqualsTheExactDistances) {
  for (const Metric metric : {Metric::kCosine, Metric::kL2, Metric::kInnerProduct}) {
    CheckTruth(metric, 1000, 64, 1);
    CheckTruth(metric, 300, 3, 1);
    CheckTruth(metric, 129, 784, 1);
  }
}

TEST(Truth, FewRows) { CheckTruth(Metric::kL2, 5, 8, 1); }

TEST(Truth, LengthsThatFloatCannotMultiply) {
  for (const double scale : {1e-25, 1e25}) {
    CheckTruth(Metric::kCosine, 200, 16, scale);
    CheckTruth(Metric::kL2, 200, 16, scale);
    CheckTruth(Metric::kInnerProduct, 200, 16, scale);
  }
}

}  // namespace
}  // namespace s3v

#include "ivf/distance.h"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <cstring>
#include <limits>
#include <vector>

#include "ivf/each_target.h"
#include "ivf/test_vectors.h"

namespace s3v {
namespace {

using testing::ForEachTarget;
using testing::NormalVector;
using testing::Row;

constexpr Metric kMetrics[] = {Metric::kCosine, Metric::kL2, Metric::kInnerProduct};
constexpr double kInfinity = std::numeric_limits<double>::infinity();

long double ReferenceDot(std::span<const float> a, std::span<const float> b) {
  long double sum = 0;
  for (size_t i = 0; i < a.size(); ++i) sum += static_cast<long double>(a[i]) * b[i];
  return sum;
}

// Through the difference of the unit vectors, which keeps its digits where 1 - cos loses them.
long double ReferenceCosine(std::span<const float> a, std::span<const float> b) {
  const long double a_norm = std::sqrt(ReferenceDot(a, a));
  const long double b_norm = std::sqrt(ReferenceDot(b, b));
  long double sum = 0;
  for (size_t i = 0; i < a.size(); ++i) {
    const long double difference = a[i] / a_norm - b[i] / b_norm;
    sum += difference * difference;
  }
  return sum / 2;
}

TEST(ExactDistance, GivesTheTextbookValues) {
  const std::vector<float> a = {3, 4};
  const std::vector<float> b = {4, 3};
  EXPECT_EQ(ExactDistance(Metric::kL2, a, b), std::sqrt(2.0));
  EXPECT_EQ(ExactDistance(Metric::kInnerProduct, a, b), -24.0);
  EXPECT_DOUBLE_EQ(ExactDistance(Metric::kCosine, a, b), 1 - 24.0 / 25);
  EXPECT_DOUBLE_EQ(ExactDistance(Metric::kCosine, a, std::vector<float>{-4, 3}), 1.0);
  EXPECT_EQ(ExactDistance(Metric::kCosine, a, std::vector<float>{-6, -8}), 2.0);
}

TEST(ExactDistance, OfEqualVectorsIsExactlyZero) {
  Random random(1);
  for (size_t dim = 1; dim < 200; ++dim) {
    const std::vector<float> a = NormalVector(random, dim, std::pow(10.0, static_cast<double>(random.Below(40)) - 20));
    EXPECT_EQ(ExactDistance(Metric::kCosine, a, a), 0.0) << dim;
    EXPECT_EQ(ExactDistance(Metric::kL2, a, a), 0.0) << dim;
    std::vector<float> twice = a;
    for (float& value : twice) value *= 2;
    EXPECT_EQ(ExactDistance(Metric::kCosine, a, twice), 0.0) << dim;
  }
}

TEST(ExactDistance, NeverGivesMinusZero) {
  const std::vector<float> a = {1, 0};
  const std::vector<float> b = {0, 1};
  EXPECT_FALSE(std::signbit(ExactDistance(Metric::kInnerProduct, a, b)));
}

TEST(ExactDistance, KeepsItsDigitsForNearlyEqualVectors) {
  Random random(2);
  for (const size_t dim : {2, 3, 17, 128, 784, 2000}) {
    for (double step = 1e-7; step < 1; step *= 3) {
      const std::vector<float> a = NormalVector(random, dim);
      std::vector<float> b = a;
      for (float& value : b) value += static_cast<float>(step * testing::Normal(random));
      const auto cosine = static_cast<double>(ReferenceCosine(a, b));
      EXPECT_NEAR(ExactDistance(Metric::kCosine, a, b), cosine, 1e-8 * cosine) << dim << " " << step;
      const double l2 = std::sqrt(testing::SquaredDistance(a, b));
      EXPECT_NEAR(ExactDistance(Metric::kL2, a, b), l2, 1e-13 * l2) << dim << " " << step;
    }
  }
}

TEST(ExactDistance, HoldsOverFloatsWholeRange) {
  Random random(3);
  for (const double scale : {1e-40, 1e-30, 1e-10, 1e10, 1e30, 1e37}) {
    const std::vector<float> a = NormalVector(random, 50, scale);
    const std::vector<float> b = NormalVector(random, 50, scale);
    const auto cosine = static_cast<double>(ReferenceCosine(a, b));
    EXPECT_NEAR(ExactDistance(Metric::kCosine, a, b), cosine, 1e-12) << scale;
    const double l2 = std::sqrt(testing::SquaredDistance(a, b));
    EXPECT_NEAR(ExactDistance(Metric::kL2, a, b), l2, 1e-13 * l2) << scale;
    const auto ip = static_cast<double>(-ReferenceDot(a, b));
    EXPECT_NEAR(ExactDistance(Metric::kInnerProduct, a, b), ip, 1e-13 * scale * scale * 50) << scale;
  }
}

// The order of the sums is a promise: eight interleaved accumulators, then a tree, nothing fused. `volatile` keeps the
// compiler from fusing or reordering here.
TEST(ExactDistance, SumsInThePromisedOrderToTheBit) {
  Random random(4);
  for (size_t dim = 1; dim < 100; ++dim) {
    const std::vector<float> a = NormalVector(random, dim);
    const std::vector<float> b = NormalVector(random, dim);
    const auto sum = [&](auto&& term) {
      volatile double sums[8] = {};
      for (size_t i = 0; i < dim; ++i) {
        volatile double value = term(i);
        sums[i % 8] = sums[i % 8] + value;
      }
      return ((sums[0] + sums[4]) + (sums[2] + sums[6])) + ((sums[1] + sums[5]) + (sums[3] + sums[7]));
    };
    const double l2 = std::sqrt(sum([&](size_t i) {
      volatile double difference = static_cast<double>(a[i]) - b[i];
      return difference * difference;
    }));
    const double dot = sum([&](size_t i) { return static_cast<double>(a[i]) * b[i]; });
    ForEachTarget([&] {
      EXPECT_EQ(std::bit_cast<uint64_t>(ExactDistance(Metric::kL2, a, b)), std::bit_cast<uint64_t>(l2)) << dim;
      EXPECT_EQ(std::bit_cast<uint64_t>(ExactDistance(Metric::kInnerProduct, a, b)), std::bit_cast<uint64_t>(-dot))
          << dim;
    });
  }
}

TEST(ExactDistance, IsSymmetricToTheBit) {
  Random random(5);
  for (size_t dim = 1; dim < 100; ++dim) {
    const std::vector<float> a = NormalVector(random, dim);
    std::vector<float> b = a;
    for (float& value : b) value += static_cast<float>(0.001 * testing::Normal(random));
    for (const Metric metric : kMetrics) EXPECT_EQ(ExactDistance(metric, a, b), ExactDistance(metric, b, a)) << dim;
  }
}

TEST(Norm, IsTheEuclideanLength) {
  EXPECT_EQ(Norm(std::vector<float>{3, 4}), 5.0);
  EXPECT_EQ(Norm({}), 0.0);
  EXPECT_GT(Norm(std::vector<float>{1e-45f}), 0.0);
  EXPECT_DOUBLE_EQ(Norm(std::vector<float>(4, 3e38f)), 2 * static_cast<double>(3e38f));
}

TEST(AllFinite, FindsInfinityAndNaNAnywhere) {
  for (const size_t size : {1, 2, 15, 16, 17, 100}) {
    std::vector<float> values(size, std::numeric_limits<float>::max());
    EXPECT_TRUE(AllFinite(values));
    for (size_t i = 0; i < size; ++i) {
      for (const float bad : {std::numeric_limits<float>::infinity(), -std::numeric_limits<float>::infinity(),
                              std::numeric_limits<float>::quiet_NaN(), -std::numeric_limits<float>::signaling_NaN()}) {
        const float kept = values[i];
        values[i] = bad;
        EXPECT_FALSE(AllFinite(values)) << size << " " << i;
        values[i] = kept;
      }
    }
  }
  EXPECT_TRUE(AllFinite({}));
  EXPECT_TRUE(AllFinite(std::vector<float>{0.0f, -0.0f, 1e-45f}));
}

}  // namespace
}  // namespace s3v

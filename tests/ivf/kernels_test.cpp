#include "ivf/kernels/kernels.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <limits>
#include <numeric>
#include <vector>

#include "ivf/each_target.h"
#include "ivf/test_vectors.h"

namespace s3v {
namespace {

using testing::ForEachTarget;
using testing::NormalVector;

std::vector<size_t> Dimensions() {
  std::vector<size_t> dimensions(130);
  std::iota(dimensions.begin(), dimensions.end(), 1);
  dimensions.insert(dimensions.end(), {256, 257, 513, 784, 1000});
  return dimensions;
}

// The row kernels form at least four partial sums; the dense product sums in order.
double RowBound(size_t dim, double magnitude) { return 0x1.0p-24 * (static_cast<double>(dim) / 4 + 36) * magnitude; }
double MatrixBound(size_t dim, double magnitude) { return 0x1.0p-24 * static_cast<double>(dim + 4) * magnitude; }

struct Expected {
  double value = 0;
  double magnitude = 0;  // sum of the terms' absolute values
};

Expected PlainDot(const float* a, const float* b, size_t dim) {
  Expected expected;
  for (size_t k = 0; k < dim; ++k) {
    const double term = static_cast<double>(a[k]) * b[k];
    expected.value += term;
    expected.magnitude += std::abs(term);
  }
  return expected;
}

Expected PlainSquaredL2(const float* a, const float* b, size_t dim) {
  Expected expected;
  for (size_t k = 0; k < dim; ++k) {
    const double difference = static_cast<double>(a[k]) - b[k];
    expected.value += difference * difference;
  }
  expected.magnitude = expected.value;
  return expected;
}

TEST(ScaleInDouble, RoundsOnceOnEveryTarget) {
  Random random(11);
  for (const size_t size : Dimensions()) {
    const std::vector<float> values = NormalVector(random, size);
    for (const double factor : {1.0 / 3, 1e-45, 3e37, 0.0}) {
      std::vector<float> expected(size);
      for (size_t i = 0; i < size; ++i) expected[i] = static_cast<float>(values[i] * factor);
      ForEachTarget([&] {
        std::vector<float> scaled(size + 1, 7.0f);
        kernels::ScaleInDouble(values.data(), size, factor, scaled.data());
        EXPECT_EQ(std::memcmp(scaled.data(), expected.data(), size * sizeof(float)), 0) << size << " " << factor;
        EXPECT_EQ(scaled[size], 7.0f);
      });
    }
  }
}

using RowKernel = void (*)(const float*, const float*, size_t, size_t, float*);
using PlainKernel = Expected (*)(const float*, const float*, size_t);

// Rows start `offset` bytes into their buffer: lists are read from byte strings.
void CheckRows(RowKernel kernel, PlainKernel plain, size_t dim, size_t count, size_t offset) {
  Random random(dim * 131 + count);
  const std::vector<float> query = NormalVector(random, dim + 1);
  const std::vector<float> rows = NormalVector(random, count * dim);
  std::vector<uint8_t> bytes(offset + rows.size() * sizeof(float));
  if (count > 0) std::memcpy(bytes.data() + offset, rows.data(), rows.size() * sizeof(float));
  constexpr float kUntouched = -12345;
  std::vector<float> out(count + 1, kUntouched);

  kernel(query.data() + 1, reinterpret_cast<const float*>(bytes.data() + offset), count, dim, out.data());

  for (size_t i = 0; i < count; ++i) {
    const Expected expected = plain(query.data() + 1, rows.data() + i * dim, dim);
    ASSERT_NEAR(out[i], expected.value, RowBound(dim, expected.magnitude)) << "dim " << dim << " row " << i;
  }
  ASSERT_EQ(out[count], kUntouched);
}

TEST(DotRows, AgreesWithAPlainLoop) {
  ForEachTarget([] {
    for (const size_t dim : Dimensions()) {
      for (const size_t count : {0, 1, 2, 5}) CheckRows(kernels::DotRows, PlainDot, dim, count, dim % 5);
    }
  });
}

TEST(SquaredL2Rows, AgreesWithAPlainLoop) {
  ForEachTarget([] {
    for (const size_t dim : Dimensions()) {
      for (const size_t count : {0, 1, 2, 5}) CheckRows(kernels::SquaredL2Rows, PlainSquaredL2, dim, count, dim % 5);
    }
  });
}

TEST(RowKernels, GiveARowTheSameBitsWhereverItStands) {
  ForEachTarget([] {
    for (const size_t dim : {1, 7, 16, 33, 128, 784}) {
      Random random(dim);
      const std::vector<float> query = NormalVector(random, dim);
      const std::vector<float> rows = NormalVector(random, 5 * dim);
      for (const RowKernel kernel : {&kernels::DotRows, &kernels::SquaredL2Rows}) {
        float together[5];
        kernel(query.data(), rows.data(), 5, dim, together);
        for (size_t i = 0; i < 5; ++i) {
          float alone = 0;
          kernel(query.data(), rows.data() + i * dim, 1, dim, &alone);
          ASSERT_EQ(alone, together[i]) << "dim " << dim << " row " << i;
        }
      }
    }
  });
}

void CheckMatrix(size_t m, size_t n, size_t dim) {
  Random random(m * 10007 + n * 101 + dim);
  // One float in, so that no row is aligned to a vector.
  const std::vector<float> a = NormalVector(random, m * dim + 1);
  const std::vector<float> b = NormalVector(random, n * dim + 1);
  constexpr float kUntouched = -12345;
  const size_t ldc = n + 3;
  std::vector<float> c(m * ldc, kUntouched);

  kernels::DotMatrix(a.data() + 1, m, b.data() + 1, n, dim, c.data(), ldc);

  for (size_t i = 0; i < m; ++i) {
    for (size_t j = 0; j < n; ++j) {
      const Expected expected = PlainDot(a.data() + 1 + i * dim, b.data() + 1 + j * dim, dim);
      ASSERT_NEAR(c[i * ldc + j], expected.value, MatrixBound(dim, expected.magnitude))
          << m << " x " << n << " x " << dim << " at " << i << ", " << j;
    }
    for (size_t j = n; j < ldc; ++j) ASSERT_EQ(c[i * ldc + j], kUntouched) << "beyond the columns";
  }
}

TEST(DotMatrix, AgreesWithAPlainLoop) {
  ForEachTarget([] {
    for (const size_t dim : Dimensions()) CheckMatrix(7, 9, dim);
    for (size_t m = 0; m <= 27; ++m) CheckMatrix(m, 5, 19);
    for (size_t n = 0; n <= 70; ++n) CheckMatrix(3, n, 19);
    CheckMatrix(25, 67, 784);
    CheckMatrix(13, 33, 1000);
  });
}

TEST(DotMatrix, OfNoDimensionsIsZero) {
  ForEachTarget([] {
    std::vector<float> c(6, 1.0f);
    kernels::DotMatrix(nullptr, 2, nullptr, 3, 0, c.data(), 3);
    EXPECT_EQ(c, std::vector<float>(6, 0.0f));
  });
}

// Training relies on it: how rows are cut into chunks must not change a bit.
TEST(DotMatrix, GivesAPairTheSameBitsInEveryTile) {
  ForEachTarget([] {
    const size_t dim = 300;
    Random random(3);
    const std::vector<float> a = NormalVector(random, 29 * dim);
    const std::vector<float> b = NormalVector(random, 71 * dim);
    std::vector<float> c(29 * 71);
    kernels::DotMatrix(a.data(), 29, b.data(), 71, dim, c.data(), 71);
    for (size_t i = 0; i < 29; ++i) {
      for (size_t j = 0; j < 71; ++j) {
        float alone = 0;
        kernels::DotMatrix(a.data() + i * dim, 1, b.data() + j * dim, 1, dim, &alone, 1);
        ASSERT_EQ(alone, c[i * 71 + j]) << i << ", " << j;
      }
    }
  });
}

// Products of few values, so that several centroids are equally near.
TEST(NearestCentroid, IsTheFirstOfTheLeast) {
  ForEachTarget([] {
    Random random(11);
    for (size_t count = 1; count < 120; ++count) {
      std::vector<float> products(count), lengths(count);
      for (float& product : products) product = static_cast<float>(random.Below(4));
      for (float& length : lengths) length = static_cast<float>(random.Below(4));
      lengths[random.Below(count)] = std::numeric_limits<float>::quiet_NaN();
      kernels::Nearest expected{.centroid = 0, .score = std::numeric_limits<float>::max()};
      for (size_t c = 0; c < count; ++c) {
        const float score = lengths[c] - 2 * products[c];
        if (score < expected.score) expected = {.centroid = static_cast<uint32_t>(c), .score = score};
      }
      const kernels::Nearest nearest = kernels::NearestCentroid(products.data(), lengths.data(), count);
      ASSERT_EQ(nearest.centroid, expected.centroid) << count;
      ASSERT_EQ(nearest.score, expected.score) << count;
    }
  });
}

TEST(NearestCentroid, IsTheFirstWhereNoneIsLess) {
  ForEachTarget([] {
    const std::vector<float> products(40, 0.0f), lengths(40, std::numeric_limits<float>::infinity());
    const kernels::Nearest nearest = kernels::NearestCentroid(products.data(), lengths.data(), 40);
    EXPECT_EQ(nearest.centroid, 0u);
    EXPECT_EQ(nearest.score, std::numeric_limits<float>::max());
  });
}

TEST(AddToSums, AddsInDouble) {
  ForEachTarget([] {
    Random random(12);
    for (size_t count = 0; count < 70; ++count) {
      const std::vector<float> values = NormalVector(random, count);
      std::vector<double> sums(count + 1, 1e9), expected(count + 1, 1e9);
      for (size_t i = 0; i < count; ++i) expected[i] += values[i];
      kernels::AddToSums(values.data(), count, sums.data());
      ASSERT_EQ(sums, expected);
    }
  });
}

}  // namespace
}  // namespace s3v

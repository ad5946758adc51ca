#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <vector>

#include "ivf/each_target.h"
#include "ivf/kernels/kernels.h"
#include "ivf/test_vectors.h"

namespace s3v {
namespace {

using testing::ForEachTarget;

std::vector<int8_t> AnyBytes(Random& random, size_t size) {
  std::vector<int8_t> bytes(size);
  for (int8_t& byte : bytes) byte = static_cast<int8_t>(random.Below(256) - 128);
  return bytes;
}

std::vector<int32_t> PlainDots(const int8_t* query, const int8_t* rows, size_t count, size_t dim) {
  std::vector<int32_t> dots(count);
  for (size_t i = 0; i < count; ++i) dots[i] = std::inner_product(query, query + dim, rows + i * dim, 0);
  return dots;
}

// Rows and query lie at odd addresses and end where their memory ends: a sanitizer sees what is read beyond.
void Check(const std::vector<int8_t>& query, const std::vector<int8_t>& rows, size_t count, size_t dim) {
  constexpr int32_t kUntouched = -12345;
  std::vector<int32_t> out(count + 1, kUntouched);
  kernels::DotRowsInt8(query.data() + 1, rows.data() + 1, count, dim, out.data());
  std::vector<int32_t> expected = PlainDots(query.data() + 1, rows.data() + 1, count, dim);
  expected.push_back(kUntouched);
  ASSERT_EQ(out, expected) << count << " x " << dim;
}

TEST(DotRowsInt8, EqualsAPlainLoop) {
  ForEachTarget([] {
    Random random(1);
    std::vector<size_t> dimensions(200);
    std::iota(dimensions.begin(), dimensions.end(), 1);
    dimensions.insert(dimensions.end(), {256, 257, 767, 768, 769, 1535, 2049, 2112});
    for (const size_t dim : dimensions) {
      for (const size_t count : {0, 1, 2, 3, 4, 5, 7, 8, 11}) {
        Check(AnyBytes(random, dim + 1), AnyBytes(random, count * dim + 1), count, dim);
      }
    }
  });
}

// Where instructions that saturate, or sums of 16 bits, would give themselves away.
TEST(DotRowsInt8, HoldsExtremes) {
  ForEachTarget([] {
    for (const size_t dim : {1, 3, 64, 130, 16000, 65535}) {
      for (const int query : {-128, -127, 127}) {
        for (const int row : {-128, -127, 127}) {
          Check(std::vector<int8_t>(dim + 1, static_cast<int8_t>(query)),
                std::vector<int8_t>(5 * dim + 1, static_cast<int8_t>(row)), 5, dim);
        }
      }
    }
  });
}

TEST(DotRowsInt8, OfNoDimensionsIsZero) {
  ForEachTarget([] {
    std::vector<int32_t> out(5, 7);
    kernels::DotRowsInt8(nullptr, nullptr, 5, 0, out.data());
    EXPECT_EQ(out, std::vector<int32_t>(5, 0));
  });
}

void CheckMatrix(const std::vector<int8_t>& a, const std::vector<int8_t>& b, size_t m, size_t n, size_t stride) {
  constexpr int32_t kUntouched = -12345;
  std::vector<int32_t> out(m * n + 1, kUntouched);
  kernels::DotMatrixInt8(a.data() + 1, m, b.data() + 1, n, stride, out.data());
  std::vector<int32_t> expected;
  for (size_t i = 0; i < m; ++i) {
    const std::vector<int32_t> row = PlainDots(a.data() + 1 + i * stride, b.data() + 1, n, stride);
    expected.insert(expected.end(), row.begin(), row.end());
  }
  expected.push_back(kUntouched);
  ASSERT_EQ(out, expected) << m << " x " << n << " x " << stride;
}

TEST(DotMatrixInt8, EqualsAPlainLoop) {
  ForEachTarget([] {
    Random random(3);
    for (const size_t stride : {64, 128, 768, 1024, 1088, 2112}) {
      for (const size_t m : {0, 1, 2, 3, 11, 12, 13, 26}) {
        for (const size_t n : {0, 1, 15, 16, 17, 31, 32, 33, 65}) {
          CheckMatrix(AnyBytes(random, m * stride + 1), AnyBytes(random, n * stride + 1), m, n, stride);
        }
      }
    }
  });
}

TEST(DotMatrixInt8, HoldsExtremes) {
  ForEachTarget([] {
    for (const size_t stride : {64, 16000, 65472}) {
      for (const int a : {-128, 127}) {
        for (const int b : {-128, 127}) {
          CheckMatrix(std::vector<int8_t>(13 * stride + 1, static_cast<int8_t>(a)),
                      std::vector<int8_t>(5 * stride + 1, static_cast<int8_t>(b)), 13, 5, stride);
        }
      }
    }
  });
}

TEST(RoundedScores, AreOffsetsLessScaledProducts) {
  ForEachTarget([] {
    Random random(4);
    for (size_t count = 0; count < 70; ++count) {
      std::vector<float> offsets = testing::NormalVector(random, count), scales = testing::NormalVector(random, count);
      std::vector<int32_t> dots(count);
      for (int32_t& dot : dots) dot = static_cast<int32_t>(random.Below(20000000)) - 10000000;
      if (count > 2) offsets[count / 2] = std::numeric_limits<float>::quiet_NaN();
      std::vector<float> scores(count + 1, 5.0f);
      const float least =
          kernels::RoundedScores(dots.data(), offsets.data(), scales.data(), 1e-5f, count, scores.data());
      float expected = std::numeric_limits<float>::max();
      for (size_t c = 0; c < count; ++c) {
        if (std::isnan(offsets[c])) {
          EXPECT_TRUE(std::isnan(scores[c]));
          continue;
        }
        EXPECT_NEAR(scores[c], offsets[c] - 1e-5 * scales[c] * dots[c], 1e-4);
        expected = std::min(expected, scores[c]);
      }
      EXPECT_EQ(least, expected);
      EXPECT_EQ(scores[count], 5.0f);
    }
  });
}

TEST(LargestAbsolute, IsThatOfAPlainLoop) {
  ForEachTarget([] {
    Random random(2);
    for (size_t count = 0; count < 150; ++count) {
      std::vector<float> values = testing::NormalVector(random, count + 1);  // read from the second on
      float expected = 0;
      for (size_t i = 1; i <= count; ++i) expected = std::max(expected, std::abs(values[i]));
      EXPECT_EQ(kernels::LargestAbsolute(values.data() + 1, count), expected);
      if (count == 0) continue;
      const size_t place = 1 + random.Below(count);
      values[place] = -100;
      EXPECT_EQ(kernels::LargestAbsolute(values.data() + 1, count), 100) << count;
      values[place] = NAN;
      EXPECT_LT(kernels::LargestAbsolute(values.data() + 1, count), 100) << count;
    }
  });
}

TEST(RoundToInt8, RoundsAndHoldsAlikeEverywhere) {
  ForEachTarget([] {
    Random random(3);
    for (size_t count = 0; count < 150; ++count) {
      std::vector<float> values = testing::NormalVector(random, count + 1, 60);
      for (size_t i = 0; i <= count; i += 5) values[i] = std::round(values[i]) + 0.5f;  // halves
      if (count > 3) values[3] = std::numeric_limits<float>::infinity();
      const float factor = count % 2 == 0 ? 2.0f : 0.37f;
      std::vector<int8_t> out(count + 1, 99);
      kernels::RoundToInt8(values.data() + 1, count, factor, out.data());
      for (size_t i = 0; i < count; ++i) {
        const float expected = std::round(std::clamp(values[i + 1] * factor, -127.0f, 127.0f));
        EXPECT_EQ(out[i], static_cast<int>(expected)) << values[i + 1];
      }
      EXPECT_EQ(out[count], 99);
    }
  });
}

}  // namespace
}  // namespace s3v

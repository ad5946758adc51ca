// The kernels of RaBitQ codes against plain loops, for every instruction set.
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <limits>
#include <vector>

#include "ivf/codes.h"
#include "ivf/each_target.h"
#include "ivf/kernels/kernels.h"
#include "ivf/test_vectors.h"

namespace s3v {
namespace {

using testing::ForEachTarget;
using testing::NormalVector;

constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr size_t kSizes[] = {1, 2, 3, 7, 8, 15, 16, 17, 31, 33, 63, 64, 65, 100, 127, 128, 257, 784, 1000};

TEST(SumResidual, AgreesWithAPlainLoop) {
  ForEachTarget([] {
    for (const size_t size : kSizes) {
      Random random(size);
      for (const double scale : {1.0, 1e-30, 1e37}) {
        const std::vector<float> residual = NormalVector(random, size, scale);
        double squares = 0, absolutes = 0;
        for (const float r : residual) {
          squares += double{r} * r;
          absolutes += std::abs(r);
        }
        const kernels::ResidualSums sums = kernels::SumResidual(residual.data(), size);
        ASSERT_NEAR(sums.squares, squares, 1e-12 * squares);
        ASSERT_NEAR(sums.absolutes, absolutes, 1e-12 * absolutes);
        std::vector<float> magnitudes(size + 1, -1);
        kernels::ScaledMagnitudes(residual.data(), size, 0.5f, magnitudes.data());
        for (size_t i = 0; i < size; ++i) ASSERT_EQ(magnitudes[i], std::abs(residual[i]) * 0.5f);
        ASSERT_EQ(magnitudes[size], -1);
      }
    }
  });
}

void CheckCode(size_t size, int bits) {
  Random random(size * 10 + static_cast<size_t>(bits));
  const std::vector<float> residual = NormalVector(random, size);
  std::vector<float> magnitudes = residual;
  for (float& magnitude : magnitudes) magnitude = std::abs(magnitude) * 1.5f;
  const float scale = 0.37f * static_cast<float>(1 << (bits - 1));
  const int most = (1 << (bits - 1)) - 1;
  std::vector<uint8_t> expected(size);
  double dot = 0, trial_dot = 0, squares = 0;
  for (size_t i = 0; i < size; ++i) {
    const int level = std::min(static_cast<int>(magnitudes[i] * scale), most);
    expected[i] = static_cast<uint8_t>(residual[i] < 0 ? most - level : most + 1 + level);
    dot += (level + 0.5) * std::abs(residual[i]);
    trial_dot += (level + 0.5) * magnitudes[i];
    squares += (level + 0.5) * (level + 0.5);
  }
  std::vector<uint8_t> codes(size + 1, 77);
  const kernels::CodeFit fit = kernels::WriteCode(residual.data(), magnitudes.data(), size, scale, bits, codes.data());
  const kernels::CodeFit trial = kernels::FitCode(magnitudes.data(), size, scale, static_cast<float>(most));
  ASSERT_EQ(codes[size], 77);
  codes.pop_back();
  ASSERT_EQ(codes, expected) << size << " elements, " << bits << " bits";
  ASSERT_NEAR(fit.dot, dot, 1e-12 * dot);
  ASSERT_EQ(fit.squares, squares);
  ASSERT_NEAR(trial.dot, trial_dot, 1e-5 * trial_dot);
  ASSERT_NEAR(trial.squares, squares, 1e-5 * squares);
}

TEST(WriteCode, AgreesWithAPlainLoop) {
  ForEachTarget([] {
    for (const size_t size : kSizes) {
      for (int bits = 1; bits <= 8; ++bits) CheckCode(size, bits);
    }
  });
}

TEST(CutPlane, TakesOneBitOfEveryByte) {
  ForEachTarget([] {
    constexpr size_t kWords = 5;
    Random random(8);
    std::vector<uint8_t> bytes(64 * kWords + 1);
    for (uint8_t& byte : bytes) byte = static_cast<uint8_t>(random.Next());
    for (int bit = 0; bit < 8; ++bit) {
      std::vector<uint64_t> plane(kWords + 1, 1);
      kernels::CutPlane(bytes.data() + 1, kWords, bit, plane.data());
      for (size_t i = 0; i < 64 * kWords; ++i) ASSERT_EQ(plane[i / 64] >> (i % 64) & 1, bytes[i + 1] >> bit & 1);
      ASSERT_EQ(plane[kWords], 1u);
    }
  });
}

TEST(SumQuery, AgreesWithAPlainLoop) {
  ForEachTarget([] {
    for (const size_t size : kSizes) {
      Random random(size);
      const std::vector<float> query = NormalVector(random, size), centroid = NormalVector(random, size);
      std::vector<float> values(size + 1, 9);
      kernels::Subtract(query.data(), centroid.data(), size, values.data());
      ASSERT_EQ(values[size], 9);
      kernels::QuerySums expected;
      for (size_t i = 0; i < size; ++i) {
        ASSERT_EQ(values[i], query[i] - centroid[i]);
        expected.value_squares += double{values[i]} * values[i];
        expected.query_squares += double{query[i]} * query[i];
        expected.centroid_squares += double{centroid[i]} * centroid[i];
        expected.dot += double{query[i]} * centroid[i];
        expected.largest = std::max<double>(expected.largest, std::abs(values[i]));
      }
      const kernels::QuerySums sums = kernels::SumQuery(query.data(), centroid.data(), values.data(), size);
      ASSERT_NEAR(sums.value_squares, expected.value_squares, 1e-12 * expected.value_squares);
      ASSERT_NEAR(sums.query_squares, expected.query_squares, 1e-12 * expected.query_squares);
      ASSERT_NEAR(sums.centroid_squares, expected.centroid_squares, 1e-12 * expected.centroid_squares);
      ASSERT_NEAR(sums.dot, expected.dot, 1e-12 * (expected.query_squares + expected.centroid_squares));
      ASSERT_EQ(sums.largest, expected.largest);
    }
  });
}

// A query's integers and their bytes, padded to whole words.
struct Integers {
  explicit Integers(size_t words) : values(64 * words), low(64 * words), high(64 * words) {}
  kernels::QuantizedQuery query() const { return {values.data(), low.data(), high.data(), values.size() / 64}; }

  std::vector<int16_t> values;
  std::vector<int8_t> low, high;
  int32_t sum = 0;
};

// `most` as the greatest, and more often than any other when `extreme`.
Integers RandomIntegers(Random& random, size_t size, int most, bool extreme) {
  Integers integers((size + 63) / 64);
  std::vector<float> values(size);
  for (float& value : values) {
    value = static_cast<float>(random.Below(2 * static_cast<uint64_t>(most) + 1)) - static_cast<float>(most);
    if (extreme) value = static_cast<float>(value < 0 && random.Below(8) > 0 ? -most : most);
  }
  values[size / 2] = static_cast<float>(-most);
  integers.sum = kernels::QuantizeValues(values.data(), size, 1.0f, integers.values.data(), integers.low.data(),
                                         integers.high.data());
  return integers;
}

TEST(QuantizeValues, RoundsToTheNearestAndCutsIntoBytes) {
  ForEachTarget([] {
    for (const size_t size : kSizes) {
      Random random(size);
      const std::vector<float> values = NormalVector(random, size, 3000);
      Integers integers((size + 63) / 64);
      integers.sum = kernels::QuantizeValues(values.data(), size, 0.7f, integers.values.data(), integers.low.data(),
                                             integers.high.data());
      int32_t sum = 0;
      for (size_t i = 0; i < size; ++i) {
        ASSERT_EQ(integers.values[i], std::lrint(values[i] * 0.7f));
        ASSERT_EQ(integers.values[i], 256 * integers.high[i] + integers.low[i]);
        sum += integers.values[i];
      }
      ASSERT_EQ(integers.sum, sum);
      for (size_t i = size; i < integers.values.size(); ++i) ASSERT_EQ(integers.values[i], 0);
    }
  });
}

// Random bits beyond the elements too: they meet zeros.
std::vector<uint64_t> RandomPlane(Random& random, size_t words) {
  std::vector<uint64_t> plane(words);
  for (uint64_t& word : plane) word = random.Next();
  return plane;
}

void CheckSignSums(size_t size, size_t count, int bits, bool extreme) {
  const CodeShape shape{size, 1};
  const size_t words = shape.words();
  Random random(size * 1000 + count * 10 + static_cast<size_t>(bits));
  const Integers integers = RandomIntegers(random, size, (1 << (bits - 1)) - 1, extreme);
  const std::vector<uint64_t> signs = RandomPlane(random, count * words);
  const size_t offset = 1 + count % 7;
  std::vector<uint8_t> plane(offset + shape.sign_plane_bytes(count));
  InterleaveSigns(shape, signs, count, plane.data() + offset);
  const size_t bytes = bits <= 7 ? 1 : 2;
  std::vector<uint8_t> tables(words * kernels::SignTableBytes(bytes) + 1, 99);
  const int32_t base = kernels::BuildSignTables(integers.values.data(), words, bytes, tables.data());
  ASSERT_EQ(tables.back(), 99);
  std::vector<int32_t> sums(count + 1, -7);

  kernels::SumSigns(tables.data(), bytes, plane.data() + offset, words, count, base, sums.data());

  for (size_t i = 0; i < count; ++i) {
    int32_t expected = 0;
    for (size_t j = 0; j < size; ++j) {
      if ((signs[i * words + j / 64] >> (j % 64) & 1) != 0) expected += integers.values[j];
    }
    ASSERT_EQ(sums[i], expected) << size << " elements, " << bits << " bits, entry " << i << " of " << count;
  }
  ASSERT_EQ(sums[count], -7);
}

TEST(SumSigns, EqualsAPlainLoop) {
  ForEachTarget([] {
    for (const size_t size : kSizes) CheckSignSums(size, 21, 8, false);
    for (size_t count = 0; count <= 35; ++count) CheckSignSums(130, count, 8, false);
    for (int bits = 4; bits <= 15; ++bits) {
      CheckSignSums(200, 17, bits, false);
      CheckSignSums(200, 17, bits, true);
    }
    // Long enough for 16-bit partial sums to run over several times.
    for (const int bits : {7, 8, 15}) CheckSignSums(5000, 18, bits, true);
    CheckSignSums(16000, 9, 15, true);
  });
}

// The score's arithmetic is float, so the sum is compared by way of a sign sum that leaves next to nothing of it.
void CheckCodeSum(size_t size, int bits, int query_bits, bool extreme) {
  const size_t words = (size + 63) / 64;
  const size_t lower_bits = static_cast<size_t>(bits) - 1;
  Random random(size * 1000 + static_cast<size_t>(bits * 10 + query_bits));
  const Integers integers = RandomIntegers(random, size, (1 << (query_bits - 1)) - 1, extreme);
  std::vector<uint64_t> planes = RandomPlane(random, lower_bits * words);
  if (extreme) planes.assign(planes.size(), ~uint64_t{0});
  int64_t expected = 0;
  for (size_t i = 0; i < size; ++i) {
    int code = 0;
    for (size_t p = 0; p < lower_bits; ++p)
      code = 2 * code + static_cast<int>(planes[p * words + i / 64] >> (i % 64) & 1);
    expected += int64_t{code} * integers.values[i];
  }
  std::vector<uint8_t> bytes(3 + planes.size() * 8);
  if (!planes.empty()) std::memcpy(bytes.data() + 3, planes.data(), planes.size() * 8);
  kernels::CodeEntry entry;
  entry.sign_sum = static_cast<int32_t>(-(expected >> lower_bits));
  entry.planes = bytes.data() + 3;
  entry.scale = 1;
  kernels::ScoreTerms terms;
  terms.half_step = 0.5f;
  const kernels::CodeScore score = kernels::CodeKernelFor(bits, query_bits > 8)(terms, 1, integers.query(), entry);
  ASSERT_EQ(score.score, static_cast<float>(-(expected - (expected >> lower_bits << lower_bits))))
      << size << " elements, " << bits << " bits, query of " << query_bits;
}

TEST(CodeKernel, SumsLikeAPlainLoop) {
  ForEachTarget([] {
    for (const size_t size : kSizes) {
      for (const int bits : {1, 2, 4, 8}) CheckCodeSum(size, bits, 8, false);
    }
    for (int bits = 1; bits <= 8; ++bits) {
      for (const int query_bits : {4, 7, 8, 9, 12, 14, 15}) {
        CheckCodeSum(300, bits, query_bits, false);
        CheckCodeSum(300, bits, query_bits, true);
      }
    }
    for (const int query_bits : {8, 15}) CheckCodeSum(16000, 8, query_bits, true);
  });
}

kernels::ScoreTerms SomeTerms() {
  kernels::ScoreTerms terms;
  terms.constant = 3;
  terms.squared_norm_weight = 0.5f;
  terms.half_step = 0.01f;
  terms.element_sum = 40;
  terms.deviation = 1.5f;
  terms.sign_scale_variance = 0.3f;
  terms.sign_norm_variance = 0.2f;
  terms.code_error_variance = 1.1f;
  terms.code_norm_variance = 0.1f;
  terms.slack = 0.001f;
  terms.slack_of_norm = 0.002f;
  terms.slack_of_square = 0.003f;
  terms.slack_of_inner = 0.004f;
  terms.least_norm = 1e-12f;
  terms.most_norm = 1e18f;
  terms.most = 1e37f;
  return terms;
}

struct Bounds {
  double score = 0;
  double margin = 0;
};

Bounds PlainBounds(const kernels::ScoreTerms& terms, double variance, double sigmas, double norm, double scale,
                   int64_t twice) {
  const double inner = scale * terms.half_step * static_cast<double>(twice);
  Bounds bounds;
  bounds.score = terms.constant + terms.squared_norm_weight * norm * norm - inner;
  bounds.margin = sigmas * terms.deviation * std::sqrt(std::max(0.0, variance)) + terms.slack +
                  terms.slack_of_norm * norm + terms.slack_of_square * norm * norm +
                  terms.slack_of_inner * std::abs(inner);
  return bounds;
}

TEST(BoundBySigns, AgreesWithAPlainLoop) {
  ForEachTarget([] {
    const kernels::ScoreTerms terms = SomeTerms();
    for (size_t count = 0; count <= 40; ++count) {
      Random random(count);
      std::vector<uint8_t> bytes(3 + 8 * count);
      std::vector<int32_t> sums(count);
      std::vector<float> factors(2 * count);
      for (size_t i = 0; i < count; ++i) {
        factors[i] = static_cast<float>(random.Unit());
        factors[count + i] = static_cast<float>(random.Unit() + 0.7);
        sums[i] = static_cast<int32_t>(random.Below(2000)) - 1000;
      }
      if (count > 0) std::memcpy(bytes.data() + 3, factors.data(), 8 * count);
      const float* norms = reinterpret_cast<const float*>(bytes.data() + 3);
      std::vector<float> lower(count + 1, 5), upper(count + 1, 6);
      kernels::BoundBySigns(terms, 1.9f, norms, norms + count, sums.data(), count, lower.data(), upper.data());
      for (size_t i = 0; i < count; ++i) {
        const double norm = factors[i], scale = factors[count + i];
        const double variance = terms.sign_scale_variance * scale * scale - terms.sign_norm_variance * norm * norm;
        const Bounds bounds = PlainBounds(terms, variance, 1.9, norm, scale, 2 * sums[i] - terms.element_sum);
        ASSERT_NEAR(lower[i], bounds.score - bounds.margin, 1e-5) << i << " of " << count;
        ASSERT_NEAR(upper[i], bounds.score + bounds.margin, 1e-5) << i << " of " << count;
      }
      ASSERT_EQ(lower[count], 5);
      ASSERT_EQ(upper[count], 6);
      const std::vector<float> expected = lower;
      kernels::BoundBySigns(terms, 1.9f, norms, norms + count, sums.data(), count, lower.data(), nullptr);
      ASSERT_EQ(lower, expected);
    }
  });
}

TEST(CodeKernel, BoundsLikeAPlainLoop) {
  ForEachTarget([] {
    const kernels::ScoreTerms terms = SomeTerms();
    const Integers none(1);
    Random random(4);
    for (int i = 0; i < 50; ++i) {
      kernels::CodeEntry entry;
      entry.sign_sum = static_cast<int32_t>(random.Below(2000)) - 1000;
      entry.norm = static_cast<float>(random.Unit());
      entry.scale = static_cast<float>(random.Unit());
      entry.error = static_cast<float>(random.Unit());
      const double variance = terms.code_error_variance * double{entry.error} * entry.error +
                              terms.code_norm_variance * double{entry.norm} * entry.norm;
      const Bounds bounds =
          PlainBounds(terms, variance, 3, entry.norm, entry.scale, 2 * entry.sign_sum - terms.element_sum);
      const kernels::CodeScore score = kernels::CodeKernelFor(1, false)(terms, 3, none.query(), entry);
      ASSERT_NEAR(score.score, bounds.score, 1e-5);
      ASSERT_NEAR(score.lower_bound, bounds.score - bounds.margin, 1e-5);
      ASSERT_NEAR(score.upper_bound, bounds.score + bounds.margin, 1e-5);
    }
  });
}

// Whatever float cannot hold is looked at exactly.
TEST(Bounds, AreInfiniteWhereFloatCannotHoldThem) {
  ForEachTarget([] {
    const float not_a_number = std::nanf("");
    const std::vector<float> norms = {kInfinity, 2e18f, not_a_number, 1, 1, 1, 1e-13f, 0, 1};
    const std::vector<float> scales = {0, 1, 1, kInfinity, not_a_number, 3e38f, 1, 0, 1};
    const std::vector<int32_t> sums(norms.size(), 1 << 28);
    std::vector<float> lower(norms.size()), upper(norms.size());
    const kernels::ScoreTerms terms = SomeTerms();
    kernels::BoundBySigns(terms, 3, norms.data(), scales.data(), sums.data(), norms.size(), lower.data(), upper.data());
    const Integers none(1);
    for (size_t i = 0; i < norms.size(); ++i) {
      const bool fits = i >= 7;
      EXPECT_EQ(lower[i] == -kInfinity, !fits) << i;
      EXPECT_EQ(upper[i] == kInfinity, !fits) << i;
      const kernels::CodeEntry entry{sums[i], nullptr, norms[i], scales[i], 0};
      const kernels::CodeScore score = kernels::CodeKernelFor(1, false)(terms, 3, none.query(), entry);
      EXPECT_EQ(score.lower_bound == -kInfinity, !fits) << i;
      EXPECT_EQ(score.upper_bound == kInfinity, !fits) << i;
      EXPECT_TRUE(std::isfinite(score.score)) << i;
    }
    EXPECT_LE(lower[8], upper[8]);
  });
}

}  // namespace
}  // namespace s3v

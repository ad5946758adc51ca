#include "ivf/rotation.h"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "ivf/each_target.h"
#include "ivf/kernels/kernels.h"
#include "ivf/test_vectors.h"

namespace s3v {
namespace {

using testing::ForEachTarget;
using testing::NormalVector;

constexpr size_t kDimensions[] = {1,   2,   3,   5,   17,  32,  63,  64,   65,   96,   100, 127,
                                  128, 129, 255, 300, 511, 768, 784, 1000, 1023, 1536, 3000};

double Dot(std::span<const float> a, std::span<const float> b) {
  long double sum = 0;
  for (size_t i = 0; i < a.size(); ++i) sum += static_cast<long double>(a[i]) * b[i];
  return static_cast<double>(sum);
}

double Length(std::span<const float> a) { return std::sqrt(Dot(a, a)); }

std::vector<float> Rotated(const Rotation& rotation, std::span<const float> vector) {
  std::vector<float> out(vector.size());
  rotation.Apply(vector, out);
  return out;
}

std::vector<float> BasisVector(size_t dimensions, size_t i) {
  std::vector<float> vector(dimensions);
  vector[i] = 1;
  return vector;
}

std::vector<uint32_t> RandomWords(Random& random, size_t count) {
  std::vector<uint32_t> words(count);
  for (uint32_t& word : words) word = static_cast<uint32_t>(random.Next());
  return words;
}

bool Bit(const std::vector<uint32_t>& words, size_t i) { return (words[i / 32] >> (i % 32) & 1) != 0; }

TEST(SignedHadamard, AgreesWithAPlainLoop) {
  ForEachTarget([] {
    for (size_t size = 64; size <= 8192; size *= 2) {
      Random random(size);
      std::vector<float> buffer = NormalVector(random, size + 1);
      const std::vector<uint32_t> signs = RandomWords(random, size / 32);
      std::vector<double> expected(size);
      for (size_t i = 0; i < size; ++i) expected[i] = Bit(signs, i) ? -buffer[i + 1] : buffer[i + 1];
      for (size_t stride = 1; stride < size; stride *= 2) {
        for (size_t i = 0; i < size; ++i) {
          if ((i & stride) != 0) continue;
          const double a = expected[i], b = expected[i + stride];
          expected[i] = (a + b) / std::sqrt(2);
          expected[i + stride] = (a - b) / std::sqrt(2);
        }
      }
      const float before = buffer[0];
      kernels::SignedHadamard(buffer.data() + 1, size, signs.data());
      for (size_t i = 0; i < size; ++i) ASSERT_NEAR(buffer[i + 1], expected[i], 3e-6) << size << ": " << i;
      ASSERT_EQ(buffer[0], before);
    }
  });
}

TEST(MixHalves, AgreesWithAPlainLoop) {
  ForEachTarget([] {
    for (const size_t half : kDimensions) {
      Random random(half);
      const std::vector<float> low = NormalVector(random, half), high = NormalVector(random, half);
      const std::vector<uint32_t> signs = RandomWords(random, (half + 31) / 32);
      std::vector<float> low_out = low, high_out = high;
      low_out.push_back(5);
      high_out.push_back(6);
      kernels::MixHalves(low_out.data(), high_out.data(), half, signs.data());
      for (size_t i = 0; i < half; ++i) {
        const double b = Bit(signs, i) ? -high[i] : high[i];
        ASSERT_NEAR(low_out[i], (low[i] + b) / std::sqrt(2), 1e-6) << half << ": " << i;
        ASSERT_NEAR(high_out[i], (low[i] - b) / std::sqrt(2), 1e-6) << half << ": " << i;
      }
      ASSERT_EQ(low_out[half], 5);
      ASSERT_EQ(high_out[half], 6);
    }
  });
}

// The bounds of ivf/list_query.cpp allow a millionth of the vectors' lengths.
void CheckKeepsDistances(const Rotation& rotation, std::span<const float> a, std::span<const float> b) {
  const double before = std::sqrt(testing::SquaredDistance(a, b));
  const double after = std::sqrt(testing::SquaredDistance(Rotated(rotation, a), Rotated(rotation, b)));
  ASSERT_NEAR(after, before, 0.5e-6 * (Length(a) + Length(b))) << rotation.dimensions() << " dimensions";
}

TEST(Rotation, KeepsLengthsDistancesAndInnerProducts) {
  ForEachTarget([] {
    for (const size_t dimensions : kDimensions) {
      const Rotation rotation(dimensions, 7 + dimensions);
      Random random(dimensions);
      const std::vector<float> a = NormalVector(random, dimensions);
      const std::vector<float> b = NormalVector(random, dimensions, 3);
      const std::vector<float> far_away(dimensions, 1000.0f);
      std::vector<float> near_it = far_away;
      near_it[dimensions / 2] += 1;
      CheckKeepsDistances(rotation, a, std::vector<float>(dimensions));
      CheckKeepsDistances(rotation, a, b);
      CheckKeepsDistances(rotation, far_away, near_it);
      const double dot = Dot(Rotated(rotation, a), Rotated(rotation, b));
      ASSERT_NEAR(dot, Dot(a, b), 1e-6 * Length(a) * Length(b)) << dimensions << " dimensions";
    }
  });
}

TEST(Rotation, MapsTheBasisToAnOrthonormalOne) {
  for (const size_t dimensions : {1, 2, 3, 17, 63, 64, 65, 100, 127, 192}) {
    const Rotation rotation(dimensions, 3);
    std::vector<float> rows(dimensions * dimensions);
    for (size_t i = 0; i < dimensions; ++i) rows[i * dimensions + i] = 1;
    rotation.ApplyRows(rows);
    for (size_t i = 0; i < dimensions; ++i) {
      for (size_t j = 0; j <= i; ++j) {
        const double dot = Dot(testing::Row(rows, dimensions, i), testing::Row(rows, dimensions, j));
        ASSERT_NEAR(dot, i == j ? 1 : 0, 1e-6) << dimensions << ": " << i << ", " << j;
      }
    }
  }
}

TEST(Rotation, TakesSixteenThousandDimensions) {
  const Rotation rotation(16000, 5);
  Random random(6);
  CheckKeepsDistances(rotation, NormalVector(random, 16000), std::vector<float>(16000));
  CheckKeepsDistances(rotation, BasisVector(16000, 15999), BasisVector(16000, 0));
}

// Stored codes depend on it. The numbers were computed once, by the first version.
TEST(Rotation, IsTheSameMapOnEveryMachine) {
  ForEachTarget([] {
    const std::vector<float> few = Rotated(Rotation(5, 42), BasisVector(5, 1));
    EXPECT_NEAR(few[0], -0.366324157f, 1e-7);
    EXPECT_NEAR(few[4], -0.294272065f, 1e-7);
    const std::vector<float> some = Rotated(Rotation(100, 42), BasisVector(100, 70));
    EXPECT_NEAR(some[0], 0.0441941731f, 1e-7);
    EXPECT_NEAR(some[99], 0.182300970f, 1e-7);
    const std::vector<float> many = Rotated(Rotation(1024, 42), BasisVector(1024, 1000));
    EXPECT_NEAR(many[0], -0.0216293335f, 1e-7);
    EXPECT_NEAR(many[1023], -0.0128250122f, 1e-7);
  });
}

TEST(Rotation, WorksInPlaceAndRowByRow) {
  for (const size_t dimensions : {3, 64, 100}) {
    const Rotation rotation(dimensions, 9);
    Random random(1);
    std::vector<float> rows = NormalVector(random, 3 * dimensions);
    std::vector<float> expected;
    for (size_t i = 0; i < 3; ++i) {
      const std::vector<float> row = Rotated(rotation, testing::Row(rows, dimensions, i));
      expected.insert(expected.end(), row.begin(), row.end());
    }
    rotation.ApplyRows(rows);
    EXPECT_EQ(rows, expected);
    std::vector<float> in_place = NormalVector(random, dimensions);
    const std::vector<float> apart = Rotated(rotation, in_place);
    rotation.Apply(in_place, in_place);
    EXPECT_EQ(in_place, apart);
  }
}

TEST(Rotation, DependsOnItsSeed) {
  for (const size_t dimensions : {2, 17, 64, 100, 768}) {
    Random random(dimensions);
    const std::vector<float> vector = NormalVector(random, dimensions);
    const std::vector<float> a = Rotated(Rotation(dimensions, 1), vector);
    const std::vector<float> b = Rotated(Rotation(dimensions, 2), vector);
    EXPECT_GT(testing::SquaredDistance(a, b), 0.01 * Dot(vector, vector)) << dimensions;
    EXPECT_EQ(a, Rotated(Rotation(dimensions, 1), vector)) << dimensions;
  }
}

// The vectors that a Hadamard transform alone, or windows that hardly overlap, would leave lopsided.
std::vector<std::vector<float>> AwkwardVectors(size_t dimensions) {
  std::vector<std::vector<float>> vectors;
  for (const size_t i : {size_t{0}, dimensions / 3, dimensions / 2, dimensions - 1}) {
    vectors.push_back(BasisVector(dimensions, i));
  }
  vectors.emplace_back(dimensions, 1.0f);
  vectors.emplace_back(dimensions);
  for (size_t i = 0; i < dimensions; ++i) vectors.back()[i] = i % 2 == 0 ? 1 : -1;
  vectors.emplace_back(dimensions);
  for (size_t i = 0; i < dimensions / 2; ++i) vectors.back()[i] = 1;
  vectors.emplace_back(dimensions);
  vectors.back()[0] = vectors.back()[dimensions - 1] = 1;
  return vectors;
}

// A random direction has elements like normal numbers: mean absolute value sqrt(2 / pi), mean fourth power 3 (a little
// less in few dimensions), as much length in either half.
TEST(Rotation, SpreadsAwkwardVectorsLikeRandomOnes) {
  constexpr uint64_t kSeeds = 40;
  for (const size_t dimensions : {64, 65, 96, 100, 127, 128, 129, 192, 255, 300, 768, 784, 1000, 1023, 1536}) {
    size_t number = 0;
    for (std::vector<float>& vector : AwkwardVectors(dimensions)) {
      const double length = Length(vector);
      double absolute = 0, fourth = 0, half = 0, least = 1;
      for (uint64_t seed = 0; seed < kSeeds; ++seed) {
        const std::vector<float> rotated = Rotated(Rotation(dimensions, 1000 + seed), vector);
        const double d = static_cast<double>(dimensions);
        double sum = 0;
        for (size_t i = 0; i < dimensions; ++i) {
          const double element = rotated[i] / length;
          sum += std::abs(element) / std::sqrt(d);
          fourth += element * element * element * element * d / kSeeds;
          if (i < dimensions / 2) half += element * element / kSeeds;
        }
        absolute += sum / kSeeds;
        least = std::min(least, sum);
      }
      SCOPED_TRACE(::testing::Message() << dimensions << " dimensions, vector " << number);
      EXPECT_NEAR(absolute, 0.798, 0.02);
      EXPECT_NEAR(fourth, 3, 0.35);
      EXPECT_NEAR(half, 0.5, 0.05);
      EXPECT_GT(least, 0.64);
      ++number;
    }
  }
}

}  // namespace
}  // namespace s3v

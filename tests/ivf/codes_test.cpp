#include "ivf/codes.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <vector>

#include "ivf/coded_list.h"
#include "ivf/test_vectors.h"

namespace s3v {
namespace {

using testing::Code;
using testing::Dot;
using testing::NormalVector;

TEST(CodeShape, CountsWholeWordsAndBlocks) {
  const CodeShape shape{65, 4};
  EXPECT_EQ(shape.words(), 2u);
  EXPECT_EQ(shape.sign_bytes(), 16u);
  EXPECT_EQ(shape.extension_bytes(), 48u);
  EXPECT_EQ(shape.sign_plane_bytes(0), 0u);
  EXPECT_EQ(shape.sign_plane_bytes(9), 256u);
  EXPECT_EQ((CodeShape{64, 1}.extension_bytes()), 0u);
}

TEST(InterleaveSigns, PutsAWordOfEightEntriesSideBySide) {
  const CodeShape shape{100, 1};
  std::vector<uint64_t> signs;
  for (uint64_t entry = 0; entry < 11; ++entry) signs.insert(signs.end(), {entry * 10 + 1, entry * 10 + 2});
  std::vector<uint8_t> plane(shape.sign_plane_bytes(11), 0xFF);
  InterleaveSigns(shape, signs, 11, plane.data());
  for (size_t block = 0; block < 2; ++block) {
    for (size_t w = 0; w < 2; ++w) {
      for (size_t e = 0; e < 8; ++e) {
        uint64_t word = 0;
        std::memcpy(&word, plane.data() + ((block * 2 + w) * 8 + e) * 8, 8);
        const size_t entry = block * 8 + e;
        EXPECT_EQ(word, entry < 11 ? entry * 10 + w + 1 : 0u) << entry << ", " << w;
      }
    }
  }
}

TEST(EncodeResidual, PutsSignsInTheFirstPlaneAndLeavesTheRestOfWordsZero) {
  for (const size_t d : {1, 2, 63, 64, 65, 100}) {
    for (int bits = 1; bits <= 8; ++bits) {
      Random random(d);
      const std::vector<float> residual = NormalVector(random, d);
      const Code code({d, bits}, residual);
      for (size_t i = 0; i < d; ++i) EXPECT_EQ(code.signs[i / 64] >> (i % 64) & 1, residual[i] >= 0 ? 1u : 0u);
      if (d % 64 == 0) continue;
      const size_t words = code.signs.size();
      EXPECT_EQ(code.signs.back() >> (d % 64), 0u);
      for (size_t w = words - 1; w < code.extension.size(); w += words) EXPECT_EQ(code.extension[w] >> (d % 64), 0u);
    }
  }
}

// The error of normal residuals: no more than a hundredth above that of the best code (docs/design/codes.md).
TEST(DecodeResidual, GivesBackTheResidualButForItsError) {
  constexpr double kLargestTangent[] = {0, 0.80, 0.39, 0.205, 0.110, 0.062, 0.034, 0.0185, 0.0100};
  for (const size_t d : {1, 2, 3, 17, 64, 100, 768, 1000}) {
    for (int bits = 1; bits <= 8; ++bits) {
      const CodeShape shape{d, bits};
      Random random(d * 10 + static_cast<size_t>(bits));
      double squared_tangent = 0;
      constexpr int kRows = 10;
      for (int row = 0; row < kRows; ++row) {
        const std::vector<float> residual = NormalVector(random, d, 0.1);
        const Code code(shape, residual);
        const double squares = Dot(residual, residual);
        EXPECT_NEAR(code.sign_factors.residual_norm, std::sqrt(squares), 1e-6 * std::sqrt(squares));
        std::vector<float> decoded(d);
        const float scale = bits == 1 ? code.sign_factors.scale : code.code_factors.scale;
        DecodeResidual(shape, code.signs, code.extension, scale, decoded);
        ASSERT_NEAR(Dot(decoded, residual), squares, 1e-5 * squares) << d << ", " << bits;
        const double off = testing::SquaredDistance(decoded, residual);
        if (bits > 1) {
          const double expected = static_cast<double>(d - 1) * code.code_factors.error * code.code_factors.error;
          ASSERT_NEAR(off, expected, 1e-3 * expected + 1e-6 * squares) << d << ", " << bits;
        }
        squared_tangent += off / squares / kRows;
      }
      const double largest = d == 1 ? 1e-6 : kLargestTangent[bits];
      EXPECT_LT(std::sqrt(squared_tangent), largest) << d << ", " << bits;
    }
  }
}

}  // namespace
}  // namespace s3v

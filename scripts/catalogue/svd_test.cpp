#include "catalogue/svd.h"

#include <gtest/gtest.h>

#include <cmath>

#include "base/random.h"

namespace s3v::catalogue {
namespace {

// Sparse, with a spectrum that falls: column j is scaled by 0.9^j.
TermMatrix MakeMatrix(int rows, int columns, uint64_t seed) {
  Random random(seed);
  TermMatrix matrix(rows, columns);
  for (int i = 0; i < rows; ++i) {
    for (int j = 0; j < columns; ++j) {
      if (random.Unit() < 0.3) matrix.insert(i, j) = (random.Unit() - 0.2) * std::pow(0.9, j);
    }
  }
  matrix.makeCompressed();
  return matrix;
}

Eigen::JacobiSVD<Eigen::MatrixXd> ExactSvd(const TermMatrix& matrix) {
  return Eigen::JacobiSVD<Eigen::MatrixXd>(Eigen::MatrixXd(matrix), Eigen::ComputeThinU | Eigen::ComputeThinV);
}

void ExpectOrthonormal(const Eigen::MatrixXd& vectors) {
  const Eigen::MatrixXd gram = vectors.transpose() * vectors;
  EXPECT_LT((gram - Eigen::MatrixXd::Identity(gram.rows(), gram.cols())).cwiseAbs().maxCoeff(), 1e-9);
}

TEST(RandomizedSvd, FullRankIsExact) {
  const TermMatrix matrix = MakeMatrix(40, 12, 5);
  const RightSvd svd = RandomizedSvd(matrix, {.rank = 12, .seed = 3});
  const auto exact = ExactSvd(matrix);
  ASSERT_EQ(svd.values.size(), 12);
  EXPECT_LT((svd.values - exact.singularValues()).cwiseAbs().maxCoeff(), 1e-9);
  ExpectOrthonormal(svd.vectors);
  for (int i = 0; i < 12; ++i) EXPECT_NEAR(std::abs(svd.vectors.col(i).dot(exact.matrixV().col(i))), 1.0, 1e-9) << i;
}

TEST(RandomizedSvd, LeadingPartIsNearTheExactOne) {
  const TermMatrix matrix = MakeMatrix(300, 100, 7);
  const RightSvd svd = RandomizedSvd(matrix, {.rank = 10, .oversampling = 10, .power_iterations = 2, .seed = 3});
  const auto exact = ExactSvd(matrix);
  ASSERT_EQ(svd.values.size(), 10);
  ExpectOrthonormal(svd.vectors);
  for (int i = 0; i < 10; ++i) EXPECT_NEAR(svd.values[i] / exact.singularValues()[i], 1.0, 0.005) << i;
}

TEST(RandomizedSvd, WideMatricesWorkToo) {
  const TermMatrix matrix = MakeMatrix(8, 60, 9);
  const RightSvd svd = RandomizedSvd(matrix, {.rank = 256});
  const auto exact = ExactSvd(matrix);
  ASSERT_EQ(svd.values.size(), 8);
  EXPECT_LT((svd.values - exact.singularValues()).cwiseAbs().maxCoeff(), 1e-9);
}

TEST(RandomizedSvd, RankIsCutToThatOfTheMatrix) {
  TermMatrix matrix(6, 5);
  for (int i = 0; i < 6; ++i) {
    matrix.insert(i, i % 2) = 1.0;
    matrix.insert(i, 3) = 2.0;
  }
  const RightSvd svd = RandomizedSvd(matrix, {.rank = 5});
  EXPECT_EQ(svd.values.size(), 2);
  EXPECT_EQ(svd.vectors.cols(), 2);
  EXPECT_EQ(RandomizedSvd(TermMatrix(4, 3), {.rank = 2}).values.size(), 0);
  EXPECT_EQ(RandomizedSvd(TermMatrix(0, 0), {.rank = 2}).values.size(), 0);
}

TEST(RandomizedSvd, SameSeedSameBits) {
  const TermMatrix matrix = MakeMatrix(200, 80, 11);
  const RightSvd first = RandomizedSvd(matrix, {.rank = 20, .seed = 1});
  const RightSvd second = RandomizedSvd(matrix, {.rank = 20, .seed = 1});
  EXPECT_TRUE(first.vectors == second.vectors);
  EXPECT_TRUE(first.values == second.values);
}

TEST(RandomizedSvd, LargestComponentsArePositive) {
  const RightSvd svd = RandomizedSvd(MakeMatrix(50, 20, 13), {.rank = 8});
  for (int i = 0; i < 8; ++i) EXPECT_GT(svd.vectors.col(i).maxCoeff(), -svd.vectors.col(i).minCoeff()) << i;
}

}  // namespace
}  // namespace s3v::catalogue

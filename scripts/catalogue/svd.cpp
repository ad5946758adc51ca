#include "catalogue/svd.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "base/random.h"

namespace s3v::catalogue {
namespace {

using RowMajorMatrix = Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

// Box and Muller's transform.
double Gaussian(Random& random) {
  const double radius = std::sqrt(-2.0 * std::log(1.0 - random.Unit()));
  return radius * std::cos(2.0 * std::numbers::pi * random.Unit());
}

RowMajorMatrix GaussianMatrix(Eigen::Index rows, Eigen::Index columns, uint64_t seed) {
  Random random(seed);
  RowMajorMatrix matrix(rows, columns);
  for (Eigen::Index i = 0; i < matrix.size(); ++i) matrix.data()[i] = Gaussian(random);
  return matrix;
}

// An orthonormal basis of the columns' span.
RowMajorMatrix Orthonormalized(const RowMajorMatrix& matrix) {
  const Eigen::HouseholderQR<Eigen::MatrixXd> qr(matrix);
  return qr.householderQ() * Eigen::MatrixXd::Identity(matrix.rows(), matrix.cols());
}

// The sign of a singular vector is free; fixing it keeps results comparable between seeds and platforms.
void FixSigns(Eigen::MatrixXd& vectors) {
  for (Eigen::Index column = 0; column < vectors.cols(); ++column) {
    Eigen::Index largest = 0;
    vectors.col(column).cwiseAbs().maxCoeff(&largest);
    if (vectors(largest, column) < 0.0) vectors.col(column) *= -1.0;
  }
}

}  // namespace

RightSvd RandomizedSvd(const TermMatrix& matrix, const SvdOptions& options) {
  const Eigen::Index samples =
      std::min<Eigen::Index>({options.rank + options.oversampling, matrix.rows(), matrix.cols()});
  if (samples == 0) return {Eigen::MatrixXd(matrix.cols(), 0), Eigen::VectorXd(0)};

  // Stage A: a basis of (nearly) the span of the leading right singular vectors.
  const TermMatrix transpose = matrix.transpose();
  RowMajorMatrix basis = Orthonormalized(transpose * GaussianMatrix(matrix.rows(), samples, options.seed));
  for (int i = 0; i < options.power_iterations; ++i) {
    const RowMajorMatrix image = Orthonormalized(transpose * RowMajorMatrix(matrix * basis));
    basis = image;
  }

  // Stage B: the decomposition within that basis. From the Gram matrix, whose loss of accuracy only reaches values far
  // below those wanted, since the factor on the other side is never needed.
  const RowMajorMatrix image = matrix * basis;
  const Eigen::MatrixXd gram = image.transpose() * image;
  const Eigen::SelfAdjointEigenSolver<Eigen::MatrixXd> eigen(gram);
  const Eigen::VectorXd values = eigen.eigenvalues().reverse().cwiseMax(0.0).cwiseSqrt();
  const auto is_significant = [&](double value) { return value > 1e-7 * values[0]; };
  const Eigen::Index significant = std::count_if(values.begin(), values.end(), is_significant);
  const Eigen::Index rank = std::min<Eigen::Index>(options.rank, significant);

  RightSvd svd{basis * eigen.eigenvectors().rowwise().reverse().leftCols(rank), values.head(rank)};
  FixSigns(svd.vectors);
  return svd;
}

}  // namespace s3v::catalogue

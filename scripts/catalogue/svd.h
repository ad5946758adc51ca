// Truncated singular value decomposition of a large sparse matrix.
#pragma once

#include <Eigen/Dense>
#include <cstdint>

#include "catalogue/tfidf.h"

namespace s3v::catalogue {

struct RightSvd {
  Eigen::MatrixXd vectors;  // columns of the input x rank; orthonormal columns, the component of largest size positive
  Eigen::VectorXd values;   // rank, in descending order
};

struct SvdOptions {
  int rank = 256;
  int oversampling = 20;
  int power_iterations = 2;
  uint64_t seed = 1;
};

// The leading right singular vectors and singular values. The rank is cut to what the matrix has: at most its smaller
// side, and no value below 1e-7 of the largest one. Source: Halko, Martinsson, Tropp, "Finding structure with
// randomness" (arXiv 0909.4061), algorithms 4.4 and 5.1, applied to the transpose: the columns (words) are the smaller
// side, so that the orthonormal bases are small.
RightSvd RandomizedSvd(const TermMatrix& matrix, const SvdOptions& options);

}  // namespace s3v::catalogue

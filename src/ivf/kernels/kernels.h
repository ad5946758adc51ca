// The inner loops, each compiled for every instruction set that Highway targets and chosen at run time.
#pragma once

#include <cstddef>
#include <cstdint>

namespace s3v::kernels {

// out[i] = sum_j query[j] * rows[i * dim + j], i in [0, count). Any alignment.
void DotRows(const float* query, const float* rows, size_t count, size_t dim, float* out);

// out[i] = sum_j (query[j] - rows[i * dim + j])^2
void SquaredL2Rows(const float* query, const float* rows, size_t count, size_t dim, float* out);

// c[i * ldc + j] = sum_k a[i * dim + k] * b[j * dim + k]: the dense product of training and assignment.
// `a` is m x dim, `b` is n x dim, both row-major. Register-blocked; one thread.
void DotMatrix(const float* a, size_t m, const float* b, size_t n, size_t dim, float* c, size_t ldc);

// The name of the instruction set in use ("AVX3", "AVX2", "NEON", ...), for tests and the bench.
const char* TargetName();

}  // namespace s3v::kernels

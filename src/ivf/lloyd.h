// Inside ivf: one k-means over some rows of a sample, and what training and assignment share.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "base/random.h"
#include "base/stop.h"

namespace s3v {

// Some rows of a row-major matrix, by number.
struct RowSet {
  std::span<const float> matrix;
  size_t width = 0;
  std::span<const uint32_t> numbers;

  size_t size() const { return numbers.size(); }
  std::span<const float> row(size_t i) const { return matrix.subspan(size_t{numbers[i]} * width, width); }
};

// A point amid the rows: in each column the median of up to 101 of them. Not the mean: one row far away would carry it
// off, and all others would lose their digits. Zero for no rows.
std::vector<float> OriginOf(const RowSet& rows);

// out = row - origin: dense products of rows far from zero would lose the digits that matter.
void Centre(std::span<const float> row, std::span<const float> origin, float* out);

// Squared length of each row of `matrix` less the origin.
std::vector<float> SquaredLengths(std::span<const float> matrix, std::span<const float> origin);

// How many rows a thread takes at once when each costs this many multiply-adds: about 10 ms with AVX-512, below 50 ms
// with SSE4; at most `most`.
size_t RowsPerChunk(double multiply_adds_per_row, size_t most);

struct LloydResult {
  std::vector<float> centroids;      // count x width
  std::vector<uint32_t> assignment;  // of each row of the set
  size_t count = 0;                  // at most as many as wanted, and as there are distinct rows; at least 1
};

// REQUIRES: at least one row. The same result for any number of threads. Memory: a copy of the rows and a quarter more.
LloydResult Lloyd(const RowSet& rows, size_t wanted, int iterations, int threads, Random& random, Stop& stop);

}  // namespace s3v

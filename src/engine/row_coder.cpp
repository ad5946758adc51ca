#include "engine/row_coder.h"

#include <algorithm>

#include "base/parallel.h"

namespace s3v {

void CodedRows::Resize(const CodeShape& shape, size_t rows) {
  sign_words_ = shape.words();
  extension_words_ = shape.extension_bytes() / sizeof(uint64_t);
  signs_.resize(rows * sign_words_);
  extensions_.resize(rows * extension_words_);
  sign_factors_.resize(rows);
  code_factors_.resize(rows);
}

void RowCoder::Encode(std::span<const float> rows, std::span<const uint32_t> lists, int threads, CodedRows* coded,
                      Stop& stop) const {
  coded->Resize(shape_, lists.size());
  // A chunk is well below 50 ms of work, and long enough to be worth handing to a thread.
  const size_t chunk = std::clamp<size_t>((1u << 18) / space_.dimensions, 1, 256);
  ParallelFor(lists.size(), chunk, threads, stop,
              [&](size_t begin, size_t end) { EncodeSome(begin, end, rows, lists, *coded); });
}

void RowCoder::EncodeSome(size_t begin, size_t end, std::span<const float> rows, std::span<const uint32_t> lists,
                          CodedRows& coded) const {
  const size_t dimensions = space_.dimensions;
  const CentroidTable table = lists_.view();
  std::vector<float> residual(dimensions);
  std::vector<float> centroid(dimensions);
  for (size_t i = begin; i < end; ++i) {
    const std::span<const float> row = rows.subspan(i * dimensions, dimensions);
    // Under ip a row keeps its length: its last element in the assignment space has no part in inner products.
    if (space_.metric == Metric::kCosine) {
      space_.PlaceRow(row, residual);
    } else {
      std::ranges::copy(row, residual.begin());
    }
    rotation_.Apply(residual, residual);
    table.Dequantize(lists[i], centroid);
    for (size_t j = 0; j < dimensions; ++j) residual[j] -= centroid[j];
    EncodeResidual(shape_, residual, coded.signs(i), coded.extension(i), &coded.sign_factors(i),
                   &coded.code_factors(i));
  }
}

}  // namespace s3v

// Rows to codes: placed, rotated, reduced to the residual to their list's centroid, coded.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "base/stop.h"
#include "format/segment.h"
#include "ivf/centroid_table.h"
#include "ivf/codes.h"
#include "ivf/space.h"

namespace s3v {

// The codes of a block of rows; reused from block to block.
class CodedRows {
 public:
  void Resize(const CodeShape& shape, size_t rows);
  std::span<uint64_t> signs(size_t i) { return Part(signs_, i, sign_words_); }
  std::span<uint64_t> extension(size_t i) { return Part(extensions_, i, extension_words_); }
  SignFactors& sign_factors(size_t i) { return sign_factors_[i]; }
  CodeFactors& code_factors(size_t i) { return code_factors_[i]; }

 private:
  static std::span<uint64_t> Part(std::vector<uint64_t>& words, size_t i, size_t count) {
    return std::span(words).subspan(i * count, count);
  }

  size_t sign_words_ = 0;
  size_t extension_words_ = 0;
  std::vector<uint64_t> signs_;
  std::vector<uint64_t> extensions_;
  std::vector<SignFactors> sign_factors_;
  std::vector<CodeFactors> code_factors_;
};

class RowCoder {
 public:
  // All referred to must outlive the coder.
  RowCoder(const AssignmentSpace& space, const Rotation& rotation, const OwnedCentroidTable& lists, CodeShape shape)
      : space_(space), rotation_(rotation), lists_(lists), shape_(shape) {}

  // Row i of `rows` (as users know them, row-major) is coded for list lists[i].
  void Encode(std::span<const float> rows, std::span<const uint32_t> lists, int threads, CodedRows* coded,
              Stop& stop) const;

 private:
  void EncodeSome(size_t begin, size_t end, std::span<const float> rows, std::span<const uint32_t> lists,
                  CodedRows& coded) const;

  const AssignmentSpace& space_;
  const Rotation& rotation_;
  const OwnedCentroidTable& lists_;
  const CodeShape shape_;
};

}  // namespace s3v

// Latent semantic analysis (Deerwester et al., 1990) with words of equal length.
//
// Word i stands at row i of V S^1/2, where U S V' is the truncated SVD of the TF-IDF matrix; its *direction* is that
// row scaled to unit length. A text is the sum of its words' directions, each times its TF-IDF weight, scaled to unit
// length: one linear projection for packages and questions. Without equal lengths the answer to "edit photos" is a list
// of text editors, for V keeps little of a word that few of 60,000 packages use, and such a word is often the one that
// tells.
#pragma once

#include <Eigen/Dense>
#include <optional>
#include <vector>

#include "base/bytes.h"
#include "catalogue/svd.h"
#include "catalogue/tfidf.h"
#include "catalogue/words.h"

namespace s3v::catalogue {

struct ModelOptions {
  size_t min_df = 2;
  SvdOptions svd;
};

class Model {
 public:
  static Model Train(const std::vector<WordCounts>& documents, const ModelOptions& options = {});

  int dimensions() const { return static_cast<int>(projection_.cols()); }
  const Vocabulary& vocabulary() const { return vocabulary_; }

  // A vector of unit length; nothing if no word is known.
  std::optional<std::vector<float>> Embed(const WordCounts& counts) const;

  // Bytes of a model file; grammar in model.cpp. Decode throws kCorrupted for anything but the bytes of Encode.
  Bytes Encode() const;
  static Model Decode(ByteView bytes);

 private:
  using Projection = Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

  Vocabulary vocabulary_;
  Projection projection_;  // words x dimensions
};

}  // namespace s3v::catalogue

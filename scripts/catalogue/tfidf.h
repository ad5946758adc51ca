// Weighted words -> sparse TF-IDF vectors of unit length.
// Source: Manning, Raghavan, Schuetze, Introduction to Information Retrieval, section 6.4 (sublinear tf, cosine
// normalisation). tf is ln(1 + count), idf is (ln((1 + n) / (1 + df)) + 1)^0.75.
#pragma once

#include <Eigen/SparseCore>
#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "catalogue/words.h"

namespace s3v::catalogue {

// Movable but not copyable: the index holds views of the words.
class Vocabulary {
 public:
  Vocabulary() = default;
  Vocabulary(Vocabulary&&) = default;
  Vocabulary& operator=(Vocabulary&&) = default;
  // REQUIRES: words are distinct, one idf each.
  Vocabulary(std::vector<std::string> words, std::vector<float> idf);

  // The words that occur in at least `min_df` of the documents, in alphabetical order.
  static Vocabulary Learn(const std::vector<WordCounts>& documents, size_t min_df);

  size_t size() const { return words_.size(); }
  const std::vector<std::string>& words() const { return words_; }
  const std::vector<float>& idf() const { return idf_; }

  // (number of the word, weight), by number, of unit length; empty if no word is known.
  std::vector<std::pair<uint32_t, float>> Weigh(const WordCounts& counts) const;

 private:
  std::vector<std::string> words_;
  std::vector<float> idf_;
  std::unordered_map<std::string_view, uint32_t> numbers_;  // views into words_
};

// One row per document, one column per word.
using TermMatrix = Eigen::SparseMatrix<double, Eigen::RowMajor>;
TermMatrix MakeTermMatrix(const std::vector<WordCounts>& documents, const Vocabulary& vocabulary);

}  // namespace s3v::catalogue

#include "catalogue/tfidf.h"

#include <algorithm>
#include <cmath>
#include <map>

namespace s3v::catalogue {
namespace {

// A compromise found by looking at answers; the differences are small. Towards 1 a rare word outweighs the rest of the
// question ("web server with low memory use" finds more memory libraries than web servers), towards 0.5 common words do
// ("scan a network for open ports" finds the Open Neural Network Exchange).
constexpr double kIdfPower = 0.75;

float InverseDocumentFrequency(size_t documents, size_t frequency) {
  const double count = static_cast<double>(documents);
  return static_cast<float>(
      std::pow(std::log((1.0 + count) / (1.0 + static_cast<double>(frequency))) + 1.0, kIdfPower));
}

}  // namespace

Vocabulary::Vocabulary(std::vector<std::string> words, std::vector<float> idf)
    : words_(std::move(words)), idf_(std::move(idf)) {
  numbers_.reserve(words_.size());
  for (uint32_t i = 0; i < words_.size(); ++i) numbers_.emplace(words_[i], i);
}

Vocabulary Vocabulary::Learn(const std::vector<WordCounts>& documents, size_t min_df) {
  std::map<std::string_view, size_t> frequencies;
  for (const WordCounts& counts : documents) {
    for (const auto& [word, count] : counts) ++frequencies[word];
  }
  std::vector<std::string> words;
  std::vector<float> idf;
  for (const auto& [word, frequency] : frequencies) {
    if (frequency < min_df) continue;
    words.emplace_back(word);
    idf.push_back(InverseDocumentFrequency(documents.size(), frequency));
  }
  return Vocabulary(std::move(words), std::move(idf));
}

std::vector<std::pair<uint32_t, float>> Vocabulary::Weigh(const WordCounts& counts) const {
  std::vector<std::pair<uint32_t, float>> weights;
  double square_sum = 0.0;
  for (const auto& [word, count] : counts) {
    const auto found = numbers_.find(word);
    if (found == numbers_.end()) continue;
    const float weight = std::log1p(count) * idf_[found->second];
    weights.emplace_back(found->second, weight);
    square_sum += static_cast<double>(weight) * weight;
  }
  std::sort(weights.begin(), weights.end());
  for (auto& [number, weight] : weights) weight = static_cast<float>(weight / std::sqrt(square_sum));
  return weights;
}

TermMatrix MakeTermMatrix(const std::vector<WordCounts>& documents, const Vocabulary& vocabulary) {
  std::vector<Eigen::Triplet<double>> entries;
  for (size_t row = 0; row < documents.size(); ++row) {
    for (const auto& [column, weight] : vocabulary.Weigh(documents[row])) {
      entries.emplace_back(static_cast<int>(row), static_cast<int>(column), weight);
    }
  }
  TermMatrix matrix(static_cast<Eigen::Index>(documents.size()), static_cast<Eigen::Index>(vocabulary.size()));
  matrix.setFromTriplets(entries.begin(), entries.end());
  return matrix;
}

}  // namespace s3v::catalogue

#include "catalogue/tfidf.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

namespace s3v::catalogue {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;

const std::vector<WordCounts> kDocuments = {
    {{"pdf", 1}, {"view", 1}, {"once", 1}}, {{"pdf", 2}, {"edit", 1}}, {{"photo", 1}, {"edit", 1}}, {{"pdf", 1}}};

TEST(Vocabulary, HoldsTheWordsOfEnoughDocuments) {
  EXPECT_THAT(Vocabulary::Learn(kDocuments, 2).words(), ElementsAre("edit", "pdf"));
  EXPECT_THAT(Vocabulary::Learn(kDocuments, 1).words(), ElementsAre("edit", "once", "pdf", "photo", "view"));
  EXPECT_THAT(Vocabulary::Learn({}, 1).words(), IsEmpty());
}

TEST(Vocabulary, RareWordsWeighMore) {
  const Vocabulary vocabulary = Vocabulary::Learn(kDocuments, 2);
  EXPECT_NEAR(vocabulary.idf()[0], std::pow(std::log(5.0 / 3.0) + 1.0, 0.75), 1e-6);
  EXPECT_NEAR(vocabulary.idf()[1], std::pow(std::log(5.0 / 4.0) + 1.0, 0.75), 1e-6);
}

TEST(Vocabulary, WeighsSublinearlyToUnitLength) {
  const Vocabulary vocabulary({"a", "b"}, {1.0F, 2.0F});
  const auto weights = vocabulary.Weigh({{"b", 1.0F}, {"a", 3.0F}, {"unknown", 9.0F}});
  ASSERT_THAT(weights, SizeIs(2));
  const double a = std::log(4.0);
  const double b = 2.0 * std::log(2.0);
  EXPECT_EQ(weights[0].first, 0U);
  EXPECT_NEAR(weights[0].second, a / std::hypot(a, b), 1e-6);
  EXPECT_NEAR(weights[1].second, b / std::hypot(a, b), 1e-6);
  EXPECT_THAT(vocabulary.Weigh({{"unknown", 1.0F}}), IsEmpty());
}

TEST(MakeTermMatrix, HasARowPerDocumentEvenIfEmpty) {
  const Vocabulary vocabulary = Vocabulary::Learn(kDocuments, 2);
  const TermMatrix matrix = MakeTermMatrix({{{"nothing", 1}}, {{"pdf", 1}}}, vocabulary);
  EXPECT_EQ(matrix.rows(), 2);
  EXPECT_EQ(matrix.cols(), 2);
  EXPECT_EQ(matrix.nonZeros(), 1);
  EXPECT_NEAR(matrix.coeff(1, 1), 1.0, 1e-6);
}

}  // namespace
}  // namespace s3v::catalogue

#include "catalogue/model.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <numeric>

#include "base/checksum.h"
#include "base/error.h"

namespace s3v::catalogue {
namespace {

using testing::HasSubstr;

std::vector<WordCounts> Documents(std::initializer_list<const char*> texts) {
  std::vector<WordCounts> documents;
  for (const char* text : texts) documents.push_back(WordsOfQuestion(text));
  return documents;
}

Model SmallModel() {
  return Model::Train(Documents({"pdf viewer", "postscript viewer", "pdf annotator for documents", "chess game",
                                 "chess engine", "game engine", "annotate postscript documents", "board game"}),
                      {.min_df = 2, .svd = {.rank = 3}});
}

double Cosine(const Model& model, const char* a, const char* b) {
  const auto left = model.Embed(WordsOfQuestion(a)).value();
  const auto right = model.Embed(WordsOfQuestion(b)).value();
  return std::inner_product(left.begin(), left.end(), right.begin(), 0.0);
}

std::string ErrorOfDecoding(const Bytes& bytes) {
  try {
    Model::Decode(bytes);
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), Code::kCorrupted);
    return error.message();
  }
  return "no error";
}

TEST(Model, TextsOfOneTopicAreNear) {
  const Model model = SmallModel();
  EXPECT_EQ(model.dimensions(), 3);
  EXPECT_GT(Cosine(model, "annotating PDF", "postscript documents"), 0.5);
  EXPECT_LT(Cosine(model, "annotating PDF", "play chess"), 0.3);
}

TEST(Model, VectorsHaveUnitLength) {
  const Model model = SmallModel();
  EXPECT_NEAR(Cosine(model, "pdf chess unheard-of", "pdf chess unheard-of"), 1.0, 1e-6);
}

TEST(Model, TextOfUnknownWordsHasNoVector) {
  const Model model = SmallModel();
  EXPECT_EQ(model.Embed(WordsOfQuestion("xyzzy plugh")), std::nullopt);
  EXPECT_EQ(model.Embed(WordsOfQuestion("board")), std::nullopt) << "in one document only";
  EXPECT_EQ(model.Embed(WordsOfQuestion("the of and")), std::nullopt);
  EXPECT_EQ(model.Embed({}), std::nullopt);
}

TEST(Model, WordsOutsideTheProjectionHaveNoVector) {
  const Model model = Model::Train(Documents({"chess game", "chess game", "chess game", "pdf", "pdf"}),
                                   {.min_df = 2, .svd = {.rank = 1, .power_iterations = 20}});
  EXPECT_TRUE(model.Embed(WordsOfQuestion("chess")).has_value());
  EXPECT_EQ(model.Embed(WordsOfQuestion("pdf")), std::nullopt);
}

TEST(Model, NothingToLearnFromGivesAnEmptyModel) {
  const Model model = Model::Train({});
  EXPECT_EQ(model.dimensions(), 0);
  EXPECT_EQ(Model::Decode(model.Encode()).Embed(WordsOfQuestion("chess")), std::nullopt);
}

TEST(Model, EncodingRoundTrips) {
  const Model model = SmallModel();
  const Bytes bytes = model.Encode();
  const Model decoded = Model::Decode(bytes);
  EXPECT_EQ(decoded.vocabulary().words(), model.vocabulary().words());
  EXPECT_EQ(decoded.Embed(WordsOfQuestion("annotate a PDF")), model.Embed(WordsOfQuestion("annotate a PDF")));
  EXPECT_EQ(decoded.Encode(), bytes);
}

TEST(Model, SameDocumentsSameBytes) { EXPECT_EQ(SmallModel().Encode(), SmallModel().Encode()); }

TEST(Model, DamagedFilesAreRefused) {
  const Bytes bytes = SmallModel().Encode();
  for (size_t size = 0; size < bytes.size(); ++size) {
    EXPECT_NE(ErrorOfDecoding(Bytes(bytes.begin(), bytes.begin() + static_cast<ptrdiff_t>(size))), "no error") << size;
  }
  for (size_t i = 0; i < bytes.size(); ++i) {
    Bytes damaged = bytes;
    damaged[i] ^= 1;
    EXPECT_NE(ErrorOfDecoding(damaged), "no error") << i;
  }
}

TEST(Model, OtherFormatsAreNamed) {
  Bytes bytes = SmallModel().Encode();
  bytes[8] = 2;
  EXPECT_THAT(ErrorOfDecoding(bytes), HasSubstr("format 2"));
}

// The checksum guards against accidents, not against someone who computes it anew.
TEST(Model, LyingCountsAreRefused) {
  for (const size_t field : {12, 16}) {
    Bytes bytes = SmallModel().Encode();
    std::fill_n(bytes.begin() + static_cast<ptrdiff_t>(field), 4, 0xFF);
    const ByteView covered = ByteView(bytes).first(bytes.size() - sizeof(uint32_t));
    const uint32_t checksum = Crc32c(covered);
    std::memcpy(bytes.data() + covered.size(), &checksum, sizeof(checksum));
    EXPECT_THAT(ErrorOfDecoding(bytes), HasSubstr("ends too early")) << field;
  }
}

}  // namespace
}  // namespace s3v::catalogue

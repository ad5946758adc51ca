#include "s3vectors/vector_answer.h"

#include <gtest/gtest.h>

#include <cmath>

#include "base/error.h"
#include "base/random.h"

namespace s3v {
namespace {

ServiceCall Answered(std::string_view text) {
  ServiceCall call{.operation = Operation::kListVectors, .subject = "index"};
  call.answer.assign(text.begin(), text.end());
  return call;
}

TEST(VectorAnswer, VectorsAreReadInOrder) {
  std::string seen;
  const std::string token =
      ReadVectorPage(Answered(R"({"nextToken":"t\n", "vectors":[
        {"key":"a","data":{"float32":[1, 2]},"metadata":{"x":[1]}},
        {"metadata":null,"distance":0.5,"key":"b","data":{}}]})"),
                     [&](const AnsweredVector& vector) {
                       seen += vector.key + '|' + std::string(vector.vector) + '|' + std::string(vector.metadata) + '|';
                       seen += std::isnan(vector.distance) ? "none\n" : std::to_string(vector.distance) + '\n';
                     });
  EXPECT_EQ(seen, "a|[1, 2]|{\"x\":[1]}|none\nb|||0.500000\n");
  EXPECT_EQ(token, "t\n");
}

TEST(VectorAnswer, NoTokenIsTheEnd) {
  for (const char* text :
       {R"({"vectors":[]})", R"({"vectors":[],"nextToken":""})", R"({"vectors":[],"nextToken":null})"}) {
    EXPECT_EQ(ReadVectorPage(Answered(text), [](const AnsweredVector&) {}), "");
  }
}

// Cut anywhere, or changed: a page, or an error that says so; never anything else.
TEST(VectorAnswer, MangledPagesAreErrors) {
  const std::string text =
      R"({"vectors":[{"key":"a","distance":0.25,"data":{"float32":[1]},"metadata":{}}],"nextToken":"t"})";
  Random random(8);
  int errors = 0;
  for (int i = 0; i < 5'000; ++i) {
    std::string mangled = text.substr(0, random.Below(2) == 0 ? random.Below(text.size() + 1) : text.size());
    if (!mangled.empty()) mangled[random.Below(mangled.size())] = static_cast<char>(random.Below(256));
    try {
      ReadVectorPage(Answered(mangled), [](const AnsweredVector& vector) { EXPECT_LE(vector.key.size(), 2u); });
    } catch (const Error& error) {
      ++errors;
      EXPECT_EQ(error.code(), Code::kCorrupted);
      EXPECT_EQ(error.message(), "the answer of ListVectors about remote index \"index\" is no list of vectors");
    }
  }
  EXPECT_GT(errors, 2'500);
  EXPECT_LT(errors, 5'000);
}

}  // namespace
}  // namespace s3v

#include "store/object_store.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.h"

namespace s3v {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

std::string ProblemOf(const ObjectKey& key) {
  try {
    CheckObjectKey(key);
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), Code::kInvalidArgument);
    return error.message();
  }
  return "";
}

TEST(CheckObjectKey, TakesWhatS3Takes) {
  for (const std::string& key : {std::string("a"), std::string("a/b/c.d-e_f"), std::string("..."), std::string("a..b"),
                                 std::string(" !\"#$%&'()*+,;<=>?@[\\]^`{|}~:"), std::string("\xc3\xa9"),
                                 std::string("\xf4\x8f\xbf\xbf"), std::string(900, 'x')}) {
    EXPECT_EQ(ProblemOf(key), "") << key;
  }
}

TEST(CheckObjectKey, SaysWhatIsWrong) {
  EXPECT_THAT(ProblemOf(std::string(901, 'x')), HasSubstr("901 bytes"));
  EXPECT_THAT(ProblemOf("a\tb"), HasSubstr("control character"));
  for (const char* key : {"", "/", "/a", "a/", "a//b", ".", "..", "a/./b", "a/..", "../a"}) {
    EXPECT_THAT(ProblemOf(key), HasSubstr("invalid object key")) << key;
  }
}

// A message must be valid text in any server encoding that shows UTF-8.
TEST(CheckObjectKey, BrokenUtf8IsNotRepeatedInTheMessage) {
  for (const char* key : {"\x80", "\xc3", "\xc0\xaf", "\xe0\x80\x80", "\xed\xa0\x80", "\xf0\x80\x80\x80",
                          "\xf4\x90\x80\x80", "\xf8\x88\x80\x80\x80", "\xff", "a\xe1\x88"}) {
    EXPECT_THAT(ProblemOf(key), HasSubstr("UTF-8"));
    EXPECT_THAT(ProblemOf(key), Not(HasSubstr(key)));
  }
}

}  // namespace
}  // namespace s3v

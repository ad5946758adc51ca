#include "base/decimal.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "base/error.h"

namespace s3v {
namespace {

// Each entry's texts are one value, and above those of the entry before.
const std::vector<std::vector<std::string>> kAscending = {
    {"-Infinity"},
    {"-123456789012345678901234567890.5"},
    {"-10", "-10.00", "-010"},
    {"-9.99"},
    {"-0.001"},
    {"0", "-0", "0.000", "-0.0"},
    {"0.00000000000000000000000000000000000001"},
    {"0.009"},
    {"0.01", "0.010"},
    {"9"},
    {"10", "10.0"},
    {"9007199254740992.5"},
    {"9007199254740993"},
    {"Infinity"},
    {"NaN"},
};

TEST(Decimal, TextsAreInTheOrderOfTheirValues) {
  for (size_t i = 0; i < kAscending.size(); ++i) {
    for (size_t j = 0; j < kAscending.size(); ++j) {
      for (const std::string& a : kAscending[i]) {
        for (const std::string& b : kAscending[j]) EXPECT_TRUE(CompareDecimalTexts(a, b) == (i <=> j)) << a << " " << b;
      }
    }
  }
}

TEST(Decimal, OtherTextsAreRefused) {
  for (const std::string text : {"", "-", ".", "1.", ".5", "+1", "1e5", "1 ", "nan", "-NaN", "1.2.3", "--1"}) {
    EXPECT_THROW(ReadDecimal(text), Error) << text;
    for (const std::string other : {"1", "NaN", "-Infinity"}) {
      EXPECT_THROW(CompareDecimalTexts(text, other), Error) << text;
      EXPECT_THROW(CompareDecimalTexts(other, text), Error) << text;
    }
  }
  EXPECT_THROW(ReadDecimal("NaN"), Error);
}

}  // namespace
}  // namespace s3v

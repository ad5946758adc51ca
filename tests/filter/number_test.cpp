#include "filter/number.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/random.h"

namespace s3v {
namespace {

constexpr int64_t kMin = std::numeric_limits<int64_t>::min();
constexpr int64_t kMax = std::numeric_limits<int64_t>::max();

int Sign(std::weak_ordering order) { return order < 0 ? -1 : order > 0 ? 1 : 0; }
int Integer(int64_t value, std::string_view number) { return Sign(Number::FromJson(number).CompareInteger(value)); }
int Float(double value, std::string_view number) { return Sign(Number::FromJson(number).CompareFloat(value)); }
int Decimal(std::string_view value, std::string_view number) {
  return Sign(Number::FromJson(number).CompareDecimal(value));
}

TEST(Number, EqualValuesAreEqualInEveryNotation) {
  const std::vector<std::vector<std::string>> classes = {
      {"0", "-0", "0.0", "-0.00", "0e5", "0E-5", "0e999999999999999999999"},
      {"1000", "1e3", "1E+3", "1000.0", "0.1e4", "10000e-1", "1000.000e0"},
      {"2020", "2020.0", "2.02e3", "202000e-2"},
      {"-0.5", "-5e-1", "-0.50", "-0.05e1"},
      {"9007199254740993", "9007199254740993.0", "9.007199254740993e15"},
  };
  for (const auto& same : classes) {
    for (const std::string& a : same) {
      for (const std::string& b : same) EXPECT_EQ(Number::FromJson(a), Number::FromJson(b)) << a << " " << b;
    }
  }
  EXPECT_EQ(Integer(1000, "1e3"), 0);
  EXPECT_EQ(Integer(0, "-0"), 0);
  EXPECT_EQ(Integer(-1, "-10e-1"), 0);
  EXPECT_EQ(Float(-0.0, "0"), 0);
  EXPECT_EQ(Float(0.0, "-0.0"), 0);
  EXPECT_EQ(Decimal("2020.00", "2020"), 0);
  EXPECT_EQ(Decimal("0", "-0"), 0);
  EXPECT_EQ(Decimal("-0.0", "0"), 0);
  EXPECT_EQ(Decimal("007.50", "7.5"), 0);
}

TEST(Number, IntegersAbove2To53StayApart) {
  EXPECT_EQ(Integer(9007199254740993, "9007199254740993"), 0);
  EXPECT_EQ(Integer(9007199254740992, "9007199254740993"), -1);
  EXPECT_EQ(Integer(9007199254740994, "9007199254740993"), 1);
  EXPECT_EQ(Integer(9007199254740993, "9007199254740992.9999"), 1);
  EXPECT_EQ(Decimal("9007199254740993", "9007199254740992"), 1);
}

TEST(Number, TheEndsOfInt64) {
  EXPECT_EQ(Integer(kMax, "9223372036854775807"), 0);
  EXPECT_EQ(Integer(kMax, "9223372036854775807.1"), -1);
  EXPECT_EQ(Integer(kMax, "9223372036854775808"), -1);
  EXPECT_EQ(Integer(kMax, "9223372036854775806.9"), 1);
  EXPECT_EQ(Integer(kMax, "18446744073709551615"), -1);
  for (const std::string number : {"1e19", "1e20", "1e38", "1e39", "1e64", "1e128", "1e300"}) {
    EXPECT_EQ(Integer(kMax, number), -1) << number;
    EXPECT_EQ(Integer(kMin, "-" + number), 1) << number;
  }
  EXPECT_EQ(Integer(kMin, "-9223372036854775808"), 0);
  EXPECT_EQ(Integer(kMin, "-9223372036854775808.1"), 1);
  EXPECT_EQ(Integer(kMin, "-9223372036854775809"), 1);
  EXPECT_EQ(Integer(kMin, "-9223372036854775807.9"), -1);
}

TEST(Number, FloorsReachOneBeyondInt64) {
  const auto floor = [](const char* text) { return Number::FromJson(text).Floor(); };
  constexpr __int128 kGreatest = std::numeric_limits<int64_t>::max();
  constexpr __int128 kLeast = std::numeric_limits<int64_t>::min();
  EXPECT_TRUE(floor("7") == 7 && floor("7.9") == 7 && floor("-7.1") == -8 && floor("-0.0") == 0);
  EXPECT_TRUE(floor("9223372036854775807.5") == kGreatest && floor("9223372036854775808") == kGreatest + 1);
  EXPECT_TRUE(floor("-9223372036854775808") == kLeast && floor("-9223372036854775808.5") == kLeast - 1);
  EXPECT_TRUE(floor("1e300") == kGreatest + 1 && floor("-1e300") == kLeast - 1);
  EXPECT_TRUE(Number::FromJson("70e-1").is_integral());
  EXPECT_FALSE(Number::FromJson("7.5").is_integral());
}

TEST(Number, FractionsBesideIntegers) {
  EXPECT_EQ(Integer(2, "2.5"), -1);
  EXPECT_EQ(Integer(3, "2.5"), 1);
  EXPECT_EQ(Integer(-2, "-2.5"), 1);
  EXPECT_EQ(Integer(-3, "-2.5"), -1);
  EXPECT_EQ(Integer(0, "1e-400"), -1);
  EXPECT_EQ(Integer(0, "-1e-400"), 1);
  EXPECT_EQ(Integer(-1, "-1e-400"), -1);
}

TEST(Number, FloatsCompareAfterRoundingToDouble) {
  EXPECT_EQ(Float(0.1, "0.1"), 0);
  EXPECT_EQ(Float(0.1 + 0.2, "0.3"), 1);
  EXPECT_EQ(Float(9007199254740992.0, "9007199254740993"), 0);  // rounds to even
  EXPECT_EQ(Float(1e308, "1e308"), 0);
  EXPECT_EQ(Float(0, "1e-400"), 0);
  EXPECT_EQ(Float(std::numeric_limits<double>::denorm_min(), "5e-324"), 0);
  EXPECT_EQ(Decimal("0.1", "0.1000000000000000055511151231257827"), -1);  // decimals are not rounded
}

TEST(Number, NotANumberAndInfinities) {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  const double infinity = std::numeric_limits<double>::infinity();
  for (const std::string number : {"0", "-1e300", "1e300", "1.5"}) {
    EXPECT_EQ(Float(nan, number), 1);
    EXPECT_EQ(Float(-nan, number), 1);
    EXPECT_EQ(Float(infinity, number), 1);
    EXPECT_EQ(Float(-infinity, number), -1);
    EXPECT_EQ(Decimal("NaN", number), 1);
    EXPECT_EQ(Decimal("Infinity", number), 1);
    EXPECT_EQ(Decimal("-Infinity", number), -1);
  }
}

TEST(Number, ThirtyDigits) {
  EXPECT_EQ(Decimal("123456789012345678901234567890", "123456789012345678901234567890"), 0);
  EXPECT_EQ(Decimal("123456789012345678901234567891", "123456789012345678901234567890"), 1);
  EXPECT_EQ(Decimal("-123456789012345678901234567891", "-123456789012345678901234567890"), -1);
  EXPECT_EQ(Decimal("123456789012345678901234567890.000001", "123456789012345678901234567890"), 1);
  EXPECT_EQ(Decimal("0.000000000000000000000000000001", "1e-30"), 0);
  EXPECT_EQ(Decimal("0.000000000000000000000000000001", "1.1e-30"), -1);
  EXPECT_EQ(Decimal("1" + std::string(300, '0'), "1e300"), 0);
  EXPECT_EQ(Decimal("1" + std::string(299, '0') + "1", "1e300"), 1);
}

TEST(Number, DecimalsThatAreNoNumbersAreCorruption) {
  for (const std::string text : {"", "-", ".", ".5", "5.", "1e5", "+1", "--1", "1 ", " 1", "1,5", "nan", "0x10",
                                 "1.2.3", "Inf", "-NaN", "12a"}) {
    EXPECT_THROW(Decimal(text, "1"), Error) << text;
  }
  EXPECT_THROW(Decimal(std::string("1\0", 2), "1"), Error);
}

TEST(Number, HugeExponentsAreQuickAndOrdered) {
  EXPECT_EQ(Decimal("0." + std::string(16383, '0') + "1", "1e-1000000"), 1);
  EXPECT_EQ(Decimal("0." + std::string(16383, '0') + "1", "1e-99999999999999999999999"), 1);
  EXPECT_EQ(Integer(0, "-1e-99999999999999999999999"), 1);
}

// ---- against a second way of comparing: both numbers written out at one width
// --------------------------------------------

constexpr int kWidth = 80;  // digits on each side of the point

struct Parts {
  bool negative;
  std::string whole, fraction;
};

// A sortable text: all digits at fixed places, nines' complement for negative values.
std::string Sortable(const Parts& parts) {
  std::string digits = std::string(kWidth - parts.whole.size(), '0') + parts.whole + parts.fraction +
                       std::string(kWidth - parts.fraction.size(), '0');
  const bool is_zero = digits.find_first_not_of('0') == std::string::npos;
  if (!parts.negative || is_zero) return "1" + digits;
  for (char& digit : digits) digit = static_cast<char>('0' + '9' - digit);
  return "0" + digits;
}

Parts RandomParts(Random& random) {
  // Few digits and few distinct ones, so that equal values and shared beginnings are common.
  const auto digits = [&random](size_t length) {
    std::string text;
    for (size_t i = 0; i < length; ++i) text += "00195"[random.Below(5)];
    return text;
  };
  const size_t longest = random.Below(3) == 0 ? 30 : 3;
  return {random.Below(2) == 0, digits(1 + random.Below(longest)), digits(random.Below(longest))};
}

std::string Plain(const Parts& parts) {
  return (parts.negative ? "-" : "") + parts.whole + (parts.fraction.empty() ? "" : "." + parts.fraction);
}

// The same value with an exponent: the point moved by up to the digits at hand.
std::string Scientific(const Parts& parts, Random& random) {
  const std::string digits = parts.whole + parts.fraction;
  const size_t point = random.Below(digits.size() + 1);
  std::string whole = digits.substr(0, point);
  const size_t nonzero = whole.find_first_not_of('0');
  whole = nonzero == std::string::npos ? "0" : whole.substr(nonzero);
  const std::string fraction = digits.substr(point);
  const auto exponent = static_cast<int>(parts.whole.size()) - static_cast<int>(point);
  return (parts.negative ? "-" : "") + whole + (fraction.empty() ? "" : "." + fraction) + "e" +
         std::to_string(exponent);
}

TEST(Number, RandomDecimalsCompareAsWrittenOut) {
  Random random(7);
  int equal = 0;
  for (int round = 0; round < 100'000; ++round) {
    const Parts a = RandomParts(random);
    Parts b = RandomParts(random);
    if (random.Below(4) == 0) b = a;
    const std::string number = Scientific(b, random);
    const int expected = Sign(Sortable(a) <=> Sortable(b));
    equal += expected == 0 ? 1 : 0;
    ASSERT_EQ(Decimal(Plain(a), number), expected) << Plain(a) << " " << number;
    ASSERT_EQ(Sign(Number::FromJson(Scientific(a, random)) <=> Number::FromJson(number)), expected)
        << Plain(a) << " " << number;
    if (a.fraction.empty() && a.whole.size() <= 18) {
      ASSERT_EQ(Integer(std::stoll(Plain(a)), number), expected) << Plain(a) << " " << number;
    }
  }
  EXPECT_GT(equal, 20'000);
}

TEST(Number, RoundingToDoubleKeepsTheOrder) {
  Random random(8);
  std::vector<Number> numbers;
  for (int i = 0; i < 2'000; ++i) numbers.push_back(Number::FromJson(Scientific(RandomParts(random), random)));
  std::sort(numbers.begin(), numbers.end());
  for (const double value : {-1e9, -5.0, -0.1, 0.0, 0.1, 5.0, 19.0, 1e9}) {
    const auto above = [value](const Number& number) { return number.CompareFloat(value) > 0; };
    EXPECT_TRUE(std::is_partitioned(numbers.begin(), numbers.end(), above)) << value;
  }
}

}  // namespace
}  // namespace s3v

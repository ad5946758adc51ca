#include "base/decimal.h"

#include <algorithm>

#include "base/error.h"

namespace s3v {
namespace {

bool IsDigit(char c) { return c >= '0' && c <= '9'; }

[[noreturn]] void NotNumeric() { throw Error(Code::kCorrupted, "corrupted metadata: a decimal that is no number"); }

std::weak_ordering CompareMagnitude(const Decimal& a, const Decimal& b) {
  if (a.exponent != b.exponent) return a.exponent <=> b.exponent;
  const size_t length = std::max(a.size(), b.size());
  for (size_t i = 0; i < length; ++i) {
    if (a.digit(i) != b.digit(i)) return a.digit(i) <=> b.digit(i);
  }
  return std::weak_ordering::equivalent;
}

// Where a text stands that is no string of digits: below all numbers, above them, above all. 0: it has to be a number.
int PlaceBesideNumbers(std::string_view text) {
  return text == "-Infinity" ? -1 : text == "Infinity" ? 1 : text == "NaN" ? 2 : 0;
}

}  // namespace

std::string_view TakeDigits(std::string_view& rest) {
  const auto* end = std::find_if_not(rest.begin(), rest.end(), IsDigit);
  const std::string_view digits = rest.substr(0, static_cast<size_t>(end - rest.begin()));
  rest.remove_prefix(digits.size());
  return digits;
}

bool TakeChar(std::string_view& rest, char c) {
  if (rest.empty() || rest.front() != c) return false;
  rest.remove_prefix(1);
  return true;
}

size_t LeadingZeros(std::string_view digits) { return std::min(digits.find_first_not_of('0'), digits.size()); }

Decimal ReadDecimal(std::string_view text) {
  Decimal decimal;
  decimal.negative = TakeChar(text, '-');
  decimal.head = TakeDigits(text);
  if (decimal.head.empty()) NotNumeric();
  if (TakeChar(text, '.')) {
    decimal.tail = TakeDigits(text);
    if (decimal.tail.empty()) NotNumeric();
  }
  if (!text.empty()) NotNumeric();

  decimal.head.remove_prefix(LeadingZeros(decimal.head));
  decimal.exponent = static_cast<int64_t>(decimal.head.size());
  if (decimal.head.empty()) {
    const size_t zeros = LeadingZeros(decimal.tail);
    decimal.tail.remove_prefix(zeros);
    decimal.exponent = -static_cast<int64_t>(zeros);
  }
  return decimal;
}

std::weak_ordering Compare(const Decimal& a, const Decimal& b) {
  if (a.sign() != b.sign() || a.sign() == 0) return a.sign() <=> b.sign();
  return a.negative ? CompareMagnitude(b, a) : CompareMagnitude(a, b);
}

std::weak_ordering CompareDecimalTexts(std::string_view a, std::string_view b) {
  const int a_place = PlaceBesideNumbers(a);
  const int b_place = PlaceBesideNumbers(b);
  if (a_place == 0 && b_place == 0) return Compare(ReadDecimal(a), ReadDecimal(b));
  // The one that is a number is still read, so that a broken text is found whatever it is compared with.
  if (a_place == 0) ReadDecimal(a);
  if (b_place == 0) ReadDecimal(b);
  return a_place <=> b_place;
}

}  // namespace s3v

// Decimal numbers of any length as PostgreSQL prints them, compared by their exact value.
#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace s3v {

// 0.d1d2d3... * 10^exponent; the digits are those of `head` and then those of `tail`, the first of them not zero.
// Views into the text it was read from.
struct Decimal {
  bool negative = false;
  std::string_view head;
  std::string_view tail;
  int64_t exponent = 0;

  size_t size() const { return head.size() + tail.size(); }
  int sign() const { return size() == 0 ? 0 : negative ? -1 : 1; }
  char digit(size_t i) const { return i < head.size() ? head[i] : i < size() ? tail[i - head.size()] : '0'; }
};

// Digits, perhaps a sign before and a point within. Throws kCorrupted for any other text, NaN and infinities included.
Decimal ReadDecimal(std::string_view text);
std::weak_ordering Compare(const Decimal& a, const Decimal& b);

// Two numerics, NaN and infinities included: NaN equals itself and stands above everything. Throws kCorrupted.
std::weak_ordering CompareDecimalTexts(std::string_view a, std::string_view b);

// What else reads numbers digit by digit: each takes from the front of `rest`.
std::string_view TakeDigits(std::string_view& rest);
bool TakeChar(std::string_view& rest, char c);
size_t LeadingZeros(std::string_view digits);

}  // namespace s3v

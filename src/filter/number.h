// Numbers of a filter, compared by exact value with the three forms that a row may hold.
#pragma once

#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace s3v {

// A number as a filter writes it. The text decides, not a rounded double: 9007199254740993 differs from
// 9007199254740992, while 1e3, 1000 and 1000.0 are one value, and so are 0 and -0.
class Number {
 public:
  // REQUIRES: `text` follows JSON's grammar of numbers.
  static Number FromJson(std::string_view text);

  // Each answers how the row's value stands to this number: less means value < number. NaN stands above every number,
  // as in PostgreSQL's order, and so equals none.
  std::weak_ordering CompareInteger(int64_t value) const {
    if (range_ == Range::kBelowInt64) return std::weak_ordering::greater;
    if (range_ == Range::kAboveInt64) return std::weak_ordering::less;
    if (value != floor_) return value <=> floor_;
    return is_integral_ ? std::weak_ordering::equivalent : std::weak_ordering::less;
  }
  // Against binary floating point this number is first rounded to double, so that a stored 0.1 equals 0.1.
  std::weak_ordering CompareFloat(double value) const {
    if (value < nearest_) return std::weak_ordering::less;
    return value == nearest_ ? std::weak_ordering::equivalent : std::weak_ordering::greater;
  }
  // `text` is what PostgreSQL prints for a numeric, NaN and infinities included. Throws kCorrupted for any other text.
  std::weak_ordering CompareDecimal(std::string_view text) const;

  // What floats are compared with.
  double nearest() const { return nearest_; }
  // The greatest integer that is not above the number; one beyond int64's ends stands for all that lie there.
  __int128 Floor() const;
  bool is_integral() const { return is_integral_; }
  // As JSON, each value in one spelling: all digits, with an exponent only far from 1.
  std::string Text() const;

  std::weak_ordering operator<=>(const Number& other) const;
  bool operator==(const Number& other) const { return (*this <=> other) == 0; }

 private:
  // 0.d1d2d3... * 10^exponent, without leading or trailing zeros; no digits at all for zero.
  bool negative_ = false;
  std::string digits_;
  int64_t exponent_ = 0;

  double nearest_ = 0;
  // The greatest integer that is not above the number, when an int64 can hold it.
  enum class Range { kBelowInt64, kInt64, kAboveInt64 };
  Range range_ = Range::kInt64;
  int64_t floor_ = 0;
  bool is_integral_ = true;

  // Looks only at the digits before the point, which decide most comparisons. Nothing where they do not, or where the
  // text is not a short number.
  std::optional<std::weak_ordering> CompareWholePart(std::string_view text) const;

  void SetNearest(std::string_view text);
  void SetFloor();
};

}  // namespace s3v

#include "s3vectors/remote_number.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <limits>

#include "base/decimal.h"

namespace s3v {
namespace {

using Limits = std::numeric_limits<double>;

constexpr int kShortDigits = Limits::digits10;       // 15
constexpr double kShortBelow = 9007199254740992;     // 2^53: above it not even all integers are doubles
constexpr double kShortIntegers = 4503599627370496;  // 2^52: below it there is a double between any two integers
constexpr double kShortFrom = 1e-290;                // far from where doubles lose digits

std::string Shortest(double value) {
  std::array<char, 32> text;
  const auto [end, error] = std::to_chars(text.data(), text.data() + text.size(), value == 0 ? 0.0 : value);
  return {text.data(), end};
}

// The short number that the double is nearest to, if there is one.
std::optional<Number> ShortNumberNear(double value) {
  const double size = std::abs(value);
  if (value != 0 && (size < kShortFrom || size >= kShortBelow)) return std::nullopt;
  if (size < kShortIntegers && value == std::floor(value)) return Number::FromJson(Shortest(value));
  std::array<char, 32> text;
  const auto [end, error] =
      std::to_chars(text.data(), text.data() + text.size(), value, std::chars_format::scientific, kShortDigits - 1);
  const Number number = Number::FromJson({text.data(), end});
  return number.nearest() == value ? std::optional(number) : std::nullopt;
}

// Of a row's decimal.
std::string TextOf(const Number& number) {
  const std::optional<Number> near = ShortNumberNear(number.nearest());
  if (!near || *near == number) return number.Text();
  return Shortest(std::nextafter(number.nearest(), *near < number ? Limits::infinity() : -Limits::infinity()));
}

// A row that was moved lies one double farther, which others of the same double do not reach. Close to zero, where
// doubles have few digits, all are taken together.
std::optional<std::string> Bound(const Number& number, double sign) {
  if (IsShort(number)) return number.Text();
  if (std::abs(number.nearest()) < kShortFrom) return Shortest(sign * kShortFrom);
  const double bound = std::nextafter(number.nearest(), sign * Limits::infinity());
  return std::isfinite(bound) ? std::optional(Shortest(bound)) : std::nullopt;
}

}  // namespace

std::string IntegerText(int64_t value) { return std::to_string(value); }

std::optional<std::string> FloatText(double value) {
  if (std::isnan(value)) return std::nullopt;
  if (std::isinf(value)) return std::string(value > 0 ? kGreatestText : kLeastText);
  return Shortest(value);
}

std::optional<std::string> DecimalText(std::string_view printed) {
  if (printed == "NaN") return std::nullopt;
  if (printed == "Infinity") return std::string(kGreatestText);
  if (printed == "-Infinity") return std::string(kLeastText);
  const Decimal decimal = ReadDecimal(printed);
  double nearest = 0;
  const auto [end, error] = std::from_chars(printed.data(), printed.data() + printed.size(), nearest);
  if (error == std::errc::result_out_of_range && decimal.exponent > 0) {
    return std::string(decimal.negative ? kLeastText : kGreatestText);
  }
  return TextOf(Number::FromJson(printed));
}

std::string TimeText(int64_t microseconds) {
  if (microseconds == std::numeric_limits<int64_t>::max()) return std::string(kGreatestText);
  if (microseconds == std::numeric_limits<int64_t>::min()) return std::string(kLeastText);
  constexpr int64_t kSecond = 1'000'000;
  constexpr int64_t kFrom1970 = 946'684'800;
  int64_t seconds = microseconds / kSecond;
  int64_t rest = microseconds % kSecond;
  seconds += kFrom1970;
  // Both of one sign, so that they can be printed one after the other.
  if (seconds > 0 && rest < 0) {
    --seconds;
    rest += kSecond;
  } else if (seconds < 0 && rest > 0) {
    ++seconds;
    rest -= kSecond;
  }
  std::string text = seconds < 0 || rest < 0 ? "-" : "";
  text += std::to_string(std::abs(seconds));
  if (rest == 0) return text;
  std::string fraction = std::to_string(kSecond + std::abs(rest));
  fraction.front() = '.';
  fraction.erase(fraction.find_last_not_of('0') + 1);
  return text + fraction;
}

bool IsShort(const Number& number) {
  const std::optional<Number> near = ShortNumberNear(number.nearest());
  return near && *near == number;
}

std::vector<std::string> TextsOf(const Number& number) {
  if (IsShort(number)) return {number.Text()};
  // As an integer or a decimal, as a float, as a decimal that was moved.
  std::vector<std::string> texts = {number.Text(), Number::FromJson(Shortest(number.nearest())).Text(), TextOf(number)};
  std::ranges::sort(texts);
  texts.erase(std::unique(texts.begin(), texts.end()), texts.end());
  return texts;
}

std::optional<std::string> UpperBound(const Number& number) { return Bound(number, 1); }
std::optional<std::string> LowerBound(const Number& number) { return Bound(number, -1); }

bool IsShortTime(int64_t microseconds) {
  // 2^33 seconds on both sides of 1970: there two doubles are less than a microsecond apart.
  constexpr __int128 kMicroseconds = static_cast<__int128>(1'000'000) << 33;
  const __int128 since_1970 = static_cast<__int128>(microseconds) + 946'684'800'000'000;
  return since_1970 > -kMicroseconds && since_1970 < kMicroseconds;
}

}  // namespace s3v

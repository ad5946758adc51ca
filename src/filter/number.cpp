#include "filter/number.h"

#include <algorithm>
#include <charconv>
#include <limits>

#include "base/decimal.h"

namespace s3v {
namespace {

// An exponent beyond this is kept as this: no row holds a value as large or as small.
constexpr int64_t kExponentLimit = 1'000'000'000;

int64_t ReadExponent(std::string_view text) {
  const bool negative = TakeChar(text, '-');
  TakeChar(text, '+');
  int64_t exponent = 0;
  for (const char c : text) exponent = std::min(exponent * 10 + (c - '0'), kExponentLimit);
  return negative ? -exponent : exponent;
}

}  // namespace

Number Number::FromJson(std::string_view text) {
  Number number;
  number.SetNearest(text);

  number.negative_ = TakeChar(text, '-');
  const std::string_view whole = TakeDigits(text);
  number.digits_ = whole;
  if (TakeChar(text, '.')) number.digits_ += TakeDigits(text);
  number.exponent_ = static_cast<int64_t>(whole.size());
  if (!text.empty()) number.exponent_ += ReadExponent(text.substr(1));

  const size_t zeros = LeadingZeros(number.digits_);
  number.digits_.erase(0, zeros);
  number.exponent_ -= static_cast<int64_t>(zeros);
  number.digits_.erase(number.digits_.find_last_not_of('0') + 1);

  number.SetFloor();
  return number;
}

void Number::SetNearest(std::string_view text) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), nearest_);
  // JSON's reader refuses what a double cannot reach, so out of range is too close to zero.
  if (error == std::errc::result_out_of_range) nearest_ = 0;
}

void Number::SetFloor() {
  constexpr int64_t kInt64Digits = 19;
  const Range beyond = negative_ ? Range::kBelowInt64 : Range::kAboveInt64;
  is_integral_ = digits_.empty() || static_cast<int64_t>(digits_.size()) <= exponent_;
  if (!digits_.empty() && exponent_ > kInt64Digits) {
    range_ = beyond;
    return;
  }
  __int128 floor = 0;
  for (int64_t i = 0; i < exponent_ && !digits_.empty(); ++i) {
    floor = floor * 10 + (i < static_cast<int64_t>(digits_.size()) ? digits_[static_cast<size_t>(i)] - '0' : 0);
  }
  if (negative_) floor = -floor - (is_integral_ ? 0 : 1);
  if (floor < std::numeric_limits<int64_t>::min() || floor > std::numeric_limits<int64_t>::max()) {
    range_ = beyond;
    return;
  }
  floor_ = static_cast<int64_t>(floor);
}

__int128 Number::Floor() const {
  if (range_ == Range::kBelowInt64) return static_cast<__int128>(std::numeric_limits<int64_t>::min()) - 1;
  if (range_ == Range::kAboveInt64) return static_cast<__int128>(std::numeric_limits<int64_t>::max()) + 1;
  return floor_;
}

std::string Number::Text() const {
  constexpr int64_t kMostZeros = 20;
  if (digits_.empty()) return "0";
  const auto digits = static_cast<int64_t>(digits_.size());
  std::string text = digits_;
  if (exponent_ > digits + kMostZeros || exponent_ < -kMostZeros) {
    if (digits > 1) text.insert(1, ".");
    text += 'e' + std::to_string(exponent_ - 1);
  } else if (exponent_ >= digits) {
    text.append(static_cast<size_t>(exponent_ - digits), '0');
  } else if (exponent_ > 0) {
    text.insert(static_cast<size_t>(exponent_), ".");
  } else {
    text.insert(0, "0." + std::string(static_cast<size_t>(-exponent_), '0'));
  }
  return negative_ ? '-' + text : text;
}

std::weak_ordering Number::CompareDecimal(std::string_view text) const {
  if (const auto order = CompareWholePart(text)) return *order;
  if (text == "NaN" || text == "Infinity") return std::weak_ordering::greater;
  if (text == "-Infinity") return std::weak_ordering::less;
  return Compare(ReadDecimal(text), Decimal{negative_, digits_, {}, exponent_});
}

std::optional<std::weak_ordering> Number::CompareWholePart(std::string_view text) const {
  constexpr size_t kMostCharacters = 18;  // as many digits as an int64 always holds
  if (text.size() > kMostCharacters) return std::nullopt;
  const auto is_digit = [](char c) { return c >= '0' && c <= '9'; };
  const bool negative = text.starts_with('-');
  if (negative) text.remove_prefix(1);

  int64_t whole = 0;
  size_t point = 0;
  for (; point < text.size() && is_digit(text[point]); ++point) whole = whole * 10 + (text[point] - '0');
  if (point == 0) return std::nullopt;
  if (point < text.size()) {
    const std::string_view fraction = text.substr(point + 1);
    const bool is_fraction =
        text[point] == '.' && !fraction.empty() && std::all_of(fraction.begin(), fraction.end(), is_digit);
    if (!is_fraction) return std::nullopt;
  }
  // The value lies between these.
  const int64_t least = negative ? -whole - 1 : whole;
  const int64_t greatest = least + 1;
  if (CompareInteger(least) > 0) return std::weak_ordering::greater;
  if (CompareInteger(greatest) < 0) return std::weak_ordering::less;
  return std::nullopt;
}

std::weak_ordering Number::operator<=>(const Number& other) const {
  return Compare(Decimal{negative_, digits_, {}, exponent_},
                 Decimal{other.negative_, other.digits_, {}, other.exponent_});
}

}  // namespace s3v

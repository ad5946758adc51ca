// Numbers as the service gets them: written so that it compares them as the filter does, whether it keeps them as
// doubles or as decimals.
//
// A filter mostly names *short* numbers: at most 15 digits, or integers below 2^52. Each of them is the only short one
// near its double. So all that can go wrong with one is a row's longer decimal that rounds to the same double; such a
// row is written as the next double on its own side.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "filter/number.h"

namespace s3v {

// What stands for the infinities.
inline constexpr std::string_view kGreatestText = "1.7976931348623157e308";
inline constexpr std::string_view kLeastText = "-1.7976931348623157e308";

// Values of rows. Nothing for NaN.
std::string IntegerText(int64_t value);
std::optional<std::string> FloatText(double value);
// `printed` by PostgreSQL. Throws kCorrupted for any other text.
std::optional<std::string> DecimalText(std::string_view printed);
// Microseconds since 2000-01-01 as seconds since 1970-01-01.
std::string TimeText(int64_t microseconds);

// Whether rows equal to the number, below it and above it are just that on the service, too.
bool IsShort(const Number& number);
// Every text that a row equal to the number may have: one of a short number.
std::vector<std::string> TextsOf(const Number& number);
// No row that is at most (at least) the number is stored above (below) this. Nothing where that cannot be said.
std::optional<std::string> UpperBound(const Number& number);
std::optional<std::string> LowerBound(const Number& number);

// Whether the time's seconds differ from those of every other time even as doubles: until the year 2242.
bool IsShortTime(int64_t microseconds);

}  // namespace s3v

// Rows in the text format of PostgreSQL's COPY, arrays as array literals.
// Source: PostgreSQL manual, "COPY", section "Text Format", and "Arrays", section "Array Input and Output Syntax".
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "catalogue/package.h"

namespace s3v::catalogue {

// {0.5,-1} with the fewest digits that give the same floats again.
std::string RealArrayLiteral(std::span<const float> values);

// {"a","b \"c\""}: every element in quotes, so that none can read as NULL.
std::string TextArrayLiteral(const std::vector<std::string>& values);

// A column's text with backslash, tab, newline and carriage return escaped.
std::string EscapeCopyText(std::string_view text);

// One line: id, name, section, size_kb, depends, description, tags, embedding; what is unknown is \N.
std::string CopyRow(int64_t id, const Package& package, const std::optional<std::vector<float>>& embedding);

}  // namespace s3v::catalogue

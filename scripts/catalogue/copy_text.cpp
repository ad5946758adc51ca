#include "catalogue/copy_text.h"

#include <charconv>

namespace s3v::catalogue {
namespace {

constexpr std::string_view kNull = "\\N";

std::string TextOrNull(std::string_view text) { return text.empty() ? std::string(kNull) : EscapeCopyText(text); }

}  // namespace

std::string RealArrayLiteral(std::span<const float> values) {
  std::string literal = "{";
  char digits[32];
  for (const float value : values) {
    if (literal.size() > 1) literal += ',';
    literal.append(digits, std::to_chars(digits, digits + sizeof(digits), value).ptr);
  }
  return literal + "}";
}

std::string TextArrayLiteral(const std::vector<std::string>& values) {
  std::string literal = "{";
  for (const std::string& value : values) {
    if (literal.size() > 1) literal += ',';
    literal += '"';
    for (const char c : value) {
      if (c == '"' || c == '\\') literal += '\\';
      literal += c;
    }
    literal += '"';
  }
  return literal + "}";
}

std::string EscapeCopyText(std::string_view text) {
  std::string escaped;
  escaped.reserve(text.size());
  for (const char c : text) {
    switch (c) {
      case '\\':
        escaped += "\\\\";
        break;
      case '\t':
        escaped += "\\t";
        break;
      case '\n':
        escaped += "\\n";
        break;
      case '\r':
        escaped += "\\r";
        break;
      default:
        escaped += c;
    }
  }
  return escaped;
}

std::string CopyRow(int64_t id, const Package& package, const std::optional<std::vector<float>>& embedding) {
  std::string row = std::to_string(id);
  const auto add = [&](std::string_view column) { row.append(1, '\t').append(column); };
  add(EscapeCopyText(package.name));
  add(TextOrNull(package.section));
  add(package.size_kb ? std::to_string(*package.size_kb) : std::string(kNull));
  add(EscapeCopyText(TextArrayLiteral(package.depends)));
  add(EscapeCopyText(package.description));
  add(EscapeCopyText(TextArrayLiteral(package.tags)));
  add(embedding ? RealArrayLiteral(*embedding) : std::string(kNull));
  return row + "\n";
}

}  // namespace s3v::catalogue

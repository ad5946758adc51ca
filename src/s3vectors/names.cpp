#include "s3vectors/names.h"

#include <array>
#include <charconv>
#include <cstdio>
#include <string_view>

namespace s3v {
namespace {

constexpr std::string_view kPrefix = "s3v-";
constexpr size_t kIdDigits = 32;
constexpr size_t kNumberDigits = 8;
constexpr size_t kNameSize = kPrefix.size() + kIdDigits + 1 + kNumberDigits;

// Exactly eight digits of the base, lower case.
template <class Number>
bool ParseNumber(std::string_view text, int base, Number* number) {
  if (text.find_first_not_of(base == 16 ? "0123456789abcdef" : "0123456789") != std::string_view::npos) return false;
  const auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), *number, base);
  return problem == std::errc() && end == text.data() + text.size();
}

std::string EightDigits(const char* format, unsigned long number) {
  std::array<char, 24> text;
  std::snprintf(text.data(), text.size(), format, number);
  return text.data();
}

}  // namespace

std::string RemotePrefix(const ObjectId& index) { return std::string(kPrefix) + IdText(index); }

std::string GenerationName(const ObjectId& index, uint32_t generation) {
  return RemotePrefix(index) + "-" + EightDigits("%08lx", generation);
}

std::string OwnerName(const ObjectId& index, uint64_t number) {
  return RemotePrefix(index) + "o" + EightDigits("%08lu", number);
}

bool ParseRemoteName(const std::string& text, RemoteName* name) {
  if (text.size() != kNameSize || !text.starts_with(kPrefix)) return false;
  if (!ParseId(text.substr(kPrefix.size(), kIdDigits), &name->index)) return false;
  const char kind = text[kPrefix.size() + kIdDigits];
  const std::string_view digits = std::string_view(text).substr(kNameSize - kNumberDigits);
  name->is_owner = kind == 'o';
  if (kind == '-') return ParseNumber(digits, 16, &name->generation);
  return kind == 'o' && ParseNumber(digits, 10, &name->number) && name->number > 0;
}

}  // namespace s3v

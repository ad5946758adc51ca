#include "s3vectors/json_cursor.h"

#include <charconv>
#include <cmath>
#include <cstdlib>

#include "s3vectors/utf8.h"

namespace s3v {
namespace {

constexpr int kMaxDepth = 64;

bool IsSpace(char c) { return c == ' ' || c == '\n' || c == '\r' || c == '\t'; }

// REQUIRES: a code point, no surrogate.
void AppendUtf8(unsigned point, std::string* text) {
  const auto add = [text](unsigned byte) { *text += static_cast<char>(byte); };
  if (point < 0x80) {
    add(point);
  } else if (point < 0x800) {
    add(0xC0 | (point >> 6));
    add(0x80 | (point & 0x3F));
  } else if (point < 0x10000) {
    add(0xE0 | (point >> 12));
    add(0x80 | ((point >> 6) & 0x3F));
    add(0x80 | (point & 0x3F));
  } else {
    add(0xF0 | (point >> 18));
    add(0x80 | ((point >> 12) & 0x3F));
    add(0x80 | ((point >> 6) & 0x3F));
    add(0x80 | (point & 0x3F));
  }
}

}  // namespace

char JsonCursor::Peek() {
  size_t spaces = 0;
  while (spaces < rest_.size() && IsSpace(rest_[spaces])) ++spaces;
  rest_.remove_prefix(spaces);
  return rest_.empty() ? '\0' : rest_.front();
}

bool JsonCursor::Take(char c) {
  if (Peek() != c) return false;
  rest_.remove_prefix(1);
  return true;
}

bool JsonCursor::TakeWord(std::string_view word) {
  Peek();
  if (!rest_.starts_with(word)) return false;
  rest_.remove_prefix(word.size());
  return true;
}

bool JsonCursor::ReadString(std::string* text) {
  if (!Take('"')) return false;
  text->clear();
  while (true) {
    size_t plain = 0;
    while (plain < rest_.size() && rest_[plain] != '"' && rest_[plain] != '\\' &&
           static_cast<unsigned char>(rest_[plain]) >= 0x20) {
      ++plain;
    }
    if (plain == rest_.size()) return false;
    if (!IsUtf8(rest_.substr(0, plain))) return false;
    text->append(rest_.substr(0, plain));
    const char c = rest_[plain];
    rest_.remove_prefix(plain + 1);
    if (c == '"') return true;
    if (c != '\\' || !ReadEscape(text)) return false;
  }
}

bool JsonCursor::ReadEscape(std::string* text) {
  if (rest_.empty()) return false;
  const char c = rest_.front();
  rest_.remove_prefix(1);
  constexpr std::string_view kLetters = "\"\\/bfnrt";
  constexpr std::string_view kMeanings = "\"\\/\b\f\n\r\t";
  if (const size_t place = kLetters.find(c); place != std::string_view::npos) {
    *text += kMeanings[place];
    return true;
  }
  unsigned point = 0;
  if (c != 'u' || !ReadCodeUnit(&point)) return false;
  if (point >= 0xD800 && point < 0xDC00 && rest_.starts_with("\\u")) {
    const std::string_view before = rest_;
    rest_.remove_prefix(2);
    unsigned low = 0;
    if (!ReadCodeUnit(&low)) return false;
    if (low >= 0xDC00 && low < 0xE000) {
      point = 0x10000 + ((point - 0xD800) << 10) + (low - 0xDC00);
    } else {
      rest_ = before;
    }
  }
  constexpr unsigned kReplacement = 0xFFFD;
  AppendUtf8(point >= 0xD800 && point < 0xE000 ? kReplacement : point, text);
  return true;
}

bool JsonCursor::ReadCodeUnit(unsigned* unit) {
  constexpr size_t kDigits = 4;
  if (rest_.size() < kDigits) return false;
  const auto [end, error] = std::from_chars(rest_.data(), rest_.data() + kDigits, *unit, 16);
  if (error != std::errc() || end != rest_.data() + kDigits) return false;
  rest_.remove_prefix(kDigits);
  return true;
}

bool JsonCursor::ReadBoolean(bool* value) {
  *value = Peek() == 't';
  return TakeWord(*value ? "true" : "false");
}

bool JsonCursor::ReadNull() { return TakeWord("null"); }

std::string_view JsonCursor::TakeNumber() {
  Peek();
  const char* at = rest_.data();
  const char* const end = at + rest_.size();
  const auto take = [&](char c) {
    const bool is_there = at != end && *at == c;
    at += is_there ? 1 : 0;
    return is_there;
  };
  const auto take_digits = [&] {
    const char* const first = at;
    while (at != end && *at >= '0' && *at <= '9') ++at;
    return at - first;
  };
  take('-');
  const char* const whole = at;
  const auto whole_digits = take_digits();
  if (whole_digits == 0 || (whole_digits > 1 && *whole == '0')) return {};
  if (take('.') && take_digits() == 0) return {};
  if (take('e') || take('E')) {
    if (!take('-')) take('+');
    if (take_digits() == 0) return {};
  }
  const std::string_view number = rest_.substr(0, static_cast<size_t>(at - rest_.data()));
  rest_.remove_prefix(number.size());
  return number;
}

bool JsonCursor::ReadNumber(double* value) {
  const std::string_view number = TakeNumber();
  if (number.empty()) return false;
  const auto [end, error] = std::from_chars(number.data(), number.data() + number.size(), *value);
  // Which of both ends it is out of, only the C library's function tells.
  if (error == std::errc::result_out_of_range) *value = std::strtod(std::string(number).c_str(), nullptr);
  return true;
}

bool JsonCursor::ReadFloat(float* value) {
  const std::string_view number = TakeNumber();
  if (number.empty()) return false;
  const auto [end, error] = std::from_chars(number.data(), number.data() + number.size(), *value);
  if (error == std::errc::result_out_of_range) *value = std::strtof(std::string(number).c_str(), nullptr);
  return std::isfinite(*value);
}

bool JsonCursor::Skip(int depth) {
  if (depth > kMaxDepth) return false;
  switch (Peek()) {
    case '{':
      return ReadObject([&](std::string_view) { return Skip(depth + 1); });
    case '[':
      return ReadList([&] { return Skip(depth + 1); });
    case '"': {
      std::string text;
      return ReadString(&text);
    }
    case 't':
      return TakeWord("true");
    case 'f':
      return TakeWord("false");
    case 'n':
      return TakeWord("null");
    default:
      return !TakeNumber().empty();
  }
}

bool JsonCursor::SkipValue(std::string_view* raw) {
  Peek();
  const std::string_view before = rest_;
  if (!Skip(0)) return false;
  *raw = before.substr(0, before.size() - rest_.size());
  return true;
}

}  // namespace s3v

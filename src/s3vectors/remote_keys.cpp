#include <array>
#include <charconv>
#include <utility>

#include "base/error.h"
#include "s3vectors/remote_row.h"
#include "s3vectors/utf8.h"

namespace s3v {
namespace {

constexpr size_t kUuidBytes = 16;
constexpr size_t kUuidCharacters = 36;

// As int64, big-endian, with the sign bit flipped.
constexpr uint64_t kSignBit = uint64_t{1} << 63;

int64_t IntegerOf(ByteView key) {
  uint64_t bits = 0;
  for (const uint8_t byte : key) bits = bits << 8 | byte;
  return static_cast<int64_t>(bits ^ kSignBit);
}

Bytes BytesOf(int64_t value) {
  const uint64_t bits = static_cast<uint64_t>(value) ^ kSignBit;
  Bytes bytes;
  for (int shift = 56; shift >= 0; shift -= 8) bytes.push_back(static_cast<uint8_t>(bits >> shift));
  return bytes;
}

bool IsHyphenAt(size_t digits_before) {
  return digits_before == 8 || digits_before == 12 || digits_before == 16 || digits_before == 20;
}

std::string UuidTextOf(ByteView uuid) {
  const std::string digits = ToHex(uuid);
  std::string text;
  for (size_t i = 0; i < digits.size(); ++i) {
    if (IsHyphenAt(i)) text += '-';
    text += digits[i];
  }
  return text;
}

std::optional<Bytes> UuidFrom(std::string_view text) {
  if (text.size() != kUuidCharacters) return std::nullopt;
  std::string digits;
  for (const char c : text) {
    if (c != '-') digits += c;
  }
  if (digits.size() != 2 * kUuidBytes) return std::nullopt;
  Bytes bytes(kUuidBytes);
  for (size_t i = 0; i < kUuidBytes; ++i) {
    const char* first = digits.data() + 2 * i;
    if (std::from_chars(first, first + 2, bytes[i], 16).ptr != first + 2) return std::nullopt;
  }
  return bytes;
}

std::optional<Bytes> IntegerFrom(std::string_view text) {
  int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return BytesOf(value);
}

std::optional<Bytes> Read(KeyKind kind, std::string_view text) {
  switch (kind) {
    case KeyKind::kInteger:
      return IntegerFrom(text);
    case KeyKind::kUuid:
      return UuidFrom(text);
    case KeyKind::kText:
      break;
  }
  // No value of the server's text types has a NUL.
  const bool can_be_ours =
      !text.empty() && text.size() <= kMaxRemoteKeyBytes && IsUtf8(text) && text.find('\0') == std::string_view::npos;
  if (!can_be_ours) return std::nullopt;
  const ByteView bytes = AsBytes(text);
  return Bytes(bytes.begin(), bytes.end());
}

}  // namespace

std::string KeyText(KeyKind kind, ByteView key) {
  if (const size_t width = KeyWidth(kind); width != 0 && key.size() != width) {
    throw Error(Code::kInternal,
                "key of " + std::to_string(key.size()) + " bytes where " + std::to_string(width) + " were expected");
  }
  switch (kind) {
    case KeyKind::kInteger:
      return std::to_string(IntegerOf(key));
    case KeyKind::kUuid:
      return UuidTextOf(key);
    case KeyKind::kText:
      break;
  }
  return std::string(AsText(key));
}

std::optional<Bytes> KeyFromText(KeyKind kind, std::string_view text) {
  std::optional<Bytes> key = Read(kind, text);
  // Other spellings of a value ("007") are other keys to the service.
  if (key && KeyText(kind, *key) != text) return std::nullopt;
  return key;
}

}  // namespace s3v

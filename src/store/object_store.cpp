#include "store/object_store.h"

#include <algorithm>
#include <string_view>

#include "base/error.h"

namespace s3v {
namespace {

constexpr size_t kMaxKeyBytes = 900;

// The length of the well-formed UTF-8 character at the beginning of `text`; 0 if there is none.
size_t Utf8Length(std::string_view text) {
  const auto byte = [&](size_t i) { return i < text.size() ? static_cast<uint8_t>(text[i]) : 0; };
  const auto follows = [&](size_t i) { return (byte(i) & 0xc0) == 0x80; };
  const int first = byte(0);
  if (first < 0x80) return 1;
  if (first >= 0xc2 && first < 0xe0) return follows(1) ? 2 : 0;
  if (first >= 0xe0 && first < 0xf0) {
    const bool overlong = first == 0xe0 && byte(1) < 0xa0;
    const bool surrogate = first == 0xed && byte(1) >= 0xa0;
    return follows(1) && follows(2) && !overlong && !surrogate ? 3 : 0;
  }
  if (first >= 0xf0 && first < 0xf5) {
    const bool overlong = first == 0xf0 && byte(1) < 0x90;
    const bool too_high = first == 0xf4 && byte(1) >= 0x90;
    return follows(1) && follows(2) && follows(3) && !overlong && !too_high ? 4 : 0;
  }
  return 0;
}

// Says what is wrong with a key, or nothing. The key itself is shown only when it is fit to be shown.
const char* CharacterProblem(std::string_view key) {
  for (size_t i = 0; i < key.size();) {
    const size_t length = Utf8Length(key.substr(i));
    if (length == 0) return "is not valid UTF-8";
    if (length == 1 && (static_cast<uint8_t>(key[i]) < 0x20 || key[i] == 0x7f)) return "contains a control character";
    i += length;
  }
  return nullptr;
}

bool HasBadSegment(std::string_view key) {
  for (size_t begin = 0; begin <= key.size();) {
    const size_t end = std::min(key.find('/', begin), key.size());
    const std::string_view segment = key.substr(begin, end - begin);
    if (segment.empty() || segment == "." || segment == "..") return true;
    begin = end + 1;
  }
  return false;
}

}  // namespace

void CheckObjectKey(const ObjectKey& key) {
  if (key.size() > kMaxKeyBytes) {
    throw Error(Code::kInvalidArgument, "object key of " + std::to_string(key.size()) + " bytes is too long",
                "At most " + std::to_string(kMaxKeyBytes) + " bytes are possible.");
  }
  if (const char* problem = CharacterProblem(key)) {
    throw Error(Code::kInvalidArgument, std::string("object key ") + problem);
  }
  if (HasBadSegment(key)) {
    throw Error(Code::kInvalidArgument, "invalid object key \"" + key + "\"",
                "Segments between slashes must not be empty, \".\" or \"..\".");
  }
}

}  // namespace s3v

#include "format/names.h"

#include <limits>
#include <string_view>

namespace s3v {
namespace {

constexpr size_t kNumberDigits = 20;
constexpr std::string_view kOwnerFolder = "owner/";
constexpr std::string_view kManifestFolder = "manifest/";
constexpr std::string_view kNavigationFolder = "nav/";
constexpr std::string_view kSegmentFolder = "segment/";

std::string Name(const ObjectId& index, std::string_view folder, const std::string& leaf) {
  return IndexPrefix(index).append(folder).append(leaf);
}

// Numbers start at 1, so that 0 can mean "none".
bool ParseNumber(std::string_view text, uint64_t* number) {
  if (text.size() != kNumberDigits) return false;
  uint64_t value = 0;
  for (const char c : text) {
    if (c < '0' || c > '9') return false;
    const auto digit = static_cast<uint64_t>(c - '0');
    if (value > (std::numeric_limits<uint64_t>::max() - digit) / 10) return false;
    value = value * 10 + digit;
  }
  *number = value;
  return value > 0;
}

}  // namespace

std::string UuidText(const ObjectId& uuid) {
  std::string text = IdText(uuid);
  for (const size_t at : {8, 13, 18, 23}) text.insert(at, 1, '-');
  return text;
}

bool ParseUuid(const std::string& text, ObjectId* uuid) {
  if (text.size() != 36) return false;
  std::string digits;
  for (size_t i = 0; i < text.size(); ++i) {
    const bool is_hyphen_place = i == 8 || i == 13 || i == 18 || i == 23;
    if (is_hyphen_place != (text[i] == '-')) return false;
    if (!is_hyphen_place) digits.push_back(text[i]);
  }
  return ParseId(digits, uuid);
}

std::string IndexPrefix(const ObjectId& index) { return UuidText(index) + "/"; }

std::string OwnerPrefix(const ObjectId& index) { return IndexPrefix(index).append(kOwnerFolder); }

std::string OwnerKey(const ObjectId& index, uint64_t number) {
  std::string digits = std::to_string(number);
  digits.insert(0, kNumberDigits - digits.size(), '0');
  return Name(index, kOwnerFolder, digits);
}

std::string ManifestKey(const ObjectId& index, const ObjectId& id) { return Name(index, kManifestFolder, IdText(id)); }
std::string NavigationKey(const ObjectId& index, const ObjectId& id) {
  return Name(index, kNavigationFolder, IdText(id));
}
std::string SegmentKey(const ObjectId& index, const ObjectId& id) { return Name(index, kSegmentFolder, IdText(id)); }

bool ParseKey(const ObjectId& index, const std::string& key, ParsedKey* name) {
  const std::string prefix = IndexPrefix(index);
  if (!key.starts_with(prefix)) return false;
  const std::string_view rest = std::string_view(key).substr(prefix.size());
  ParsedKey found;
  if (rest.starts_with(kOwnerFolder)) {
    found.kind = ObjectKind::kOwner;
    if (!ParseNumber(rest.substr(kOwnerFolder.size()), &found.number)) return false;
    *name = found;
    return true;
  }
  const auto has_id = [&](std::string_view folder, ObjectKind kind) {
    found.kind = kind;
    return rest.starts_with(folder) && ParseId(std::string(rest.substr(folder.size())), &found.id);
  };
  if (!has_id(kManifestFolder, ObjectKind::kManifest) && !has_id(kNavigationFolder, ObjectKind::kNavigation) &&
      !has_id(kSegmentFolder, ObjectKind::kSegment)) {
    return false;
  }
  *name = found;
  return true;
}

}  // namespace s3v

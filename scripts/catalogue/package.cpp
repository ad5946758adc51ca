#include "catalogue/package.h"

#include <algorithm>
#include <charconv>
#include <map>
#include <string_view>

#include "base/error.h"
#include "catalogue/text.h"
#include "catalogue/version.h"

namespace s3v::catalogue {
namespace {

// Length of the well-formed UTF-8 sequence at the start of `text`, 0 if there is none. Source: RFC 3629, section 4.
size_t SequenceLength(std::string_view text) {
  const auto byte = [&](size_t i) { return i < text.size() ? static_cast<uint8_t>(text[i]) : 0; };
  const auto follows = [&](size_t i, int low = 0x80, int high = 0xBF) { return byte(i) >= low && byte(i) <= high; };
  const int lead = byte(0);
  if (lead > 0 && lead < 0x80) return 1;
  if (lead >= 0xC2 && lead <= 0xDF) return follows(1) ? 2 : 0;
  if (lead >= 0xE0 && lead <= 0xEF) {
    return follows(1, lead == 0xE0 ? 0xA0 : 0x80, lead == 0xED ? 0x9F : 0xBF) && follows(2) ? 3 : 0;
  }
  if (lead >= 0xF0 && lead <= 0xF4) {
    return follows(1, lead == 0xF0 ? 0x90 : 0x80, lead == 0xF4 ? 0x8F : 0xBF) && follows(2) && follows(3) ? 4 : 0;
  }
  return 0;
}

// One bad byte in one description of a foreign repository must not fail the COPY of all rows.
std::string ValidUtf8(std::string_view text) {
  std::string valid;
  valid.reserve(text.size());
  while (!text.empty()) {
    const size_t length = SequenceLength(text);
    valid += length > 0 ? text.substr(0, length) : std::string_view("\uFFFD");
    text.remove_prefix(std::max<size_t>(length, 1));
  }
  return valid;
}

std::string_view FirstLine(std::string_view text) { return text.substr(0, text.find('\n')); }

std::vector<std::string_view> SplitAtCommas(std::string_view text) {
  std::vector<std::string_view> items;
  while (!text.empty()) {
    const size_t end = std::min(text.find_first_of(",\n"), text.size());
    if (const std::string_view item = Trim(text.substr(0, end)); !item.empty()) items.push_back(item);
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return items;
}

void AppendOnce(std::vector<std::string>& list, std::string item) {
  if (std::find(list.begin(), list.end(), item) == list.end()) list.push_back(std::move(item));
}

// "python3:any (>= 3.11) [amd64] | python" -> "python3"
std::string_view NameOfDependency(std::string_view relation) {
  return relation.substr(0, relation.find_first_of(" \t\n(:[|<"));
}

std::vector<std::string> DependencyNames(std::string_view depends) {
  std::vector<std::string> names;
  for (const std::string_view relation : SplitAtCommas(depends)) {
    const std::string_view name = NameOfDependency(relation);
    if (!name.empty()) AppendOnce(names, ValidUtf8(name));
  }
  return names;
}

std::vector<std::string> TagList(std::string_view text) {
  std::vector<std::string> tags;
  for (const std::string_view tag : SplitAtCommas(text)) AppendOnce(tags, ValidUtf8(tag));
  return tags;
}

std::optional<int32_t> ParseSize(std::string_view text) {
  int32_t size = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), size);
  if (error != std::errc() || end != text.data() + text.size() || size < 0) return std::nullopt;
  return size;
}

}  // namespace

Package MakePackage(const Stanza& stanza) {
  const std::string_view name = FirstLine(stanza.Get("package"));
  if (name.empty()) throw Error(Code::kInvalidArgument, "stanza without a field \"Package\"");
  // Which of the two apt prints depends on where the long descriptions are.
  std::string_view description = stanza.Get("description");
  if (description.empty()) description = stanza.Get("description-en");
  return {.name = ValidUtf8(name),
          .version = ValidUtf8(stanza.Get("version")),
          .section = ValidUtf8(FirstLine(stanza.Get("section"))),
          .size_kb = ParseSize(stanza.Get("installed-size")),
          .depends = DependencyNames(stanza.Get("depends")),
          .description = ValidUtf8(Trim(FirstLine(description))),
          .tags = TagList(stanza.Get("tag"))};
}

std::vector<Package> ReadPackages(std::istream& in) {
  std::map<std::string, Package> newest;
  Stanza stanza;
  while (ReadStanza(in, &stanza)) {
    Package package = MakePackage(stanza);
    const auto [place, is_new] = newest.try_emplace(package.name);
    if (is_new || CompareVersions(place->second.version, package.version) < 0) place->second = std::move(package);
  }
  std::vector<Package> packages;
  packages.reserve(newest.size());
  for (auto& [name, package] : newest) packages.push_back(std::move(package));
  return packages;
}

}  // namespace s3v::catalogue

#include "catalogue/version.h"

#include <algorithm>

namespace s3v::catalogue {
namespace {

bool IsDigit(char c) { return c >= '0' && c <= '9'; }
bool IsLetter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }

// '~' comes before everything, even the end; letters come before all other characters.
int Rank(std::string_view text, size_t at) {
  if (at >= text.size() || IsDigit(text[at])) return 0;
  if (text[at] == '~') return -1;
  return IsLetter(text[at]) ? text[at] : text[at] + 256;
}

std::string_view TakeNumber(std::string_view& text) {
  const size_t end = std::min(text.find_first_not_of("0123456789"), text.size());
  std::string_view number = text.substr(0, end);
  text.remove_prefix(end);
  number.remove_prefix(std::min(number.find_first_not_of('0'), number.size()));
  return number;
}

// Without leading zeros the longer number is the larger one, so numbers of any length compare without overflow.
int CompareNumbers(std::string_view a, std::string_view b) {
  if (a.size() != b.size()) return a.size() < b.size() ? -1 : 1;
  return a.compare(b);
}

// Turns of non-digits and digits, until one differs.
int ComparePart(std::string_view a, std::string_view b) {
  while (!a.empty() || !b.empty()) {
    while ((!a.empty() && !IsDigit(a.front())) || (!b.empty() && !IsDigit(b.front()))) {
      const int difference = Rank(a, 0) - Rank(b, 0);
      if (difference != 0) return difference;
      a.remove_prefix(1);
      b.remove_prefix(1);
    }
    const int difference = CompareNumbers(TakeNumber(a), TakeNumber(b));
    if (difference != 0) return difference;
  }
  return 0;
}

struct Parts {
  std::string_view epoch, upstream, revision;
};

Parts SplitVersion(std::string_view version) {
  Parts parts{"0", version, "0"};
  if (const size_t colon = version.find(':'); colon != std::string_view::npos) {
    parts.epoch = version.substr(0, colon);
    parts.upstream = version.substr(colon + 1);
  }
  if (const size_t dash = parts.upstream.rfind('-'); dash != std::string_view::npos) {
    parts.revision = parts.upstream.substr(dash + 1);
    parts.upstream = parts.upstream.substr(0, dash);
  }
  return parts;
}

}  // namespace

int CompareVersions(std::string_view a, std::string_view b) {
  const Parts left = SplitVersion(a);
  const Parts right = SplitVersion(b);
  if (const int epoch = ComparePart(left.epoch, right.epoch)) return epoch;
  if (const int upstream = ComparePart(left.upstream, right.upstream)) return upstream;
  return ComparePart(left.revision, right.revision);
}

}  // namespace s3v::catalogue

// The order of Debian's version numbers: [epoch:]upstream[-revision]. Source: deb-version(7).
#pragma once

#include <string_view>

namespace s3v::catalogue {

// Negative, zero or positive, as `a` is older than, equal to or newer than `b`.
int CompareVersions(std::string_view a, std::string_view b);

}  // namespace s3v::catalogue

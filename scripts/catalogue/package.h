// A row of the catalogue.
#pragma once

#include <cstdint>
#include <istream>
#include <optional>
#include <string>
#include <vector>

#include "catalogue/stanza.h"

namespace s3v::catalogue {

// All text is valid UTF-8 without NUL, as PostgreSQL wants it.
struct Package {
  std::string name;
  std::string version;
  std::string section;               // "" if unknown
  std::optional<int32_t> size_kb;    // installed
  std::vector<std::string> depends;  // names; of alternatives the first; each once, in the order of the stanza
  std::string description;           // one line
  std::vector<std::string> tags;     // debtags, "facet::value"
};

// Throws kInvalidArgument for a stanza without a package name.
Package MakePackage(const Stanza& stanza);

// All packages of the input, by name; of several versions of one package the newest.
std::vector<Package> ReadPackages(std::istream& in);

}  // namespace s3v::catalogue

// Stanzas of Debian's control files: "Field: value" lines, continued by lines that start with a blank, ended by an
// empty line. Source: deb822(5).
#pragma once

#include <istream>
#include <map>
#include <string>
#include <string_view>
#include <utility>

namespace s3v::catalogue {

// Field names are in lower case (deb822: they are case-insensitive). The lines of a value are joined by '\n', each
// without the blanks around it.
class Stanza {
 public:
  // The value, or "" for a field that is absent.
  std::string_view Get(std::string_view field) const;
  void Set(std::string field, std::string value) { fields_[std::move(field)] = std::move(value); }
  void AppendLine(const std::string& field, std::string_view line);
  bool empty() const { return fields_.empty(); }

 private:
  std::map<std::string, std::string, std::less<>> fields_;
};

// Reads the next stanza; false at the end of the input. Lines that are neither field, continuation nor empty are an
// error (kInvalidArgument): the input is then no list of packages.
bool ReadStanza(std::istream& in, Stanza* stanza);

}  // namespace s3v::catalogue

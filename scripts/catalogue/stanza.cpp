#include "catalogue/stanza.h"

#include "base/error.h"
#include "catalogue/text.h"

namespace s3v::catalogue {
namespace {

[[noreturn]] void RefuseLine(const std::string& line) {
  throw Error(Code::kInvalidArgument, "line is not a field of a package: \"" + line.substr(0, 80) + "\"", {},
              "The input is what \"apt-cache dumpavail\" prints.");
}

}  // namespace

std::string_view Stanza::Get(std::string_view field) const {
  const auto found = fields_.find(field);
  return found == fields_.end() ? std::string_view() : std::string_view(found->second);
}

void Stanza::AppendLine(const std::string& field, std::string_view line) {
  std::string& value = fields_[field];
  value += '\n';
  value += line;
}

bool ReadStanza(std::istream& in, Stanza* stanza) {
  *stanza = Stanza();
  std::string line;
  std::string field;
  while (std::getline(in, line)) {
    if (Trim(line).empty()) {
      if (!stanza->empty()) return true;
      continue;
    }
    if (IsBlank(line.front())) {
      if (field.empty()) RefuseLine(line);
      stanza->AppendLine(field, Trim(line));
      continue;
    }
    const size_t colon = line.find(':');
    if (colon == std::string::npos || colon == 0) RefuseLine(line);
    field = LowerCase(Trim(std::string_view(line).substr(0, colon)));
    stanza->Set(field, std::string(Trim(std::string_view(line).substr(colon + 1))));
  }
  return !stanza->empty();
}

}  // namespace s3v::catalogue

// Small helpers for ASCII text.
#pragma once

#include <string>
#include <string_view>

namespace s3v::catalogue {

bool IsBlank(char c);  // space, tab, carriage return
std::string_view Trim(std::string_view text);
std::string LowerCase(std::string_view text);  // other bytes than A to Z stay

}  // namespace s3v::catalogue

#include "store/s3_xml.h"

#include <algorithm>
#include <charconv>
#include <cstdio>
#include <ctime>
#include <pugixml.hpp>
#include <sstream>
#include <string_view>

namespace s3v {
namespace {

constexpr size_t kMaxShownBytes = 64;

// Without whitespace trimming: a key may begin with a blank, and end with one.
constexpr unsigned int kParseOptions = pugi::parse_default | pugi::parse_ws_pcdata_single;

bool Load(ByteView body, pugi::xml_document* document) {
  return static_cast<bool>(document->load_buffer(body.data(), body.size(), kParseOptions, pugi::encoding_utf8));
}

std::optional<uint64_t> ParseNumber(std::string_view text) {
  uint64_t number = 0;
  const auto [rest, failure] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (text.empty() || failure != std::errc() || rest != text.data() + text.size()) return std::nullopt;
  return number;
}

int HexValue(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

// As encoding-type=url writes keys: %XX, and '+' for a blank.
std::optional<std::string> UrlDecode(std::string_view text) {
  std::string decoded;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      decoded.push_back(text[i] == '+' ? ' ' : text[i]);
      continue;
    }
    if (i + 2 >= text.size() || HexValue(text[i + 1]) < 0 || HexValue(text[i + 2]) < 0) return std::nullopt;
    decoded.push_back(static_cast<char>(HexValue(text[i + 1]) * 16 + HexValue(text[i + 2])));
    i += 2;
  }
  return decoded;
}

// "2009-10-12T17:50:30.000Z" as seconds since 1970.
std::optional<int64_t> ParseDate(const char* text) {
  std::tm utc{};
  const int fields = std::sscanf(text, "%4d-%2d-%2dT%2d:%2d:%2d", &utc.tm_year, &utc.tm_mon, &utc.tm_mday, &utc.tm_hour,
                                 &utc.tm_min, &utc.tm_sec);
  const bool sane = fields == 6 && utc.tm_year >= 1970 && utc.tm_mon >= 1 && utc.tm_mon <= 12 && utc.tm_mday >= 1 &&
                    utc.tm_mday <= 31;
  if (!sane) return std::nullopt;
  utc.tm_year -= 1900;
  utc.tm_mon -= 1;
  return static_cast<int64_t>(timegm(&utc));
}

std::optional<ObjectInfo> ParseObject(const pugi::xml_node& contents, bool url_encoded) {
  const std::string_view written = contents.child_value("Key");
  const std::optional<std::string> key = url_encoded ? UrlDecode(written) : std::string(written);
  const std::optional<uint64_t> size = ParseNumber(contents.child_value("Size"));
  // An object without a date would look old enough to be deleted.
  const std::optional<int64_t> modified = ParseDate(contents.child_value("LastModified"));
  if (!key || key->empty() || !size || !modified) return std::nullopt;
  return ObjectInfo{.key = *key, .size = *size, .modified = *modified};
}

}  // namespace

std::string FitForMessage(std::string_view text) {
  std::string fit(text.substr(0, kMaxShownBytes));
  for (char& c : fit) {
    const bool allowed = (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' ||
                         c == '.' || c == '_' || c == ':' || c == '/' || c == '+' || c == '=';
    if (!allowed) c = '?';
  }
  return fit;
}

std::optional<S3ErrorDocument> ParseS3Error(ByteView body) {
  pugi::xml_document document;
  if (body.empty() || !Load(body, &document)) return std::nullopt;
  const pugi::xml_node error = document.child("Error");
  if (!error) return std::nullopt;
  const std::string code = FitForMessage(error.child_value("Code"));
  return S3ErrorDocument{.code = code.empty() ? "unknown" : code,
                         .request_id = FitForMessage(error.child_value("RequestId")),
                         .region = FitForMessage(error.child_value("Region"))};
}

std::optional<S3ListPage> ParseS3List(ByteView body) {
  pugi::xml_document document;
  if (!Load(body, &document)) return std::nullopt;
  const pugi::xml_node root = document.child("ListBucketResult");
  const std::string_view truncated = root.child_value("IsTruncated");
  if (truncated != "true" && truncated != "false") return std::nullopt;
  S3ListPage page{
      .objects = {}, .is_truncated = truncated == "true", .next_token = root.child_value("NextContinuationToken")};
  if (page.is_truncated && page.next_token.empty()) return std::nullopt;
  const bool url_encoded = std::string_view(root.child_value("EncodingType")) == "url";
  for (const pugi::xml_node& contents : root.children("Contents")) {
    const std::optional<ObjectInfo> object = ParseObject(contents, url_encoded);
    if (!object) return std::nullopt;
    page.objects.push_back(*object);
  }
  return page;
}

std::optional<std::vector<S3DeleteFailure>> ParseS3DeleteResult(ByteView body) {
  pugi::xml_document document;
  if (!Load(body, &document) || !document.child("DeleteResult")) return std::nullopt;
  std::vector<S3DeleteFailure> failures;
  for (const pugi::xml_node& error : document.child("DeleteResult").children("Error")) {
    failures.push_back({.key = error.child_value("Key"), .code = FitForMessage(error.child_value("Code"))});
  }
  return failures;
}

std::string WriteS3Delete(std::span<const std::string> keys) {
  pugi::xml_document document;
  pugi::xml_node root = document.append_child("Delete");
  root.append_attribute("xmlns") = "http://s3.amazonaws.com/doc/2006-03-01/";
  root.append_child("Quiet").text() = "true";
  for (const std::string& key : keys) root.append_child("Object").append_child("Key").text() = key.c_str();
  std::ostringstream text;
  document.save(text, "", pugi::format_raw, pugi::encoding_utf8);
  return text.str();
}

}  // namespace s3v

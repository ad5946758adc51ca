// A filter's JSON text as a tree that keeps numbers as they were written.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace s3v {

// Bounds of a filter document, checked while it is read: later code may recurse over the tree.
inline constexpr size_t kMaxFilterBytes = 64 * 1024;
inline constexpr size_t kMaxFilterDepth = 32;
inline constexpr size_t kMaxFilterValues = 10'000;      // strings, numbers, booleans and nulls
inline constexpr size_t kMaxFilterConstraints = 1'000;  // pairs of key and operator
inline constexpr std::string_view kFilterLimits =
    "A filter may have 64 KiB of text, 32 levels, 10000 values and 1000 constraints.";

struct JsonNode {
  enum class Type { kNull, kFalse, kTrue, kNumber, kString, kList, kObject };
  Type type = Type::kNull;
  std::string key;                 // of a member of an object
  std::string text;                // kString: its bytes; kNumber: its decimal text
  std::vector<JsonNode> children;  // kList: elements; kObject: members by key, each key once (the last one written)
};

// Throws kInvalidArgument when the text is no JSON, breaks a bound, or has a number that a double cannot reach.
JsonNode ReadJson(std::string_view json);

// "a string", "a list", ...: for messages.
std::string_view TypeName(JsonNode::Type type);

// For messages: in double quotes, long texts cut short.
std::string Quoted(std::string_view text);

}  // namespace s3v

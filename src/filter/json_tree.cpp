#include "filter/json_tree.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>

#include "base/error.h"

namespace s3v {
namespace {

constexpr int kNumberOverflow = 406;  // id of nlohmann's exception

std::string Clipped(std::string_view text) {
  constexpr size_t kMaxShown = 64;
  if (text.size() <= kMaxShown) return std::string(text);
  size_t end = kMaxShown;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0) == 0x80) --end;  // not inside a character
  return std::string(text.substr(0, end)) + "...";
}

[[noreturn]] void BeyondLimit(const std::string& message) {
  throw Error(Code::kInvalidArgument, message, {}, std::string(kFilterLimits));
}

// The parser that calls this keeps its own stack on the heap, so deep nesting reaches the depth check here.
class TreeBuilder {
 public:
  using Json = nlohmann::json;

  JsonNode TakeTree() { return std::move(root_); }

  bool null() { return AddScalar(JsonNode::Type::kNull, {}); }
  bool boolean(bool value) { return AddScalar(value ? JsonNode::Type::kTrue : JsonNode::Type::kFalse, {}); }
  bool number_integer(Json::number_integer_t value) {
    return AddScalar(JsonNode::Type::kNumber, std::to_string(value));
  }
  bool number_unsigned(Json::number_unsigned_t value) {
    return AddScalar(JsonNode::Type::kNumber, std::to_string(value));
  }
  bool number_float(Json::number_float_t, const std::string& text) { return AddScalar(JsonNode::Type::kNumber, text); }
  bool string(std::string& text) { return AddScalar(JsonNode::Type::kString, std::move(text)); }
  bool binary(Json::binary_t&) { return false; }  // JSON text has none

  bool key(std::string& text) {
    key_ = std::move(text);
    return true;
  }
  bool start_object(size_t) { return Open(JsonNode::Type::kObject); }
  bool start_array(size_t) { return Open(JsonNode::Type::kList); }
  bool end_array() {
    open_.pop_back();
    return true;
  }
  bool end_object() {
    std::vector<JsonNode>& members = open_.back()->children;
    std::stable_sort(members.begin(), members.end(), [](const auto& a, const auto& b) { return a.key < b.key; });
    // From the back, so that of equal keys the last stays, as in jsonb.
    const auto unique =
        std::unique(members.rbegin(), members.rend(), [](const auto& a, const auto& b) { return a.key == b.key; });
    members.erase(members.begin(), unique.base());
    open_.pop_back();
    return true;
  }

  bool parse_error(size_t position, const std::string& last_token, const nlohmann::detail::exception& error) {
    if (error.id == kNumberOverflow) {
      throw Error(Code::kInvalidArgument, "filter has a number out of range: " + Clipped(last_token),
                  "Numbers of a filter must lie in the range of double precision.");
    }
    throw Error(Code::kInvalidArgument, "filter is not valid JSON at byte " + std::to_string(position));
  }

 private:
  JsonNode& Add(JsonNode::Type type) {
    JsonNode* node = &root_;
    if (!open_.empty()) node = &open_.back()->children.emplace_back();
    node->type = type;
    node->key = std::exchange(key_, {});
    return *node;
  }

  bool AddScalar(JsonNode::Type type, std::string text) {
    if (++values_ > kMaxFilterValues) {
      BeyondLimit("filter has more than " + std::to_string(kMaxFilterValues) + " values");
    }
    Add(type).text = std::move(text);
    return true;
  }

  bool Open(JsonNode::Type type) {
    if (open_.size() == kMaxFilterDepth) {
      BeyondLimit("filter is nested deeper than " + std::to_string(kMaxFilterDepth) + " levels");
    }
    open_.push_back(&Add(type));
    return true;
  }

  JsonNode root_;
  // Root to innermost. Stays valid: only the innermost one's children grow.
  std::vector<JsonNode*> open_;
  std::string key_;
  size_t values_ = 0;
};

}  // namespace

JsonNode ReadJson(std::string_view json) {
  if (json.size() > kMaxFilterBytes) {
    BeyondLimit("filter is too long: " + std::to_string(json.size()) + " bytes");
  }
  TreeBuilder builder;
  nlohmann::json::sax_parse(json.begin(), json.end(), &builder);
  return builder.TakeTree();
}

std::string_view TypeName(JsonNode::Type type) {
  switch (type) {
    case JsonNode::Type::kNull:
      return "null";
    case JsonNode::Type::kFalse:
    case JsonNode::Type::kTrue:
      return "a boolean";
    case JsonNode::Type::kNumber:
      return "a number";
    case JsonNode::Type::kString:
      return "a string";
    case JsonNode::Type::kList:
      return "a list";
    case JsonNode::Type::kObject:
      return "an object";
  }
  return "unknown";
}

std::string Quoted(std::string_view text) { return '"' + Clipped(text) + '"'; }

}  // namespace s3v

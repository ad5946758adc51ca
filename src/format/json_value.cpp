#include "format/json_value.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>

namespace s3v {
namespace {

using nlohmann::json;
using Type = JsonValue::Type;

constexpr size_t kFewValues = 1000;
constexpr size_t kBytesPerValue = 8;

// What nlohmann's parser, whose own stack is on the heap, tells of a text.
class Builder {
 public:
  Builder(size_t max_depth, size_t max_values) : max_depth_(max_depth), values_left_(max_values) {}

  JsonValue Take() { return std::move(root_); }

  bool null() { return Add(JsonValue()); }
  bool boolean(bool value) { return Add(JsonValue::Boolean(value)); }
  bool number_integer(json::number_integer_t value) { return Add(JsonValue::Integer(value)); }
  bool number_unsigned(json::number_unsigned_t value) { return Add(JsonValue::Unsigned(value)); }
  bool number_float(json::number_float_t value, const std::string&) { return Add(JsonValue::Fraction(value)); }
  bool string(std::string& text) { return Add(JsonValue::Text(text)); }
  bool binary(json::binary_t&) { return false; }  // JSON text has none
  bool key(std::string& name) {
    if (left_out_ == 0) name_ = name;
    return true;
  }
  bool start_object(size_t) { return Open(Type::kObject); }
  bool start_array(size_t) { return Open(Type::kArray); }
  bool end_object() { return Close(); }
  bool end_array() { return Close(); }
  bool parse_error(size_t, const std::string&, const nlohmann::detail::exception&) { return false; }

 private:
  bool IsTooDeep() const { return left_out_ > 0 || open_.size() > max_depth_; }

  bool Add(JsonValue value) {
    if (IsTooDeep()) return true;
    if (values_left_-- == 0) return false;
    Place() = std::move(value);
    return true;
  }

  bool Open(Type type) {
    if (IsTooDeep()) {
      ++left_out_;
      return true;
    }
    if (values_left_-- == 0) return false;
    JsonValue& place = Place();
    place = JsonValue(type);
    open_.push_back(&place);
    return true;
  }

  bool Close() {
    if (left_out_ > 0) {
      --left_out_;
    } else {
      open_.pop_back();
    }
    return true;
  }

  JsonValue& Place() {
    if (open_.empty()) return root_;
    JsonValue& parent = *open_.back();
    if (parent.type == Type::kArray) return parent.elements.emplace_back();
    return parent.members.emplace_back(std::move(name_), JsonValue()).value;
  }

  size_t max_depth_;
  size_t values_left_;
  JsonValue root_;
  // Root to innermost. Stays valid: only the innermost one grows.
  std::vector<JsonValue*> open_;
  size_t left_out_ = 0;  // containers open that are too deep
  std::string name_;
};

// As nlohmann writes it; what is no tree ends without allocating.
std::string Escaped(const std::string& text) { return json(text).dump(-1, ' ', false, json::error_handler_t::replace); }

void Append(const JsonValue& value, std::string* text);

void AppendArray(const JsonValue::Array& elements, std::string* text) {
  *text += '[';
  for (size_t i = 0; i < elements.size(); ++i) {
    if (i > 0) *text += ',';
    Append(elements[i], text);
  }
  *text += ']';
}

void AppendObject(const JsonValue::Object& members, std::string* text) {
  std::vector<const JsonMember*> sorted;
  for (const JsonMember& member : members) sorted.push_back(&member);
  std::ranges::sort(sorted, {}, &JsonMember::name);
  *text += '{';
  for (size_t i = 0; i < sorted.size(); ++i) {
    if (i > 0) *text += ',';
    *text += Escaped(sorted[i]->name) + ':';
    Append(sorted[i]->value, text);
  }
  *text += '}';
}

void Append(const JsonValue& value, std::string* text) {
  switch (value.type) {
    case Type::kNull:
      *text += "null";
      break;
    case Type::kBoolean:
      *text += value.number != 0 ? "true" : "false";
      break;
    case Type::kInteger:
      *text += value.is_negative ? std::to_string(static_cast<int64_t>(value.number)) : std::to_string(value.number);
      break;
    case Type::kFraction:
      *text += json(value.fraction).dump();
      break;
    case Type::kText:
      *text += Escaped(value.text);
      break;
    case Type::kArray:
      AppendArray(value.elements, text);
      break;
    case Type::kObject:
      AppendObject(value.members, text);
      break;
  }
}

}  // namespace

JsonValue::JsonValue() = default;

JsonValue::JsonValue(Type type) : type(type) {}

JsonValue JsonValue::Boolean(bool value) {
  JsonValue made(Type::kBoolean);
  made.number = value ? 1 : 0;
  return made;
}

JsonValue JsonValue::Unsigned(uint64_t value) {
  JsonValue made(Type::kInteger);
  made.number = value;
  return made;
}

JsonValue JsonValue::Integer(int64_t value) {
  JsonValue made = Unsigned(static_cast<uint64_t>(value));
  made.is_negative = value < 0;
  return made;
}

JsonValue JsonValue::Fraction(double value) {
  JsonValue made(Type::kFraction);
  made.fraction = value;
  return made;
}

JsonValue JsonValue::Text(std::string_view text) {
  JsonValue made(Type::kText);
  made.text = text;
  return made;
}

JsonValue JsonValue::TextArray(std::span<const std::string> texts) {
  JsonValue made(Type::kArray);
  for (const std::string& text : texts) made.elements.push_back(Text(text));
  return made;
}

JsonValue JsonValue::WithMembers(Object members) {
  JsonValue made(Type::kObject);
  made.members = std::move(members);
  return made;
}

const JsonValue* JsonValue::Find(std::string_view name) const {
  const auto found =
      std::find_if(members.rbegin(), members.rend(), [&](const JsonMember& m) { return m.name == name; });
  return found == members.rend() ? nullptr : &found->value;
}

const JsonValue* JsonValue::Find(std::string_view name, Type wanted) const {
  const JsonValue* found = Find(name);
  return found != nullptr && found->type == wanted ? found : nullptr;
}

std::optional<double> JsonValue::AsNumber() const {
  if (type == Type::kFraction) return fraction;
  if (type != Type::kInteger) return std::nullopt;
  return is_negative ? static_cast<double>(static_cast<int64_t>(number)) : static_cast<double>(number);
}

std::optional<JsonValue> ParseJson(std::string_view text, size_t max_depth) {
  Builder builder(max_depth, kFewValues + text.size() / kBytesPerValue);
  if (!json::sax_parse(text.begin(), text.end(), &builder)) return std::nullopt;
  return builder.Take();
}

std::string WriteJson(const JsonValue& value) {
  std::string text;
  Append(value, &text);
  return text;
}

}  // namespace s3v

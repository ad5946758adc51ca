// JSON as a tree whose end needs no memory. That of nlohmann::json does: its destructor allocates, and where nothing is
// left to allocate, a destructor that throws ends the process.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace s3v {

struct JsonMember;

// Not a std::variant: copying one of libstdc++ 12 whose alternatives all move without throwing ends in a wild jump when
// an allocation fails meanwhile.
struct JsonValue {
  enum class Type { kNull, kBoolean, kInteger, kFraction, kText, kArray, kObject };
  using Array = std::vector<JsonValue>;
  using Object = std::vector<JsonMember>;  // in whatever order; of equal names the last one counts

  Type type = Type::kNull;
  bool is_negative = false;  // kInteger
  uint64_t number = 0;       // kInteger, as two's complement where it is negative; kBoolean: 0 or 1
  double fraction = 0;
  std::string text;
  Array elements;
  Object members;

  // Not in the class, where JsonMember is not known yet.
  JsonValue();
  explicit JsonValue(Type type);
  static JsonValue Boolean(bool value);
  static JsonValue Unsigned(uint64_t value);
  static JsonValue Integer(int64_t value);
  static JsonValue Fraction(double value);
  static JsonValue Text(std::string_view text);
  static JsonValue TextArray(std::span<const std::string> texts);
  static JsonValue WithMembers(Object members);

  // NULL: no such member, or no object.
  const JsonValue* Find(std::string_view name) const;

  // NULL: no such member, or of another type.
  const JsonValue* Find(std::string_view name, Type wanted) const;

  // Of kInteger and kFraction; nothing for others.
  std::optional<double> AsNumber() const;
};

struct JsonMember {
  std::string name;
  JsonValue value;
};

// Nothing for what is no JSON, nor for more than 1,000 values and one in eight bytes: nothing that we read has them,
// and a tree of them would take fifty times the memory of its text. Values nested deeper than that are left out.
std::optional<JsonValue> ParseJson(std::string_view text, size_t max_depth);

// Members in the order of their names, which differ. Text that is not UTF-8 comes with replacement characters.
std::string WriteJson(const JsonValue& value);

}  // namespace s3v

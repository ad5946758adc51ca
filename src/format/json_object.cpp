#include "format/json_object.h"

#include <utility>

namespace s3v {
namespace {

// Ours nest three deep; whatever is deeper is a member that this release does not know.
constexpr size_t kMaxDepth = 16;

}  // namespace

Bytes EncodeJsonObject(const ObjectHeader& header, std::string_view text) {
  Bytes out;
  AppendHeader(out, header);
  Append(out, static_cast<uint32_t>(text.size()));
  Append(out, AsBytes(text));
  AppendRangeChecksum(out, header.object, kHeaderSize, kHeaderSize);
  return out;
}

std::string_view JsonTextOf(ByteView object, const ObjectHeader& expected, const std::string& key) {
  CheckHeader(object, expected, key);
  Decoder decoder(CheckRange(object.subspan(kHeaderSize), expected.object, kHeaderSize, key), key, kHeaderSize);
  const auto length = decoder.Read<uint32_t>();
  const ByteView text = decoder.Take(length);
  if (decoder.left() != 0) decoder.Fail("bytes follow the JSON text");
  return AsText(text);
}

JsonValue DecodeJsonObject(ByteView object, const ObjectHeader& expected, const std::string& key) {
  std::optional<JsonValue> json = ParseJson(JsonTextOf(object, expected, key), kMaxDepth);
  if (!json || json->type != JsonValue::Type::kObject)
    ThrowCorrupted(key, kHeaderSize + sizeof(uint32_t), "the text is no JSON object");
  return *std::move(json);
}

JsonMembers::JsonMembers(const JsonValue& json, const std::string& key) : json_(json), key_(key) {
  if (json_.type != JsonValue::Type::kObject) Fail("a JSON value is no object");
}

const JsonValue& JsonMembers::Member(const char* name) const {
  const JsonValue* found = json_.Find(name);
  if (found == nullptr) Fail(std::string("member \"") + name + "\" is missing");
  return *found;
}

uint64_t JsonMembers::Unsigned(const char* name, uint64_t max) const {
  const JsonValue& member = Member(name);
  if (member.type != JsonValue::Type::kInteger || member.is_negative || member.number > max) {
    Fail(std::string("member \"") + name + "\" is no number in range");
  }
  return member.number;
}

int64_t JsonMembers::Integer(const char* name) const {
  const JsonValue& member = Member(name);
  if (member.type != JsonValue::Type::kInteger || (!member.is_negative && member.number > INT64_MAX)) {
    Fail(std::string("member \"") + name + "\" is no integer");
  }
  return static_cast<int64_t>(member.number);
}

bool JsonMembers::Flag(const char* name) const {
  const JsonValue& member = Member(name);
  if (member.type != JsonValue::Type::kBoolean) Fail(std::string("member \"") + name + "\" is neither true nor false");
  return member.number != 0;
}

std::string JsonMembers::Text(const char* name) const {
  const JsonValue& member = Member(name);
  if (member.type != JsonValue::Type::kText) Fail(std::string("member \"") + name + "\" is no text");
  return member.text;
}

ObjectId JsonMembers::Id(const char* name) const {
  ObjectId id;
  if (!ParseId(Text(name), &id)) Fail(std::string("member \"") + name + "\" is no id of 32 hexadecimal digits");
  return id;
}

JsonMembers JsonMembers::Object(const char* name) const { return {Member(name), key_}; }

const JsonValue::Array& JsonMembers::Array(const char* name) const {
  const JsonValue& member = Member(name);
  if (member.type != JsonValue::Type::kArray) Fail(std::string("member \"") + name + "\" is no array");
  return member.elements;
}

void JsonMembers::Fail(const std::string& what) const { ThrowCorrupted(key_, kHeaderSize, what); }

}  // namespace s3v

#include "format/json_object.h"

namespace s3v {
namespace {

// Ours nest three deep; whatever is deeper is a member that this release does not know.
constexpr int kMaxDepth = 16;

}  // namespace

Bytes EncodeJsonObject(const ObjectHeader& header, const nlohmann::json& json) {
  const std::string text = json.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
  Bytes out;
  AppendHeader(out, header);
  Append(out, static_cast<uint32_t>(text.size()));
  Append(out, AsBytes(text));
  AppendRangeChecksum(out, header.object, kHeaderSize, kHeaderSize);
  return out;
}

nlohmann::json DecodeJsonObject(ByteView object, const ObjectHeader& expected, const std::string& key) {
  CheckHeader(object, expected, key);
  Decoder decoder(CheckRange(object.subspan(kHeaderSize), expected.object, kHeaderSize, key), key, kHeaderSize);
  const auto length = decoder.Read<uint32_t>();
  const uint64_t offset = decoder.offset();
  const ByteView text = decoder.Take(length);
  if (decoder.left() != 0) decoder.Fail("bytes follow the JSON text");
  const auto is_shallow = [](int depth, nlohmann::json::parse_event_t, nlohmann::json&) { return depth <= kMaxDepth; };
  nlohmann::json json = nlohmann::json::parse(text.begin(), text.end(), is_shallow, false);
  if (!json.is_object()) ThrowCorrupted(key, offset, "the text is no JSON object");
  return json;
}

JsonMembers::JsonMembers(const nlohmann::json& json, const std::string& key) : json_(json), key_(key) {
  if (!json_.is_object()) Fail("a JSON value is no object");
}

const nlohmann::json& JsonMembers::Member(const char* name) const {
  const auto found = json_.find(name);
  if (found == json_.end()) Fail(std::string("member \"") + name + "\" is missing");
  return *found;
}

uint64_t JsonMembers::Unsigned(const char* name, uint64_t max) const {
  const nlohmann::json& member = Member(name);
  if (!member.is_number_unsigned() || member.get<uint64_t>() > max) {
    Fail(std::string("member \"") + name + "\" is no number in range");
  }
  return member.get<uint64_t>();
}

int64_t JsonMembers::Integer(const char* name) const {
  const nlohmann::json& member = Member(name);
  if (!member.is_number_integer()) Fail(std::string("member \"") + name + "\" is no integer");
  return member.get<int64_t>();
}

bool JsonMembers::Flag(const char* name) const {
  const nlohmann::json& member = Member(name);
  if (!member.is_boolean()) Fail(std::string("member \"") + name + "\" is neither true nor false");
  return member.get<bool>();
}

std::string JsonMembers::Text(const char* name) const {
  const nlohmann::json& member = Member(name);
  if (!member.is_string()) Fail(std::string("member \"") + name + "\" is no text");
  return member.get<std::string>();
}

ObjectId JsonMembers::Id(const char* name) const {
  ObjectId id;
  if (!ParseId(Text(name), &id)) Fail(std::string("member \"") + name + "\" is no id of 32 hexadecimal digits");
  return id;
}

JsonMembers JsonMembers::Object(const char* name) const { return {Member(name), key_}; }

const nlohmann::json& JsonMembers::Array(const char* name) const {
  const nlohmann::json& member = Member(name);
  if (!member.is_array()) Fail(std::string("member \"") + name + "\" is no array");
  return member;
}

void JsonMembers::Fail(const std::string& what) const { ThrowCorrupted(key_, kHeaderSize, what); }

}  // namespace s3v

#include "format/owner.h"

#include "format/json_object.h"

namespace s3v {
namespace {

// Markers are the one kind of object whose bytes did not change with format 2. Those of format 1 are read, so that an
// index which an earlier release wrote can be rebuilt: its fence has to be passed first.
constexpr uint16_t kFirstFormat = 1;

bool HasFormat(ByteView object, uint16_t format) {
  constexpr size_t kFormatOffset = 4;
  return object.size() >= kHeaderSize && std::memcmp(object.data() + kFormatOffset, &format, sizeof format) == 0;
}

ObjectId NumberAsId(uint64_t number) {
  ObjectId id{};
  std::memcpy(id.data(), &number, sizeof number);
  return id;
}

}  // namespace

Bytes EncodeOwner(const OwnerMarker& marker, const ObjectId& index) {
  const nlohmann::json text = {
      {"number", marker.number},       {"system_identifier", marker.system_identifier},
      {"database", marker.database},   {"timeline", marker.timeline},
      {"token", IdText(marker.token)},
  };
  return EncodeJsonObject({.kind = 'O', .index = index, .object = NumberAsId(marker.number)}, text);
}

OwnerMarker DecodeOwner(ByteView object, const ObjectId& index, uint64_t number, const std::string& key) {
  ObjectHeader expected{.kind = 'O', .index = index, .object = NumberAsId(number)};
  if (HasFormat(object, kFirstFormat)) expected.format = kFirstFormat;
  const nlohmann::json text = DecodeJsonObject(object, expected, key);
  const JsonMembers members(text, key);
  OwnerMarker marker;
  marker.number = members.Unsigned("number");
  if (marker.number != number) members.Fail("the marker was written as number " + std::to_string(marker.number));
  marker.system_identifier = members.Unsigned("system_identifier");
  marker.database = static_cast<uint32_t>(members.Unsigned("database", UINT32_MAX));
  marker.timeline = static_cast<uint32_t>(members.Unsigned("timeline", UINT32_MAX));
  marker.token = members.Id("token");
  return marker;
}

}  // namespace s3v

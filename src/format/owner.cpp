#include "format/owner.h"

#include "format/json_object.h"

namespace s3v {
namespace {

// Markers are the one kind of object whose bytes never changed with the format. Those of older ones are read, so that
// an index which an earlier release wrote can be rebuilt: its fence has to be passed first.
constexpr uint16_t kFirstFormat = 1;

uint16_t FormatToExpect(ByteView object) {
  constexpr size_t kFormatOffset = 4;
  if (object.size() < kHeaderSize) return kFormat;
  uint16_t format;
  std::memcpy(&format, object.data() + kFormatOffset, sizeof format);
  return format >= kFirstFormat && format < kFormat ? format : kFormat;
}

ObjectId NumberAsId(uint64_t number) {
  ObjectId id{};
  std::memcpy(id.data(), &number, sizeof number);
  return id;
}

}  // namespace

Bytes EncodeOwner(const OwnerMarker& marker, const ObjectId& index) {
  const JsonValue text = JsonValue::WithMembers({
      {"number", JsonValue::Unsigned(marker.number)},
      {"system_identifier", JsonValue::Unsigned(marker.system_identifier)},
      {"database", JsonValue::Unsigned(marker.database)},
      {"timeline", JsonValue::Unsigned(marker.timeline)},
      {"token", JsonValue::Text(IdText(marker.token))},
  });
  return EncodeJsonObject({.kind = 'O', .index = index, .object = NumberAsId(marker.number)}, WriteJson(text));
}

OwnerMarker DecodeOwner(ByteView object, const ObjectId& index, uint64_t number, const std::string& key) {
  const ObjectHeader expected{
      .kind = 'O', .format = FormatToExpect(object), .index = index, .object = NumberAsId(number)};
  const JsonValue text = DecodeJsonObject(object, expected, key);
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

#include "format/manifest.h"

#include <string_view>

#include "format/json_object.h"

namespace s3v {
namespace {

// Numbers in the JSON would do; words are for the people who read it.
constexpr std::string_view kMetrics[] = {"", "cosine", "l2", "ip"};
constexpr std::string_view kKeyKinds[] = {"", "integer", "uuid", "text"};
constexpr std::string_view kRawPlanes[] = {"none", "f32", "f16"};

template <class Enum, size_t n>
Enum Named(const std::string_view (&names)[n], const JsonMembers& members, const char* member) {
  const std::string name = members.Text(member);
  for (size_t i = 0; i < n; ++i) {
    if (names[i] == name && !name.empty()) return static_cast<Enum>(i);
  }
  members.Fail(std::string("member \"") + member + "\" is unknown: " + name);
}

JsonValue Described(const std::string& name) { return JsonValue::Text(name); }

JsonValue Described(const ObjectName& name) {
  return JsonValue::WithMembers(
      {{"id", JsonValue::Text(IdText(name.id))}, {"length", JsonValue::Unsigned(name.length)}});
}

template <class T>
JsonValue Described(const std::vector<T>& all) {
  JsonValue described(JsonValue::Type::kArray);
  for (const T& one : all) described.elements.push_back(Described(one));
  return described;
}

ObjectName NameOf(const JsonMembers& described) {
  return {.id = described.Id("id"), .length = described.Unsigned("length")};
}

std::vector<ObjectName> NamesOf(const JsonValue::Array& described, const std::string& key) {
  std::vector<ObjectName> names;
  for (const JsonValue& name : described) names.push_back(NameOf(JsonMembers(name, key)));
  return names;
}

}  // namespace

Bytes EncodeManifest(const Manifest& manifest) {
  const JsonValue text = JsonValue::WithMembers({
      {"metric", JsonValue::Text(kMetrics[static_cast<size_t>(manifest.metric)])},
      {"dimensions", JsonValue::Unsigned(manifest.dimensions)},
      {"key_kind", JsonValue::Text(kKeyKinds[static_cast<size_t>(manifest.key_kind)])},
      {"bits", JsonValue::Integer(manifest.bits)},
      {"raw", JsonValue::Text(kRawPlanes[static_cast<size_t>(manifest.raw)])},
      {"duplicates", JsonValue::Boolean(manifest.has_duplicates)},
      {"metadata_columns", Described(manifest.metadata_columns)},
      {"rows", JsonValue::Unsigned(manifest.rows)},
      {"entries", JsonValue::Unsigned(manifest.entries)},
      {"lists", JsonValue::Unsigned(manifest.lists)},
      {"base", Described(manifest.base)},
      {"deltas", Described(manifest.deltas)},
      {"segments", Described(manifest.segments)},
      {"created", JsonValue::Integer(manifest.created)},
  });
  return EncodeJsonObject({.kind = 'M', .index = manifest.index, .object = manifest.id}, WriteJson(text));
}

Manifest DecodeManifest(ByteView object, const ObjectId& index, const ObjectId& id, const std::string& key) {
  const JsonValue text = DecodeJsonObject(object, {.kind = 'M', .index = index, .object = id}, key);
  const JsonMembers members(text, key);
  Manifest manifest;
  manifest.index = index;
  manifest.id = id;
  manifest.metric = Named<Metric>(kMetrics, members, "metric");
  manifest.dimensions = static_cast<uint32_t>(members.Unsigned("dimensions", UINT32_MAX));
  manifest.key_kind = Named<KeyKind>(kKeyKinds, members, "key_kind");
  manifest.bits = static_cast<int>(members.Unsigned("bits", kMaxBits));
  if (manifest.bits < 1) members.Fail("codes of 0 bits");
  manifest.raw = Named<RawPlane>(kRawPlanes, members, "raw");
  manifest.has_duplicates = members.Flag("duplicates");
  for (const JsonValue& column : members.Array("metadata_columns")) {
    if (column.type != JsonValue::Type::kText) members.Fail("the name of a metadata column is no text");
    manifest.metadata_columns.push_back(column.text);
  }
  manifest.rows = members.Unsigned("rows");
  manifest.entries = members.Unsigned("entries");
  manifest.lists = members.Unsigned("lists");
  manifest.base = NameOf(members.Object("base"));
  manifest.deltas = NamesOf(members.Array("deltas"), key);
  if (manifest.deltas.empty()) members.Fail("a version without a delta");
  manifest.segments = NamesOf(members.Array("segments"), key);
  manifest.created = members.Integer("created");
  return manifest;
}

}  // namespace s3v

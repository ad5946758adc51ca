#include <algorithm>
#include <cmath>
#include <utility>

#include "format/content_hash.h"
#include "s3vectors/json_cursor.h"
#include "s3vectors/remote_row.h"

namespace s3v {
namespace {

// Text and metadata have their length in front, so that no two values have the same bytes.
void AppendText(std::string_view text, Bytes* out) {
  Append(*out, static_cast<uint64_t>(text.size()));
  Append(*out, AsBytes(text));
}

// Appends the value that is next in one spelling; false: it is none. Objects, which we never write, go as they are.
bool AppendCanonical(JsonCursor& cursor, Bytes* out) {
  const auto tag = [out](char c) { out->push_back(static_cast<uint8_t>(c)); };
  switch (cursor.Peek()) {
    case '"': {
      std::string text;
      if (!cursor.ReadString(&text)) return false;
      tag('s');
      AppendText(text, out);
      return true;
    }
    case 't':
    case 'f': {
      bool value = false;
      if (!cursor.ReadBoolean(&value)) return false;
      tag(value ? 't' : 'f');
      return true;
    }
    case '[':
      tag('[');
      if (!cursor.ReadList([&] { return cursor.Peek() != '[' && AppendCanonical(cursor, out); })) return false;
      tag(']');
      return true;
    case '{':
    case 'n': {
      std::string_view raw;
      if (!cursor.SkipValue(&raw)) return false;
      tag('r');
      AppendText(raw, out);
      return true;
    }
    default: {
      double value = 0;
      if (!cursor.ReadNumber(&value)) return false;
      tag('n');
      Append(*out, value == 0 ? 0.0 : value);
      return true;
    }
  }
}

// Members in the order of their keys; nothing when the text is no object.
std::optional<Bytes> CanonicalMetadata(std::string_view json) {
  JsonCursor cursor(json);
  Bytes canonical;
  if (cursor.AtEnd() || (cursor.Peek() == 'n' && cursor.ReadNull())) return canonical;
  std::vector<std::pair<std::string, Bytes>> members;
  const bool is_object = cursor.ReadObject([&](std::string_view key) {
    members.emplace_back(key, Bytes());
    return AppendCanonical(cursor, &members.back().second);
  });
  if (!is_object || !cursor.AtEnd()) return std::nullopt;
  std::ranges::sort(members);
  for (const auto& [key, value] : members) {
    AppendText(key, &canonical);
    Append(canonical, value);
  }
  return canonical;
}

uint64_t Hash(std::span<const float> vector, ByteView metadata) {
  return std::max<uint64_t>(ContentHash(vector, metadata), 1);
}

}  // namespace

uint64_t RemoteContentHash(const RemoteSchema& schema, std::span<const float> vector, ByteView row) {
  // By way of the JSON text: so both sides of the comparison are the work of the same code.
  std::string json;
  AppendMetadata(schema, row, &json);
  std::vector<float> values(vector.begin(), vector.end());
  for (float& value : values) value += 0.0F;  // no negative zeros
  return Hash(values, *CanonicalMetadata(json));
}

std::optional<uint64_t> RemoteContentHash(const RemoteSchema& schema, std::string_view vector_json,
                                          std::string_view metadata_json) {
  std::vector<float> values;
  values.reserve(schema.dimensions);
  JsonCursor cursor(vector_json);
  const bool is_vector = cursor.ReadList([&] {
    float value = 0;
    if (values.size() == schema.dimensions || !cursor.ReadFloat(&value)) return false;
    values.push_back(value + 0.0F);
    return true;
  });
  if (!is_vector || !cursor.AtEnd() || values.size() != schema.dimensions) return std::nullopt;
  const std::optional<Bytes> metadata = CanonicalMetadata(metadata_json);
  return metadata ? std::optional(Hash(values, *metadata)) : std::nullopt;
}

}  // namespace s3v

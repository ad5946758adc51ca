#include <array>
#include <charconv>

#include "base/error.h"
#include "format/metadata.h"
#include "s3vectors/remote_number.h"
#include "s3vectors/remote_row.h"
#include "s3vectors/utf8.h"

namespace s3v {
namespace {

// False for a value that the service cannot hold.
bool AppendScalar(const MetadataValue& value, std::string* json) {
  std::optional<std::string> number;
  switch (value.tag) {
    case ValueTag::kFalse:
      *json += "false";
      return true;
    case ValueTag::kTrue:
      *json += "true";
      return true;
    case ValueTag::kText:
      AppendString(value.text, json);
      return true;
    case ValueTag::kInteger:
      number = IntegerText(value.integer);
      break;
    case ValueTag::kFloat:
      number = FloatText(value.number);
      break;
    case ValueTag::kDecimal:
      number = DecimalText(value.text);
      break;
    case ValueTag::kTime:
      number = TimeText(value.integer);
      break;
    case ValueTag::kNull:
    case ValueTag::kList:
    case ValueTag::kJson:
      return false;
  }
  if (number) *json += *number;
  return number.has_value();
}

bool AppendValue(const MetadataValue& value, std::string* json) {
  if (value.tag != ValueTag::kList) return AppendScalar(value, json);
  MetadataReader elements(value.list);
  bool is_empty = true;
  for (uint32_t i = 0; i < value.list_count; ++i) {
    const size_t before = json->size();
    *json += is_empty ? '[' : ',';
    if (AppendScalar(elements.Next(), json)) {
      is_empty = false;
    } else {
      json->resize(before);
    }
  }
  if (!is_empty) *json += ']';
  return !is_empty;
}

// Appends one member after another; `on_member` learns each one's column and where it begins.
template <class OnMember>
void AppendMembers(const RemoteSchema& schema, ByteView row, std::string* json, const OnMember& on_member) {
  MetadataReader values(row);
  bool is_first = true;
  for (const RemoteColumn& column : schema.columns) {
    const size_t before = json->size();
    if (!is_first) *json += ',';
    const size_t begin = json->size();
    AppendString(column.name, json);
    *json += ':';
    if (AppendValue(values.Next(), json)) {
      is_first = false;
      on_member(column, json->size() - begin);
    } else {
      json->resize(before);
    }
  }
  if (!values.AtEnd()) {
    throw Error(Code::kCorrupted, "corrupted metadata: more bytes than the values of " +
                                      std::to_string(schema.columns.size()) + " columns take");
  }
}

// Lengths of members, as one object would have them.
class ObjectSize {
 public:
  void Add(uint64_t member) {
    bytes_ += member + (members_ == 0 ? 0 : 1);
    ++members_;
  }
  uint64_t bytes() const { return bytes_; }
  size_t members() const { return members_; }

 private:
  uint64_t bytes_ = 2;
  size_t members_ = 0;
};

struct Measured {
  RowSizes sizes;
  size_t members = 0;
};

Measured Measure(const RemoteSchema& schema, ByteView key, ByteView row) {
  ObjectSize filterable;
  ObjectSize all;
  std::string json;
  AppendMembers(schema, row, &json, [&](const RemoteColumn& column, size_t bytes) {
    if (column.is_filterable) filterable.Add(bytes);
    all.Add(bytes);
  });
  return {.sizes = {.key_bytes = KeyText(schema.key_kind, key).size(),
                    .filterable_bytes = filterable.bytes(),
                    .metadata_bytes = all.bytes()},
          .members = all.members()};
}

std::string BytesOfMost(uint64_t bytes, uint64_t most) {
  return std::to_string(bytes) + " bytes, and the service takes at most " + std::to_string(most) + ".";
}

}  // namespace

void AppendString(std::string_view text, std::string* json) {
  constexpr std::string_view kReplacement = "\xEF\xBF\xBD";
  constexpr char kDigits[] = "0123456789abcdef";
  *json += '"';
  while (!text.empty()) {
    const size_t size = Utf8CharacterSize(text);
    const auto c = static_cast<uint8_t>(text.front());
    if (size == 0) {
      *json += kReplacement;
    } else if (c == '"' || c == '\\') {
      *json += {'\\', static_cast<char>(c)};
    } else if (c < 0x20) {
      *json += {'\\', 'u', '0', '0', kDigits[c >> 4], kDigits[c & 15]};
    } else {
      *json += text.substr(0, size);
    }
    text.remove_prefix(std::max<size_t>(size, 1));
  }
  *json += '"';
}

void AppendVector(std::span<const float> vector, std::string* json) {
  std::array<char, 32> text;
  *json += '[';
  for (size_t i = 0; i < vector.size(); ++i) {
    if (i > 0) *json += ',';
    const auto [end, error] = std::to_chars(text.data(), text.data() + text.size(), vector[i]);
    json->append(text.data(), end);
  }
  *json += ']';
}

void AppendMetadata(const RemoteSchema& schema, ByteView row, std::string* json) {
  *json += '{';
  AppendMembers(schema, row, json, [](const RemoteColumn&, size_t) {});
  *json += '}';
}

RowSizes SizesOf(const RemoteSchema& schema, ByteView key, ByteView row) { return Measure(schema, key, row).sizes; }

std::optional<std::string> ComplaintAbout(const RemoteSchema& schema, ByteView key, ByteView row) {
  const auto [sizes, members] = Measure(schema, key, row);
  if (sizes.key_bytes == 0) return "The key is empty.";
  if (sizes.key_bytes > kMaxRemoteKeyBytes) {
    return "The key has " + BytesOfMost(sizes.key_bytes, kMaxRemoteKeyBytes);
  }
  if (!IsUtf8(KeyText(schema.key_kind, key))) return "The key is not valid UTF-8.";
  if (members > kMaxMetadataKeys) {
    return "The row has values in " + std::to_string(members) + " metadata columns, and the service takes at most " +
           std::to_string(kMaxMetadataKeys) + ".";
  }
  if (sizes.filterable_bytes > kMaxFilterableBytes) {
    return "Metadata to filter by has " + BytesOfMost(sizes.filterable_bytes, kMaxFilterableBytes);
  }
  if (sizes.metadata_bytes > kMaxMetadataBytes) {
    return "Metadata has " + BytesOfMost(sizes.metadata_bytes, kMaxMetadataBytes);
  }
  return std::nullopt;
}

}  // namespace s3v

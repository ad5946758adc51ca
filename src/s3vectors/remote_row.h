// Rows as the service takes them: keys as text, metadata as one JSON object, vectors as numbers; and back.
// What becomes of each kind of value: docs/design/s3vectors.md, "Rows".
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "filter/expression.h"
#include "format/segment.h"

namespace s3v {

inline constexpr uint64_t kMaxRemoteDimensions = 4096;
inline constexpr uint64_t kMaxFilterableBytes = 2048;
inline constexpr uint64_t kMaxMetadataBytes = 40 * 1024;
inline constexpr uint64_t kMaxRemoteKeyBytes = 1024;
inline constexpr size_t kMaxMetadataKeys = 50;
inline constexpr size_t kMaxNonFilterableKeys = 10;
inline constexpr size_t kMaxColumnNameBytes = 63;  // of non-filterable keys

struct RemoteColumn {
  std::string name;
  ColumnKind kind = ColumnKind::kText;
  bool is_filterable = true;
};

// What a remote index is made of, as its rows come from the shim.
struct RemoteSchema {
  KeyKind key_kind = KeyKind::kText;
  size_t dimensions = 0;
  std::vector<RemoteColumn> columns;
};

// Decimal integer, uuid in PostgreSQL's form, or the text itself (UTF-8). `key` is encoded as format/segment.h says.
std::string KeyText(KeyKind kind, ByteView key);
// Nothing for a text that KeyText() never makes: somebody else wrote that vector.
std::optional<Bytes> KeyFromText(KeyKind kind, std::string_view text);

// {"a":1,...} of the values that the service can hold; "{}" where there are none. `row` is encoded as format/metadata.h
// says, one value for each column. Throws kCorrupted.
void AppendMetadata(const RemoteSchema& schema, ByteView row, std::string* json);
// [0.1,1,-2.5] with the shortest text that reads back as the same float32.
void AppendVector(std::span<const float> vector, std::string* json);
// A JSON string, quotes included. Invalid UTF-8 becomes U+FFFD.
void AppendString(std::string_view text, std::string* json);

struct RowSizes {
  uint64_t key_bytes = 0;
  uint64_t filterable_bytes = 0;  // of the JSON text of the filterable values, braces included
  uint64_t metadata_bytes = 0;    // of all values
};
RowSizes SizesOf(const RemoteSchema& schema, ByteView key, ByteView row);

// A sentence for errdetail when the service would refuse the row (key empty or too long, metadata too large); nothing
// when it fits.
std::optional<std::string> ComplaintAbout(const RemoteSchema& schema, ByteView key, ByteView row);

// Equal for a row and for what the service gives back of it, whatever it does to the spelling: numbers are compared as
// doubles, keys in order. Never 0.
uint64_t RemoteContentHash(const RemoteSchema& schema, std::span<const float> vector, ByteView row);
// Of a vector of ListVectors, both as JSON texts; nothing when it is no such vector (other dimensions, no numbers).
// `metadata` empty: the vector has none.
std::optional<uint64_t> RemoteContentHash(const RemoteSchema& schema, std::string_view vector_json,
                                          std::string_view metadata_json);

}  // namespace s3v

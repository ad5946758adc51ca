// Column ranges for tests: values in, a range out, opened as it was written or otherwise.
#pragma once

#include <algorithm>
#include <bit>
#include <string>
#include <vector>

#include "format/column.h"
#include "format/samples.h"
#include "support/metadata_rows.h"

namespace s3v::testing {

inline constexpr uint32_t kList = 5;
inline constexpr uint32_t kColumn = 3;
inline constexpr uint64_t kOffset = 4711;
inline const std::string kColumnKey = "segment";

inline Bytes Integer(int64_t value) { return MetadataWriter().Integer(value).row(); }
inline Bytes Float(double value) { return MetadataWriter().Float(value).row(); }
inline Bytes Text(std::string_view text) { return MetadataWriter().Text(text).row(); }
inline const Bytes kNull = MetadataWriter().Null().row();

// A column range, written, and what it is read with.
struct Column {
  Bytes bytes;
  ColumnPlace place;
  Piece piece;

  explicit Column(const std::vector<Bytes>& values) {
    const std::vector<ByteView> views(values.begin(), values.end());
    AppendColumnRange(bytes, views, kList, kColumn, SampleShape().object, kOffset);
    place = {.offset = kOffset, .length = static_cast<uint32_t>(bytes.size())};
    piece = {.list_id = kList, .count = static_cast<uint32_t>(values.size())};
  }
  ColumnRange Open(Trust trust = Trust::kVerify) const { return OpenAs(bytes, trust); }
  ColumnRange OpenAs(ByteView other, Trust trust = Trust::kVerify) const {
    ColumnPlace as_long = place;
    as_long.length = static_cast<uint32_t>(other.size());
    return {other, as_long, kColumn, piece, SampleShape(), kColumnKey, trust};
  }
};

inline bool IsSame(const MetadataValue& a, const MetadataValue& b) {
  return a.tag == b.tag && a.integer == b.integer &&
         std::bit_cast<uint64_t>(a.number) == std::bit_cast<uint64_t>(b.number) && a.text == b.text &&
         a.list_count == b.list_count && std::ranges::equal(a.list, b.list);
}

}  // namespace s3v::testing

// Metadata rows for unit tests, written as format/metadata.h describes them.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string_view>

#include "base/bytes.h"

namespace s3v::testing {

// One call for each value, in the order of the columns. Checks nothing, so that broken rows can be written too.
class MetadataWriter {
 public:
  MetadataWriter& Null();
  MetadataWriter& Boolean(bool value);
  MetadataWriter& Integer(int64_t value);
  MetadataWriter& Float(double value);
  MetadataWriter& Decimal(std::string_view text);
  MetadataWriter& Text(std::string_view text);
  MetadataWriter& Time(int64_t microseconds);
  MetadataWriter& List(uint32_t count);  // the next `count` calls write its elements
  MetadataWriter& Json(std::string_view text);

  // A JSON scalar or list of scalars; null is an absent key. Whole numbers become integers and others binary floating
  // point, or both become decimals, as jsonb holds them.
  enum class NumberForm { kBinary, kDecimal };
  MetadataWriter& Value(const nlohmann::json& value, NumberForm form = NumberForm::kBinary);

  const Bytes& row() const { return row_; }

 private:
  MetadataWriter& Tag(int tag);
  MetadataWriter& Tagged(int tag, std::string_view text);
  Bytes row_;
};

}  // namespace s3v::testing

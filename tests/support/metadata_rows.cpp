#include "support/metadata_rows.h"

#include <stdexcept>
#include <string>

namespace s3v::testing {

// Tags are numbers here, not ValueTag: a renumbered enum must break tests, since it breaks rows that are stored.
MetadataWriter& MetadataWriter::Tag(int tag) {
  row_.push_back(static_cast<uint8_t>(tag));
  return *this;
}

MetadataWriter& MetadataWriter::Tagged(int tag, std::string_view text) {
  Tag(tag);
  Append(row_, static_cast<uint32_t>(text.size()));
  Append(row_, AsBytes(text));
  return *this;
}

MetadataWriter& MetadataWriter::Null() { return Tag(0); }
MetadataWriter& MetadataWriter::Boolean(bool value) { return Tag(value ? 2 : 1); }

MetadataWriter& MetadataWriter::Integer(int64_t value) {
  Tag(3);
  Append(row_, value);
  return *this;
}

MetadataWriter& MetadataWriter::Float(double value) {
  Tag(4);
  Append(row_, value);
  return *this;
}

MetadataWriter& MetadataWriter::Decimal(std::string_view text) { return Tagged(5, text); }
MetadataWriter& MetadataWriter::Text(std::string_view text) { return Tagged(6, text); }

MetadataWriter& MetadataWriter::Time(int64_t microseconds) {
  Tag(7);
  Append(row_, microseconds);
  return *this;
}

MetadataWriter& MetadataWriter::List(uint32_t count) {
  Tag(8);
  Append(row_, count);
  return *this;
}

MetadataWriter& MetadataWriter::Json(std::string_view text) { return Tagged(9, text); }

MetadataWriter& MetadataWriter::Value(const nlohmann::json& value, NumberForm form) {
  if (value.is_null()) return Null();
  if (value.is_boolean()) return Boolean(value.get<bool>());
  if (value.is_string()) return Text(value.get<std::string>());
  if (value.is_number() && form == NumberForm::kDecimal) return Decimal(value.dump());
  if (value.is_number_integer()) return Integer(value.get<int64_t>());
  if (value.is_number_float()) return Float(value.get<double>());
  if (!value.is_array()) throw std::invalid_argument("no metadata value: " + value.dump());
  List(static_cast<uint32_t>(value.size()));
  for (const nlohmann::json& element : value) Value(element, form);
  return *this;
}

}  // namespace s3v::testing

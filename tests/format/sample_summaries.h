// Summaries for tests: values in, a summary out.
#pragma once

#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <vector>

#include "format/coding.h"
#include "format/summary.h"
#include "support/metadata_rows.h"

namespace s3v::testing {

inline Bytes Null() { return MetadataWriter().Null().row(); }
inline Bytes Integer(int64_t value) { return MetadataWriter().Integer(value).row(); }
inline Bytes Float(double value) { return MetadataWriter().Float(value).row(); }
inline Bytes Decimal(std::string_view text) { return MetadataWriter().Decimal(text).row(); }
inline Bytes Text(std::string_view text) { return MetadataWriter().Text(text).row(); }
inline Bytes Time(int64_t value) { return MetadataWriter().Time(value).row(); }

// The summary of these values, with the bytes that it is a view of.
struct Summarized {
  Bytes bytes;
  uint32_t entries;

  explicit Summarized(const std::vector<Bytes>& values) : entries(static_cast<uint32_t>(values.size())) {
    SummaryBuilder builder;
    for (const Bytes& value : values) builder.Add(value);
    EXPECT_EQ(builder.entries(), entries);
    builder.AppendTo(bytes);
  }
  ColumnSummary Read() const {
    const std::string key = "delta";
    Decoder decoder(bytes, key);
    const ColumnSummary summary = ReadSummary(decoder, entries);
    EXPECT_EQ(decoder.left(), 0U);
    EXPECT_EQ(summary.entries, entries);
    return summary;
  }
};

// So many values of one kind, the i-th being value(i).
template <class Value>
std::vector<Bytes> Values(int count, Value value) {
  std::vector<Bytes> values;
  for (int i = 0; i < count; ++i) values.push_back(value(i));
  return values;
}

}  // namespace s3v::testing

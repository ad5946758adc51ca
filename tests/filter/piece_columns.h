// Rows as the columns of one piece: what a segment and its delta hold of them.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "format/column.h"
#include "format/metadata.h"
#include "format/summary.h"

namespace s3v::testing {

class PieceColumns {
 public:
  PieceColumns(std::span<const Bytes> rows, size_t columns) : summaries_(columns) {
    piece_.count = static_cast<uint32_t>(rows.size());
    std::vector<std::vector<ByteView>> values(columns);
    for (const Bytes& row : rows) {
      MetadataReader reader(row);
      for (auto& column : values) column.push_back(reader.NextEncoded());
    }
    for (size_t column = 0; column < columns; ++column) {
      AppendColumnRange(ranges_.emplace_back(), values[column], piece_.list_id, static_cast<uint32_t>(column),
                        shape_.object, 0);
      SummaryBuilder builder;
      for (const ByteView value : values[column]) builder.Add(value);
      builder.AppendTo(summaries_[column]);
    }
  }

  // Views into this object.
  std::vector<ColumnRange> Ranges(std::span<const uint32_t> columns) const {
    std::vector<ColumnRange> ranges;
    for (const uint32_t column : columns) {
      const ColumnPlace place{.length = static_cast<uint32_t>(ranges_[column].size())};
      ranges.emplace_back(ranges_[column], place, column, piece_, shape_, key_);
    }
    return ranges;
  }
  std::vector<ColumnSummary> Summaries(std::span<const uint32_t> columns) const {
    std::vector<ColumnSummary> summaries;
    for (const uint32_t column : columns) {
      Decoder decoder(summaries_[column], key_);
      summaries.push_back(ReadSummary(decoder, piece_.count));
    }
    return summaries;
  }

 private:
  const std::string key_ = "piece";
  SegmentShape shape_;
  Piece piece_;
  std::vector<Bytes> ranges_;
  std::vector<Bytes> summaries_;
};

}  // namespace s3v::testing

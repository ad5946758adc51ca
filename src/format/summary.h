// What is known of a metadata column's values in a piece, or in a whole segment, without reading it: the navigation
// tier has it, so that lists that cannot match a filter are never fetched. FORMAT.md has the grammar.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "format/coding.h"
#include "format/metadata.h"

namespace s3v {

// Numbers are stored.
enum class SummaryForm : uint8_t {
  kUnknown = 0,   // anything
  kValues = 1,    // scalars, all of them, each with the number of its entries
  kElements = 2,  // lists: all their distinct elements, each with the number of entries whose list has it
  kRange = 3,     // scalars of one tag with an order: the least and the greatest
};

inline constexpr size_t kMostSummaryValues = 16;
inline constexpr size_t kMostSummaryValueBytes = 32;  // of an encoded value; a longer text makes a range
inline constexpr size_t kMostSummaryTextBytes = 16;   // of a text in a range, cut if need be

// Views into the bytes that it was read from. Masked entries still count.
struct ColumnSummary {
  struct Counted {
    MetadataValue value;
    uint32_t entries = 0;
  };
  SummaryForm form = SummaryForm::kUnknown;
  uint32_t entries = 0;  // of the piece or the segment
  uint32_t nulls = 0;    // entries without a value
  // kValues (ascending as encoded; with the nulls, their numbers add up to the entries), kElements.
  uint32_t counted = 0;
  Counted values[kMostSummaryValues];
  // kRange. Text: `least` may be cut short, which keeps it the least; so may `greatest`, then it is a prefix.
  MetadataValue least;
  MetadataValue greatest;
  bool greatest_is_cut = false;
};

// Reads one summary, of a column with so many entries. Throws kCorrupted.
ColumnSummary ReadSummary(Decoder& decoder, uint32_t entries);
// The same of bytes that were read so before.
ColumnSummary ViewSummary(ByteView bytes, uint32_t entries);

// Add* AppendTo. The values of a column, in any order.
class SummaryBuilder {
 public:
  // `value`: exactly one encoded value. Copies what it keeps.
  void Add(ByteView value);
  uint32_t entries() const { return entries_; }
  void AppendTo(Bytes& out) const;

 private:
  void Count(ByteView scalar, uint32_t entry);
  void Widen(const MetadataValue& value, ByteView encoded);

  struct Entries {
    uint32_t count = 0;
    uint32_t last = 0;  // the entry that was counted last, so that a list counts each element once
  };
  uint32_t entries_ = 0;
  uint32_t nulls_ = 0;
  bool has_lists_ = false;
  bool has_scalars_ = false;
  bool is_opaque_ = false;  // objects, or mixtures that have no summary
  bool has_many_ = false;   // values that no longer fit
  std::map<std::string, Entries, std::less<>> values_;
  std::string least_;     // encoded, whole; empty: none yet
  std::string greatest_;  // likewise
};

}  // namespace s3v

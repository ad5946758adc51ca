// The filter language of Amazon S3 Vectors over declared metadata columns, compiled and then matched against rows.
// Semantics: tests/filter/filter_cases.json (75 cases); ordering of text and times goes beyond S3 Vectors.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "format/column.h"
#include "format/summary.h"

namespace s3v {

enum class ColumnKind : int {
  kText = 1,   // text, varchar: equality and byte order
  kLabel = 2,  // uuid, enum: equality only
  kBoolean = 3,
  kNumber = 4,  // smallint ... numeric
  kTime = 5,    // date, timestamp, timestamptz: an operand is a string that the parser below understands
  kList = 6,    // text[] and arrays of numbers or booleans
  kJson = 7,    // jsonb: whatever scalar or list the row holds
};

struct FilterColumn {
  std::string name;
  ColumnKind kind = ColumnKind::kText;
};

// Turns the text of a time operand for column `column` into microseconds since 2000-01-01, as the column's type would.
// Answers false when the text is no such time.
using TimeParser = std::function<bool(size_t column, const std::string& text, int64_t* microseconds)>;

// What summaries say of the entries that match: none for certain, all for certain, or about this part of them.
struct MatchOutlook {
  enum class Kind : uint8_t { kNone, kSome, kAll };
  Kind kind = Kind::kSome;
  double share = 0.5;       // kNone: 0, kAll: 1
  bool is_counted = false;  // kSome: just this part, no guess
};

class Predicate;

// Immutable once compiled; all but Compile may be called from several threads.
class Expression {
 public:
  // Parses and checks the whole document before anything is matched. Throws kInvalidArgument, naming the operator or
  // key, its place in the document and the valid choices. Bounds: 64 KiB of text, depth 32, 10,000 values (1,000
  // constraints).
  static std::unique_ptr<const Expression> Compile(std::string_view json, std::span<const FilterColumn> columns,
                                                   const TimeParser& parse_time);
  virtual ~Expression() = default;

  // `row` is encoded as format/metadata.h says, with one value for each column given to Compile.
  // Throws kCorrupted for bytes that are not such a row.
  virtual bool Match(ByteView row) const = 0;

  // The checked filter itself (match.h): for who says it in another language.
  virtual const Predicate& predicate() const = 0;

  // Numbers of the columns that the filter looks at, ascending.
  virtual std::span<const uint32_t> columns() const = 0;

  // `summaries`: of each of columns(), all of the same entries.
  virtual MatchOutlook Judge(std::span<const ColumnSummary> summaries) const = 0;

  // `ranges`: of each of columns(), all of the same piece. Sets passing[i] to 1 where entry i matches, else to 0; the
  // same answers that Match gives for the rows. Never allocates but for a little that does not depend on the entries.
  virtual void MatchAll(std::span<const ColumnRange> ranges, std::span<uint8_t> passing) const = 0;
};

}  // namespace s3v

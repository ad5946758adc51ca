// A filter against what the navigation tier knows of columns: whether the entries of a piece, or of a segment, can
// match at all, and about how many of them do.
#pragma once

#include <span>

#include "filter/expression.h"
#include "filter/match.h"

namespace s3v {

// `root` and `tests` as Predicate arranges them, `summaries` of each of its columns. kNone and kAll are certain, for
// any part of the entries too: some may be masked. Never allocates, unless to throw.
MatchOutlook JudgeSummaries(const Node& root, std::span<const Test> tests, std::span<const ColumnSummary> summaries);

}  // namespace s3v

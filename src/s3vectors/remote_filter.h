// Filters in the service's own spelling.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "filter/expression.h"
#include "s3vectors/remote_row.h"

namespace s3v {

struct RemoteFilter {
  std::string json;             // empty: no condition can be said
  bool needs_enhanced = false;  // uses $startsWith: the query must ask for queryMode ENHANCED on a CLASSIC index
  bool is_exact = false;        // says the same as the expression, not only something that follows from it
};

// The strongest condition that every matching row meets on the service: explicit $and, one key an object, $ne and $nin
// with $exists, at most 100 constraints. `columns` are those of the expression, in order; the service does not filter
// by non-filterable ones.
RemoteFilter TranslateFilter(const Expression& expression, std::span<const RemoteColumn> columns);

// For an index whose columns nobody declared: checks the document (as Expression::Compile does, with the same messages)
// and spells it as above. Keys may be any; ordering takes numbers only. Throws kInvalidArgument.
RemoteFilter SpellFilter(std::string_view json);

}  // namespace s3v

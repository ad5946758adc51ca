// From a filter's JSON tree to a predicate: every rule of the language is checked here, before any row is seen.
#pragma once

#include <span>

#include "filter/expression.h"
#include "filter/json_tree.h"
#include "filter/match.h"

namespace s3v {

// Throws kInvalidArgument with the place of the fault in the document, as in $.price.$lt or $.$and[1].x.
// REQUIRES: a parser when a column is of kTime.
Predicate ParseFilter(const JsonNode& filter, std::span<const FilterColumn> columns, const TimeParser& parse_time);

}  // namespace s3v

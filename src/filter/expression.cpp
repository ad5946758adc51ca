#include "filter/expression.h"

#include "filter/json_tree.h"
#include "filter/parse.h"

namespace s3v {

std::unique_ptr<const Expression> Expression::Compile(std::string_view json, std::span<const FilterColumn> columns,
                                                      const TimeParser& parse_time) {
  return std::make_unique<const Predicate>(ParseFilter(ReadJson(json), columns, parse_time));
}

}  // namespace s3v

// A filter in the service's language, before it is written down.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace s3v {

// `is_exact`: says the same as what it was made from, not only something that follows from it.
struct Condition {
  enum class Kind { kEverything, kNothing, kTest, kAnd, kOr };

  Kind kind = Kind::kEverything;
  bool is_exact = false;
  std::string column = {};                 // kTest, kNothing
  std::string_view op = {};                // kTest: "$eq", "$in", ...
  std::vector<std::string> operands = {};  // kTest: JSON texts, one for each value
  std::vector<Condition> parts = {};       // kAnd, kOr

  // What is said of tests that cannot be said.
  static Condition Everything() { return {}; }
  // No row meets what it was made from. Of a column that may be named: only a contradiction says so.
  static Condition Nothing(std::string column) {
    return {.kind = Kind::kNothing, .is_exact = true, .column = std::move(column)};
  }
  static Condition Test(std::string column, std::string_view op, std::vector<std::string> operands, bool is_exact) {
    return {.kind = Kind::kTest,
            .is_exact = is_exact,
            .column = std::move(column),
            .op = op,
            .operands = std::move(operands)};
  }
  static Condition Exists(std::string column, bool exists, bool is_exact) {
    return Test(std::move(column), "$exists", {exists ? "true" : "false"}, is_exact);
  }
  // Parts that add nothing are left out; one that decides everything is all that is left. REQUIRES: not empty.
  static Condition All(std::vector<Condition> parts);
  static Condition Any(std::vector<Condition> parts);

  // As the service counts: each value is one.
  size_t constraints() const;
  bool Uses(std::string_view wanted) const;
};

// Weaker where it has to be, with at most so many constraints.
Condition Fit(Condition condition, size_t most);

// REQUIRES: not kEverything.
std::string ToJson(const Condition& condition);

}  // namespace s3v

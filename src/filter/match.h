// A checked filter and its evaluation on rows; judge.h evaluates it on summaries, match_columns.h on columns.
#pragma once

#include <algorithm>
#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include "filter/expression.h"
#include "filter/number.h"
#include "format/metadata.h"

namespace s3v {

// What a column's value is compared with. Values of different types are never equal.
struct Operands {
  bool has_false = false;
  bool has_true = false;
  std::vector<std::string> texts;
  std::vector<Number> numbers;
  std::vector<int64_t> times;  // microseconds since 2000-01-01

  void Sort();
  // For scalars. REQUIRES: Sort() was called.
  bool Contain(const MetadataValue& value) const;
};

enum class Relation { kOneOf, kLess, kLessOrEqual, kGreater, kGreaterOrEqual, kStartsWith, kExists };

constexpr bool IsOrdering(Relation relation) {
  return relation == Relation::kLess || relation == Relation::kLessOrEqual || relation == Relation::kGreater ||
         relation == Relation::kGreaterOrEqual;
}

// One condition on one column. An absent value meets none, except a negated kExists; so `negated` is not the opposite
// answer for every row. A list meets kOneOf and kStartsWith when one of its elements does.
struct Test {
  size_t column = 0;
  Relation relation = Relation::kOneOf;
  bool negated = false;
  Operands operands;  // orderings: one text, number or time; kStartsWith: one text; kExists: none
};

// How a stored number stands to one of a filter. Throws kCorrupted for a decimal that is no number, as all below do.
// REQUIRES: an integer, a float or a decimal.
inline std::weak_ordering CompareNumber(const MetadataValue& value, const Number& number) {
  switch (value.tag) {
    case ValueTag::kInteger:
      return number.CompareInteger(value.integer);
    case ValueTag::kFloat:
      return number.CompareFloat(value.number);
    default:
      return number.CompareDecimal(value.text);
  }
}

// Whether a scalar stands in the test's relation, `negated` not looked at. REQUIRES: the relation is not kExists.
bool HoldsForScalar(const Test& test, const MetadataValue& value);

// Likewise for a list.
bool HoldsForAnyElement(const Test& test, const MetadataValue& list);

// Whether the test holds for a column's value.
inline bool Holds(const Test& test, const MetadataValue& value) {
  const bool exists = value.tag != ValueTag::kNull;
  if (test.relation == Relation::kExists) return exists != test.negated;
  if (!exists) return false;
  const bool holds = value.tag == ValueTag::kList ? HoldsForAnyElement(test, value) : HoldsForScalar(test, value);
  return holds != test.negated;
}

struct Node {
  enum class Kind { kTest, kAnd, kOr };
  static constexpr uint32_t kSeveral = std::numeric_limits<uint32_t>::max();

  Kind kind = Kind::kTest;
  size_t test = 0;
  std::vector<Node> children;
  // Set by Predicate: the place, among the filter's columns, of the one column that all tests below look at.
  uint32_t column = kSeveral;
};

// Whether a node holds, where `holds` answers for the number of a test.
template <class Answers>
bool Combine(const Node& node, const Answers& holds) {
  const auto child_holds = [&holds](const Node& child) { return Combine(child, holds); };
  switch (node.kind) {
    case Node::Kind::kTest:
      return holds(node.test);
    case Node::Kind::kAnd:
      return std::all_of(node.children.begin(), node.children.end(), child_holds);
    case Node::Kind::kOr:
      return std::any_of(node.children.begin(), node.children.end(), child_holds);
  }
  return false;
}

class Predicate final : public Expression {
 public:
  // REQUIRES: 1 to kMaxFilterConstraints tests; `root` at most kMaxFilterDepth levels deep.
  Predicate(size_t row_columns, std::vector<Test> tests, Node root);

  // One pass over the row answers every test, then the tree combines the answers. The whole row is checked, whatever
  // the filter looks at. Never allocates, unless to throw.
  bool Match(ByteView row) const override;

  const Predicate& predicate() const override { return *this; }
  std::span<const Test> tests() const { return tests_; }  // by column, operands sorted
  const Node& root() const { return root_; }

  std::span<const uint32_t> columns() const override { return columns_; }
  MatchOutlook Judge(std::span<const ColumnSummary> summaries) const override;
  void MatchAll(std::span<const ColumnRange> ranges, std::span<uint8_t> passing) const override;

 private:
  // The same filter with tests numbered as in tests_. Nodes inside one of their own kind are dissolved, and what looks
  // at one column is gathered in one node, so that each of its values has to be looked at once.
  Node Arrange(Node node, std::span<const size_t> numbers) const;

  size_t row_columns_;
  std::vector<Test> tests_;  // by column
  std::vector<uint32_t> columns_;
  Node root_;
};

}  // namespace s3v

// A checked filter and its evaluation on rows.
#pragma once

#include <cstdint>
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

// One condition on one column. An absent value meets none, except a negated kExists; so `negated` is not the opposite
// answer for every row. A list meets kOneOf and kStartsWith when one of its elements does.
struct Test {
  size_t column = 0;
  Relation relation = Relation::kOneOf;
  bool negated = false;
  Operands operands;  // orderings: one text, number or time; kStartsWith: one text; kExists: none
  size_t slot = 0;    // place among the answers that Node::test names
};

struct Node {
  enum class Kind { kTest, kAnd, kOr };
  Kind kind = Kind::kTest;
  size_t test = 0;
  std::vector<Node> children;
};

class Predicate final : public Expression {
 public:
  // REQUIRES: 1 to kMaxFilterConstraints tests, test i in slot i; `root` at most kMaxFilterDepth levels deep.
  Predicate(size_t columns, std::vector<Test> tests, Node root);

  // One pass over the row answers every test, then the tree combines the answers. The whole row is checked, whatever
  // the filter looks at. Never allocates, unless to throw.
  bool Match(ByteView row) const override;

 private:
  size_t columns_;
  std::vector<Test> tests_;  // by column
  Node root_;
};

}  // namespace s3v

#include "filter/match.h"

#include <algorithm>
#include <array>
#include <compare>
#include <optional>
#include <utility>

#include "base/error.h"
#include "filter/json_tree.h"

namespace s3v {
namespace {

std::weak_ordering CompareNumber(const MetadataValue& value, const Number& number) {
  switch (value.tag) {
    case ValueTag::kInteger:
      return number.CompareInteger(value.integer);
    case ValueTag::kFloat:
      return number.CompareFloat(value.number);
    default:
      return number.CompareDecimal(value.text);
  }
}

// Nothing when value and operand are of different types, or of a type without an order.
std::optional<std::weak_ordering> CompareOperand(const MetadataValue& value, const Operands& operands) {
  switch (value.tag) {
    case ValueTag::kInteger:
    case ValueTag::kFloat:
    case ValueTag::kDecimal:
      if (operands.numbers.empty()) return std::nullopt;
      return CompareNumber(value, operands.numbers.front());
    case ValueTag::kText:
      if (operands.texts.empty()) return std::nullopt;
      return value.text <=> std::string_view(operands.texts.front());
    case ValueTag::kTime:
      if (operands.times.empty()) return std::nullopt;
      return value.integer <=> operands.times.front();
    default:
      return std::nullopt;
  }
}

bool HoldsForScalar(const Test& test, const MetadataValue& value) {
  if (test.relation == Relation::kOneOf) return test.operands.Contain(value);
  if (test.relation == Relation::kStartsWith) {
    return value.tag == ValueTag::kText && value.text.starts_with(test.operands.texts.front());
  }
  const std::optional<std::weak_ordering> order = CompareOperand(value, test.operands);
  if (!order) return false;
  switch (test.relation) {
    case Relation::kLess:
      return *order < 0;
    case Relation::kLessOrEqual:
      return *order <= 0;
    case Relation::kGreater:
      return *order > 0;
    default:
      return *order >= 0;
  }
}

bool HoldsForAnyElement(const Test& test, const MetadataValue& list) {
  if (test.relation != Relation::kOneOf && test.relation != Relation::kStartsWith) return false;
  MetadataReader elements(list.list);
  for (uint32_t i = 0; i < list.list_count; ++i) {
    if (HoldsForScalar(test, elements.Next())) return true;
  }
  return false;
}

bool Holds(const Test& test, const MetadataValue& value) {
  const bool exists = value.tag != ValueTag::kNull;
  if (test.relation == Relation::kExists) return exists != test.negated;
  if (!exists) return false;
  const bool holds = value.tag == ValueTag::kList ? HoldsForAnyElement(test, value) : HoldsForScalar(test, value);
  return holds != test.negated;
}

bool Combine(const Node& node, const bool* answers) {
  const auto holds = [answers](const Node& child) { return Combine(child, answers); };
  switch (node.kind) {
    case Node::Kind::kTest:
      return answers[node.test];
    case Node::Kind::kAnd:
      return std::all_of(node.children.begin(), node.children.end(), holds);
    case Node::Kind::kOr:
      return std::any_of(node.children.begin(), node.children.end(), holds);
  }
  return false;
}

}  // namespace

void Operands::Sort() {
  std::sort(texts.begin(), texts.end());
  std::sort(numbers.begin(), numbers.end());
  std::sort(times.begin(), times.end());
}

bool Operands::Contain(const MetadataValue& value) const {
  switch (value.tag) {
    case ValueTag::kFalse:
      return has_false;
    case ValueTag::kTrue:
      return has_true;
    case ValueTag::kInteger:
    case ValueTag::kFloat:
    case ValueTag::kDecimal: {
      // Rounding to double keeps the order, so one sorted list serves all three forms of a row's number.
      const auto found = std::partition_point(
          numbers.begin(), numbers.end(), [&value](const Number& number) { return CompareNumber(value, number) > 0; });
      return found != numbers.end() && CompareNumber(value, *found) == 0;
    }
    case ValueTag::kText:
      return std::binary_search(texts.begin(), texts.end(), value.text);
    case ValueTag::kTime:
      return std::binary_search(times.begin(), times.end(), value.integer);
    default:
      return false;
  }
}

Predicate::Predicate(size_t columns, std::vector<Test> tests, Node root)
    : columns_(columns), tests_(std::move(tests)), root_(std::move(root)) {
  for (Test& test : tests_) test.operands.Sort();
  std::stable_sort(tests_.begin(), tests_.end(), [](const Test& a, const Test& b) { return a.column < b.column; });
}

bool Predicate::Match(ByteView row) const {
  std::array<bool, kMaxFilterConstraints> answers;  // not cleared: every test writes its slot
  MetadataReader values(row);
  auto test = tests_.begin();
  for (size_t column = 0; column < columns_; ++column) {
    const MetadataValue value = values.Next();
    for (; test != tests_.end() && test->column == column; ++test) answers[test->slot] = Holds(*test, value);
  }
  if (!values.AtEnd()) {
    throw Error(Code::kCorrupted,
                "corrupted metadata: more bytes than the values of " + std::to_string(columns_) + " columns take");
  }
  return Combine(root_, answers.data());
}

}  // namespace s3v

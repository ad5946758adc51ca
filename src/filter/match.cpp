#include "filter/match.h"

#include <algorithm>
#include <array>
#include <compare>
#include <iterator>
#include <numeric>
#include <optional>
#include <utility>

#include "base/error.h"
#include "filter/json_tree.h"
#include "filter/judge.h"
#include "filter/match_columns.h"

namespace s3v {

namespace {

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

void AddDissolved(Node node, Node::Kind kind, std::vector<Node>& out) {
  if (node.kind != kind) {
    out.push_back(std::move(node));
    return;
  }
  for (Node& child : node.children) AddDissolved(std::move(child), kind, out);
}

// Nodes of one column become one.
std::vector<Node> GatherByColumn(std::vector<Node> nodes, Node::Kind kind) {
  std::stable_sort(nodes.begin(), nodes.end(), [](const Node& a, const Node& b) { return a.column < b.column; });
  std::vector<Node> gathered;
  for (auto first = nodes.begin(); first != nodes.end();) {
    const uint32_t column = first->column;
    const auto last = column == Node::kSeveral
                          ? std::next(first)
                          : std::find_if(first, nodes.end(), [=](const Node& node) { return node.column != column; });
    if (std::next(first) == last) {
      gathered.push_back(std::move(*first));
    } else {
      std::vector<Node> group(std::make_move_iterator(first), std::make_move_iterator(last));
      gathered.push_back({kind, 0, std::move(group), column});
    }
    first = last;
  }
  return gathered;
}

}  // namespace

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
      if (numbers.size() == 1) return CompareNumber(value, numbers.front()) == 0;
      // Rounding to double keeps the order, so one sorted list serves all three forms of a row's number.
      const auto found = std::partition_point(
          numbers.begin(), numbers.end(), [&value](const Number& number) { return CompareNumber(value, number) > 0; });
      return found != numbers.end() && CompareNumber(value, *found) == 0;
    }
    case ValueTag::kText:
      if (texts.size() == 1) return value.text == texts.front();
      return std::binary_search(texts.begin(), texts.end(), value.text);
    case ValueTag::kTime:
      return std::binary_search(times.begin(), times.end(), value.integer);
    default:
      return false;
  }
}

Predicate::Predicate(size_t row_columns, std::vector<Test> tests, Node root) : row_columns_(row_columns) {
  std::vector<size_t> order(tests.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&tests](size_t a, size_t b) { return tests[a].column < tests[b].column; });
  std::vector<size_t> numbers(tests.size());
  for (const size_t i : order) {
    numbers[i] = tests_.size();
    Test& test = tests_.emplace_back(std::move(tests[i]));
    test.operands.Sort();
    const auto column = static_cast<uint32_t>(test.column);
    if (columns_.empty() || columns_.back() != column) columns_.push_back(column);
  }
  root_ = Arrange(std::move(root), numbers);
}

Node Predicate::Arrange(Node node, std::span<const size_t> numbers) const {
  if (node.kind == Node::Kind::kTest) {
    node.test = numbers[node.test];
    const auto place = std::lower_bound(columns_.begin(), columns_.end(), tests_[node.test].column);
    node.column = static_cast<uint32_t>(place - columns_.begin());
    return node;
  }
  std::vector<Node> children;
  for (Node& child : node.children) AddDissolved(Arrange(std::move(child), numbers), node.kind, children);
  children = GatherByColumn(std::move(children), node.kind);
  if (children.size() == 1) return std::move(children.front());
  return {node.kind, 0, std::move(children), Node::kSeveral};
}

bool Predicate::Match(ByteView row) const {
  std::array<bool, kMaxFilterConstraints> answers;  // not cleared: every test has its place
  MetadataReader values(row);
  size_t test = 0;
  for (size_t column = 0; column < row_columns_; ++column) {
    const MetadataValue value = values.Next();
    for (; test < tests_.size() && tests_[test].column == column; ++test) answers[test] = Holds(tests_[test], value);
  }
  if (!values.AtEnd()) {
    throw Error(Code::kCorrupted,
                "corrupted metadata: more bytes than the values of " + std::to_string(row_columns_) + " columns take");
  }
  return Combine(root_, [&answers](size_t number) { return answers[number]; });
}

MatchOutlook Predicate::Judge(std::span<const ColumnSummary> summaries) const {
  return JudgeSummaries(root_, tests_, summaries);
}

void Predicate::MatchAll(std::span<const ColumnRange> ranges, std::span<uint8_t> passing) const {
  MatchColumns(root_, tests_, ranges, passing);
}

}  // namespace s3v

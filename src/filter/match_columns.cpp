#include "filter/match_columns.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <optional>

#include "filter/json_tree.h"

namespace s3v {
namespace {

// ---- bounds that numbers of one form are compared with directly
// ---------------------------------------------------------

// Integers or times from first to last; none where first > last.
struct IntegerBounds {
  ValueTag tag = ValueTag::kInteger;
  int64_t first = 0;
  int64_t last = 0;

  bool Contain(const MetadataValue& value) const {
    return value.tag == tag && first <= value.integer && value.integer <= last;
  }
  void Narrow(const IntegerBounds& other) {
    first = std::max(first, other.first);
    last = std::min(last, other.last);
    if (tag != other.tag) *this = {tag, 1, 0};
  }
};

// Floats from first to last; no upper bound lets NaN pass too, which stands above infinity.
struct FloatBounds {
  double first = -std::numeric_limits<double>::infinity();
  double last = std::numeric_limits<double>::infinity();
  bool is_bounded_above = false;

  bool Contain(const MetadataValue& value) const {
    return value.tag == ValueTag::kFloat && !(value.number < first) && (!is_bounded_above || value.number <= last);
  }
  void Narrow(const FloatBounds& other) {
    first = std::max(first, other.first);
    last = std::min(last, other.last);
    is_bounded_above |= other.is_bounded_above;
  }
};

// The integers that stand in a relation to a number which lies at `floor`, or between that and the next integer.
IntegerBounds BoundsFrom(ValueTag tag, Relation relation, __int128 floor, bool is_integral) {
  constexpr __int128 kLeast = std::numeric_limits<int64_t>::min();
  constexpr __int128 kGreatest = std::numeric_limits<int64_t>::max();
  __int128 first = kLeast;
  __int128 last = kGreatest;
  if (relation == Relation::kLess) last = is_integral ? floor - 1 : floor;
  if (relation == Relation::kLessOrEqual || relation == Relation::kOneOf) last = floor;
  if (relation == Relation::kGreater) first = floor + 1;
  if (relation == Relation::kGreaterOrEqual || relation == Relation::kOneOf) first = is_integral ? floor : floor + 1;
  first = std::max(first, kLeast);
  last = std::min(last, kGreatest);
  if (first > last) return {tag, 1, 0};
  return {tag, static_cast<int64_t>(first), static_cast<int64_t>(last)};
}

// Whether the numbers, or the times, that meet the test are those within bounds.
bool HasBounds(const Test& test) {
  const bool has_one_operand = test.operands.numbers.size() + test.operands.times.size() == 1;
  return !test.negated && has_one_operand && (IsOrdering(test.relation) || test.relation == Relation::kOneOf);
}

// Each answers nothing where a test of the other values of a column has to be made value by value.
std::optional<IntegerBounds> BoundsOf(const Test& test, IntegerBounds) {
  if (!HasBounds(test)) return std::nullopt;
  const Operands& operands = test.operands;
  if (!operands.times.empty()) return BoundsFrom(ValueTag::kTime, test.relation, operands.times.front(), true);
  const Number& number = operands.numbers.front();
  return BoundsFrom(ValueTag::kInteger, test.relation, number.Floor(), number.is_integral());
}

std::optional<FloatBounds> BoundsOf(const Test& test, FloatBounds) {
  if (!HasBounds(test) || test.operands.numbers.empty()) return std::nullopt;
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  const double number = test.operands.numbers.front().nearest();
  switch (test.relation) {
    case Relation::kLess:
      return FloatBounds{-kInfinity, std::nextafter(number, -kInfinity), true};
    case Relation::kLessOrEqual:
      return FloatBounds{-kInfinity, number, true};
    case Relation::kGreater:
      return FloatBounds{std::nextafter(number, kInfinity), kInfinity, false};
    case Relation::kGreaterOrEqual:
      return FloatBounds{number, kInfinity, false};
    default:
      return FloatBounds{number, number, true};
  }
}

// Of a test, or of several that all have to hold.
template <class Bounds>
std::optional<Bounds> BoundsOf(const Node& node, std::span<const Test> tests) {
  if (node.kind == Node::Kind::kTest) return BoundsOf(tests[node.test], Bounds());
  if (node.kind == Node::Kind::kOr) return std::nullopt;
  std::optional<Bounds> bounds;
  for (const Node& child : node.children) {
    const std::optional<Bounds> narrower = BoundsOf<Bounds>(child, tests);
    if (!narrower) return std::nullopt;
    if (bounds) {
      bounds->Narrow(*narrower);
    } else {
      bounds = narrower;
    }
  }
  return bounds;
}

// ---- entries
// ------------------------------------------------------------------------------------------------------------

// While a filter is evaluated, the byte of an entry is its state: to be looked at by some node, or decided. A node
// takes the entries in one state and puts each into one of two, so that neither an entry that is decided is looked at
// again nor room for answers is needed.
struct States {
  uint8_t from;
  uint8_t yes;
  uint8_t no;
};
constexpr uint8_t kNo = 0;
constexpr uint8_t kYes = 1;
constexpr uint8_t kFirstBetween = 2;  // and one more for each level of the tree
static_assert(kFirstBetween + 2 * kMaxFilterDepth <= std::numeric_limits<uint8_t>::max());

// Distinct values that are looked at before entries are: on the stack, and more of them make a poor dictionary.
constexpr size_t kMostAnswers = 16 * 1024;

class Evaluation {
 public:
  Evaluation(std::span<const Test> tests, std::span<const ColumnRange> ranges, std::span<uint8_t> entries)
      : tests_(tests), ranges_(ranges), entries_(entries) {}

  void Evaluate(const Node& node, States states, uint8_t between) {
    if (node.column != Node::kSeveral) return EvaluateColumn(node, ranges_[node.column], states);
    // Children of an $and hand on what they let pass, those of an $or what they do not; the last one decides.
    const bool is_and = node.kind == Node::Kind::kAnd;
    const uint8_t last = is_and ? states.yes : states.no;
    for (const Node& child : node.children) {
      const uint8_t left = &child == &node.children.back() ? last : between;
      const States of_child = is_and ? States{states.from, left, states.no} : States{states.from, states.yes, left};
      Evaluate(child, of_child, static_cast<uint8_t>(between + 1));
      states.from = between;
    }
  }

 private:
  void EvaluateColumn(const Node& node, const ColumnRange& range, States states) {
    switch (range.form()) {
      case ColumnForm::kDictionary:
        if (range.distinct_count() <= kMostAnswers) return EvaluateDictionary(node, range, states);
        break;
      case ColumnForm::kIntegers:
        if (const auto bounds = BoundsOf<IntegerBounds>(node, tests_)) return EvaluateBounds(*bounds, range, states);
        break;
      case ColumnForm::kFloats:
        if (const auto bounds = BoundsOf<FloatBounds>(node, tests_)) return EvaluateBounds(*bounds, range, states);
        break;
      case ColumnForm::kPlain:
        break;
    }
    if (node.kind == Node::Kind::kTest) {
      const Test& test = tests_[node.test];
      return Decide(states, [&](size_t i) { return Holds(test, range.value(i)) ? states.yes : states.no; });
    }
    Decide(states, [&](size_t i) { return HoldsFor(node, range.value(i)) ? states.yes : states.no; });
  }

  void EvaluateDictionary(const Node& node, const ColumnRange& range, States states) {
    std::array<uint8_t, kMostAnswers> answers;  // not cleared: those of the distinct values are written
    for (size_t number = 0; number < range.distinct_count(); ++number) {
      answers[number] = HoldsFor(node, range.distinct(number)) ? states.yes : states.no;
    }
    Decide(states, [&](size_t i) { return answers[range.code(i)]; });
  }

  template <class Bounds>
  void EvaluateBounds(const Bounds& bounds, const ColumnRange& range, States states) {
    Decide(states, [&](size_t i) { return bounds.Contain(range.value(i)) ? states.yes : states.no; });
  }

  bool HoldsFor(const Node& node, const MetadataValue& value) const {
    return Combine(node, [&](size_t test) { return Holds(tests_[test], value); });
  }

  template <class StateAt>
  void Decide(States states, const StateAt& state_at) {
    for (size_t i = 0; i < entries_.size(); ++i) {
      if (entries_[i] == states.from) entries_[i] = state_at(i);
    }
  }

  std::span<const Test> tests_;
  std::span<const ColumnRange> ranges_;
  std::span<uint8_t> entries_;
};

}  // namespace

void MatchColumns(const Node& root, std::span<const Test> tests, std::span<const ColumnRange> ranges,
                  std::span<uint8_t> passing) {
  std::fill(passing.begin(), passing.end(), kYes);
  Evaluation(tests, ranges, passing).Evaluate(root, {.from = kYes, .yes = kYes, .no = kNo}, kFirstBetween);
}

}  // namespace s3v

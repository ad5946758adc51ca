#include "filter/judge.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdlib>
#include <limits>

namespace s3v {
namespace {

using Kind = MatchOutlook::Kind;

constexpr MatchOutlook kNone = {.kind = Kind::kNone, .share = 0};
constexpr MatchOutlook kAll = {.kind = Kind::kAll, .share = 1};

// How many entries meet a condition: at least and at most these for certain, and probably about so many.
struct Matches {
  uint32_t least = 0;
  uint32_t most = 0;
  double guess = 0;

  static Matches Exactly(uint32_t count) { return {count, count, static_cast<double>(count)}; }
};

// Half an entry at least, and not all by half an entry.
MatchOutlook Some(double share, uint32_t entries, bool is_counted = false) {
  const double half = 0.5 / entries;
  return {.kind = Kind::kSome, .share = std::clamp(share, half, 1 - half), .is_counted = is_counted};
}

MatchOutlook OutlookOf(const Matches& matches, uint32_t entries) {
  if (matches.most == 0) return kNone;
  if (matches.least == entries) return kAll;
  return Some(matches.guess / entries, entries, matches.least == matches.most);
}

// ---- guesses within a range
// ---------------------------------------------------------------------------------------------

constexpr double kUnknownShare = 0.5;

double ShareBelow(double least, double greatest, double bound) {
  if (!std::isfinite(least) || !std::isfinite(greatest) || !(least < greatest)) return kUnknownShare;
  // Halves, since the width of all doubles is none of them.
  return std::clamp((bound / 2 - least / 2) / (greatest / 2 - least / 2), 0.0, 1.0);
}

double DecimalValue(std::string_view text) {
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc() ? value : std::numeric_limits<double>::infinity();
}

double TimeValue(int64_t time) {
  const bool is_infinite = time == std::numeric_limits<int64_t>::max() || time == std::numeric_limits<int64_t>::min();
  return is_infinite ? std::numeric_limits<double>::infinity() : static_cast<double>(time);
}

// Texts as fractions in the order of their bytes, those in front of `from` left away. `rest`: the bytes behind the
// text's end.
double TextValue(std::string_view text, size_t from, uint8_t rest) {
  constexpr size_t kBytes = 6;  // as many as a double holds
  double value = 0;
  for (size_t i = from; i < from + kBytes; ++i) {
    value = value * 256 + (i < text.size() ? static_cast<uint8_t>(text[i]) : rest);
  }
  return value;
}

size_t CommonPrefix(std::string_view a, std::string_view b) {
  return static_cast<size_t>(std::mismatch(a.begin(), a.end(), b.begin(), b.end()).first - a.begin());
}

// About the share of a range's values that lie below an ordering's operand.
double ShareBelow(const ColumnSummary& range, const Operands& operands) {
  const MetadataValue& least = range.least;
  const MetadataValue& greatest = range.greatest;
  switch (least.tag) {
    case ValueTag::kInteger:
      return ShareBelow(static_cast<double>(least.integer), static_cast<double>(greatest.integer),
                        operands.numbers.front().nearest());
    case ValueTag::kFloat:
      return ShareBelow(least.number, greatest.number, operands.numbers.front().nearest());
    case ValueTag::kDecimal:
      return ShareBelow(DecimalValue(least.text), DecimalValue(greatest.text), operands.numbers.front().nearest());
    case ValueTag::kTime:
      return ShareBelow(TimeValue(least.integer), TimeValue(greatest.integer),
                        static_cast<double>(operands.times.front()));
    case ValueTag::kText: {
      const size_t from = CommonPrefix(least.text, greatest.text);
      return ShareBelow(TextValue(least.text, from, 0), TextValue(greatest.text, from, 0),
                        TextValue(operands.texts.front(), from, 0));
    }
    default:
      return kUnknownShare;
  }
}

// A range has more values than a summary counts; beyond that, every other entry is supposed to have one of its own.
double DistinctValues(const ColumnSummary& range, uint32_t valued) {
  double distinct = std::max<double>(kMostSummaryValues + 1, valued / 2);
  if (range.least.tag == ValueTag::kInteger || range.least.tag == ValueTag::kTime) {
    const double width = static_cast<double>(range.greatest.integer) - static_cast<double>(range.least.integer);
    distinct = std::min(distinct, width + 1);
  }
  return distinct;
}

// ---- ranges
// -------------------------------------------------------------------------------------------------------------

// What begins as a cut text does lies on either side of it.
bool IsWithinCut(const ColumnSummary& range, const std::string& text) {
  return range.greatest_is_cut && text.starts_with(range.greatest.text);
}

Matches OrderedInRange(const Test& test, const ColumnSummary& range, uint32_t valued) {
  const bool holds_downwards = test.relation == Relation::kLess || test.relation == Relation::kLessOrEqual;
  const std::vector<std::string>& texts = test.operands.texts;
  const bool is_open = !texts.empty() && IsWithinCut(range, texts.front());
  const bool holds_for_least = HoldsForScalar(test, range.least);
  const bool holds_for_greatest = HoldsForScalar(test, range.greatest);
  // What the least value decides upwards, and the greatest downwards, stays so where these were cut.
  if (holds_downwards ? !holds_for_least : !holds_for_greatest && !is_open) return Matches::Exactly(0);
  if (holds_downwards ? holds_for_greatest && !is_open : holds_for_least) return Matches::Exactly(valued);
  const double below = ShareBelow(range, test.operands);
  return {0, valued, valued * (holds_downwards ? below : 1 - below)};
}

// How many of the operands a range may have among its values.
size_t OperandsWithin(const ColumnSummary& range, const Operands& operands) {
  const MetadataValue& least = range.least;
  const MetadataValue& greatest = range.greatest;
  // Of sorted operands.
  const auto count = [](const auto& sorted, const auto& is_below, const auto& is_not_above) {
    const auto first = std::partition_point(sorted.begin(), sorted.end(), is_below);
    return static_cast<size_t>(std::partition_point(first, sorted.end(), is_not_above) - first);
  };
  switch (least.tag) {
    case ValueTag::kInteger:
    case ValueTag::kFloat:
    case ValueTag::kDecimal:
      return count(
          operands.numbers, [&](const Number& number) { return CompareNumber(least, number) > 0; },
          [&](const Number& number) { return CompareNumber(greatest, number) >= 0; });
    case ValueTag::kTime:
      return count(
          operands.times, [&](int64_t time) { return time < least.integer; },
          [&](int64_t time) { return time <= greatest.integer; });
    case ValueTag::kText:
      return count(
          operands.texts, [&](const std::string& text) { return text < least.text; },
          [&](const std::string& text) { return text <= greatest.text || IsWithinCut(range, text); });
    default:
      return 0;
  }
}

Matches OneOfInRange(const Test& test, const ColumnSummary& range, uint32_t valued) {
  const size_t within = OperandsWithin(range, test.operands);
  if (within == 0) return Matches::Exactly(0);
  const double share = static_cast<double>(within) / DistinctValues(range, valued);
  return {0, valued, valued * std::min(share, 1.0)};
}

Matches PrefixInRange(const Test& test, const ColumnSummary& range, uint32_t valued) {
  if (range.least.tag != ValueTag::kText) return Matches::Exactly(0);
  const std::string& prefix = test.operands.texts.front();
  const std::string_view least = range.least.text;
  const std::string_view greatest = range.greatest.text;
  const bool begins_least = least.starts_with(prefix);
  if (begins_least && greatest.starts_with(prefix)) return Matches::Exactly(valued);
  const bool is_below = prefix < least && !begins_least;
  const bool is_above = prefix > greatest && !IsWithinCut(range, prefix);
  if (is_below || is_above) return Matches::Exactly(0);

  const size_t from = CommonPrefix(least, greatest);
  const double first = TextValue(least, from, 0);
  const double last = TextValue(greatest, from, 0);
  if (first == last) return {0, valued, valued * kUnknownShare};  // both cut before the texts differ
  const double share =
      ShareBelow(first, last, TextValue(prefix, from, 0xFF)) - ShareBelow(first, last, TextValue(prefix, from, 0));
  return {0, valued, valued * std::max(share, 1 / DistinctValues(range, valued))};
}

Matches InRange(const Test& test, const ColumnSummary& range, uint32_t valued) {
  if (test.relation == Relation::kOneOf) return OneOfInRange(test, range, valued);
  if (test.relation == Relation::kStartsWith) return PrefixInRange(test, range, valued);
  return OrderedInRange(test, range, valued);
}

// ---- elements of lists
// --------------------------------------------------------------------------------------------------

// A list meets a test by any of its elements, an ordering by none. Elements are supposed to come independently.
Matches AmongElements(const Test& test, const ColumnSummary& lists, uint32_t valued) {
  if (IsOrdering(test.relation)) return Matches::Exactly(0);
  uint32_t least = 0;
  uint64_t sum = 0;
  double without = 1;
  for (const ColumnSummary::Counted& element : std::span(lists.values).first(lists.counted)) {
    if (!HoldsForScalar(test, element.value)) continue;
    least = std::max(least, element.entries);
    sum += element.entries;
    without *= 1 - static_cast<double>(element.entries) / valued;
  }
  const auto most = static_cast<uint32_t>(std::min<uint64_t>(sum, valued));
  return {least, most, std::clamp<double>(valued * (1 - without), least, most)};
}

// ---- tests and trees
// ----------------------------------------------------------------------------------------------------

// REQUIRES: a summary that does not count values; those are looked at one by one.
Matches Estimate(const Test& test, const ColumnSummary& summary) {
  const uint32_t valued = summary.entries - summary.nulls;
  if (test.relation == Relation::kExists) return Matches::Exactly(test.negated ? summary.nulls : valued);
  if (valued == 0) return Matches::Exactly(0);

  Matches matches = {0, valued, kUnknownShare * valued};
  if (summary.form == SummaryForm::kElements) matches = AmongElements(test, summary, valued);
  if (summary.form == SummaryForm::kRange) matches = InRange(test, summary, valued);
  if (!test.negated) return matches;
  return {valued - matches.most, valued - matches.least, valued - matches.guess};
}

// Lower and upper bounds on one column leave what lies between them, not the product of their shares.
class Bounds {
 public:
  void Add(Relation relation, double share) {
    double& bound = relation == Relation::kLess || relation == Relation::kLessOrEqual ? upper_ : lower_;
    bound = std::min(bound, share);
  }
  // `valued`: the share of entries that have a value.
  double Share(double valued) const {
    if (lower_ > 1 || upper_ > 1) return std::min({lower_, upper_, 1.0});
    return std::max(lower_ + upper_ - valued, 0.0);
  }

 private:
  static constexpr double kUnbounded = 2;
  double lower_ = kUnbounded;
  double upper_ = kUnbounded;
};

class Judge {
 public:
  Judge(std::span<const Test> tests, std::span<const ColumnSummary> summaries) : tests_(tests), summaries_(summaries) {}

  MatchOutlook Of(const Node& node) const {
    if (node.column != Node::kSeveral) {
      const ColumnSummary& summary = summaries_[node.column];
      if (summary.form == SummaryForm::kValues) return OutlookOf(Counted(node, summary), summary.entries);
      if (node.kind == Node::Kind::kTest) return OutlookOf(Estimate(tests_[node.test], summary), summary.entries);
    }
    return node.kind == Node::Kind::kAnd ? OfAnd(node) : OfOr(node);
  }

 private:
  Matches Counted(const Node& node, const ColumnSummary& summary) const {
    if (node.kind == Node::Kind::kTest) {
      const Test& test = tests_[node.test];
      return CountedIf(summary, [&test](const MetadataValue& value) { return Holds(test, value); });
    }
    return CountedIf(summary, [this, &node](const MetadataValue& value) {
      return Combine(node, [this, &value](size_t test) { return Holds(tests_[test], value); });
    });
  }

  template <class HoldsFor>
  static Matches CountedIf(const ColumnSummary& summary, const HoldsFor& holds_for) {
    uint32_t count = 0;
    for (const auto& [value, entries] : std::span(summary.values).first(summary.counted)) {
      if (holds_for(value)) count += entries;
    }
    if (summary.nulls > 0 && holds_for(MetadataValue())) count += summary.nulls;
    return Matches::Exactly(count);
  }

  MatchOutlook OfAnd(const Node& node) const {
    bool all = true;
    double share = 1;
    Bounds bounds;
    for (const Node& child : node.children) {
      const MatchOutlook outlook = Of(child);
      if (outlook.kind == Kind::kNone) return kNone;
      if (outlook.kind == Kind::kAll) continue;
      all = false;
      if (IsBound(node, child)) {
        bounds.Add(tests_[child.test].relation, outlook.share);
      } else {
        share *= outlook.share;
      }
    }
    if (all) return kAll;
    if (node.column != Node::kSeveral) {
      const ColumnSummary& summary = summaries_[node.column];
      share *= bounds.Share(1 - static_cast<double>(summary.nulls) / summary.entries);
    }
    return Some(share, summaries_.front().entries);
  }

  MatchOutlook OfOr(const Node& node) const {
    bool none = true;
    double without = 1;
    for (const Node& child : node.children) {
      const MatchOutlook outlook = Of(child);
      if (outlook.kind == Kind::kAll) return kAll;
      if (outlook.kind == Kind::kNone) continue;
      none = false;
      without *= 1 - outlook.share;
    }
    return none ? kNone : Some(1 - without, summaries_.front().entries);
  }

  // Whether it is one of the bounds that hold for a range together.
  bool IsBound(const Node& parent, const Node& child) const {
    return parent.column != Node::kSeveral && child.kind == Node::Kind::kTest &&
           IsOrdering(tests_[child.test].relation) && summaries_[parent.column].form == SummaryForm::kRange;
  }

  std::span<const Test> tests_;
  std::span<const ColumnSummary> summaries_;
};

}  // namespace

MatchOutlook JudgeSummaries(const Node& root, std::span<const Test> tests, std::span<const ColumnSummary> summaries) {
  return Judge(tests, summaries).Of(root);
}

}  // namespace s3v

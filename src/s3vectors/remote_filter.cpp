#include "s3vectors/remote_filter.h"

#include <algorithm>
#include <array>
#include <set>
#include <utility>

#include "filter/json_tree.h"
#include "filter/match.h"
#include "filter/parse.h"
#include "s3vectors/remote_condition.h"
#include "s3vectors/remote_number.h"
#include "s3vectors/utf8.h"

namespace s3v {
namespace {

constexpr size_t kMostConstraints = 100;

std::string Quote(std::string_view text) {
  std::string json;
  AppendString(text, &json);
  return json;
}

void AddBooleans(const Operands& operands, std::vector<std::string>* texts) {
  if (operands.has_false) texts->emplace_back("false");
  if (operands.has_true) texts->emplace_back("true");
}

std::string_view NameOf(Relation relation) {
  switch (relation) {
    case Relation::kLess:
      return "$lt";
    case Relation::kLessOrEqual:
      return "$lte";
    case Relation::kGreater:
      return "$gt";
    case Relation::kGreaterOrEqual:
      return "$gte";
    case Relation::kStartsWith:
      return "$startsWith";
    case Relation::kOneOf:
    case Relation::kExists:
      break;
  }
  return {};
}

bool IsUpper(Relation relation) { return relation == Relation::kLess || relation == Relation::kLessOrEqual; }
Relation WithEnd(Relation relation) { return IsUpper(relation) ? Relation::kLessOrEqual : Relation::kGreaterOrEqual; }

RemoteFilter Written(const Condition& condition) {
  if (condition.kind == Condition::Kind::kEverything) return {};
  return {.json = ToJson(condition),
          .needs_enhanced = condition.Uses(NameOf(Relation::kStartsWith)),
          .is_exact = condition.is_exact};
}

// ---- a filter over declared columns
// --------------------------------------------------------------------------------

// What the values of a column can be, and what becomes of them.
bool HoldsTexts(ColumnKind kind) { return kind == ColumnKind::kText || kind == ColumnKind::kLabel; }
bool HoldsSeveralTypes(ColumnKind kind) { return kind == ColumnKind::kList || kind == ColumnKind::kJson; }
bool MayBeNaN(ColumnKind kind) { return kind == ColumnKind::kNumber; }
// Whether each value but NULL has its key in the service's metadata.
bool IsAlwaysStored(ColumnKind kind) { return !HoldsSeveralTypes(kind) && !MayBeNaN(kind); }

// Whether a row whose value stands in this relation has the column's key for certain.
bool ImpliesKey(const Test& test, ColumnKind kind) {
  if (test.negated) return false;
  if (test.relation == Relation::kExists) return IsAlwaysStored(kind);
  const bool is_lower = IsOrdering(test.relation) && !IsUpper(test.relation);
  return !is_lower || !MayBeNaN(kind);
}

// The operands that values of a column can be equal to. Faithful ones are equal on the service to the same rows.
struct ServiceOperands {
  std::vector<std::string> faithful;
  std::vector<std::string> others;

  void Add(std::string text, bool is_faithful) { (is_faithful ? faithful : others).push_back(std::move(text)); }
};

// Texts that are not UTF-8 are stored with this; a filter never is.
bool IsFaithful(std::string_view text) { return text.find("\xEF\xBF\xBD") == std::string_view::npos; }

ServiceOperands OperandsFor(ColumnKind kind, const Operands& operands) {
  ServiceOperands result;
  if (HoldsTexts(kind) || HoldsSeveralTypes(kind)) {
    for (const std::string& text : operands.texts) result.Add(Quote(text), IsFaithful(text));
  }
  if (kind == ColumnKind::kBoolean || HoldsSeveralTypes(kind)) AddBooleans(operands, &result.faithful);
  if (kind == ColumnKind::kNumber || HoldsSeveralTypes(kind)) {
    for (const Number& number : operands.numbers) {
      for (std::string& text : TextsOf(number)) result.Add(std::move(text), IsShort(number));
    }
  }
  if (kind == ColumnKind::kTime) {
    for (const int64_t time : operands.times) result.Add(TimeText(time), IsShortTime(time));
  }
  return result;
}

class Translator {
 public:
  Translator(std::span<const Test> tests, std::span<const RemoteColumn> columns)
      : tests_(tests), columns_(columns), has_key_(columns.size(), 0) {}

  Condition Translate(const Node& node) {
    if (node.kind == Node::Kind::kTest) return OfTest(tests_[node.test]);
    const bool is_and = node.kind == Node::Kind::kAnd;
    if (is_and) CountKeys(node, 1);
    std::vector<Condition> parts;
    for (const Node& child : node.children) parts.push_back(Translate(child));
    if (is_and) CountKeys(node, -1);
    return is_and ? Condition::All(std::move(parts)) : Condition::Any(std::move(parts));
  }

 private:
  // Of a conjunction, one test that implies a key spares the others of that column all thought about its absence.
  void CountKeys(const Node& conjunction, int change) {
    for (const Node& child : conjunction.children) {
      if (child.kind != Node::Kind::kTest) continue;
      const Test& test = tests_[child.test];
      if (ImpliesKey(test, columns_[test.column].kind)) has_key_[test.column] += change;
    }
  }

  Condition OfTest(const Test& test) const {
    const RemoteColumn& column = columns_[test.column];
    const bool can_be_named = column.is_filterable && !column.name.starts_with('$') && IsUtf8(column.name);
    if (!can_be_named) return Condition::Everything();
    switch (test.relation) {
      case Relation::kOneOf:
        return test.negated ? NotOneOf(test, column) : OneOf(test, column);
      case Relation::kExists:
        return OfExistence(test, column);
      case Relation::kStartsWith:
        return OfPrefix(test, column);
      default:
        return OfOrdering(test, column);
    }
  }

  static Condition OfExistence(const Test& test, const RemoteColumn& column) {
    if (!test.negated && !IsAlwaysStored(column.kind)) return Condition::Everything();
    return Condition::Exists(column.name, !test.negated, IsAlwaysStored(column.kind));
  }

  static Condition OfPrefix(const Test& test, const RemoteColumn& column) {
    // What the service makes of it on a list is not known.
    if (column.kind != ColumnKind::kText) return Condition::Everything();
    const std::string& prefix = test.operands.texts.front();
    if (prefix.empty()) return Condition::Exists(column.name, true, true);
    return Condition::Test(column.name, NameOf(test.relation), {Quote(prefix)}, IsFaithful(prefix));
  }

  static Condition OneOf(const Test& test, const RemoteColumn& column) {
    ServiceOperands operands = OperandsFor(column.kind, test.operands);
    const bool is_exact = operands.others.empty();
    std::vector<std::string> all = std::move(operands.faithful);
    std::ranges::move(operands.others, std::back_inserter(all));
    if (all.empty()) return Condition::Nothing(column.name);
    if (!HoldsSeveralTypes(column.kind)) return Condition::Test(column.name, "$in", std::move(all), is_exact);
    // Only of $eq it is known that an element of a list is enough.
    std::vector<Condition> parts;
    for (std::string& operand : all) {
      parts.push_back(Condition::Test(column.name, "$eq", {std::move(operand)}, is_exact));
    }
    return Condition::Any(std::move(parts));
  }

  Condition NotOneOf(const Test& test, const RemoteColumn& column) const {
    if (HoldsSeveralTypes(column.kind)) return Condition::Everything();
    ServiceOperands operands = OperandsFor(column.kind, test.operands);
    const bool is_exact = operands.others.empty();
    if (operands.faithful.empty()) {
      return MayBeNaN(column.kind) ? Condition::Everything() : Condition::Exists(column.name, true, is_exact);
    }
    Condition not_in = Condition::Test(column.name, "$nin", std::move(operands.faithful), is_exact);
    if (has_key_[test.column] > 0) return not_in;
    if (MayBeNaN(column.kind)) return OrNoKey(column, std::move(not_in));
    return Condition::All({Condition::Exists(column.name, true, true), std::move(not_in)});
  }

  // For what NaN meets, too, whose key is left out.
  static Condition OrNoKey(const RemoteColumn& column, Condition condition) {
    return Condition::Any({std::move(condition), Condition::Exists(column.name, false, false)});
  }

  Condition OfOrdering(const Test& test, const RemoteColumn& column) const {
    if (column.kind == ColumnKind::kText) {
      return test.operands.texts.empty() ? Condition::Nothing(column.name) : Condition::Everything();
    }
    if (column.kind == ColumnKind::kTime) {
      const int64_t time = test.operands.times.front();
      const bool is_short = IsShortTime(time);
      const Relation relation = is_short ? test.relation : WithEnd(test.relation);
      return Condition::Test(column.name, NameOf(relation), {TimeText(time)}, is_short);
    }
    Condition condition = OfNumberOrdering(test, column);
    const bool may_be_nan = MayBeNaN(column.kind) && !IsUpper(test.relation) && has_key_[test.column] == 0;
    return may_be_nan ? OrNoKey(column, std::move(condition)) : condition;
  }

  static Condition OfNumberOrdering(const Test& test, const RemoteColumn& column) {
    const Number& number = test.operands.numbers.front();
    const bool is_short = IsShort(number);
    const std::optional<std::string> bound = IsUpper(test.relation) ? UpperBound(number) : LowerBound(number);
    if (!bound) return Condition::Everything();
    const Relation relation = is_short ? test.relation : WithEnd(test.relation);
    // What the service makes of it on a list is not known.
    return Condition::Test(column.name, NameOf(relation), {*bound}, is_short && !HoldsSeveralTypes(column.kind));
  }

  std::span<const Test> tests_;
  std::span<const RemoteColumn> columns_;
  std::vector<int> has_key_;  // conjunctions around that imply it, for each column
};

// ---- a filter over keys that nobody declared
// -----------------------------------------------------------------------

void FindKeys(const JsonNode& filter, std::set<std::string>* keys) {
  if (filter.type != JsonNode::Type::kObject) return;
  for (const JsonNode& member : filter.children) {
    if (member.key == "$and" || member.key == "$or") {
      for (const JsonNode& part : member.children) FindKeys(part, keys);
    } else if (!member.key.starts_with('$')) {
      keys->insert(member.key);
    }
  }
}

class Speller {
 public:
  Speller(std::span<const Test> tests, std::span<const FilterColumn> columns) : tests_(tests), columns_(columns) {}

  Condition Spell(const Node& node) const {
    if (node.kind == Node::Kind::kTest) return OfTest(tests_[node.test]);
    std::vector<Condition> parts;
    for (const Node& child : node.children) parts.push_back(Spell(child));
    return node.kind == Node::Kind::kAnd ? Condition::All(std::move(parts)) : Condition::Any(std::move(parts));
  }

 private:
  Condition OfTest(const Test& test) const {
    const std::string& key = columns_[test.column].name;
    if (test.relation == Relation::kExists) return Condition::Exists(key, !test.negated, true);
    std::vector<std::string> operands;
    for (const std::string& text : test.operands.texts) operands.push_back(Quote(text));
    for (const Number& number : test.operands.numbers) operands.push_back(number.Text());
    AddBooleans(test.operands, &operands);
    if (test.relation != Relation::kOneOf) return Condition::Test(key, NameOf(test.relation), operands, true);
    if (!test.negated) return Condition::Test(key, "$in", operands, true);
    return Condition::All({Condition::Exists(key, true, true), Condition::Test(key, "$nin", operands, true)});
  }

  std::span<const Test> tests_;
  std::span<const FilterColumn> columns_;
};

}  // namespace

RemoteFilter TranslateFilter(const Expression& expression, std::span<const RemoteColumn> columns) {
  const Predicate& predicate = expression.predicate();
  Condition condition = Translator(predicate.tests(), columns).Translate(predicate.root());
  return Written(Fit(std::move(condition), kMostConstraints));
}

RemoteFilter SpellFilter(std::string_view json) {
  const JsonNode document = ReadJson(json);
  std::set<std::string> keys;
  FindKeys(document, &keys);
  std::vector<FilterColumn> columns;
  for (const std::string& key : keys) columns.push_back({key, ColumnKind::kJson});
  const Predicate predicate = ParseFilter(document, columns, {});
  return Written(Speller(predicate.tests(), columns).Spell(predicate.root()));
}

}  // namespace s3v

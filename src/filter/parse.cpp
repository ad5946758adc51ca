#include "filter/parse.h"

#include <algorithm>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/error.h"

namespace s3v {
namespace {

using Type = JsonNode::Type;

enum class Form { kScalar, kScalarList, kOrdered, kPrefix, kFlag };

struct Operator {
  std::string_view name;
  Form form;  // of its operand
  Relation relation;
  bool negated = false;
};

constexpr Operator kOperators[] = {
    {"$eq", Form::kScalar, Relation::kOneOf},     {"$ne", Form::kScalar, Relation::kOneOf, true},
    {"$gt", Form::kOrdered, Relation::kGreater},  {"$gte", Form::kOrdered, Relation::kGreaterOrEqual},
    {"$lt", Form::kOrdered, Relation::kLess},     {"$lte", Form::kOrdered, Relation::kLessOrEqual},
    {"$in", Form::kScalarList, Relation::kOneOf}, {"$nin", Form::kScalarList, Relation::kOneOf, true},
    {"$exists", Form::kFlag, Relation::kExists},  {"$startsWith", Form::kPrefix, Relation::kStartsWith},
};
constexpr const Operator& kImplicitEquality = kOperators[0];

constexpr std::string_view kOperatorHint =
    "Operators of a column are $eq, $ne, $gt, $gte, $lt, $lte, $in, $nin, $exists and $startsWith, as in "
    "{\"price\": {\"$lt\": 30}}; $and and $or take a list of filters.";

const Operator* FindOperator(std::string_view name) {
  const auto* found = std::find_if(std::begin(kOperators), std::end(kOperators),
                                   [name](const Operator& candidate) { return candidate.name == name; });
  return found == std::end(kOperators) ? nullptr : found;
}

bool IsLogical(std::string_view name) { return name == "$and" || name == "$or"; }

bool IsScalar(Type type) { return type != Type::kNull && type != Type::kList && type != Type::kObject; }

std::string_view KindName(ColumnKind kind) {
  switch (kind) {
    case ColumnKind::kText:
      return "text";
    case ColumnKind::kLabel:
      return "uuid or enum";
    case ColumnKind::kBoolean:
      return "boolean";
    case ColumnKind::kNumber:
      return "number";
    case ColumnKind::kTime:
      return "date or timestamp";
    case ColumnKind::kList:
      return "array";
    case ColumnKind::kJson:
      return "jsonb";
  }
  return "unknown";
}

// "$" and one step for each level: .name, ["odd name"] or [index].
class Path {
 public:
  // Goes one level down for its own lifetime.
  class Step {
   public:
    Step(Path& path, std::string_view key) : Step(path) {
      path.text_ += IsPlain(key) ? '.' + std::string(key) : '[' + Quoted(key) + ']';
    }
    Step(Path& path, size_t index) : Step(path) { path.text_ += '[' + std::to_string(index) + ']'; }
    ~Step() { path_.text_.resize(length_); }
    Step(const Step&) = delete;
    Step& operator=(const Step&) = delete;

   private:
    explicit Step(Path& path) : path_(path), length_(path.text_.size()) {}
    Path& path_;
    size_t length_;
  };

  const std::string& text() const { return text_; }

 private:
  static bool IsPlain(std::string_view key) {
    constexpr size_t kMaxPlain = 64;  // longer ones are cut short where they are quoted
    return !key.empty() && key.size() <= kMaxPlain && std::all_of(key.begin(), key.end(), [](char c) {
      return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '$' ||
             static_cast<unsigned char>(c) >= 0x80;
    });
  }

  std::string text_ = "$";
};

class Parser {
 public:
  Parser(std::span<const FilterColumn> columns, const TimeParser& parse_time)
      : columns_(columns), parse_time_(parse_time) {}

  Node ParseFilter(const JsonNode& filter);
  std::vector<Test> TakeTests() { return std::move(tests_); }

 private:
  Node ParseLogical(const JsonNode& member);
  void ParseColumn(const JsonNode& member, std::vector<Node>& conjuncts);
  Node ParseOperator(size_t column, const Operator& op, const JsonNode& operand);
  Node AddTest(Test test);

  void AddScalar(size_t column, const JsonNode& value, std::string_view taker, Operands& operands);
  void AddOrdered(size_t column, const Operator& op, const JsonNode& value, Operands& operands);
  void AddPrefix(size_t column, const JsonNode& value, Operands& operands);
  int64_t ParseTime(size_t column, const std::string& text);

  size_t FindColumn(const std::string& name) const;
  std::string ColumnHint() const;
  std::string OnColumn(size_t column) const {
    return "on " + std::string(KindName(columns_[column].kind)) + " column " + Quoted(columns_[column].name);
  }
  // "operator "$gt" at $.price.$gt": how most messages begin.
  std::string Here(std::string_view op) const { return "operator " + Quoted(op) + " at " + path_.text(); }
  [[noreturn]] static void Fail(std::string message, std::string hint = {}) {
    throw Error(Code::kInvalidArgument, std::move(message), {}, std::move(hint));
  }

  std::span<const FilterColumn> columns_;
  const TimeParser& parse_time_;
  Path path_;
  std::vector<Test> tests_;
};

Node Parser::ParseFilter(const JsonNode& filter) {
  if (filter.type != Type::kObject) {
    Fail("filter at " + path_.text() + " must be an object, not " + std::string(TypeName(filter.type)));
  }
  if (filter.children.empty()) Fail("filter at " + path_.text() + " is empty", "For no filter at all, pass NULL.");

  std::vector<Node> conjuncts;
  for (const JsonNode& member : filter.children) {
    const Path::Step step(path_, member.key);
    if (IsLogical(member.key)) {
      conjuncts.push_back(ParseLogical(member));
    } else {
      ParseColumn(member, conjuncts);
    }
  }
  if (conjuncts.size() == 1) return std::move(conjuncts.front());
  return Node{Node::Kind::kAnd, 0, std::move(conjuncts)};
}

Node Parser::ParseLogical(const JsonNode& member) {
  if (member.type != Type::kList || member.children.empty()) {
    Fail(Here(member.key) + " takes a non-empty list of filters, not " +
         (member.type == Type::kList ? "an empty one" : std::string(TypeName(member.type))));
  }
  Node node{member.key == "$and" ? Node::Kind::kAnd : Node::Kind::kOr, 0, {}};
  for (size_t i = 0; i < member.children.size(); ++i) {
    const Path::Step step(path_, i);
    node.children.push_back(ParseFilter(member.children[i]));
  }
  return node;
}

void Parser::ParseColumn(const JsonNode& member, std::vector<Node>& conjuncts) {
  const size_t column = FindColumn(member.key);
  if (member.type != Type::kObject) {
    conjuncts.push_back(ParseOperator(column, kImplicitEquality, member));
    return;
  }
  if (member.children.empty()) Fail("no operator at " + path_.text(), std::string(kOperatorHint));
  for (const JsonNode& operand : member.children) {
    const Path::Step step(path_, operand.key);
    const Operator* op = FindOperator(operand.key);
    if (op == nullptr && IsLogical(operand.key)) {
      Fail(Here(operand.key) + " cannot stand inside a column", std::string(kOperatorHint));
    }
    if (op == nullptr) {
      Fail("unknown filter operator " + Quoted(operand.key) + " at " + path_.text(), std::string(kOperatorHint));
    }
    conjuncts.push_back(ParseOperator(column, *op, operand));
  }
}

Node Parser::ParseOperator(size_t column, const Operator& op, const JsonNode& operand) {
  Test test;
  test.column = column;
  test.relation = op.relation;
  test.negated = op.negated;
  switch (op.form) {
    case Form::kScalar:
      AddScalar(column, operand, op.name, test.operands);
      break;
    case Form::kScalarList:
      if (operand.type != Type::kList || operand.children.empty()) {
        Fail(Here(op.name) + " takes a non-empty list, not " +
             (operand.type == Type::kList ? "an empty one" : std::string(TypeName(operand.type))));
      }
      for (size_t i = 0; i < operand.children.size(); ++i) {
        const Path::Step step(path_, i);
        AddScalar(column, operand.children[i], op.name, test.operands);
      }
      break;
    case Form::kOrdered:
      AddOrdered(column, op, operand, test.operands);
      break;
    case Form::kPrefix:
      AddPrefix(column, operand, test.operands);
      break;
    case Form::kFlag:
      if (operand.type != Type::kTrue && operand.type != Type::kFalse) {
        Fail(Here(op.name) + " takes true or false, not " + std::string(TypeName(operand.type)));
      }
      test.negated = operand.type == Type::kFalse;
      break;
  }
  return AddTest(std::move(test));
}

Node Parser::AddTest(Test test) {
  if (tests_.size() == kMaxFilterConstraints) {
    Fail("filter has more than " + std::to_string(kMaxFilterConstraints) + " constraints", std::string(kFilterLimits));
  }
  tests_.push_back(std::move(test));
  return Node{Node::Kind::kTest, tests_.size() - 1, {}};
}

void Parser::AddScalar(size_t column, const JsonNode& value, std::string_view taker, Operands& operands) {
  if (!IsScalar(value.type)) {
    Fail(Here(taker) + " takes a string, a number or a boolean, not " + std::string(TypeName(value.type)),
         value.type == Type::kNull   ? "{\"$exists\": false} finds rows without a value."
         : value.type == Type::kList ? "{\"$in\": [...]} finds rows with any of several values."
                                     : "");
  }
  if (value.type == Type::kFalse) operands.has_false = true;
  if (value.type == Type::kTrue) operands.has_true = true;
  if (value.type == Type::kNumber) operands.numbers.push_back(Number::FromJson(value.text));
  if (value.type != Type::kString) return;
  if (columns_[column].kind == ColumnKind::kTime) {
    operands.times.push_back(ParseTime(column, value.text));
  } else {
    operands.texts.push_back(value.text);
  }
}

void Parser::AddOrdered(size_t column, const Operator& op, const JsonNode& value, Operands& operands) {
  const ColumnKind kind = columns_[column].kind;
  const bool takes_text = kind == ColumnKind::kText || kind == ColumnKind::kTime;
  // A text column takes a number too, which orders none of its values: a key whose values are strings is no error.
  const bool takes_number = kind == ColumnKind::kNumber || kind == ColumnKind::kJson || kind == ColumnKind::kText;
  if (!takes_text && !takes_number) {
    Fail(Here(op.name) + " cannot be used " + OnColumn(column),
         "$gt, $gte, $lt and $lte order numbers, text, dates and timestamps.");
  }
  const bool is_taken = (takes_text && value.type == Type::kString) || (takes_number && value.type == Type::kNumber);
  if (!is_taken) {
    Fail(Here(op.name) + " takes " + (takes_text ? "a string " : "a number ") + OnColumn(column) + ", not " +
         std::string(TypeName(value.type)));
  }
  AddScalar(column, value, op.name, operands);
}

void Parser::AddPrefix(size_t column, const JsonNode& value, Operands& operands) {
  const ColumnKind kind = columns_[column].kind;
  if (kind != ColumnKind::kText && kind != ColumnKind::kList && kind != ColumnKind::kJson) {
    Fail(Here("$startsWith") + " cannot be used " + OnColumn(column),
         "$startsWith works on text, arrays of text and jsonb.");
  }
  if (value.type != Type::kString) {
    Fail(Here("$startsWith") + " takes a string, not " + std::string(TypeName(value.type)));
  }
  operands.texts.push_back(value.text);
}

int64_t Parser::ParseTime(size_t column, const std::string& text) {
  int64_t microseconds = 0;
  if (!parse_time_(column, text, &microseconds)) {
    Fail("invalid date or timestamp " + Quoted(text) + " at " + path_.text());
  }
  return microseconds;
}

size_t Parser::FindColumn(const std::string& name) const {
  const auto found = std::find_if(columns_.begin(), columns_.end(),
                                  [&name](const FilterColumn& column) { return column.name == name; });
  if (found != columns_.end()) return static_cast<size_t>(found - columns_.begin());
  if (FindOperator(name) != nullptr) Fail(Here(name) + " must stand inside a column", std::string(kOperatorHint));
  if (name.starts_with('$')) {
    Fail("unknown filter operator " + Quoted(name) + " at " + path_.text(), std::string(kOperatorHint));
  }
  Fail("filter column " + Quoted(name) + " at " + path_.text() + " is not a metadata column of the index",
       ColumnHint());
}

std::string Parser::ColumnHint() const {
  constexpr size_t kMaxShown = 20;
  if (columns_.empty()) return "The index has no metadata columns.";
  std::string hint = "Metadata columns are ";
  for (size_t i = 0; i < std::min(columns_.size(), kMaxShown); ++i) {
    hint += (i == 0 ? "" : ", ") + Quoted(columns_[i].name);
  }
  return hint + (columns_.size() > kMaxShown ? ", ..." : ".");
}

}  // namespace

Predicate ParseFilter(const JsonNode& filter, std::span<const FilterColumn> columns, const TimeParser& parse_time) {
  Parser parser(columns, parse_time);
  Node root = parser.ParseFilter(filter);
  return Predicate(columns.size(), parser.TakeTests(), std::move(root));
}

}  // namespace s3v

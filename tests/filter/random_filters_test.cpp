// Random filters over random rows: the compiled expression against an evaluator that takes every shortcut of being
// slow.
#include <gtest/gtest.h>

#include <cmath>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <variant>
#include <vector>

#include "base/random.h"
#include "filter/expression.h"
#include "support/metadata_rows.h"

namespace s3v {
namespace {

using nlohmann::json;
using testing::MetadataWriter;

// All numbers of this test are thousandths, so that they compare as integers in whatever form they are written.
struct Milli {
  int64_t value;
  auto operator<=>(const Milli&) const = default;
};
struct Time {
  int64_t value;
  auto operator<=>(const Time&) const = default;
};
using Scalar = std::variant<bool, Milli, Time, std::string>;

struct Value {
  enum class Shape { kAbsent, kScalar, kList, kOpaque } shape = Shape::kAbsent;
  std::vector<Scalar> scalars;
};

struct Column {
  FilterColumn declared;
  bool has_order;
};
const std::vector<Column>& Columns() {
  static const auto* columns = new std::vector<Column>{
      {{"t", ColumnKind::kText}, true},   {{"l", ColumnKind::kLabel}, false}, {{"b", ColumnKind::kBoolean}, false},
      {{"n", ColumnKind::kNumber}, true}, {{"z", ColumnKind::kTime}, true},   {{"a", ColumnKind::kList}, false},
      {{"j", ColumnKind::kJson}, true},
  };
  return *columns;
}

// ---- the slow evaluator, straight from the rules
// -----------------------------------------------------------------------------

Scalar ScalarOf(const json& operand, ColumnKind kind) {
  if (operand.is_boolean()) return operand.get<bool>();
  if (operand.is_number()) return Milli{std::llround(operand.get<double>() * 1000)};
  const auto text = operand.get<std::string>();
  if (kind == ColumnKind::kTime) return Time{std::stoll(text)};
  return text;
}

bool Equal(const Value& value, const json& operand, ColumnKind kind) {
  for (const Scalar& scalar : value.scalars) {
    if (scalar == ScalarOf(operand, kind)) return true;
  }
  return false;
}

bool Conforms(const Value& value, const std::string& op, const json& operand, ColumnKind kind) {
  if (op == "$exists") return (value.shape != Value::Shape::kAbsent) == operand.get<bool>();
  if (value.shape == Value::Shape::kAbsent) return false;
  if (op == "$eq") return Equal(value, operand, kind);
  if (op == "$ne") return !Equal(value, operand, kind);
  if (op == "$in" || op == "$nin") {
    bool any = false;
    for (const json& element : operand) any = any || Equal(value, element, kind);
    return any == (op == "$in");
  }
  if (op == "$startsWith") {
    for (const Scalar& scalar : value.scalars) {
      const auto* text = std::get_if<std::string>(&scalar);
      if (text != nullptr && text->rfind(operand.get<std::string>(), 0) == 0) return true;
    }
    return false;
  }
  const Scalar bound = ScalarOf(operand, kind);
  if (value.shape != Value::Shape::kScalar || value.scalars[0].index() != bound.index()) return false;
  if (op == "$lt") return value.scalars[0] < bound;
  if (op == "$lte") return value.scalars[0] <= bound;
  if (op == "$gt") return value.scalars[0] > bound;
  return value.scalars[0] >= bound;
}

bool Conforms(const std::map<std::string, Value>& row, const json& filter) {
  for (const auto& [key, member] : filter.items()) {
    if (key == "$and" || key == "$or") {
      bool all = true;
      bool any = false;
      for (const json& child : member) {
        const bool holds = Conforms(row, child);
        all = all && holds;
        any = any || holds;
      }
      if (!(key == "$and" ? all : any)) return false;
      continue;
    }
    ColumnKind kind{};
    for (const Column& column : Columns()) {
      if (column.declared.name == key) kind = column.declared.kind;
    }
    if (!member.is_object()) {
      if (!Conforms(row.at(key), "$eq", member, kind)) return false;
      continue;
    }
    for (const auto& [op, operand] : member.items()) {
      if (!Conforms(row.at(key), op, operand, kind)) return false;
    }
  }
  return true;
}

// ---- random rows
// ----------------------------------------------------------------------------------------------------------------

class Generator {
 public:
  explicit Generator(uint64_t seed) : random_(seed) {}

  // The row twice: as values and as bytes.
  std::map<std::string, Value> Row(MetadataWriter& writer) {
    std::map<std::string, Value> row;
    for (const Column& column : Columns()) row[column.declared.name] = RandomValue(column.declared.kind, writer);
    return row;
  }

  json Filter(int depth) {
    json filter = json::object();
    for (size_t members = 1 + random_.Below(2); members > 0; --members) {
      if (depth > 0 && random_.Below(2) == 0) {
        json children = json::array();
        for (size_t n = 1 + random_.Below(3); n > 0; --n) children.push_back(Filter(depth - 1));
        filter[random_.Below(2) == 0 ? "$and" : "$or"] = children;
      } else {
        const Column& column = Columns()[random_.Below(Columns().size())];
        filter[column.declared.name] = Condition(column);
      }
    }
    return filter;
  }

 private:
  Milli RandomMilli() { return {(static_cast<int64_t>(random_.Below(9)) - 4) * (random_.Below(2) == 0 ? 500 : 1000)}; }
  std::string RandomText() {
    return std::vector<std::string>{"", "a", "ab", "b", "1", "true", "\xc3\xbc"}[random_.Below(7)];
  }

  Scalar RandomScalar(ColumnKind kind) {
    switch (kind) {
      case ColumnKind::kText:
      case ColumnKind::kLabel:
        return RandomText();
      case ColumnKind::kBoolean:
        return random_.Below(2) == 0;
      case ColumnKind::kNumber:
        return RandomMilli();
      case ColumnKind::kTime:
        return Time{static_cast<int64_t>(random_.Below(5)) - 2};
      default:
        break;
    }
    constexpr ColumnKind kMixed[] = {ColumnKind::kText, ColumnKind::kBoolean, ColumnKind::kNumber};
    return RandomScalar(kMixed[random_.Below(3)]);
  }

  void Write(const Scalar& scalar, MetadataWriter& writer) {
    if (const auto* flag = std::get_if<bool>(&scalar)) {
      writer.Boolean(*flag);
    } else if (const auto* time = std::get_if<Time>(&scalar)) {
      writer.Time(time->value);
    } else if (const auto* text = std::get_if<std::string>(&scalar)) {
      writer.Text(*text);
    } else {
      const int64_t milli = std::get<Milli>(scalar).value;
      if (milli % 1000 == 0 && random_.Below(2) == 0) {
        writer.Integer(milli / 1000);
      } else if (random_.Below(2) == 0) {
        writer.Float(static_cast<double>(milli) / 1000);
      } else {
        writer.Decimal((milli < 0 ? "-" : "") + std::to_string(std::abs(milli) / 1000) +
                       (std::abs(milli) % 1000 == 0 ? ".00" : ".50"));
      }
    }
  }

  Value RandomValue(ColumnKind kind, MetadataWriter& writer) {
    Value value;
    if (random_.Below(5) == 0) {
      writer.Null();
      return value;
    }
    if (kind == ColumnKind::kJson && random_.Below(6) == 0) {
      writer.Json("null");
      value.shape = Value::Shape::kOpaque;
      return value;
    }
    const bool is_list = kind == ColumnKind::kList || (kind == ColumnKind::kJson && random_.Below(3) == 0);
    value.shape = is_list ? Value::Shape::kList : Value::Shape::kScalar;
    const size_t count = is_list ? random_.Below(4) : 1;
    if (is_list) writer.List(static_cast<uint32_t>(count));
    for (size_t i = 0; i < count; ++i) {
      value.scalars.push_back(RandomScalar(kind));
      Write(value.scalars.back(), writer);
    }
    return value;
  }

  // ---- random conditions
  // ------------------------------------------------------------------------------------------------------

  json Operand(ColumnKind kind) {
    const bool other_type = random_.Below(6) == 0;
    const Scalar scalar = RandomScalar(other_type ? ColumnKind::kJson : kind);
    if (const auto* flag = std::get_if<bool>(&scalar)) return *flag;
    if (const auto* number = std::get_if<Milli>(&scalar)) {
      if (number->value % 1000 == 0 && random_.Below(2) == 0) return number->value / 1000;
      return static_cast<double>(number->value) / 1000;
    }
    if (const auto* time = std::get_if<Time>(&scalar)) return std::to_string(time->value);
    // The text of a time column must be a time.
    return kind == ColumnKind::kTime ? "1" : std::get<std::string>(scalar);
  }

  json Condition(const Column& column) {
    const ColumnKind kind = column.declared.kind;
    if (random_.Below(4) == 0) return Operand(kind);
    json condition = json::object();
    for (size_t n = 1 + random_.Below(2); n > 0; --n) {
      switch (random_.Below(6)) {
        case 0:
          condition[random_.Below(2) == 0 ? "$eq" : "$ne"] = Operand(kind);
          break;
        case 1: {
          json list = json::array();
          for (size_t count = 1 + random_.Below(5); count > 0; --count) list.push_back(Operand(kind));
          condition[random_.Below(2) == 0 ? "$in" : "$nin"] = list;
          break;
        }
        case 2:
          condition["$exists"] = random_.Below(3) > 0;
          break;
        case 3:
          if (kind == ColumnKind::kText || kind == ColumnKind::kList || kind == ColumnKind::kJson) {
            condition["$startsWith"] = RandomText();
            break;
          }
          [[fallthrough]];
        default:
          if (!column.has_order) {
            condition["$ne"] = Operand(kind);
            break;
          }
          condition[std::vector<std::string>{"$lt", "$lte", "$gt", "$gte"}[random_.Below(4)]] = Bound(kind);
      }
    }
    return condition;
  }

  json Bound(ColumnKind kind) {
    if (kind == ColumnKind::kText) return RandomText();
    if (kind == ColumnKind::kTime) return std::to_string(std::get<Time>(RandomScalar(kind)).value);
    return static_cast<double>(RandomMilli().value) / 1000;
  }

  Random random_;
};

TEST(RandomFilters, AgreeWithTheSlowEvaluator) {
  std::vector<FilterColumn> declared;
  for (const Column& column : Columns()) declared.push_back(column.declared);
  const auto parse_time = [](size_t, const std::string& text, int64_t* microseconds) {
    *microseconds = std::stoll(text);
    return true;
  };
  Generator generator(2026);
  int matches = 0;
  constexpr int kFilters = 1'500;
  constexpr int kRows = 40;
  for (int i = 0; i < kFilters; ++i) {
    const json filter = generator.Filter(3);
    const auto expression = Expression::Compile(filter.dump(), declared, parse_time);
    for (int j = 0; j < kRows; ++j) {
      MetadataWriter writer;
      const auto row = generator.Row(writer);
      const bool expected = Conforms(row, filter);
      matches += expected ? 1 : 0;
      ASSERT_EQ(expression->Match(writer.row()), expected) << filter.dump() << "\nrow " << ToHex(writer.row());
    }
  }
  // A test of two answers needs both.
  EXPECT_GT(matches, kFilters * kRows / 10);
  EXPECT_LT(matches, kFilters * kRows * 9 / 10);
}

}  // namespace
}  // namespace s3v

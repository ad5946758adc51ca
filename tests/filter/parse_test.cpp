#include "filter/parse.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "base/error.h"

namespace s3v {
namespace {

using ::testing::HasSubstr;

const std::vector<FilterColumn>& Columns() {
  static const auto* columns = new std::vector<FilterColumn>{
      {"title", ColumnKind::kText},   {"id", ColumnKind::kLabel},        {"ok", ColumnKind::kBoolean},
      {"price", ColumnKind::kNumber}, {"seen", ColumnKind::kTime},       {"tags", ColumnKind::kList},
      {"extra", ColumnKind::kJson},   {"it's a key", ColumnKind::kText}, {"$odd", ColumnKind::kNumber},
  };
  return *columns;
}

bool YearsOnly(size_t, const std::string& text, int64_t* microseconds) {
  if (text.size() != 4 || text.find_first_not_of("0123456789") != std::string::npos) return false;
  *microseconds = std::stoll(text);
  return true;
}

struct Refusal {
  std::string message;
  std::string hint;
};

// Empty when the filter is accepted.
Refusal Refused(const std::string& json, std::span<const FilterColumn> columns = Columns()) {
  try {
    ParseFilter(ReadJson(json), columns, YearsOnly);
    return {};
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), Code::kInvalidArgument);
    return {error.message(), error.hint()};
  }
}
std::string Message(const std::string& json) { return Refused(json).message; }

TEST(ParseFilter, TheDocument) {
  EXPECT_EQ(Message("null"), "filter at $ must be an object, not null");
  EXPECT_EQ(Message("7"), "filter at $ must be an object, not a number");
  EXPECT_EQ(Message(R"([{"ok": true}])"), "filter at $ must be an object, not a list");
  EXPECT_EQ(Message("{}"), "filter at $ is empty");
  EXPECT_EQ(Refused("{}").hint, "For no filter at all, pass NULL.");
}

TEST(ParseFilter, UnknownOperators) {
  EXPECT_EQ(Message(R"({"title": {"$regex": "^a"}})"), R"(unknown filter operator "$regex" at $.title.$regex)");
  EXPECT_THAT(Refused(R"({"title": {"$regex": "^a"}})").hint, HasSubstr("$eq, $ne, $gt, $gte, $lt, $lte, $in, $nin"));
  EXPECT_EQ(Message(R"({"$not": {"ok": true}})"), R"(unknown filter operator "$not" at $.$not)");
  EXPECT_THAT(Refused(R"({"$not": {"ok": true}})").hint, HasSubstr("$and and $or"));
  EXPECT_EQ(Message(R"({"title": {"b": 1}})"), R"(unknown filter operator "b" at $.title.b)");
  EXPECT_EQ(Message(R"({"title": {"$EQ": "a"}})"), R"(unknown filter operator "$EQ" at $.title.$EQ)");
  EXPECT_EQ(Message(R"({"title": {"": "a"}})"), R"(unknown filter operator "" at $.title[""])");
}

TEST(ParseFilter, OperatorsInTheWrongPlace) {
  EXPECT_EQ(Message(R"({"$gt": 5})"), R"(operator "$gt" at $.$gt must stand inside a column)");
  EXPECT_EQ(Message(R"({"price": {"$and": [{"ok": true}]}})"),
            R"(operator "$and" at $.price.$and cannot stand inside a column)");
  EXPECT_EQ(Message(R"({"price": {}})"), "no operator at $.price");
  EXPECT_EQ(Message(R"({"price": {"$gt": {"$lt": 1}}})"),
            R"(operator "$gt" at $.price.$gt takes a number on number column "price", not an object)");
}

TEST(ParseFilter, UnknownColumns) {
  const Refusal refusal = Refused(R"({"$and": [{"ok": true}, {"x": 1}]})");
  EXPECT_EQ(refusal.message, R"(filter column "x" at $.$and[1].x is not a metadata column of the index)");
  EXPECT_EQ(refusal.hint,
            R"(Metadata columns are "title", "id", "ok", "price", "seen", "tags", "extra", "it's a key", "$odd".)");
  EXPECT_EQ(Message(R"({"Title": "a"})"), R"(filter column "Title" at $.Title is not a metadata column of the index)");
  EXPECT_EQ(Message(R"({"a.b": "a"})"), R"(filter column "a.b" at $["a.b"] is not a metadata column of the index)");
  EXPECT_EQ(Refused(R"({"x": 1})", {}).hint, "The index has no metadata columns.");

  const std::vector<FilterColumn> many(1'600, {"a_column", ColumnKind::kText});
  EXPECT_LT(Refused(R"({"x": 1})", many).hint.size(), 400u);
  EXPECT_LT(Refused("{\"" + std::string(60'000, 'k') + "\": 1}").message.size(), 300u);
}

TEST(ParseFilter, LogicalOperands) {
  EXPECT_EQ(Message(R"({"$and": []})"),
            R"(operator "$and" at $.$and takes a non-empty list of filters, not an empty one)");
  EXPECT_EQ(Message(R"({"$or": {"ok": true}})"),
            R"(operator "$or" at $.$or takes a non-empty list of filters, not an object)");
  EXPECT_EQ(Message(R"({"$and": [{"$or": [{}]}]})"), "filter at $.$and[0].$or[0] is empty");
  EXPECT_EQ(Message(R"({"$or": [{"ok": true}, 5]})"), "filter at $.$or[1] must be an object, not a number");
}

TEST(ParseFilter, EqualityOperands) {
  EXPECT_EQ(Message(R"({"title": null})"),
            R"(operator "$eq" at $.title takes a string, a number or a boolean, not null)");
  EXPECT_EQ(Refused(R"({"title": null})").hint, "{\"$exists\": false} finds rows without a value.");
  EXPECT_EQ(Message(R"({"tags": ["a"]})"),
            R"(operator "$eq" at $.tags takes a string, a number or a boolean, not a list)");
  EXPECT_EQ(Refused(R"({"tags": ["a"]})").hint, "{\"$in\": [...]} finds rows with any of several values.");
  EXPECT_EQ(Message(R"({"tags": {"$ne": {}}})"),
            R"(operator "$ne" at $.tags.$ne takes a string, a number or a boolean, not an object)");
  EXPECT_EQ(Message(R"({"tags": {"$in": []}})"),
            R"(operator "$in" at $.tags.$in takes a non-empty list, not an empty one)");
  EXPECT_EQ(Message(R"({"tags": {"$nin": "a"}})"),
            R"(operator "$nin" at $.tags.$nin takes a non-empty list, not a string)");
  EXPECT_EQ(Message(R"({"tags": {"$in": [1, "a", true, null]}})"),
            R"(operator "$in" at $.tags.$in[3] takes a string, a number or a boolean, not null)");
  EXPECT_EQ(Message(R"({"tags": {"$nin": [[1]]}})"),
            R"(operator "$nin" at $.tags.$nin[0] takes a string, a number or a boolean, not a list)");
}

TEST(ParseFilter, ExistsAndPrefixOperands) {
  EXPECT_EQ(Message(R"({"ok": {"$exists": "true"}})"),
            R"(operator "$exists" at $.ok.$exists takes true or false, not a string)");
  EXPECT_EQ(Message(R"({"ok": {"$exists": 1}})"),
            R"(operator "$exists" at $.ok.$exists takes true or false, not a number)");
  EXPECT_EQ(Message(R"({"title": {"$startsWith": 1}})"),
            R"(operator "$startsWith" at $.title.$startsWith takes a string, not a number)");
  EXPECT_EQ(Message(R"({"price": {"$startsWith": "1"}})"),
            R"(operator "$startsWith" at $.price.$startsWith cannot be used on number column "price")");
}

// Which operand each operator takes on each kind of column: s string, n number, b boolean.
TEST(ParseFilter, OperandsByColumn) {
  const auto accepted = [](const std::string& column, const std::string& op) {
    std::string answer;
    if (Message("{\"" + column + "\": {\"" + op + "\": \"2020\"}}").empty()) answer += 's';
    if (Message("{\"" + column + "\": {\"" + op + "\": 2020}}").empty()) answer += 'n';
    if (Message("{\"" + column + "\": {\"" + op + "\": true}}").empty()) answer += 'b';
    return answer;
  };
  for (const FilterColumn& column : Columns()) {
    for (const std::string op : {"$eq", "$ne"}) EXPECT_EQ(accepted(column.name, op), "snb") << column.name;
    EXPECT_EQ(accepted(column.name, "$exists"), "b") << column.name;
    EXPECT_EQ(accepted(column.name, "$in"), "") << column.name;
    EXPECT_EQ(Message("{\"" + column.name + R"(": {"$in": ["2020", 2020, false]}})"), "") << column.name;
  }
  for (const std::string op : {"$gt", "$gte", "$lt", "$lte"}) {
    EXPECT_EQ(accepted("title", op), "sn");
    EXPECT_EQ(accepted("id", op), "");
    EXPECT_EQ(accepted("ok", op), "");
    EXPECT_EQ(accepted("price", op), "n");
    EXPECT_EQ(accepted("seen", op), "s");
    EXPECT_EQ(accepted("tags", op), "");
    EXPECT_EQ(accepted("extra", op), "n");
  }
  EXPECT_EQ(accepted("title", "$startsWith"), "s");
  EXPECT_EQ(accepted("tags", "$startsWith"), "s");
  EXPECT_EQ(accepted("extra", "$startsWith"), "s");
  for (const std::string column : {"id", "ok", "price", "seen"}) EXPECT_EQ(accepted(column, "$startsWith"), "");
}

TEST(ParseFilter, OrderingOnColumnsWithoutOrder) {
  EXPECT_EQ(Message(R"({"ok": {"$lt": true}})"), R"(operator "$lt" at $.ok.$lt cannot be used on boolean column "ok")");
  EXPECT_EQ(Message(R"({"id": {"$lt": "a"}})"),
            R"(operator "$lt" at $.id.$lt cannot be used on uuid or enum column "id")");
  EXPECT_EQ(Message(R"({"tags": {"$gte": 1}})"),
            R"(operator "$gte" at $.tags.$gte cannot be used on array column "tags")");
  EXPECT_EQ(Message(R"({"price": {"$gt": "30"}})"),
            R"(operator "$gt" at $.price.$gt takes a number on number column "price", not a string)");
  EXPECT_EQ(Message(R"({"seen": {"$gt": 30}})"),
            R"(operator "$gt" at $.seen.$gt takes a string on date or timestamp column "seen", not a number)");
  EXPECT_EQ(Message(R"({"extra": {"$gt": "30"}})"),
            R"(operator "$gt" at $.extra.$gt takes a number on jsonb column "extra", not a string)");
}

TEST(ParseFilter, Times) {
  EXPECT_EQ(Message(R"({"seen": {"$gte": "2020", "$lt": "2021"}})"), "");
  EXPECT_EQ(Message(R"({"seen": "yesterdoy"})"), R"(invalid date or timestamp "yesterdoy" at $.seen)");
  EXPECT_EQ(Message(R"({"seen": {"$lt": "20201"}})"), R"(invalid date or timestamp "20201" at $.seen.$lt)");
  EXPECT_EQ(Message(R"({"$or": [{"seen": {"$nin": ["2020", ""]}}]})"),
            R"(invalid date or timestamp "" at $.$or[0].seen.$nin[1])");
}

TEST(ParseFilter, ColumnsWithAwkwardNames) {
  EXPECT_EQ(Message(R"({"it's a key": "v"})"), "");
  EXPECT_EQ(Message(R"({"it's a key": {"$lt": true}})"),
            R"(operator "$lt" at $["it's a key"].$lt takes a string on text column "it's a key", not a boolean)");
  EXPECT_EQ(Message(R"({"$odd": {"$lt": 5}})"), "");
}

TEST(ParseFilter, ConstraintsAreBounded) {
  const auto ors = [](int count) {
    std::string json = R"({"$or": [{"price": 0})";
    for (int i = 1; i < count; ++i) json += R"(,{"price": )" + std::to_string(i) + "}";
    return json + "]}";
  };
  EXPECT_EQ(Message(ors(1'000)), "");
  EXPECT_EQ(Message(ors(1'001)), "filter has more than 1000 constraints");
}

}  // namespace
}  // namespace s3v

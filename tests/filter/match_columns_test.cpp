#include "filter/match_columns.h"

#include <gtest/gtest.h>

#include <limits>
#include <string>
#include <vector>

#include "base/error.h"
#include "filter/piece_columns.h"
#include "support/metadata_rows.h"

namespace s3v {
namespace {

using testing::MetadataWriter;
using testing::PieceColumns;

constexpr int64_t kGreatest = std::numeric_limits<int64_t>::max();
constexpr int64_t kLeast = std::numeric_limits<int64_t>::min();
constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

std::unique_ptr<const Expression> Compile(const std::string& filter, std::span<const FilterColumn> columns) {
  return Expression::Compile(filter, columns, [](size_t, const std::string& text, int64_t* microseconds) {
    *microseconds = std::stoll(text);
    return true;
  });
}

// One 0 or 1 for each entry.
std::string Passing(const Expression& filter, std::span<const Bytes> rows, size_t columns) {
  const PieceColumns piece(rows, columns);
  std::vector<uint8_t> passing(rows.size(), 0x55);
  filter.MatchAll(piece.Ranges(filter.columns()), passing);
  std::string text;
  for (const uint8_t entry : passing) text += std::to_string(entry);
  return text;
}

// A piece of one column, x.
class Column {
 public:
  Column(ColumnKind kind, const std::vector<MetadataWriter>& values) : columns_{{"x", kind}} {
    for (const MetadataWriter& value : values) rows_.push_back(value.row());
  }
  std::string Passing(const std::string& condition) const {
    const auto filter = Compile("{\"x\": " + condition + "}", columns_);
    const std::string passing = s3v::Passing(*filter, rows_, 1);
    std::string expected;
    for (const Bytes& row : rows_) expected += filter->Match(row) ? '1' : '0';
    EXPECT_EQ(passing, expected) << condition;
    return passing;
  }
  ColumnForm form() const {
    const uint32_t column[] = {0};
    return PieceColumns(rows_, 1).Ranges(column)[0].form();
  }

 private:
  std::vector<FilterColumn> columns_;
  std::vector<Bytes> rows_;
};

MetadataWriter Integer(int64_t value) { return MetadataWriter().Integer(value); }
MetadataWriter Float(double value) { return MetadataWriter().Float(value); }
MetadataWriter Decimal(std::string_view text) { return MetadataWriter().Decimal(text); }
MetadataWriter Text(std::string_view text) { return MetadataWriter().Text(text); }
MetadataWriter Null() { return MetadataWriter().Null(); }

TEST(MatchColumns, Dictionary) {
  const Column column(ColumnKind::kText, {Text("red"), Text("blue"), Text("red"), Null(), Text("green"), Text("red"),
                                          Text("blue"), Text("red"), Null(), Text("red")});
  ASSERT_EQ(column.form(), ColumnForm::kDictionary);
  EXPECT_EQ(column.Passing(R"("red")"), "1010010101");
  EXPECT_EQ(column.Passing(R"({"$ne": "red"})"), "0100101000");
  EXPECT_EQ(column.Passing(R"({"$in": ["green", "blue", 5]})"), "0100101000");
  EXPECT_EQ(column.Passing(R"({"$nin": ["green", "blue"]})"), "1010010101");
  EXPECT_EQ(column.Passing(R"({"$exists": true})"), "1110111101");
  EXPECT_EQ(column.Passing(R"({"$exists": false})"), "0001000010");
  EXPECT_EQ(column.Passing(R"({"$startsWith": "gr"})"), "0000100000");
  EXPECT_EQ(column.Passing(R"({"$gt": "blue"})"), "1010110101");
  EXPECT_EQ(column.Passing(R"({"$gte": "blue", "$lt": "red"})"), "0100101000");
  EXPECT_EQ(column.Passing(R"({"$lt": 5})"), "0000000000");
}

TEST(MatchColumns, Integers) {
  const Column column(ColumnKind::kNumber, {Integer(-5), Integer(0), Null(), Integer(7), Integer(100), Integer(101)});
  ASSERT_EQ(column.form(), ColumnForm::kIntegers);
  EXPECT_EQ(column.Passing("7"), "000100");
  EXPECT_EQ(column.Passing("7.5"), "000000");
  EXPECT_EQ(column.Passing(R"({"$ne": 7})"), "110011");
  EXPECT_EQ(column.Passing(R"({"$in": [0, 100, -4, "x"]})"), "010010");
  EXPECT_EQ(column.Passing(R"({"$in": [101, "x", true]})"), "000001");
  EXPECT_EQ(column.Passing(R"({"$nin": [0, 100]})"), "100101");
  EXPECT_EQ(column.Passing(R"({"$lt": 7})"), "110000");
  EXPECT_EQ(column.Passing(R"({"$lt": 7.5})"), "110100");
  EXPECT_EQ(column.Passing(R"({"$lt": -5.5})"), "000000");
  EXPECT_EQ(column.Passing(R"({"$lte": 7})"), "110100");
  EXPECT_EQ(column.Passing(R"({"$gt": 100})"), "000001");
  EXPECT_EQ(column.Passing(R"({"$gt": -5.5})"), "110111");
  EXPECT_EQ(column.Passing(R"({"$gte": 7.5})"), "000011");
  EXPECT_EQ(column.Passing(R"({"$gte": 7})"), "000111");
  EXPECT_EQ(column.Passing(R"({"$gte": 7, "$lt": 101})"), "000110");
  EXPECT_EQ(column.Passing(R"({"$gte": 7, "$ne": 100})"), "000101");
  EXPECT_EQ(column.Passing(R"({"$gt": 7, "$lt": 7})"), "000000");
  EXPECT_EQ(column.Passing(R"({"$exists": true, "$lt": 1})"), "110000");
  EXPECT_EQ(column.Passing(R"({"$exists": false})"), "001000");
  EXPECT_EQ(column.Passing(R"("7")"), "000000");
}

TEST(MatchColumns, IntegersAtTheEndsOfInt64) {
  const Column column(ColumnKind::kNumber, {Integer(kLeast), Integer(kLeast + 1), Integer(0), Integer(kGreatest - 1),
                                            Integer(kGreatest), Null()});
  ASSERT_EQ(column.form(), ColumnForm::kIntegers);
  EXPECT_EQ(column.Passing(R"({"$lt": -9223372036854775808})"), "000000");
  EXPECT_EQ(column.Passing(R"({"$lte": -9223372036854775808})"), "100000");
  EXPECT_EQ(column.Passing(R"({"$gt": -9223372036854775809})"), "111110");
  EXPECT_EQ(column.Passing(R"({"$gte": 9223372036854775807})"), "000010");
  EXPECT_EQ(column.Passing(R"({"$gt": 9223372036854775807})"), "000000");
  EXPECT_EQ(column.Passing(R"({"$gt": 9223372036854775806.5})"), "000010");
  EXPECT_EQ(column.Passing(R"({"$lt": 1e300})"), "111110");
  EXPECT_EQ(column.Passing(R"({"$gt": 1e300})"), "000000");
  EXPECT_EQ(column.Passing(R"({"$gt": -1e300})"), "111110");
  EXPECT_EQ(column.Passing("9223372036854775808"), "000000");
  EXPECT_EQ(column.Passing("-9223372036854775809"), "000000");
  EXPECT_EQ(column.Passing("9223372036854775806"), "000100");
}

TEST(MatchColumns, Times) {
  const auto time = [](int64_t value) { return MetadataWriter().Time(value); };
  const Column column(ColumnKind::kTime, {time(kLeast), time(-1), Null(), time(1'000'000), time(kGreatest)});
  ASSERT_EQ(column.form(), ColumnForm::kIntegers);
  EXPECT_EQ(column.Passing(R"("1000000")"), "00010");
  EXPECT_EQ(column.Passing(R"({"$ne": "1000000"})"), "11001");
  EXPECT_EQ(column.Passing(R"({"$lt": "1000000"})"), "11000");
  EXPECT_EQ(column.Passing(R"({"$gte": "-1", "$lte": "1000000"})"), "01010");
  EXPECT_EQ(column.Passing(R"({"$gt": "9223372036854775807"})"), "00000");
  EXPECT_EQ(column.Passing(R"({"$gte": "9223372036854775807"})"), "00001");
  // A number is no time.
  EXPECT_EQ(column.Passing("1000000"), "00000");
  EXPECT_EQ(column.Passing(R"({"$ne": 1000000})"), "11011");
  EXPECT_EQ(column.Passing(R"({"$in": [1000000, "-1"]})"), "01000");
  EXPECT_EQ(column.Passing(R"({"$eq": 1000000, "$gt": "-5"})"), "00000");
}

TEST(MatchColumns, Floats) {
  const Column column(ColumnKind::kNumber, {Float(-kInfinity), Float(-1.5), Float(-0.0), Float(0.1), Null(),
                                            Float(1e300), Float(kInfinity), Float(kNaN)});
  ASSERT_EQ(column.form(), ColumnForm::kFloats);
  EXPECT_EQ(column.Passing("0"), "00100000");
  EXPECT_EQ(column.Passing("0.1"), "00010000");
  EXPECT_EQ(column.Passing(R"({"$ne": 0.1})"), "11100111");
  EXPECT_EQ(column.Passing(R"({"$in": [0.1, 1e300]})"), "00010100");
  EXPECT_EQ(column.Passing(R"({"$lt": 0})"), "11000000");
  EXPECT_EQ(column.Passing(R"({"$lte": 0})"), "11100000");
  EXPECT_EQ(column.Passing(R"({"$gt": 0})"), "00010111");
  EXPECT_EQ(column.Passing(R"({"$gte": 0})"), "00110111");
  EXPECT_EQ(column.Passing(R"({"$gt": 1.7976931348623157e308})"), "00000011");
  EXPECT_EQ(column.Passing(R"({"$lt": -1.7976931348623157e308})"), "10000000");
  EXPECT_EQ(column.Passing(R"({"$gt": -2, "$lt": 0.1})"), "01100000");
  EXPECT_EQ(column.Passing(R"({"$gt": -2, "$gte": 1e300})"), "00000111");
  EXPECT_EQ(column.Passing(R"("0.1")"), "00000000");
}

TEST(MatchColumns, PlainValues) {
  const auto list = [](std::initializer_list<const char*> texts) {
    MetadataWriter writer;
    writer.List(static_cast<uint32_t>(texts.size()));
    for (const char* text : texts) writer.Text(text);
    return writer;
  };
  const Column lists(ColumnKind::kList, {list({"a", "b"}), list({}), Null(), list({"bc"}), list({"a"})});
  EXPECT_EQ(lists.form(), ColumnForm::kPlain);
  EXPECT_EQ(lists.Passing(R"("a")"), "10001");
  EXPECT_EQ(lists.Passing(R"({"$ne": "a"})"), "01010");
  EXPECT_EQ(lists.Passing(R"({"$nin": ["a", "bc"]})"), "01000");
  EXPECT_EQ(lists.Passing(R"({"$startsWith": "b"})"), "10010");
  EXPECT_EQ(lists.Passing(R"({"$exists": true})"), "11011");

  const Column decimals(ColumnKind::kNumber, {Decimal("29.99"), Decimal("30.00"), Decimal("-1.5"), Decimal("NaN"),
                                              Null(), Decimal("Infinity"), Decimal("30.01")});
  EXPECT_EQ(decimals.form(), ColumnForm::kPlain);
  EXPECT_EQ(decimals.Passing(R"({"$lt": 30})"), "1010000");
  EXPECT_EQ(decimals.Passing("30"), "0100000");
  EXPECT_EQ(decimals.Passing(R"({"$gte": 30})"), "0101011");
  EXPECT_EQ(decimals.Passing(R"({"$gt": 29.98, "$lt": 30.005})"), "1100000");

  const Column mixed(ColumnKind::kJson, {Decimal("1"), Text("1"), MetadataWriter().Boolean(true),
                                         MetadataWriter().Json("{}"), Null(), MetadataWriter().List(1).Integer(1)});
  EXPECT_EQ(mixed.Passing("1"), "100001");
  EXPECT_EQ(mixed.Passing(R"("1")"), "010000");
  EXPECT_EQ(mixed.Passing(R"({"$ne": 1})"), "011100");
  EXPECT_EQ(mixed.Passing(R"({"$lte": 1})"), "100000");
}

TEST(MatchColumns, ADictionaryOfMoreValuesThanAreLookedAtBefore) {
  std::vector<MetadataWriter> values;
  std::string expected;
  for (int i = 0; i < 80'000; ++i) {
    const int number = i % 20'000;
    values.push_back(Text("a rather long text, so that a dictionary pays: " + std::to_string(number)));
    expected += number == 4'321 ? '1' : '0';
  }
  const Column column(ColumnKind::kText, values);
  ASSERT_EQ(column.form(), ColumnForm::kDictionary);
  EXPECT_EQ(column.Passing(R"("a rather long text, so that a dictionary pays: 4321")"), expected);
}

TEST(MatchColumns, TreesOfSeveralColumns) {
  const FilterColumn columns[] = {
      {"a", ColumnKind::kNumber}, {"b", ColumnKind::kText}, {"c", ColumnKind::kNumber}, {"d", ColumnKind::kBoolean}};
  std::vector<Bytes> rows;
  for (int i = 0; i < 16; ++i) {
    rows.push_back(
        MetadataWriter().Integer(i & 1).Text((i & 2) != 0 ? "t" : "u").Float(i & 4).Boolean((i & 8) != 0).row());
  }
  const auto passing = [&](const std::string& text) {
    const auto filter = Compile(text, columns);
    std::string expected;
    for (const Bytes& row : rows) expected += filter->Match(row) ? '1' : '0';
    const std::string found = Passing(*filter, rows, std::size(columns));
    EXPECT_EQ(found, expected) << text;
    return found;
  };
  EXPECT_EQ(passing(R"({"a": 1, "b": "t", "c": 4})"), "0000000100000001");
  EXPECT_EQ(passing(R"({"$or": [{"a": 1}, {"b": "t"}, {"c": 4}]})"), "0111111101111111");
  EXPECT_EQ(passing(R"({"$or": [{"a": 1, "b": "t"}, {"c": 4, "d": true}]})"), "0001000100011111");
  EXPECT_EQ(passing(R"({"$and": [{"$or": [{"a": 1}, {"b": "t"}]}, {"$or": [{"c": 4}, {"d": true}]}]})"),
            "0000011101110111");
  EXPECT_EQ(passing(R"({"$and": [{"a": 0}, {"$or": [{"b": "t"}, {"$and": [{"c": 4}, {"$or": [{"d": true}]}]}]}]})"),
            "0010001000101010");
  EXPECT_EQ(passing(R"({"d": true, "$or": [{"a": 1, "$or": [{"b": "t"}, {"c": 0}]}, {"a": 0, "c": 4}]})"),
            "0000000001011011");
}

TEST(MatchColumns, DepthsAndNumbersAtTheirBounds) {
  const FilterColumn columns[] = {{"a", ColumnKind::kNumber}, {"b", ColumnKind::kNumber}};
  std::vector<Bytes> rows;
  for (int i = 0; i < 40; ++i) rows.push_back(MetadataWriter().Integer(i).Integer(i * 37 % 40).row());

  // As deep as a document may be, $and and $or in turns, and both columns on each level.
  std::string deep = R"({"a": {"$gt": 3}, "b": {"$lt": 38}})";
  for (int level = 0; level < 15; ++level) {
    const std::string column = level % 4 < 2 ? "a" : "b";
    const std::string op = level % 2 == 0 ? "$or" : "$and";
    const std::string condition =
        level % 2 == 0 ? std::to_string(level) : R"({"$ne": )" + std::to_string(39 - level) + '}';
    deep = "{\"" + op + "\": [{\"" + column + "\": " + condition + "}, " + deep + "]}";
  }
  std::string many = R"({"$or": [{"a": 1000})";
  for (int i = 1; i < 1'000; ++i) {
    many += ", {\"" + std::string(i % 2 == 0 ? "a" : "b") + "\": " + std::to_string(i % 7 + i % 20) + '}';
  }
  many += "]}";
  for (const std::string& text : {deep, many}) {
    const auto filter = Compile(text, columns);
    std::string expected;
    for (const Bytes& row : rows) expected += filter->Match(row) ? '1' : '0';
    EXPECT_EQ(Passing(*filter, rows, 2), expected) << text;
    EXPECT_NE(expected.find('0'), std::string::npos);
    EXPECT_NE(expected.find('1'), std::string::npos);
  }
}

TEST(MatchColumns, ColumnsAreThoseOfTheFilter) {
  const FilterColumn columns[] = {
      {"a", ColumnKind::kNumber}, {"b", ColumnKind::kText}, {"c", ColumnKind::kNumber}, {"d", ColumnKind::kBoolean}};
  const auto names = [&](const std::string& text) {
    const auto filter = Compile(text, columns);
    return std::vector<uint32_t>(filter->columns().begin(), filter->columns().end());
  };
  EXPECT_EQ(names(R"({"c": 1})"), std::vector<uint32_t>({2}));
  EXPECT_EQ(names(R"({"d": true, "b": "x"})"), std::vector<uint32_t>({1, 3}));
  EXPECT_EQ(names(R"({"$or": [{"c": {"$gt": 1, "$lt": 3}}, {"a": 1, "c": 5}]})"), std::vector<uint32_t>({0, 2}));
}

TEST(MatchColumns, ADecimalThatIsNoNumberIsCorruption) {
  const FilterColumn columns[] = {{"a", ColumnKind::kNumber}};
  const Bytes rows[] = {Decimal("1.5").row(), Decimal("1,5").row()};
  const auto filter = Compile(R"({"a": {"$lt": 3}})", columns);
  try {
    Passing(*filter, rows, 1);
    FAIL() << "a comma passed";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), Code::kCorrupted) << error.message();
  }
}

}  // namespace
}  // namespace s3v

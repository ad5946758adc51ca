#include "filter/judge.h"

#include <gtest/gtest.h>

#include <cmath>
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

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

std::unique_ptr<const Expression> Compile(const std::string& filter, std::span<const FilterColumn> columns) {
  return Expression::Compile(filter, columns, [](size_t, const std::string& text, int64_t* microseconds) {
    *microseconds = std::stoll(text);
    return true;
  });
}

// "none", "all", or the share in percent.
std::string Text(const MatchOutlook& outlook) {
  if (outlook.kind == MatchOutlook::Kind::kNone) return outlook.share == 0 ? "none" : "none?";
  if (outlook.kind == MatchOutlook::Kind::kAll) return outlook.share == 1 ? "all" : "all?";
  return std::to_string(std::lround(outlook.share * 100));
}

// A piece of one column, x.
class Column {
 public:
  explicit Column(ColumnKind kind) : columns_{{"x", kind}} {}
  Column& Add(const MetadataWriter& value, int times = 1) {
    rows_.insert(rows_.end(), static_cast<size_t>(times), value.row());
    return *this;
  }
  SummaryForm form() const { return Summary(PieceColumns(rows_, 1)).form; }

  std::string Judge(const std::string& condition) const {
    const auto filter = Compile("{\"x\": " + condition + "}", columns_);
    const PieceColumns piece(rows_, 1);
    const ColumnSummary summary = Summary(piece);
    return Text(filter->Judge({&summary, 1}));
  }

 private:
  static ColumnSummary Summary(const PieceColumns& piece) {
    const uint32_t column[] = {0};
    return piece.Summaries(column)[0];
  }

  std::vector<FilterColumn> columns_;
  std::vector<Bytes> rows_;
};

MetadataWriter Integer(int64_t value) { return MetadataWriter().Integer(value); }
MetadataWriter Words(std::string_view text) { return MetadataWriter().Text(text); }
MetadataWriter Null() { return MetadataWriter().Null(); }
MetadataWriter List(std::initializer_list<const char*> texts) {
  MetadataWriter writer;
  writer.List(static_cast<uint32_t>(texts.size()));
  for (const char* text : texts) writer.Text(text);
  return writer;
}

// 100 integers, first, first + step, ...
Column Integers(int64_t first, int64_t step) {
  Column column(ColumnKind::kNumber);
  for (int i = 0; i < 100; ++i) column.Add(Integer(first + i * step));
  return column;
}

// ---- counted values
// -----------------------------------------------------------------------------------------------------

TEST(JudgeValues, SharesAreExact) {
  const Column column =
      Column(ColumnKind::kText).Add(Words("red"), 50).Add(Words("blue"), 30).Add(Words("green"), 15).Add(Null(), 5);
  ASSERT_EQ(column.form(), SummaryForm::kValues);
  EXPECT_EQ(column.Judge(R"("red")"), "50");
  EXPECT_EQ(column.Judge(R"("pink")"), "none");
  EXPECT_EQ(column.Judge("5"), "none");
  EXPECT_EQ(column.Judge(R"({"$ne": "red"})"), "45");
  EXPECT_EQ(column.Judge(R"({"$ne": "pink"})"), "95");
  EXPECT_EQ(column.Judge(R"({"$in": ["red", "blue", "pink"]})"), "80");
  EXPECT_EQ(column.Judge(R"({"$nin": ["red", "blue", "green"]})"), "none");
  EXPECT_EQ(column.Judge(R"({"$startsWith": "gr"})"), "15");
  EXPECT_EQ(column.Judge(R"({"$lt": "green"})"), "30");
  EXPECT_EQ(column.Judge(R"({"$gte": "green"})"), "65");
  EXPECT_EQ(column.Judge(R"({"$gt": 5})"), "none");
  EXPECT_EQ(column.Judge(R"({"$exists": true})"), "95");
  EXPECT_EQ(column.Judge(R"({"$exists": false})"), "5");
}

TEST(JudgeValues, All) {
  const Column column = Column(ColumnKind::kNumber).Add(Integer(3), 10).Add(Integer(4), 10);
  EXPECT_EQ(column.Judge(R"({"$in": [3, 4.0]})"), "all");
  EXPECT_EQ(column.Judge(R"({"$lt": 5})"), "all");
  EXPECT_EQ(column.Judge(R"({"$ne": 5})"), "all");
  EXPECT_EQ(column.Judge(R"({"$exists": true})"), "all");
  EXPECT_EQ(column.Judge(R"({"$exists": false})"), "none");
}

TEST(JudgeValues, ATreeOnOneColumnIsExactToo) {
  const Column column = Column(ColumnKind::kNumber).Add(Integer(1), 40).Add(Integer(5), 40).Add(Integer(9), 20);
  EXPECT_EQ(column.Judge(R"({"$gt": 1, "$lt": 5})"), "none");
  EXPECT_EQ(column.Judge(R"({"$gt": 1, "$lt": 9})"), "40");
  EXPECT_EQ(column.Judge(R"({"$gt": 0, "$lt": 10})"), "all");
  const FilterColumn columns[] = {{"x", ColumnKind::kNumber}};
  const Bytes rows[] = {Integer(1).row(), Integer(5).row(), Integer(9).row(), Integer(9).row()};
  const PieceColumns piece(rows, 1);
  const auto judge = [&](const std::string& text) {
    const auto filter = Compile(text, columns);
    return Text(filter->Judge(piece.Summaries(filter->columns())));
  };
  EXPECT_EQ(judge(R"({"$or": [{"x": {"$lt": 5}}, {"x": {"$gte": 5}}]})"), "all");
  EXPECT_EQ(judge(R"({"$or": [{"x": 1}, {"$and": [{"x": 5}, {"x": 9}]}]})"), "25");
  EXPECT_EQ(judge(R"({"$and": [{"x": {"$ne": 1}}, {"$or": [{"x": 1}, {"x": 9}]}]})"), "50");
}

TEST(JudgeValues, NothingButNulls) {
  const Column column = Column(ColumnKind::kNumber).Add(Null(), 7);
  EXPECT_EQ(column.Judge("1"), "none");
  EXPECT_EQ(column.Judge(R"({"$ne": 1})"), "none");
  EXPECT_EQ(column.Judge(R"({"$exists": true})"), "none");
  EXPECT_EQ(column.Judge(R"({"$exists": false})"), "all");
}

TEST(JudgeValues, OfJson) {
  const Column column = Column(ColumnKind::kJson)
                            .Add(MetadataWriter().Decimal("2.0"), 1)
                            .Add(Integer(2), 2)
                            .Add(Words("2"), 3)
                            .Add(MetadataWriter().Boolean(true), 4);
  ASSERT_EQ(column.form(), SummaryForm::kValues);
  EXPECT_EQ(column.Judge("2"), "30");
  EXPECT_EQ(column.Judge("true"), "40");
  EXPECT_EQ(column.Judge("false"), "none");
  EXPECT_EQ(column.Judge(R"({"$ne": 2})"), "70");
  EXPECT_EQ(column.Judge(R"({"$lte": 2})"), "30");
}

// ---- elements of lists
// --------------------------------------------------------------------------------------------------

TEST(JudgeElements, SharesLieBetweenWhatIsCertain) {
  const Column column = Column(ColumnKind::kList)
                            .Add(List({"a", "b"}), 40)
                            .Add(List({"a"}), 20)
                            .Add(List({"b", "c"}), 20)
                            .Add(List({}), 10)
                            .Add(Null(), 10);
  ASSERT_EQ(column.form(), SummaryForm::kElements);
  EXPECT_EQ(column.Judge(R"("a")"), "60");
  EXPECT_EQ(column.Judge(R"({"$ne": "a"})"), "30");
  EXPECT_EQ(column.Judge(R"("d")"), "none");
  EXPECT_EQ(column.Judge(R"({"$ne": "d"})"), "90");  // all that are lists, empty ones too
  EXPECT_EQ(column.Judge("1"), "none");
  // 60 and 60 of 90 lists, as if independent: 90 * (1 - 1/3 * 1/3).
  EXPECT_EQ(column.Judge(R"({"$in": ["a", "b"]})"), "80");
  EXPECT_EQ(column.Judge(R"({"$nin": ["a", "b"]})"), "10");
  EXPECT_EQ(column.Judge(R"({"$startsWith": "c"})"), "20");
  EXPECT_EQ(column.Judge(R"({"$startsWith": "x"})"), "none");
  EXPECT_EQ(column.Judge(R"({"$exists": true})"), "90");
}

TEST(JudgeElements, WhatEveryListHas) {
  const Column lists = Column(ColumnKind::kList).Add(List({"a", "b"}), 5).Add(List({"a"}), 5);
  EXPECT_EQ(lists.Judge(R"("a")"), "all");
  EXPECT_EQ(lists.Judge(R"({"$in": ["a", "z"]})"), "all");
  EXPECT_EQ(lists.Judge(R"({"$ne": "a"})"), "none");
  EXPECT_EQ(lists.Judge(R"({"$ne": "z"})"), "all");
  EXPECT_EQ(lists.Judge(R"({"$startsWith": ""})"), "all");

  Column nulls = lists;
  nulls.Add(Null(), 10);
  EXPECT_EQ(nulls.Judge(R"("a")"), "50");
  EXPECT_EQ(nulls.Judge(R"({"$ne": "a"})"), "none");
  EXPECT_EQ(nulls.Judge(R"({"$ne": "z"})"), "50");
}

TEST(JudgeElements, EmptyListsAreValues) {
  const Column column = Column(ColumnKind::kList).Add(List({}), 4);
  ASSERT_EQ(column.form(), SummaryForm::kElements);
  EXPECT_EQ(column.Judge(R"("a")"), "none");
  EXPECT_EQ(column.Judge(R"({"$ne": "a"})"), "all");
  EXPECT_EQ(column.Judge(R"({"$exists": true})"), "all");
}

TEST(JudgeElements, NoListIsOrdered) {
  const Column column = Column(ColumnKind::kJson).Add(MetadataWriter().List(1).Integer(5), 4);
  ASSERT_EQ(column.form(), SummaryForm::kElements);
  EXPECT_EQ(column.Judge(R"({"$gt": 1})"), "none");
  EXPECT_EQ(column.Judge("5"), "all");
}

// ---- ranges
// -------------------------------------------------------------------------------------------------------------

TEST(JudgeRange, OrderingsOfIntegers) {
  const Column column = Integers(100, 1);
  ASSERT_EQ(column.form(), SummaryForm::kRange);
  EXPECT_EQ(column.Judge(R"({"$lt": 100})"), "none");
  EXPECT_EQ(column.Judge(R"({"$lt": 99.5})"), "none");
  EXPECT_EQ(column.Judge(R"({"$lte": 100})"), "1");
  EXPECT_EQ(column.Judge(R"({"$lt": 125})"), "25");
  EXPECT_EQ(column.Judge(R"({"$lt": 199})"), "100");  // not all, by half an entry
  EXPECT_EQ(column.Judge(R"({"$lt": 199.5})"), "all");
  EXPECT_EQ(column.Judge(R"({"$lte": 199})"), "all");
  EXPECT_EQ(column.Judge(R"({"$gt": 199})"), "none");
  EXPECT_EQ(column.Judge(R"({"$gte": 199})"), "1");
  EXPECT_EQ(column.Judge(R"({"$gt": 125})"), "75");
  EXPECT_EQ(column.Judge(R"({"$gte": 100})"), "all");
  EXPECT_EQ(column.Judge(R"({"$gt": 1e300})"), "none");
  EXPECT_EQ(column.Judge(R"({"$gt": -1e300})"), "all");
  EXPECT_EQ(column.Judge(R"({"$exists": true})"), "all");
}

TEST(JudgeRange, SharesStayInsideByHalfAnEntry) {
  const FilterColumn columns[] = {{"x", ColumnKind::kNumber}};
  ColumnSummary summary;
  summary.form = SummaryForm::kRange;
  summary.entries = 1'000;
  summary.least.tag = summary.greatest.tag = ValueTag::kInteger;
  summary.greatest.integer = 1'000'000;
  EXPECT_DOUBLE_EQ(Compile(R"({"x": {"$lte": 0}})", columns)->Judge({&summary, 1}).share, 0.0005);
  EXPECT_DOUBLE_EQ(Compile(R"({"x": {"$lt": 1000000}})", columns)->Judge({&summary, 1}).share, 0.9995);
  EXPECT_DOUBLE_EQ(Compile(R"({"x": {"$gt": 500000}})", columns)->Judge({&summary, 1}).share, 0.5);
}

TEST(JudgeRange, BetweenTwoBounds) {
  const Column column = Integers(0, 1);
  EXPECT_EQ(column.Judge(R"({"$gte": 40, "$lt": 50})"), "10");
  EXPECT_EQ(column.Judge(R"({"$gt": 40, "$gte": 60})"), "39");
  EXPECT_EQ(column.Judge(R"({"$gt": -5, "$lt": 50})"), "51");
  EXPECT_EQ(column.Judge(R"({"$gt": -5, "$lt": 500})"), "all");
  EXPECT_EQ(column.Judge(R"({"$gt": 60, "$lt": 40})"), "1");  // half an entry, rounded
  EXPECT_EQ(column.Judge(R"({"$gt": 100, "$lt": 150})"), "none");
  Column nulls = column;
  nulls.Add(Null(), 100);
  EXPECT_EQ(nulls.Judge(R"({"$gte": 40, "$lt": 60})"), "10");
  EXPECT_EQ(nulls.Judge(R"({"$gte": 0, "$lt": 50})"), "25");
  EXPECT_EQ(nulls.Judge(R"({"$gte": 0})"), "50");
  EXPECT_EQ(nulls.Judge(R"({"$exists": false})"), "50");
}

TEST(JudgeRange, OneOf) {
  const Column dense = Integers(0, 1);
  EXPECT_EQ(dense.Judge("100"), "none");
  EXPECT_EQ(dense.Judge("-1"), "none");
  EXPECT_EQ(dense.Judge("7"), "2");  // of 50 values, as it is supposed
  EXPECT_EQ(dense.Judge(R"({"$ne": 7})"), "98");
  EXPECT_EQ(dense.Judge(R"({"$ne": 100})"), "all");
  EXPECT_EQ(dense.Judge(R"({"$in": [-5, 1, 2, 3, 4, 5, 100]})"), "10");
  EXPECT_EQ(dense.Judge(R"({"$nin": [-5, 100]})"), "all");
  EXPECT_EQ(dense.Judge(R"("7")"), "none");
  EXPECT_EQ(dense.Judge(R"({"$ne": "7"})"), "all");
  EXPECT_EQ(dense.Judge("true"), "none");

  Column few(ColumnKind::kNumber);
  for (int i = 0; i < 400; ++i) few.Add(Integer(i % 20));
  ASSERT_EQ(few.form(), SummaryForm::kRange);
  EXPECT_EQ(few.Judge("7"), "5");
}

TEST(JudgeRange, Times) {
  Column column(ColumnKind::kTime);
  for (int i = 0; i < 100; ++i) column.Add(MetadataWriter().Time(1'000 * i));
  EXPECT_EQ(column.Judge(R"({"$lt": "49500"})"), "50");
  EXPECT_EQ(column.Judge(R"({"$lt": "0"})"), "none");
  EXPECT_EQ(column.Judge(R"({"$lte": "99000"})"), "all");
  EXPECT_EQ(column.Judge(R"("99001")"), "none");
  EXPECT_EQ(column.Judge(R"("5000")"), "2");
  EXPECT_EQ(column.Judge("5000"), "none");  // a number is no time
  EXPECT_EQ(column.Judge(R"({"$ne": 5000})"), "all");
  column.Add(MetadataWriter().Time(std::numeric_limits<int64_t>::max()));
  EXPECT_EQ(column.Judge(R"({"$lt": "49500"})"), "50");  // infinity says nothing of the others
  EXPECT_EQ(column.Judge(R"({"$gte": "9223372036854775807"})"), "50");
}

TEST(JudgeRange, FloatsAndDecimals) {
  Column floats(ColumnKind::kNumber);
  Column decimals(ColumnKind::kNumber);
  for (int i = 0; i < 100; ++i) {
    floats.Add(MetadataWriter().Float(i / 10.0));
    decimals.Add(MetadataWriter().Decimal(std::to_string(i / 10) + '.' + std::to_string(i % 10)));
  }
  for (Column* column : {&floats, &decimals}) {
    ASSERT_EQ(column->form(), SummaryForm::kRange);
    EXPECT_EQ(column->Judge(R"({"$lt": 0})"), "none");
    EXPECT_EQ(column->Judge(R"({"$lt": 4.95})"), "50");
    EXPECT_EQ(column->Judge(R"({"$lt": 9.9})"), "100");
    EXPECT_EQ(column->Judge(R"({"$lte": 9.9})"), "all");
    EXPECT_EQ(column->Judge("9.91"), "none");
    EXPECT_EQ(column->Judge("5"), "2");
  }
  floats.Add(MetadataWriter().Float(kNaN));
  decimals.Add(MetadataWriter().Decimal("NaN"));
  for (Column* column : {&floats, &decimals}) {
    EXPECT_EQ(column->Judge(R"({"$lt": 1e300})"), "50");  // NaN is above every number
    EXPECT_EQ(column->Judge(R"({"$gte": 0})"), "all");
    EXPECT_EQ(column->Judge(R"({"$gt": 1e300})"), "50");
    EXPECT_EQ(column->Judge(R"({"$lt": 0})"), "none");
  }
  floats.Add(MetadataWriter().Float(-kInfinity));
  EXPECT_EQ(floats.Judge(R"({"$lt": -1e300})"), "50");
}

TEST(JudgeRange, WidthsBeyondADouble) {
  Column column(ColumnKind::kNumber);
  for (int i = 0; i < 50; ++i) column.Add(MetadataWriter().Float((i - 24.5) * 7e306));
  EXPECT_EQ(column.Judge(R"({"$lt": 0})"), "50");
  EXPECT_EQ(column.Judge(R"({"$gt": 1.7e308})"), "1");
}

// ---- ranges of texts
// ----------------------------------------------------------------------------------------------------

// "name 10" to "name 99"; with a tail, both ends are cut.
Column Names(const std::string& head, const std::string& tail) {
  Column column(ColumnKind::kText);
  for (int i = 10; i < 100; ++i) column.Add(Words(head + std::to_string(i) + tail));
  return column;
}

TEST(JudgeTextRange, Whole) {
  const Column column = Names("name ", "");
  ASSERT_EQ(column.form(), SummaryForm::kRange);
  EXPECT_EQ(column.Judge(R"({"$lt": "name 10"})"), "none");
  EXPECT_EQ(column.Judge(R"({"$lt": "name"})"), "none");
  EXPECT_EQ(column.Judge(R"({"$lte": "name 99"})"), "all");
  EXPECT_EQ(column.Judge(R"({"$lt": "name 990"})"), "all");
  EXPECT_EQ(column.Judge(R"({"$gt": "name 99"})"), "none");
  EXPECT_EQ(column.Judge(R"({"$gt": "name 1"})"), "all");
  EXPECT_EQ(column.Judge(R"({"$lt": "name 5"})"), "47");
  EXPECT_EQ(column.Judge(R"({"$gte": "name 5"})"), "53");
  EXPECT_EQ(column.Judge(R"("name")"), "none");
  EXPECT_EQ(column.Judge(R"("name 990")"), "none");
  EXPECT_EQ(column.Judge(R"("name 50")"), "2");
  EXPECT_EQ(column.Judge(R"({"$nin": ["a", "z"]})"), "all");
  EXPECT_EQ(column.Judge(R"({"$startsWith": "name "})"), "all");
  EXPECT_EQ(column.Judge(R"({"$startsWith": ""})"), "all");
  EXPECT_EQ(column.Judge(R"({"$startsWith": "nam "})"), "none");
  EXPECT_EQ(column.Judge(R"({"$startsWith": "nb"})"), "none");
  EXPECT_EQ(column.Judge(R"({"$startsWith": "name 0"})"), "none");
  EXPECT_EQ(column.Judge(R"({"$startsWith": "name 990"})"), "none");
  EXPECT_EQ(column.Judge(R"({"$startsWith": "name 5"})"), "12");
  EXPECT_EQ(column.Judge(R"({"$lt": 5})"), "none");
  EXPECT_EQ(column.Judge(R"({"$gt": 5})"), "none");
}

TEST(JudgeTextRange, CutInsideWhatDiffers) {
  // Cut after "sixteen bytes 10", "sixteen bytes 99".
  const Column column = Names("sixteen bytes ", " and more");
  ASSERT_EQ(column.form(), SummaryForm::kRange);
  // Whatever begins as the greatest does lies on neither side of it for certain.
  EXPECT_NE(column.Judge(R"({"$gt": "sixteen bytes 99"})"), "none");
  EXPECT_NE(column.Judge(R"({"$gt": "sixteen bytes 99 zzz"})"), "none");
  EXPECT_NE(column.Judge(R"({"$gte": "sixteen bytes 99 and more"})"), "none");
  EXPECT_NE(column.Judge(R"({"$lt": "sixteen bytes 99 zzz"})"), "all");
  EXPECT_NE(column.Judge(R"("sixteen bytes 99 and more")"), "none");
  EXPECT_NE(column.Judge(R"({"$startsWith": "sixteen bytes 99 and"})"), "none");
  EXPECT_EQ(column.Judge(R"({"$gt": "sixteen bytes 9:"})"), "none");
  EXPECT_EQ(column.Judge(R"({"$lt": "sixteen bytes 9:"})"), "all");
  EXPECT_EQ(column.Judge(R"("sixteen bytes 9:")"), "none");
  EXPECT_EQ(column.Judge(R"({"$startsWith": "sixteen bytes 9:"})"), "none");
  // The least, cut, is still below all.
  EXPECT_EQ(column.Judge(R"({"$lt": "sixteen bytes 10"})"), "none");
  EXPECT_EQ(column.Judge(R"({"$gte": "sixteen bytes 10"})"), "all");
  EXPECT_NE(column.Judge(R"({"$lt": "sixteen bytes 10 zzz"})"), "none");
  EXPECT_NE(column.Judge(R"({"$gt": "sixteen bytes 10 and more"})"), "all");
  EXPECT_NE(column.Judge(R"({"$startsWith": "sixteen bytes 10 and"})"), "none");
  EXPECT_EQ(column.Judge(R"({"$startsWith": "sixteen bytes "})"), "all");
}

TEST(JudgeTextRange, CutBeforeWhatDiffers) {
  const Column column = Names("a head of more than sixteen bytes ", "");
  ASSERT_EQ(column.form(), SummaryForm::kRange);
  EXPECT_EQ(column.Judge(R"({"$startsWith": "a head of more "})"), "all");
  EXPECT_EQ(column.Judge(R"({"$startsWith": "a head of more than sixteen"})"), "50");
  EXPECT_EQ(column.Judge(R"({"$lt": "a head of more than sixteen bytes 50"})"), "50");
  EXPECT_EQ(column.Judge(R"("a head of more than sixteen bytes 50")"), "2");
  EXPECT_EQ(column.Judge(R"("a head")"), "none");
  EXPECT_EQ(column.Judge(R"({"$gt": "b"})"), "none");
  EXPECT_EQ(column.Judge(R"({"$lt": "b"})"), "all");
}

// ---- what is not known, and trees of several columns
// --------------------------------------------------------------------

TEST(JudgeUnknown, NullsAreKnownAllTheSame) {
  Column column(ColumnKind::kJson);
  column.Add(MetadataWriter().Json("{}"), 5).Add(Integer(1), 3).Add(Null(), 2);
  ASSERT_EQ(column.form(), SummaryForm::kUnknown);
  EXPECT_EQ(column.Judge("1"), "40");
  EXPECT_EQ(column.Judge(R"({"$ne": 1})"), "40");
  EXPECT_EQ(column.Judge(R"({"$exists": true})"), "80");
  EXPECT_EQ(column.Judge(R"({"$exists": false})"), "20");

  const FilterColumn columns[] = {{"x", ColumnKind::kJson}};
  ColumnSummary nothing;
  nothing.entries = nothing.nulls = 9;
  EXPECT_EQ(Text(Compile(R"({"x": 1})", columns)->Judge({&nothing, 1})), "none");
  EXPECT_EQ(Text(Compile(R"({"x": {"$ne": 1}})", columns)->Judge({&nothing, 1})), "none");
  EXPECT_EQ(Text(Compile(R"({"x": {"$exists": false}})", columns)->Judge({&nothing, 1})), "all");
}

TEST(JudgeTrees, SharesOfSeveralColumns) {
  const FilterColumn columns[] = {{"a", ColumnKind::kNumber}, {"b", ColumnKind::kText}, {"c", ColumnKind::kNumber}};
  std::vector<Bytes> rows;
  for (int i = 0; i < 100; ++i) {
    rows.push_back(MetadataWriter().Integer(i % 2).Text(i % 5 == 0 ? "t" : "u").Integer(i).row());
  }
  const PieceColumns piece(rows, std::size(columns));
  const auto judge = [&](const std::string& text) {
    const auto filter = Compile(text, columns);
    return Text(filter->Judge(piece.Summaries(filter->columns())));
  };
  EXPECT_EQ(judge(R"({"a": 1, "b": "t"})"), "10");
  EXPECT_EQ(judge(R"({"a": 1, "b": "t", "c": {"$lt": 1000}})"), "10");
  EXPECT_EQ(judge(R"({"a": 1, "b": "v"})"), "none");
  EXPECT_EQ(judge(R"({"a": {"$lt": 5}, "b": {"$ne": "v"}})"), "all");
  EXPECT_EQ(judge(R"({"$or": [{"a": 1}, {"b": "t"}]})"), "60");
  EXPECT_EQ(judge(R"({"$or": [{"a": 2}, {"b": "v"}]})"), "none");
  EXPECT_EQ(judge(R"({"$or": [{"a": 2}, {"c": {"$gte": 0}}]})"), "all");
  EXPECT_EQ(judge(R"({"$or": [{"a": 2}, {"c": {"$gte": 0, "$lt": 50}}]})"), "51");
  // Bounds on one column are taken together wherever they stand.
  EXPECT_EQ(judge(R"({"$and": [{"c": {"$gte": 40}}, {"a": 1}, {"c": {"$lt": 60}}]})"), "10");
}

TEST(JudgeTrees, AThousandConstraintsStayInside) {
  const FilterColumn columns[] = {{"a", ColumnKind::kNumber}, {"b", ColumnKind::kNumber}};
  std::vector<Bytes> rows;
  for (int i = 0; i < 100; ++i) rows.push_back(MetadataWriter().Integer(i).Integer(i * i).row());
  const PieceColumns piece(rows, 2);
  for (const std::string op : {"$and", "$or"}) {
    std::string text = "{\"" + op + R"(": [{"a": 7})";
    for (int i = 1; i < 1'000; ++i) text += i % 2 == 0 ? R"(, {"a": {"$in": [3, 7]}})" : R"(, {"b": 49})";
    const auto filter = Compile(text + "]}", columns);
    const MatchOutlook outlook = filter->Judge(piece.Summaries(filter->columns()));
    EXPECT_EQ(outlook.kind, MatchOutlook::Kind::kSome) << op;
    EXPECT_DOUBLE_EQ(outlook.share, op == "$and" ? 0.005 : 0.995);
  }
}

}  // namespace
}  // namespace s3v

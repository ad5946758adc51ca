#include "filter/match.h"

#include <gtest/gtest.h>

#include <limits>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/random.h"
#include "support/metadata_rows.h"

namespace s3v {
namespace {

using testing::MetadataWriter;

// Rows of this suite have one column, named x. A time operand is its microseconds.
bool Matches(ColumnKind kind, const MetadataWriter& row, const std::string& condition) {
  const FilterColumn columns[] = {{"x", kind}};
  const auto parse_time = [](size_t, const std::string& text, int64_t* microseconds) {
    *microseconds = text == "infinity" ? std::numeric_limits<int64_t>::max() : std::stoll(text);
    return true;
  };
  return Expression::Compile("{\"x\": " + condition + "}", columns, parse_time)->Match(row.row());
}

TEST(Match, TextOrdersByBytes) {
  const auto text = [](const std::string& value, const std::string& condition) {
    return Matches(ColumnKind::kText, MetadataWriter().Text(value), condition);
  };
  EXPECT_TRUE(text("apple", R"({"$lt": "banana"})"));
  EXPECT_TRUE(text("Zoe", R"({"$lt": "apple"})"));  // capitals first
  EXPECT_TRUE(text("z", R"({"$lt": "\u00fc"})"));   // bytes are unsigned
  EXPECT_TRUE(text("a", R"({"$lt": "aa"})"));
  EXPECT_TRUE(text("", R"({"$lt": "a"})"));
  EXPECT_FALSE(text("", R"({"$lt": ""})"));
  EXPECT_TRUE(text("", R"({"$lte": ""})"));
  EXPECT_TRUE(text("b", R"({"$gt": "a", "$lte": "b"})"));
  EXPECT_FALSE(text("b", R"({"$gt": "b"})"));
  EXPECT_FALSE(text("5", R"({"$lt": 9})"));
  EXPECT_FALSE(text("5", R"({"$gte": 1})"));
}

TEST(Match, Times) {
  const auto time = [](int64_t value, const std::string& condition) {
    return Matches(ColumnKind::kTime, MetadataWriter().Time(value), condition);
  };
  EXPECT_TRUE(time(100, R"("100")"));
  EXPECT_FALSE(time(100, R"({"$ne": "0100"})"));
  EXPECT_TRUE(time(100, R"({"$in": ["99", "100"]})"));
  EXPECT_FALSE(time(100, R"({"$nin": ["99", "100"]})"));
  EXPECT_TRUE(time(-1, R"({"$lt": "0"})"));
  EXPECT_TRUE(time(std::numeric_limits<int64_t>::max(), R"({"$gt": "100"})"));
  EXPECT_TRUE(time(std::numeric_limits<int64_t>::max(), R"("infinity")"));
  EXPECT_FALSE(time(100, "100"));  // a number is no time
  EXPECT_TRUE(time(100, R"({"$ne": 100})"));
}

TEST(Match, Prefixes) {
  const auto text = [](const std::string& value, const std::string& prefix) {
    return Matches(ColumnKind::kText, MetadataWriter().Text(value), R"({"$startsWith": ")" + prefix + "\"}");
  };
  EXPECT_TRUE(text("/m/x", "/m/"));
  EXPECT_TRUE(text("/m/", "/m/"));
  EXPECT_FALSE(text("/m", "/m/"));
  EXPECT_FALSE(text("a/m/", "/m/"));
  EXPECT_TRUE(text("", ""));
  EXPECT_FALSE(text("abc", "A"));
  const std::string condition = R"({"$startsWith": "b"})";
  EXPECT_TRUE(Matches(ColumnKind::kList, MetadataWriter().List(2).Text("ab").Text("bc"), condition));
  EXPECT_FALSE(Matches(ColumnKind::kList, MetadataWriter().List(2).Text("ab").Integer(5), condition));
  EXPECT_FALSE(Matches(ColumnKind::kList, MetadataWriter().List(0), condition));
  EXPECT_TRUE(Matches(ColumnKind::kJson, MetadataWriter().Text("bc"), condition));
  EXPECT_FALSE(Matches(ColumnKind::kJson, MetadataWriter().Integer(5), condition));
  EXPECT_FALSE(Matches(ColumnKind::kText, MetadataWriter().Null(), condition));
}

TEST(Match, NumbersOfAJsonColumn) {
  const auto json = [](const MetadataWriter& row, const std::string& condition) {
    return Matches(ColumnKind::kJson, row, condition);
  };
  EXPECT_TRUE(json(MetadataWriter().Decimal("4.50"), R"({"$lt": 4.75})"));
  EXPECT_FALSE(json(MetadataWriter().Text("4"), R"({"$lt": 4.75})"));
  EXPECT_FALSE(json(MetadataWriter().Boolean(true), R"({"$gt": 0})"));
  EXPECT_FALSE(json(MetadataWriter().List(1).Integer(1), R"({"$lt": 4.75})"));  // lists have no order
  EXPECT_TRUE(json(MetadataWriter().List(2).Text("a").Decimal("1.0"), "1"));
}

TEST(Match, JsonWithoutFilterValueExistsAndEqualsNothing) {
  const MetadataWriter object = MetadataWriter().Json(R"({"a": 1})");
  for (const std::string operand : {R"("{\"a\": 1}")", "1", "true", "\"\""}) {
    EXPECT_FALSE(Matches(ColumnKind::kJson, object, operand));
    EXPECT_TRUE(Matches(ColumnKind::kJson, object, R"({"$ne": )" + operand + "}"));
    EXPECT_TRUE(Matches(ColumnKind::kJson, object, R"({"$nin": [)" + operand + "]}"));
  }
  EXPECT_FALSE(Matches(ColumnKind::kJson, object, R"({"$lt": 1})"));
  EXPECT_TRUE(Matches(ColumnKind::kJson, object, R"({"$exists": true})"));
}

TEST(Match, AbsentKeysMeetOnlyExistsFalse) {
  for (const std::string condition : {"1", R"({"$ne": 1})", R"({"$in": [1, "a"]})", R"({"$nin": [1]})", R"({"$lt": 1})",
                                      R"({"$gte": 1})", R"({"$exists": true})"}) {
    EXPECT_FALSE(Matches(ColumnKind::kNumber, MetadataWriter().Null(), condition)) << condition;
  }
  EXPECT_TRUE(Matches(ColumnKind::kNumber, MetadataWriter().Null(), R"({"$exists": false})"));
}

TEST(Match, NumbersInEveryForm) {
  const auto number = [](const MetadataWriter& row, const std::string& condition) {
    return Matches(ColumnKind::kNumber, row, condition);
  };
  for (const std::string thousand : {"1000", "1e3", "1000.0", R"({"$in": [7, 1e3, 2000]})"}) {
    EXPECT_TRUE(number(MetadataWriter().Integer(1000), thousand));
    EXPECT_TRUE(number(MetadataWriter().Float(1000), thousand));
    EXPECT_TRUE(number(MetadataWriter().Decimal("1000.00"), thousand));
  }
  EXPECT_FALSE(number(MetadataWriter().Integer(9007199254740993), "9007199254740992"));
  EXPECT_TRUE(number(MetadataWriter().Integer(9007199254740993), R"({"$gt": 9007199254740992})"));
  EXPECT_TRUE(number(MetadataWriter().Float(0.1), "0.1"));
  EXPECT_TRUE(number(MetadataWriter().Float(-0.0), "0"));
  EXPECT_FALSE(number(MetadataWriter().Decimal("123456789012345678901234567891"), "123456789012345678901234567890"));
  for (const MetadataWriter& nan :
       {MetadataWriter().Float(std::numeric_limits<double>::quiet_NaN()), MetadataWriter().Decimal("NaN")}) {
    EXPECT_FALSE(number(nan, "0"));
    EXPECT_TRUE(number(nan, R"({"$ne": 0})"));
    EXPECT_FALSE(number(nan, R"({"$in": [0, 1e300, -1]})"));
    EXPECT_FALSE(number(nan, R"({"$lt": 1e300})"));
    EXPECT_TRUE(number(nan, R"({"$gt": 1e300})"));  // the greatest, as in PostgreSQL
  }
}

TEST(Match, MembershipInManyValues) {
  std::string evens = R"({"$in": [)";
  for (int i = 4'998; i >= 0; i -= 2) evens += std::to_string(i) + ", \"t" + std::to_string(i) + "\", ";
  evens += "false]}";
  const FilterColumn columns[] = {{"x", ColumnKind::kJson}};
  const auto filter = Expression::Compile("{\"x\": " + evens + "}", columns, {});
  for (int i = 0; i < 5'000; ++i) {
    ASSERT_EQ(filter->Match(MetadataWriter().Integer(i).row()), i % 2 == 0) << i;
    ASSERT_EQ(filter->Match(MetadataWriter().Float(i).row()), i % 2 == 0) << i;
    ASSERT_EQ(filter->Match(MetadataWriter().Decimal(std::to_string(i)).row()), i % 2 == 0) << i;
    ASSERT_EQ(filter->Match(MetadataWriter().Text("t" + std::to_string(i)).row()), i % 2 == 0) << i;
  }
  EXPECT_TRUE(filter->Match(MetadataWriter().Boolean(false).row()));
  EXPECT_FALSE(filter->Match(MetadataWriter().Boolean(true).row()));
}

// ---- rows that are no rows
// ------------------------------------------------------------------------------------------------

// A filter that looks at every column in every way, over columns of every kind.
struct Wide {
  std::vector<FilterColumn> columns = {
      {"t", ColumnKind::kText},   {"l", ColumnKind::kLabel},  {"b", ColumnKind::kBoolean},
      {"n", ColumnKind::kNumber}, {"d", ColumnKind::kNumber}, {"z", ColumnKind::kTime},
      {"a", ColumnKind::kList},   {"j", ColumnKind::kJson},   {"k", ColumnKind::kJson}};
  std::unique_ptr<const Expression> filter = Expression::Compile(
      R"({"$or": [{"t": {"$gt": "a", "$startsWith": "ab"}}, {"l": {"$in": ["u", "v"]}}, {"b": false}, {"n": {"$lte": 5}},
                  {"d": {"$in": [1, 2.5, 100]}}, {"d": {"$gt": 7}}, {"z": {"$lt": "9"}}, {"a": {"$startsWith": "x"}},
                  {"a": {"$nin": [1, "x", true]}}, {"j": {"$ne": 3}}, {"k": {"$exists": false}}]})",
      columns, [](size_t, const std::string& text, int64_t* microseconds) {
        *microseconds = std::stoll(text);
        return true;
      });
  Bytes row = MetadataWriter()
                  .Text("abc")
                  .Text("u")
                  .Boolean(true)
                  .Integer(77)
                  .Decimal("-12.50")
                  .Time(5)
                  .List(5)
                  .Text("xy")
                  .Integer(1)
                  .Decimal("2.0")
                  .Float(0.5)
                  .Boolean(false)
                  .Json("{}")
                  .Null()
                  .row();
};

enum class Outcome { kMatched, kNotMatched, kCorrupted };

// From a buffer of the row's own length, so that a sanitizer sees the first byte read behind it.
Outcome TryMatch(const Expression& filter, ByteView bytes) {
  const auto row = std::make_unique<uint8_t[]>(bytes.size());
  std::copy(bytes.begin(), bytes.end(), row.get());
  try {
    return filter.Match({row.get(), bytes.size()}) ? Outcome::kMatched : Outcome::kNotMatched;
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), Code::kCorrupted) << error.message();
    return Outcome::kCorrupted;
  }
}

TEST(MatchHostileRows, EveryTruncationIsCorruption) {
  const Wide wide;
  ASSERT_EQ(TryMatch(*wide.filter, wide.row), Outcome::kMatched);
  for (size_t length = 0; length < wide.row.size(); ++length) {
    EXPECT_EQ(TryMatch(*wide.filter, ByteView(wide.row).first(length)), Outcome::kCorrupted) << length;
  }
  Bytes longer = wide.row;
  longer.push_back(0);
  EXPECT_EQ(TryMatch(*wide.filter, longer), Outcome::kCorrupted);
}

TEST(MatchHostileRows, ColumnsThatTheFilterIgnoresAreCheckedToo) {
  const FilterColumn columns[] = {{"x", ColumnKind::kNumber}, {"y", ColumnKind::kText}};
  const auto filter = Expression::Compile(R"({"x": 1})", columns, {});
  EXPECT_TRUE(filter->Match(MetadataWriter().Integer(1).Text("y").row()));
  EXPECT_EQ(TryMatch(*filter, MetadataWriter().Integer(2).row()), Outcome::kCorrupted);
  EXPECT_EQ(TryMatch(*filter, MetadataWriter().Integer(1).Text("y").Null().row()), Outcome::kCorrupted);
}

TEST(MatchHostileRows, EveryByteSetToEveryValue) {
  const Wide wide;
  int corrupted = 0;
  for (size_t at = 0; at < wide.row.size(); ++at) {
    Bytes row = wide.row;
    for (int byte = 0; byte < 256; ++byte) {
      row[at] = static_cast<uint8_t>(byte);
      corrupted += TryMatch(*wide.filter, row) == Outcome::kCorrupted ? 1 : 0;
    }
  }
  const int all = static_cast<int>(wide.row.size()) * 256;
  EXPECT_GT(corrupted, all / 10);
  EXPECT_LT(corrupted, all * 9 / 10);
}

TEST(MatchHostileRows, ManyBytesChangedAtRandom) {
  const Wide wide;
  Random random(11);
  int corrupted = 0;
  for (int round = 0; round < 50'000; ++round) {
    Bytes row = wide.row;
    for (size_t changes = 1 + random.Below(6); changes > 0; --changes) {
      const auto at = static_cast<std::ptrdiff_t>(random.Below(row.size()));
      const auto byte = static_cast<uint8_t>(random.Below(random.Below(2) == 0 ? 12 : 256));
      switch (random.Below(3)) {
        case 0:
          row[static_cast<size_t>(at)] = byte;
          break;
        case 1:
          row.insert(row.begin() + at, byte);
          break;
        default:
          if (row.size() > 1) row.erase(row.begin() + at);
      }
    }
    corrupted += TryMatch(*wide.filter, row) == Outcome::kCorrupted ? 1 : 0;
  }
  EXPECT_GT(corrupted, 10'000);
  EXPECT_LT(corrupted, 50'000);
}

}  // namespace
}  // namespace s3v

#include "s3vectors/remote_filter.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "base/error.h"

namespace s3v {
namespace {

std::vector<RemoteColumn> Columns() {
  return {{"t", ColumnKind::kText},    {"l", ColumnKind::kLabel},
          {"b", ColumnKind::kBoolean}, {"n", ColumnKind::kNumber},
          {"z", ColumnKind::kTime},    {"a", ColumnKind::kList},
          {"j", ColumnKind::kJson},    {"hidden", ColumnKind::kText, false},
          {"$odd", ColumnKind::kText}};
}

RemoteFilter Translate(const std::string& json) {
  std::vector<FilterColumn> declared;
  for (const RemoteColumn& column : Columns()) declared.push_back({column.name, column.kind});
  const auto parse_time = [](size_t, const std::string& text, int64_t* microseconds) {
    *microseconds = std::stoll(text);
    return true;
  };
  return TranslateFilter(*Expression::Compile(json, declared, parse_time), Columns());
}

struct Case {
  const char* filter;
  const char* expected;  // empty: nothing can be said
  bool is_exact = true;
};

class TranslateFilter : public ::testing::TestWithParam<Case> {};

TEST_P(TranslateFilter, SaysTheStrongestNecessaryCondition) {
  const RemoteFilter filter = Translate(GetParam().filter);
  EXPECT_EQ(filter.json, GetParam().expected);
  EXPECT_EQ(filter.is_exact, GetParam().is_exact);
}

INSTANTIATE_TEST_SUITE_P(
    Texts, TranslateFilter,
    ::testing::Values(
        Case{R"({"t":"x"})", R"({"t":{"$eq":"x"}})"}, Case{R"({"l":{"$in":["b","a"]}})", R"({"l":{"$in":["a","b"]}})"},
        Case{R"({"t":{"$ne":"x"}})", R"({"$and":[{"t":{"$exists":true}},{"t":{"$ne":"x"}}]})"},
        Case{R"({"t":{"$nin":["x","y"]}})", R"({"$and":[{"t":{"$exists":true}},{"t":{"$nin":["x","y"]}}]})"},
        // The other condition of the column implies its key.
        Case{R"({"t":{"$ne":"ab","$startsWith":"a"}})", R"({"$and":[{"t":{"$ne":"ab"}},{"t":{"$startsWith":"a"}}]})"},
        Case{R"({"t":{"$exists":true}})", R"({"t":{"$exists":true}})"},
        Case{R"({"t":{"$exists":false}})", R"({"t":{"$exists":false}})"},
        Case{R"({"t":{"$startsWith":""}})", R"({"t":{"$exists":true}})"},
        // Values of other types are equal to no text.
        Case{R"({"t":5})", R"({"$and":[{"t":{"$exists":true}},{"t":{"$exists":false}}]})"},
        Case{R"({"t":{"$in":[5,true,"x"]}})", R"({"t":{"$eq":"x"}})"},
        Case{R"({"t":{"$ne":5}})", R"({"t":{"$exists":true}})"},
        Case{R"({"t":{"$lt":5}})", R"({"$and":[{"t":{"$exists":true}},{"t":{"$exists":false}}]})"},
        Case{R"({"t":{"$lt":"m"}})", "", false},
        // A text that was no UTF-8 looks like this one.
        Case{"{\"t\":\"\xEF\xBF\xBD\"}", "{\"t\":{\"$eq\":\"\xEF\xBF\xBD\"}}", false},
        Case{"{\"t\":{\"$nin\":[\"\xEF\xBF\xBD\",\"x\"]}}", R"({"$and":[{"t":{"$exists":true}},{"t":{"$ne":"x"}}]})",
             false},
        Case{R"({"hidden":"x"})", "", false}, Case{R"({"$odd":"x"})", "", false}));

INSTANTIATE_TEST_SUITE_P(
    Numbers, TranslateFilter,
    ::testing::Values(Case{R"({"n":2020.0})", R"({"n":{"$eq":2020}})"},
                      Case{R"({"n":{"$in":[1e3,0.5]}})", R"({"n":{"$in":[0.5,1000]}})"},
                      Case{R"({"n":{"$lt":5}})", R"({"n":{"$lt":5}})"},
                      // NaN is above every number, and is not stored.
                      Case{R"({"n":{"$gt":5}})", R"({"$or":[{"n":{"$gt":5}},{"n":{"$exists":false}}]})", false},
                      Case{R"({"n":{"$gte":10,"$lte":50}})", R"({"$and":[{"n":{"$gte":10}},{"n":{"$lte":50}}]})"},
                      Case{R"({"$and":[{"n":{"$lt":50}},{"$or":[{"n":{"$gt":7}},{"t":"x"}]}]})",
                           R"({"$and":[{"n":{"$lt":50}},{"$or":[{"t":{"$eq":"x"}},{"n":{"$gt":7}}]}]})"},
                      Case{R"({"n":{"$ne":5}})", R"({"$or":[{"n":{"$ne":5}},{"n":{"$exists":false}}]})", false},
                      Case{R"({"n":{"$exists":true}})", "", false},
                      Case{R"({"n":{"$exists":false}})", R"({"n":{"$exists":false}})", false},
                      // What a double cannot hold.
                      Case{R"({"n":1234567890123456789})", R"({"n":{"$in":[1234567890123456768,1234567890123456789]}})",
                           false},
                      Case{R"({"n":{"$lt":1234567890123456789}})", R"({"n":{"$lte":1234567890123457024}})", false},
                      Case{R"({"n":{"$ne":1234567890123456789}})", "", false},
                      Case{R"({"n":{"$lte":1.7976931348623157e308}})", "", false}));

INSTANTIATE_TEST_SUITE_P(
    OtherKinds, TranslateFilter,
    ::testing::Values(Case{R"({"b":true})", R"({"b":{"$eq":true}})"},
                      Case{R"({"b":{"$ne":true}})", R"({"$and":[{"b":{"$exists":true}},{"b":{"$ne":true}}]})"},
                      Case{R"({"z":"0"})", R"({"z":{"$eq":946684800}})"},
                      Case{R"({"z":{"$gt":"-946684800000001"}})", R"({"z":{"$gt":-0.000001}})"},
                      Case{R"({"z":{"$gt":"9000000000000000"}})", R"({"z":{"$gte":9946684800}})", false},
                      Case{R"({"z":{"$lt":"9223372036854775807"}})", R"({"z":{"$lte":1.7976931348623157e308}})", false},
                      Case{R"({"a":"x"})", R"({"a":{"$eq":"x"}})"},
                      Case{R"({"a":{"$in":["x",5]}})", R"({"$or":[{"a":{"$eq":"x"}},{"a":{"$eq":5}}]})"},
                      Case{R"({"a":{"$ne":"x"}})", "", false}, Case{R"({"a":{"$startsWith":"x"}})", "", false},
                      Case{R"({"a":{"$exists":true}})", "", false},
                      Case{R"({"a":{"$exists":false}})", R"({"a":{"$exists":false}})", false},
                      Case{R"({"j":{"$gt":5}})", R"({"j":{"$gt":5}})", false},
                      Case{R"({"j":{"$in":[true,"x"]}})", R"({"$or":[{"j":{"$eq":"x"}},{"j":{"$eq":true}}]})"}));

INSTANTIATE_TEST_SUITE_P(
    Together, TranslateFilter,
    ::testing::Values(Case{R"({"t":"x","b":true})", R"({"$and":[{"t":{"$eq":"x"}},{"b":{"$eq":true}}]})"},
                      // What cannot be said is left out of a conjunction, and takes a disjunction with it.
                      Case{R"({"hidden":"x","b":true})", R"({"b":{"$eq":true}})", false},
                      Case{R"({"$or":[{"hidden":"x"},{"b":true}]})", "", false},
                      Case{R"({"$or":[{"t":5},{"b":true}]})", R"({"b":{"$eq":true}})"}));

TEST(TranslateFilterModes, PrefixesNeedTheEnhancedOne) {
  EXPECT_TRUE(Translate(R"({"t":{"$startsWith":"a"},"b":true})").needs_enhanced);
  EXPECT_FALSE(Translate(R"({"t":{"$startsWith":""}})").needs_enhanced);
  EXPECT_FALSE(Translate(R"({"t":"$startsWith"})").needs_enhanced);
}

// ---- at most 100 constraints
// -------------------------------------------------------------------------------------

std::string Values(const std::string& letter, int count) {
  nlohmann::json list = nlohmann::json::array();
  for (int i = 0; i < count; ++i) list.push_back(letter + std::to_string(1000 + i));
  return list.dump();
}

size_t CountOf(const std::string& json, const std::string& part) {
  size_t count = 0;
  for (size_t at = json.find(part); at != std::string::npos; at = json.find(part, at + 1)) ++count;
  return count;
}

TEST(TranslateFilterLimits, TheWidestPartIsLeftOut) {
  const std::string wide = Values("w", 150);
  EXPECT_TRUE(Translate(R"({"t":{"$in":)" + Values("w", 100) + "}}").is_exact);
  EXPECT_EQ(Translate(R"({"t":{"$in":)" + Values("w", 101) + "}}").json, "");
  const RemoteFilter filter = Translate(R"({"t":{"$in":)" + wide + R"(},"l":"x"})");
  EXPECT_EQ(filter.json, R"({"l":{"$eq":"x"}})");
  EXPECT_FALSE(filter.is_exact);
  // Half of a disjunction says too much: all of it goes.
  EXPECT_EQ(Translate(R"({"$or":[{"t":{"$in":)" + wide + R"(}},{"l":"x"}]})").json, "");
  EXPECT_EQ(Translate(R"({"b":true,"$or":[{"t":{"$in":)" + wide + R"(}},{"l":"x"}]})").json, R"({"b":{"$eq":true}})");
  // But a conjunction inside of it can do with less.
  EXPECT_EQ(Translate(R"({"$or":[{"t":{"$in":)" + wide + R"(},"b":true},{"l":"x"}]})").json,
            R"({"$or":[{"l":{"$eq":"x"}},{"b":{"$eq":true}}]})");
}

TEST(TranslateFilterLimits, ExclusionsKeepAsManyValuesAsFit) {
  const RemoteFilter filter = Translate(R"({"t":{"$nin":)" + Values("w", 150) + R"(},"l":"x"})");
  EXPECT_EQ(CountOf(filter.json, "\"w"), 98u) << filter.json;  // and $exists, and the label
  EXPECT_FALSE(filter.is_exact);
}

// ---- attached indexes
// --------------------------------------------------------------------------------------------

TEST(SpellFilter, SaysTheSameOneKeyAtATime) {
  EXPECT_EQ(SpellFilter(R"({"year":2020.0,"genre":"drama"})").json,
            R"({"$and":[{"genre":{"$eq":"drama"}},{"year":{"$eq":2020}}]})");
  EXPECT_EQ(SpellFilter(R"({"g":{"$ne":"a"}})").json, R"({"$and":[{"g":{"$exists":true}},{"g":{"$ne":"a"}}]})");
  EXPECT_EQ(SpellFilter(R"({"p":{"$gte":1.5,"$lt":1e-30}})").json,
            R"({"$and":[{"p":{"$gte":1.5}},{"p":{"$lt":1e-30}}]})");
  EXPECT_EQ(SpellFilter(R"({"$or":[{"a":{"$in":["x",true,9007199254740993]}},{"b":{"$exists":false}}]})").json,
            R"({"$or":[{"a":{"$in":["x",9007199254740993,true]}},{"b":{"$exists":false}}]})");
  EXPECT_EQ(SpellFilter(R"({"a\"b":{"$eq":"\u0001"}})").json, R"({"a\"b":{"$eq":"\u0001"}})");
  const RemoteFilter prefix = SpellFilter(R"({"a":{"$startsWith":""}})");
  EXPECT_EQ(prefix.json, R"({"a":{"$startsWith":""}})");
  EXPECT_TRUE(prefix.needs_enhanced);
  EXPECT_TRUE(prefix.is_exact);
}

TEST(SpellFilter, LeavesNothingOut) {
  EXPECT_EQ(CountOf(SpellFilter(R"({"t":{"$in":)" + Values("w", 150) + "}}").json, "\"w"), 150u);
}

TEST(SpellFilter, RefusesWhatEveryFilterRefuses) {
  for (const char* broken : {"", "[]", "{}", R"({"a":null})", R"({"a":{"$gt":"x"}})", R"({"a":{"$regex":"x"}})",
                             R"({"$not":{"a":1}})", R"({"$eq":1})", R"({"a":{"$in":[]}})", R"({"a":["x"]})",
                             R"({"$and":[]})", R"({"$and":[{"$nor":[{"a":1}]}]})", R"({"a":{"b":1}})"}) {
    try {
      SpellFilter(broken);
      ADD_FAILURE() << broken;
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), Code::kInvalidArgument) << broken;
      EXPECT_EQ(error.message().find("not a metadata column"), std::string::npos) << error.message();
    }
  }
}

}  // namespace
}  // namespace s3v

#include "filter/expression.h"

#include <gtest/gtest.h>

#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/random.h"
#include "filter/piece_columns.h"
#include "support/metadata_rows.h"

namespace s3v {
namespace {

using nlohmann::json;
using testing::MetadataWriter;
using testing::PieceColumns;
using NumberForm = MetadataWriter::NumberForm;

// ---- metadata as JSON, declared as columns
// ---------------------------------------------------------------------------------

// A column for each value of the metadata and, of whatever type its operand is, for each key of the filter alone.
class Schema {
 public:
  Schema(const json& metadata, const json& filter, const std::set<std::string>& undeclared, bool all_jsonb) {
    for (const auto& [key, value] : metadata.items()) kinds_[key] = KindOf(value);
    AddKeys(filter);
    for (const auto& [key, kind] : kinds_) {
      if (!undeclared.contains(key)) columns_.push_back({key, all_jsonb ? ColumnKind::kJson : kind});
    }
  }
  const std::vector<FilterColumn>& columns() const { return columns_; }

  Bytes Row(const json& metadata, NumberForm form) const {
    MetadataWriter writer;
    for (const FilterColumn& column : columns_) writer.Value(metadata.value(column.name, json()), form);
    return writer.row();
  }

 private:
  static ColumnKind KindOf(const json& value) {
    if (value.is_array()) return ColumnKind::kList;
    if (value.is_boolean()) return ColumnKind::kBoolean;
    if (value.is_number()) return ColumnKind::kNumber;
    return value.is_string() ? ColumnKind::kText : ColumnKind::kJson;
  }

  void AddKeys(const json& filter) {
    if (filter.is_array()) {
      for (const json& element : filter) AddKeys(element);
    }
    if (!filter.is_object()) return;
    for (const auto& [key, value] : filter.items()) {
      if (key.starts_with('$')) {
        AddKeys(value);
      } else {
        const bool has_operand = value.is_object() && !value.empty();
        kinds_.emplace(key, KindOf(has_operand ? value.begin().value() : value));
      }
    }
  }

  std::map<std::string, ColumnKind> kinds_;
  std::vector<FilterColumn> columns_;
};

// The same row by its columns, and by their summaries, which know the one row of a piece for certain.
void ExpectColumnsAgree(const Expression& expression, const Bytes& row, size_t columns, bool matches) {
  const PieceColumns piece({&row, 1}, columns);
  uint8_t passing = 2;
  expression.MatchAll(piece.Ranges(expression.columns()), {&passing, 1});
  EXPECT_EQ(passing, matches ? 1 : 0);
  const MatchOutlook outlook = expression.Judge(piece.Summaries(expression.columns()));
  EXPECT_EQ(outlook.kind, matches ? MatchOutlook::Kind::kAll : MatchOutlook::Kind::kNone);
}

// true, false or "error", as the cases write it.
json Outcome(const Schema& schema, const json& metadata, const json& filter, NumberForm form) {
  try {
    const auto expression = Expression::Compile(filter.dump(), schema.columns(), {});
    const Bytes row = schema.Row(metadata, form);
    const bool matches = expression->Match(row);
    ExpectColumnsAgree(*expression, row, schema.columns().size(), matches);
    return matches;
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), Code::kInvalidArgument) << error.message();
    return "error";
  }
}

TEST(FilterCases, AllHoldForTypedColumnsAndForJsonb) {
  std::ifstream file(S3V_TEST_DIR "/filter/filter_cases.json");
  const json document = json::parse(file);
  ASSERT_EQ(document["cases"].size(), 75u);
  for (const json& test : document["cases"]) {
    const auto undeclared = test.value("non_filterable", std::set<std::string>());
    for (const bool all_jsonb : {false, true}) {
      const Schema schema(test["metadata"], test["filter"], undeclared, all_jsonb);
      for (const NumberForm form : {NumberForm::kBinary, NumberForm::kDecimal}) {
        SCOPED_TRACE(test["id"]);
        EXPECT_EQ(Outcome(schema, test["metadata"], test["filter"], form), test["expect"])
            << test["id"] << (all_jsonb ? " jsonb" : " typed")
            << (form == NumberForm::kDecimal ? " decimal" : " binary");
      }
    }
  }
}

// ---- texts that are no filters
// ------------------------------------------------------------------------------------------

TEST(FilterTexts, MutatedFiltersCompileOrAreRefused) {
  std::ifstream file(S3V_TEST_DIR "/filter/filter_cases.json");
  const json document = json::parse(file);
  const std::string inserts[] = {"{",     "}", "[", "]",       ",",    ":",    "\"", "null",
                                 "1e999", "-", "$", "\\u0000", "\xff", "$and", "9"};
  Random random(75);
  int refused = 0;
  int compiled = 0;
  for (const json& test : document["cases"]) {
    const Schema schema(test["metadata"], test["filter"], {}, false);
    const Bytes row = schema.Row(test["metadata"], NumberForm::kBinary);
    for (int round = 0; round < 300; ++round) {
      std::string text = test["filter"].dump();
      for (size_t changes = 1 + random.Below(3); changes > 0; --changes) {
        const size_t at = random.Below(text.size() + 1);
        text.replace(at, random.Below(3), inserts[random.Below(std::size(inserts))]);
      }
      try {
        const auto expression = Expression::Compile(text, schema.columns(), {});
        ++compiled;
        expression->Match(row);
      } catch (const Error& error) {
        ASSERT_EQ(error.code(), Code::kInvalidArgument) << text << " " << error.message();
        ++refused;
      }
    }
  }
  EXPECT_GT(compiled, 500);
  EXPECT_GT(refused, 10'000);
}

// ---- worked examples of the filter language of Amazon S3 Vectors
// -----------------------------------------------------------

class WorkedExamples : public ::testing::Test {
 protected:
  // The numbers of the fixtures that match, or "error".
  static std::string Found(const std::string& filter) {
    static const FilterColumn kColumns[] = {{"genre", ColumnKind::kJson},
                                            {"year", ColumnKind::kJson},
                                            {"tags", ColumnKind::kList},
                                            {"ok", ColumnKind::kBoolean},
                                            {"p", ColumnKind::kText}};
    static const char* const kFixtures[] = {
        R"({"genre": "drama", "year": 2020, "tags": ["a", "b"], "ok": true, "p": "/m/x"})",
        R"({"genre": "comedy", "year": 2019.5})", R"({"genre": ["drama", "comedy"], "year": "2020"})", "{}"};
    try {
      const auto expression = Expression::Compile(filter, kColumns, {});
      std::string found;
      for (size_t i = 0; i < std::size(kFixtures); ++i) {
        const json metadata = json::parse(kFixtures[i]);
        MetadataWriter writer;
        for (const FilterColumn& column : kColumns) writer.Value(metadata.value(column.name, json()));
        if (expression->Match(writer.row())) found += std::to_string(i + 1);
      }
      return found;
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), Code::kInvalidArgument);
      return "error";
    }
  }
};

TEST_F(WorkedExamples, Hold) {
  EXPECT_EQ(Found(R"({"genre": "drama"})"), "13");
  EXPECT_EQ(Found(R"({"genre": {"$eq": "comedy"}})"), "23");
  EXPECT_EQ(Found(R"({"tags": "a"})"), "1");
  EXPECT_EQ(Found(R"({"genre": {"$in": ["drama", "x"]}})"), "13");
  EXPECT_EQ(Found(R"({"genre": {"$nin": ["drama"]}})"), "2");
  EXPECT_EQ(Found(R"({"genre": {"$ne": "drama"}})"), "2");
  EXPECT_EQ(Found(R"({"$and": [{"genre": {"$exists": true}}, {"genre": {"$ne": "drama"}}]})"), "2");
  EXPECT_EQ(Found(R"({"year": {"$gte": 2019.5}})"), "12");
  EXPECT_EQ(Found(R"({"year": {"$gt": 2019, "$lt": 2020}})"), "2");
  EXPECT_EQ(Found(R"({"year": 2020})"), "1");
  EXPECT_EQ(Found(R"({"ok": true})"), "1");
  EXPECT_EQ(Found(R"({"tags": {"$exists": true}})"), "1");
  EXPECT_EQ(Found(R"({"tags": {"$exists": false}})"), "234");
  EXPECT_EQ(Found(R"({"$and": [{"genre": "drama"}, {"year": {"$gte": 2020}}]})"), "1");
  EXPECT_EQ(Found(R"({"$or": [{"ok": true}, {"$and": [{"genre": "comedy"}, {"year": {"$lt": 2020}}]}]})"), "12");
  EXPECT_EQ(Found(R"({"p": {"$startsWith": "/m/"}})"), "1");
  EXPECT_EQ(Found(R"({"genre": "drama", "year": 2020})"), "1");
}

TEST_F(WorkedExamples, Refusals) {
  EXPECT_EQ(Found(R"({"genre": {"$in": []}})"), "error");
  EXPECT_EQ(Found(R"({"$and": []})"), "error");
  EXPECT_EQ(Found(R"({"genre": {"$regex": "d"}})"), "error");
  EXPECT_EQ(Found(R"({"$not": {"ok": true}})"), "error");
  EXPECT_EQ(Found(R"({"year": {"$gt": "2019"}})"), "error");
  EXPECT_EQ(Found(R"({"genre": null})"), "error");
  EXPECT_EQ(Found(R"({"genre": {"$eq": ["drama"]}})"), "error");
  EXPECT_EQ(Found(R"({"text": "not declared"})"), "error");
}

}  // namespace
}  // namespace s3v

// Filters: a JSON document of a user, over rows that the store gave.
#include <charconv>
#include <cmath>

#include "base/decimal.h"
#include "filter/expression.h"
#include "filter/piece_columns.h"
#include "fuzz/filter_input.h"
#include "fuzz/target.h"
#include "support/metadata_rows.h"

namespace s3v::fuzz {

const std::vector<FilterColumn>& FilterInputColumns() {
  static const auto* columns = new std::vector<FilterColumn>{
      {"t", ColumnKind::kText}, {"l", ColumnKind::kLabel}, {"b", ColumnKind::kBoolean}, {"n", ColumnKind::kNumber},
      {"z", ColumnKind::kTime}, {"a", ColumnKind::kList},  {"j", ColumnKind::kJson},
  };
  return *columns;
}

namespace {

bool ParseTime(size_t, const std::string& text, int64_t* microseconds) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), *microseconds);
  return error == std::errc() && end == text.data() + text.size();
}

// Decimals that are none are found only by filters that look at them, so they are left out.
bool HasSoundDecimals(ByteView value) {
  const MetadataValue read = ReadValue(value);
  if (read.tag == ValueTag::kDecimal) return Accepts([&] { CompareDecimalTexts(read.text, "0"); });
  if (read.tag != ValueTag::kList) return true;
  for (MetadataReader elements(read.list); !elements.AtEnd();) {
    if (!HasSoundDecimals(elements.NextEncoded())) return false;
  }
  return true;
}

}  // namespace

std::unique_ptr<const Expression> CompileInput(std::string_view json) {
  std::unique_ptr<const Expression> filter;
  Accepts([&] { filter = Expression::Compile(json, FilterInputColumns(), ParseTime); }, {Code::kInvalidArgument});
  return filter;
}

std::vector<Bytes> RowsOfInput(ByteView bytes) {
  constexpr size_t kMostRows = 100;
  std::vector<Bytes> rows;
  Accepts([&] {
    MetadataReader reader(bytes);
    while (!reader.AtEnd() && rows.size() < kMostRows) {
      Bytes row;
      bool is_sound = true;
      for (size_t column = 0; column < FilterInputColumns().size(); ++column) {
        const ByteView value = reader.NextEncoded();
        is_sound = is_sound && HasSoundDecimals(value);
        Append(row, value);
      }
      if (is_sound) rows.push_back(row);
    }
  });
  return rows;
}

namespace {

// Rows, their columns and what summaries say of them must agree.
void RunFilter(ByteView input) {
  const std::vector<ByteView> parts = PartsOf(input, 2);
  if (parts.empty()) return;
  const Bytes text = Copy(parts[0]);
  const auto filter = CompileInput(AsText(text));
  if (filter == nullptr || parts.size() < 2) return;
  const Bytes encoded = Copy(parts[1]);
  const std::vector<Bytes> rows = RowsOfInput(encoded);
  if (!Takes(!rows.empty())) return;
  const testing::PieceColumns piece(rows, FilterInputColumns().size());
  std::vector<uint8_t> passing(rows.size(), 0x55);
  filter->MatchAll(piece.Ranges(filter->columns()), passing);
  size_t count = 0;
  for (size_t i = 0; i < rows.size(); ++i) {
    const bool matches = filter->Match(rows[i]);
    Require(passing[i] == (matches ? 1 : 0), "columns match other entries than rows");
    count += matches ? 1 : 0;
  }
  const MatchOutlook outlook = filter->Judge(piece.Summaries(filter->columns()));
  const auto share = static_cast<double>(count) / static_cast<double>(rows.size());
  if (outlook.kind == MatchOutlook::Kind::kNone) Require(count == 0, "a summary hides matches");
  if (outlook.kind == MatchOutlook::Kind::kAll) Require(count == rows.size(), "a summary says that all match");
  if (outlook.is_counted) Require(std::abs(outlook.share - share) < 1e-9, "a summary counts other matches");
  Require(outlook.share >= 0 && outlook.share <= 1, "a share that is none");
}

}  // namespace

std::vector<Bytes> FilterSeeds() {
  testing::MetadataWriter rows;
  for (int i = 0; i < 12; ++i) {
    i % 5 == 0 ? rows.Null() : rows.Text("a" + std::to_string(i % 3));
    rows.Text(i % 2 == 0 ? "red" : "blue").Boolean(i % 4 == 0);
    i % 3 == 0 ? rows.Integer(i - 4) : i % 3 == 1 ? rows.Float(i / 2.0) : rows.Decimal(std::to_string(i) + ".250");
    rows.Time(i * 1000);
    rows.List(2).Text("x").Integer(i);
    i % 2 == 0 ? rows.Json("{}") : rows.Integer(i);
  }
  std::vector<Bytes> seeds;
  for (const std::string_view text :
       {R"({"t":"a1"})", R"({"t":{"$startsWith":"a"},"l":{"$ne":"red"}})", R"({"n":{"$gte":-1,"$lt":5.25}})",
        R"({"$or":[{"b":true},{"$and":[{"n":{"$in":[1,2.5,"x",1e3]}},{"z":{"$gt":"3000"}}]}]})",
        R"({"a":{"$nin":["x",3]},"j":{"$exists":true}})", R"({"j":{"$lte":9007199254740993}})",
        R"({"$and":[{"t":{"$exists":false}},{"z":{"$in":["0","5000"]}},{"l":{"$eq":"blue"}}]})"}) {
    seeds.push_back(Joined(std::vector{Copy(AsBytes(text)), rows.row()}));
  }
  return seeds;
}

std::vector<std::string_view> FilterWords() {
  return {"{",
          "}",
          "[",
          "]",
          ",",
          ":",
          "\"t\":",
          "\"l\":",
          "\"b\":",
          "\"n\":",
          "\"z\":",
          "\"a\":",
          "\"j\":",
          "\"$and\":[",
          "\"$or\":[",
          "\"$eq\":",
          "\"$ne\":",
          "\"$in\":[",
          "\"$nin\":[",
          "\"$lt\":",
          "\"$lte\":",
          "\"$gt\":",
          "\"$gte\":",
          "\"$exists\":",
          "\"$startsWith\":",
          "true",
          "false",
          "null",
          "1e308",
          "-0",
          "0.1",
          "9007199254740993",
          "\\ud800",
          "\\u0000",
          "\xc3\xbc"};
}

std::vector<Target> FilterTargets() {
  return {{.name = "filter",
           .run = RunFilter,
           .seeds = FilterSeeds,
           .words = FilterWords(),
           .memory = 1 << 20,
           .memory_per_byte = 512}};
}

}  // namespace s3v::fuzz

// Random filters over random pieces: columns and summaries against the rows they were made of.
#include <gtest/gtest.h>

#include <limits>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "base/random.h"
#include "filter/expression.h"
#include "filter/piece_columns.h"
#include "support/metadata_rows.h"

namespace s3v {
namespace {

using nlohmann::json;
using testing::MetadataWriter;
using testing::PieceColumns;

const std::vector<FilterColumn>& Columns() {
  static const auto* columns = new std::vector<FilterColumn>{
      {"t", ColumnKind::kText}, {"l", ColumnKind::kLabel}, {"b", ColumnKind::kBoolean}, {"n", ColumnKind::kNumber},
      {"z", ColumnKind::kTime}, {"a", ColumnKind::kList},  {"j", ColumnKind::kJson},
  };
  return *columns;
}

// ---- random pieces
// --------------------------------------------------------------------------------------------------

// The values of one column of one piece: how many there are, and of which sort.
class Values {
 public:
  Values(ColumnKind kind, Random& random) : kind_(kind), random_(random) {
    constexpr uint64_t kSpreads[] = {1, 3, 16, 40, 1'000'000};
    spread_ = kSpreads[random_.Below(std::size(kSpreads))];
    constexpr uint64_t kNulls[] = {0, 0, 10, 90, 100};
    nulls_ = kNulls[random_.Below(std::size(kNulls))];
    numbers_ = static_cast<Numbers>(random_.Below(4));
    has_extremes_ = random_.Below(3) == 0;
    prefix_ = std::vector<std::string>{"", "ab", "a prefix of many bytes "}[random_.Below(3)];
    mixture_ = random_.Below(4);
  }

  void Write(MetadataWriter& writer) {
    if (random_.Below(100) < nulls_) {
      writer.Null();
      return;
    }
    if (kind_ == ColumnKind::kJson && mixture_ == 3 && random_.Below(4) == 0) {
      writer.Json("{\"a\": 1}");
      return;
    }
    const bool is_list = kind_ == ColumnKind::kList || (kind_ == ColumnKind::kJson && mixture_ == 2) ||
                         (kind_ == ColumnKind::kJson && mixture_ == 3 && random_.Below(2) == 0);
    const size_t count = is_list ? random_.Below(4) : 1;
    if (is_list) writer.List(static_cast<uint32_t>(count));
    for (size_t i = 0; i < count; ++i) WriteScalar(writer);
  }

  // As a filter writes one of the values, or one close by.
  json Operand() {
    const ScalarKind kind = RandomScalarKind();
    if (kind == ScalarKind::kBoolean) return random_.Below(2) == 0;
    if (kind == ScalarKind::kNumber) return Bound();
    return kind == ScalarKind::kTime ? std::to_string(RandomTime()) : RandomText();
  }
  json Bound() {
    if (kind_ == ColumnKind::kText) return RandomText();
    if (kind_ == ColumnKind::kTime) return std::to_string(RandomTime());
    const int64_t integer = RandomInteger();
    if (random_.Below(8) == 0) return random_.Below(2) == 0 ? 1e300 : -1e300;
    if (numbers_ == Numbers::kIntegers && random_.Below(3) > 0) return integer;
    return static_cast<double>(integer) / 4;
  }
  std::string RandomText() {
    const std::string number = std::to_string(random_.Below(spread_));
    const uint64_t form = random_.Below(12);
    if (form == 0) return prefix_;
    if (form == 1) return prefix_ + number.substr(0, 1);
    return prefix_ + number + (form == 2 ? "!" : "");
  }
  std::string RandomPrefix() {
    const std::string text = RandomText();
    return text.substr(0, random_.Below(text.size() + 1));
  }

 private:
  enum class Numbers { kIntegers, kFloats, kDecimals, kMixed };
  enum class ScalarKind { kText, kBoolean, kNumber, kTime };

  ScalarKind RandomScalarKind() {
    switch (kind_) {
      case ColumnKind::kText:
      case ColumnKind::kLabel:
        return ScalarKind::kText;
      case ColumnKind::kBoolean:
        return ScalarKind::kBoolean;
      case ColumnKind::kNumber:
        return ScalarKind::kNumber;
      case ColumnKind::kTime:
        return ScalarKind::kTime;
      default:
        break;
    }
    // Lists and jsonb: of texts, of numbers, of anything.
    if (mixture_ == 0) return ScalarKind::kText;
    if (mixture_ == 1) return ScalarKind::kNumber;
    constexpr ScalarKind kAny[] = {ScalarKind::kText, ScalarKind::kBoolean, ScalarKind::kNumber};
    return kAny[random_.Below(3)];
  }

  int64_t RandomInteger() {
    if (has_extremes_ && random_.Below(6) == 0) {
      constexpr int64_t kExtremes[] = {std::numeric_limits<int64_t>::min(),
                                       std::numeric_limits<int64_t>::min() + 1,
                                       std::numeric_limits<int64_t>::max(),
                                       std::numeric_limits<int64_t>::max() - 1,
                                       (int64_t{1} << 53) + 1,
                                       int64_t{1} << 53};
      return kExtremes[random_.Below(std::size(kExtremes))];
    }
    return static_cast<int64_t>(random_.Below(spread_)) - static_cast<int64_t>(spread_ / 3);
  }
  int64_t RandomTime() { return RandomInteger(); }

  double RandomFloat() {
    if (has_extremes_ && random_.Below(6) == 0) {
      constexpr double kInfinity = std::numeric_limits<double>::infinity();
      const double extremes[] = {kInfinity, -kInfinity, std::numeric_limits<double>::quiet_NaN(), -0.0, 1e300, 5e-324};
      return extremes[random_.Below(std::size(extremes))];
    }
    return static_cast<double>(RandomInteger()) / 4;
  }

  std::string RandomDecimal() {
    if (has_extremes_ && random_.Below(6) == 0) {
      const std::vector<std::string> extremes = {"NaN",       "Infinity",
                                                 "-Infinity", "12345678901234567890123456789.5",
                                                 "0.00",      "-0.000000000000000000000000000000000000001"};
      return extremes[random_.Below(extremes.size())];
    }
    const std::vector<std::string> fractions = {"", ".0", ".25", ".250", ".5", ".75"};
    return std::to_string(RandomInteger()) + fractions[random_.Below(fractions.size())];
  }

  void WriteScalar(MetadataWriter& writer) {
    switch (RandomScalarKind()) {
      case ScalarKind::kText:
        writer.Text(RandomText());
        return;
      case ScalarKind::kBoolean:
        writer.Boolean(random_.Below(spread_) == 0);
        return;
      case ScalarKind::kTime:
        writer.Time(RandomTime());
        return;
      case ScalarKind::kNumber:
        break;
    }
    const Numbers form = numbers_ == Numbers::kMixed ? static_cast<Numbers>(random_.Below(3)) : numbers_;
    if (form == Numbers::kIntegers) {
      writer.Integer(RandomInteger());
    } else if (form == Numbers::kFloats) {
      writer.Float(RandomFloat());
    } else {
      writer.Decimal(RandomDecimal());
    }
  }

  ColumnKind kind_;
  Random& random_;
  uint64_t spread_ = 1;  // about as many distinct values
  uint64_t nulls_ = 0;   // percent
  Numbers numbers_ = Numbers::kIntegers;
  bool has_extremes_ = false;
  std::string prefix_;    // of all texts
  uint64_t mixture_ = 0;  // 0: texts, 1: numbers, 2: anything, for jsonb in lists, 3: lists and objects too
};

// ---- random filters
// -------------------------------------------------------------------------------------------------

class Generator {
 public:
  explicit Generator(uint64_t seed) : random_(seed) {}

  std::vector<Bytes> Rows() {
    values_.clear();
    for (const FilterColumn& column : Columns()) values_.emplace_back(column.kind, random_);
    std::vector<Bytes> rows;
    const size_t count = random_.Below(4) == 0 ? 1 + random_.Below(5) : 1 + random_.Below(300);
    for (size_t i = 0; i < count; ++i) {
      MetadataWriter writer;
      for (Values& values : values_) values.Write(writer);
      rows.push_back(writer.row());
    }
    return rows;
  }

  // Of the values that the last rows have.
  json Filter(int depth) {
    json filter = json::object();
    for (size_t members = 1 + random_.Below(3); members > 0; --members) {
      if (depth > 0 && random_.Below(2) == 0) {
        json children = json::array();
        for (size_t n = 1 + random_.Below(3); n > 0; --n) children.push_back(Filter(depth - 1));
        filter[random_.Below(2) == 0 ? "$and" : "$or"] = children;
      } else {
        const json test = SingleTest();
        filter[test.begin().key()].update(test.begin().value());
      }
    }
    return filter;
  }

  json SingleTest() {
    const size_t column = random_.Below(Columns().size());
    const ColumnKind kind = Columns()[column].kind;
    Values& values = values_[column];
    json condition;
    switch (random_.Below(kind == ColumnKind::kNumber || kind == ColumnKind::kTime ? 10 : 7)) {
      case 0:
      case 1:
        condition[random_.Below(2) == 0 ? "$eq" : "$ne"] = Operand(column);
        break;
      case 2:
      case 3: {
        json list = json::array();
        for (size_t count = 1 + random_.Below(20); count > 0; --count) list.push_back(Operand(column));
        condition[random_.Below(2) == 0 ? "$in" : "$nin"] = list;
        break;
      }
      case 4:
        condition["$exists"] = random_.Below(2) > 0;
        break;
      case 5:
        if (kind == ColumnKind::kText || kind == ColumnKind::kList || kind == ColumnKind::kJson) {
          condition["$startsWith"] = values.RandomPrefix();
          break;
        }
        [[fallthrough]];
      default:
        if (kind == ColumnKind::kLabel || kind == ColumnKind::kBoolean || kind == ColumnKind::kList) {
          condition["$ne"] = Operand(column);
          break;
        }
        condition[std::vector<std::string>{"$lt", "$lte", "$gt", "$gte"}[random_.Below(4)]] = values.Bound();
    }
    return {{Columns()[column].name, condition}};
  }

 private:
  json Operand(size_t column) {
    // Times must be written as such; anything else may be compared with the values of another column.
    const bool is_other = random_.Below(8) == 0 && Columns()[column].kind != ColumnKind::kTime;
    return values_[is_other ? 0 : column].Operand();
  }

  Random random_;
  std::vector<Values> values_;
};

// A piece in all its forms.
struct Piece300 {
  explicit Piece300(std::vector<Bytes> encoded) : rows(std::move(encoded)), columns(rows, Columns().size()) {}
  std::vector<Bytes> rows;
  PieceColumns columns;
};

std::unique_ptr<const Expression> Compile(const json& filter) {
  return Expression::Compile(filter.dump(), Columns(), [](size_t, const std::string& text, int64_t* microseconds) {
    *microseconds = std::stoll(text);
    return true;
  });
}

// How many rows match, once both ways agree.
size_t CountMatches(const Expression& expression, const Piece300& piece) {
  std::vector<uint8_t> passing(piece.rows.size(), 0x55);
  expression.MatchAll(piece.columns.Ranges(expression.columns()), passing);
  size_t count = 0;
  for (size_t i = 0; i < piece.rows.size(); ++i) {
    const bool matches = expression.Match(piece.rows[i]);
    EXPECT_EQ(passing[i], matches ? 1 : 0) << "row " << i << ": " << ToHex(piece.rows[i]);
    count += matches ? 1 : 0;
  }
  return count;
}

using Kind = MatchOutlook::Kind;

void ExpectCertainty(const MatchOutlook& outlook, size_t matches, size_t rows) {
  if (outlook.kind == Kind::kNone) {
    EXPECT_EQ(matches, 0u);
    EXPECT_EQ(outlook.share, 0);
  } else if (outlook.kind == Kind::kAll) {
    EXPECT_EQ(matches, rows);
    EXPECT_EQ(outlook.share, 1);
  } else {
    const double half = 0.5 / static_cast<double>(rows);
    EXPECT_GE(outlook.share, half);
    EXPECT_LE(outlook.share, 1 - half);
  }
}

TEST(RandomColumns, AgreeWithTheirRows) {
  Generator generator(6);
  size_t kinds[3] = {};
  size_t all_matches = 0;
  size_t all_rows = 0;
  for (int round = 0; round < 150; ++round) {
    const Piece300 piece(generator.Rows());
    for (int i = 0; i < 12; ++i) {
      const json filter = generator.Filter(3);
      SCOPED_TRACE(filter.dump());
      const auto expression = Compile(filter);
      const size_t matches = CountMatches(*expression, piece);
      const MatchOutlook outlook = expression->Judge(piece.columns.Summaries(expression->columns()));
      ExpectCertainty(outlook, matches, piece.rows.size());
      ++kinds[static_cast<size_t>(outlook.kind)];
      all_matches += matches;
      all_rows += piece.rows.size();
      if (HasFailure()) return;
    }
  }
  // A test of three answers needs each of them.
  for (const size_t kind : kinds) EXPECT_GT(kind, 30u);
  EXPECT_GT(all_matches, all_rows / 10);
  EXPECT_LT(all_matches, all_rows * 9 / 10);
}

// What a summary can tell of a test, it does.
TEST(RandomColumns, SummariesSayWhatTheyKnow) {
  Generator generator(7);
  size_t exact[4] = {};
  for (int round = 0; round < 300; ++round) {
    const Piece300 piece(generator.Rows());
    const size_t rows = piece.rows.size();
    for (int i = 0; i < 20; ++i) {
      const json filter = generator.SingleTest();
      SCOPED_TRACE(filter.dump());
      const auto expression = Compile(filter);
      const size_t matches = CountMatches(*expression, piece);
      const std::vector<ColumnSummary> summaries = piece.columns.Summaries(expression->columns());
      const MatchOutlook outlook = expression->Judge(summaries);
      ExpectCertainty(outlook, matches, rows);

      const ColumnSummary& summary = summaries.front();
      const std::string op = filter.begin()->begin().key();
      const bool is_ordering = op == "$lt" || op == "$lte" || op == "$gt" || op == "$gte";
      if (summary.form == SummaryForm::kValues || op == "$exists") {
        EXPECT_NEAR(outlook.share, static_cast<double>(matches) / static_cast<double>(rows), 1e-12);
      } else if (summary.form == SummaryForm::kRange && is_ordering && summary.least.tag != ValueTag::kText) {
        EXPECT_EQ(outlook.kind == Kind::kNone, matches == 0);
        EXPECT_EQ(outlook.kind == Kind::kAll, matches == rows);
      } else if (summary.form == SummaryForm::kElements && (op == "$eq" || op == "$in" || op == "$startsWith")) {
        EXPECT_EQ(outlook.kind == Kind::kNone, matches == 0);
      } else {
        continue;
      }
      ++exact[static_cast<size_t>(summary.form)];
      if (HasFailure()) return;
    }
  }
  for (const SummaryForm form : {SummaryForm::kValues, SummaryForm::kElements, SummaryForm::kRange}) {
    EXPECT_GT(exact[static_cast<size_t>(form)], 100u) << static_cast<int>(form);
  }
}

}  // namespace
}  // namespace s3v

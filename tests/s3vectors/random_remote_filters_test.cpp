// Random filters over random rows: what the service is asked for holds for every row that the filter matches, however
// the service answers where nobody knows; and where it is said to be exact, for no other row.
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>

#include "base/random.h"
#include "s3vectors/remote_filter.h"
#include "support/metadata_rows.h"
#include "support/service_rules.h"

namespace s3v {
namespace {

using testing::MetadataWriter;
using testing::ServiceFilter;
using testing::ServiceRules;

const std::vector<RemoteColumn>& Columns() {
  static const auto* columns = new std::vector<RemoteColumn>{
      {"t", ColumnKind::kText},          {"l", ColumnKind::kLabel},  {"b", ColumnKind::kBoolean},
      {"n", ColumnKind::kNumber},        {"m", ColumnKind::kNumber}, {"z", ColumnKind::kTime},
      {"a", ColumnKind::kList},          {"j", ColumnKind::kJson},   {"h", ColumnKind::kText, false},
      {"i", ColumnKind::kNumber, false},
  };
  return *columns;
}

std::string Zeros(int count) { return std::string(static_cast<size_t>(count), '0'); }

class Generator {
 public:
  // Filters look at these columns.
  Generator(uint64_t seed, std::vector<RemoteColumn> columns) : random_(seed), columns_(std::move(columns)) {}

  Bytes Row() {
    MetadataWriter writer;
    for (const RemoteColumn& column : Columns()) WriteValue(column.kind, writer);
    return writer.row();
  }

  std::string Filter(int depth) {
    std::string members;
    std::string used;
    for (size_t count = 1 + Below(2); count > 0; --count) {
      const bool is_logical = depth > 0 && Below(2) == 0;
      const RemoteColumn& column = columns_[Below(columns_.size())];
      const std::string key = is_logical ? (Below(2) == 0 ? "$and" : "$or") : column.name;
      if (used.find(key) != std::string::npos) continue;
      used += key;
      members += (members.empty() ? "\"" : ",\"") + key + "\":";
      if (!is_logical) {
        members += Condition(column.kind);
        continue;
      }
      for (size_t n = 1 + Below(3), i = 0; i < n; ++i) members += (i == 0 ? "[" : ",") + Filter(depth - 1);
      members += ']';
    }
    return '{' + members + '}';
  }

 private:
  uint64_t Below(uint64_t bound) { return random_.Below(bound); }
  template <size_t kCount>
  std::string OneOf(const char* const (&texts)[kCount]) {
    return texts[Below(kCount)];
  }

  // ---- numbers: mostly near each other, where something can go wrong

  std::string ShortNumber() {
    return OneOf({"0", "5", "-5", "5.5", "0.1", "-0.3", "2020", "123456789012345", "4503599627370495",
                  "4503599627370496", "9007199254740990", "2251799813685249", "1000000000000000", "0.000001", "99.9"});
  }
  // PostgreSQL's form of a numeric.
  std::string Decimal() {
    switch (Below(8)) {
      case 0:
        return OneOf({"NaN", "Infinity", "-Infinity"});
      case 1:
        return OneOf({"9007199254740991", "9007199254740992", "9007199254740993", "1234567890123456789",
                      "1234567890123456788", "1000000000000000001", "99999999999999999999", "4503599627370496.5"});
      case 2:
        return (Below(2) == 0 ? "-1" : "1") + Zeros(Below(2) == 0 ? 307 : 400);
      case 3:
        return (Below(2) == 0 ? "-0." : "0.") + Zeros(285 + static_cast<int>(Below(45))) +
               std::to_string(1 + Below(99));
      case 4:
      case 5:
        return ShortNumber();
      default:
        return NearShortNumber();
    }
  }
  // A little above or below a short number, by less than a double can tell, or just more.
  std::string NearShortNumber() {
    std::string text = OneOf({"5", "0.1", "4503599627370495", "2251799813685249"});
    if (text.find('.') == std::string::npos) text += '.';
    if (Below(2) == 0) return text + Zeros(static_cast<int>(Below(20))) + "1" + Zeros(static_cast<int>(Below(3)));
    --text[text.find_last_not_of('.')];
    return text + std::string(8 + Below(20), '9');
  }
  double Float() {
    constexpr double kInfinity = std::numeric_limits<double>::infinity();
    switch (Below(6)) {
      case 0:
        return std::vector<double>{NAN, kInfinity, -kInfinity, -0.0, 5e-324, 1e-300, 1.7976931348623157e308}[Below(7)];
      case 1:
        return std::nextafter(std::stod(ShortNumber()), Below(2) == 0 ? kInfinity : -kInfinity);
      case 2:
        return static_cast<double>(static_cast<float>(std::stod(ShortNumber())));
      default:
        return std::stod(ShortNumber());
    }
  }
  int64_t Integer() {
    constexpr int64_t kEdge = int64_t{1} << 53;
    switch (Below(4)) {
      case 0:
        return kEdge + static_cast<int64_t>(Below(5)) - 2;
      case 1:
        return std::vector<int64_t>{1234567890123456789, 1234567890123456788, INT64_MAX,    INT64_MIN,
                                    1000000000000000001, kEdge / 2 - 1,       kEdge / 2 + 1}[Below(7)];
      default:
        return std::vector<int64_t>{0, 5, -5, 2020, 6, 123456789012345}[Below(6)];
    }
  }
  std::string NumberOperand() {
    switch (Below(5)) {
      case 0:
        return OneOf({"1e308", "1.7976931348623157e308", "-1.7976931348623157e308", "1e-320", "5e-324", "1e-400",
                      "-1e-291", "1e-290", "1e18", "9.2233720368547758e18", "0.1000000000000000055511151231257827",
                      "1234567890123456789", "9007199254740993", "9007199254740991"});
      case 1: {
        std::string decimal;
        do {
          decimal = Decimal();
        } while (decimal.size() > 360 || decimal.back() == 'N' || decimal.back() == 'y');
        return decimal;
      }
      case 2:
        return NearShortNumber();
      default:
        return ShortNumber();
    }
  }

  // ---- other values

  std::string Text(bool is_stored) {
    if (is_stored && Below(6) == 0) return OneOf({"\xff", "\xfe", "a\xff", "\xc3"});
    return OneOf({"", "a", "ab", "b", "1", "true", "\xc3\xbc", "\xEF\xBF\xBD", "a\xEF\xBF\xBD", "\"\\", "\x01"});
  }
  int64_t Time() {
    constexpr int64_t kEdge = 8'589'934'592'000'000 - 946'684'800'000'000;
    switch (Below(4)) {
      case 0:
        return kEdge + static_cast<int64_t>(Below(5)) - 2;
      case 1:
        return std::vector<int64_t>{INT64_MAX,
                                    INT64_MIN,
                                    INT64_MAX - 1,
                                    9'007'199'254'740'993,
                                    9'007'199'254'740'992,
                                    -9'500'000'000'000'001,
                                    252'455'615'999'999'999,
                                    252'455'615'999'999'998}[Below(8)];
      default:
        return std::vector<int64_t>{
            0, 1, -1, -946'684'800'000'000, -946'684'800'000'001, 700'000'000'123'456}[Below(6)];
    }
  }

  void WriteNumber(MetadataWriter& writer) {
    switch (Below(3)) {
      case 0:
        writer.Integer(Integer());
        break;
      case 1:
        writer.Float(Float());
        break;
      default:
        writer.Decimal(Decimal());
    }
  }
  void WriteScalar(ColumnKind kind, MetadataWriter& writer) {
    switch (kind) {
      case ColumnKind::kText:
      case ColumnKind::kLabel:
        writer.Text(Text(true));
        break;
      case ColumnKind::kBoolean:
        writer.Boolean(Below(2) == 0);
        break;
      case ColumnKind::kNumber:
        WriteNumber(writer);
        break;
      case ColumnKind::kTime:
        writer.Time(Time());
        break;
      case ColumnKind::kList: {
        constexpr ColumnKind kKinds[] = {ColumnKind::kText, ColumnKind::kBoolean, ColumnKind::kNumber};
        WriteScalar(kKinds[Below(3)], writer);
        break;
      }
      case ColumnKind::kJson:
        switch (Below(3)) {
          case 0:
            writer.Text(Text(true));
            break;
          case 1:
            writer.Boolean(Below(2) == 0);
            break;
          default: {
            // jsonb has no NaN and no infinities.
            std::string text;
            do {
              text = Decimal();
            } while (text.back() == 'N' || text.back() == 'y');
            writer.Decimal(text);
          }
        }
    }
  }
  void WriteValue(ColumnKind kind, MetadataWriter& writer) {
    if (Below(6) == 0) {
      writer.Null();
      return;
    }
    if (kind == ColumnKind::kJson && Below(5) == 0) {
      writer.Json(R"({"a":1})");
      return;
    }
    if (kind != ColumnKind::kList && (kind != ColumnKind::kJson || Below(2) == 0)) return WriteScalar(kind, writer);
    const auto count = static_cast<uint32_t>(Below(4));
    writer.List(count);
    for (uint32_t i = 0; i < count; ++i) WriteScalar(kind, writer);
  }

  // ---- conditions

  std::string TextOperand() { return nlohmann::json(Text(false)).dump(); }
  std::string Operand(ColumnKind kind) {
    constexpr ColumnKind kKinds[] = {ColumnKind::kText, ColumnKind::kBoolean, ColumnKind::kNumber};
    if (kind == ColumnKind::kTime && Below(8) != 0) return '"' + std::to_string(Time()) + '"';
    if (kind == ColumnKind::kTime) return NumberOperand();
    if (kind == ColumnKind::kList || kind == ColumnKind::kJson || Below(10) == 0) return Operand(kKinds[Below(3)]);
    if (kind == ColumnKind::kNumber) return NumberOperand();
    if (kind == ColumnKind::kBoolean) return Below(2) == 0 ? "true" : "false";
    return TextOperand();
  }
  std::string ListOperand(ColumnKind kind) {
    std::string list;
    for (size_t n = Below(12) == 0 ? 20 + Below(100) : 1 + Below(4), i = 0; i < n; ++i) {
      list += (i == 0 ? "[" : ",") + Operand(kind);
    }
    return list + ']';
  }
  std::string Condition(ColumnKind kind) {
    if (Below(4) == 0) return Operand(kind);
    std::string members;
    std::string used;
    for (size_t n = 1 + Below(2); n > 0; --n) {
      const std::string member = OneCondition(kind);
      const std::string op = member.substr(0, member.find(':'));
      if (used.find(op) != std::string::npos) continue;
      used += op;
      members += (members.empty() ? "" : ",") + member;
    }
    return '{' + members + '}';
  }
  std::string OneCondition(ColumnKind kind) {
    const bool has_order = kind == ColumnKind::kText || kind == ColumnKind::kNumber || kind == ColumnKind::kTime ||
                           kind == ColumnKind::kJson;
    const bool has_prefixes = kind == ColumnKind::kText || kind == ColumnKind::kList || kind == ColumnKind::kJson;
    switch (Below(has_prefixes ? 6 : 5)) {
      case 0:
        return (Below(2) == 0 ? "\"$eq\":" : "\"$ne\":") + Operand(kind);
      case 1:
        return (Below(2) == 0 ? "\"$in\":" : "\"$nin\":") + ListOperand(kind);
      case 2:
        return Below(3) == 0 ? "\"$exists\":false" : "\"$exists\":true";
      case 5:
        return "\"$startsWith\":" + TextOperand();
      default:
        break;
    }
    if (!has_order) return "\"$ne\":" + Operand(kind);
    const std::string op = OneOf({"\"$lt\":", "\"$lte\":", "\"$gt\":", "\"$gte\":"});
    if (kind == ColumnKind::kTime) return op + '"' + std::to_string(Time()) + '"';
    if (kind == ColumnKind::kText && Below(3) != 0) return op + TextOperand();
    return op + NumberOperand();
  }

  Random random_;
  std::vector<RemoteColumn> columns_;
};

std::vector<ServiceFilter> Services() {
  std::vector<ServiceFilter> services;
  for (int bits = 0; bits < 32; ++bits) {
    const auto has = [bits](int bit) { return (bits >> bit & 1) != 0; };
    services.emplace_back(ServiceRules{.numbers_are_doubles = has(0),
                                       .not_equal_without_key = has(1),
                                       .in_looks_into_lists = has(2),
                                       .order_looks_into_lists = has(3),
                                       .prefix_looks_into_lists = has(4)});
  }
  return services;
}

size_t ConstraintsOf(const JsonNode& filter) {
  const JsonNode& member = filter.children.front();
  size_t count = 0;
  if (member.key == "$and" || member.key == "$or") {
    for (const JsonNode& part : member.children) count += ConstraintsOf(part);
    return count;
  }
  EXPECT_TRUE(member.key != "h" && member.key != "i") << "filters by " << member.key;
  const JsonNode& operand = member.children.front();
  return operand.type == JsonNode::Type::kList ? operand.children.size() : 1;
}

struct Seen {
  int filters = 0;
  int said = 0;
  int exact = 0;
  int matches = 0;
  int others = 0;  // rows that one service at least sends without need
  int pairs = 0;
};

Seen TryFilters(Generator generator, int filters, int rows_each) {
  Seen seen;
  std::vector<FilterColumn> declared;
  for (const RemoteColumn& column : Columns()) declared.push_back({column.name, column.kind});
  const auto parse_time = [](size_t, const std::string& text, int64_t* microseconds) {
    *microseconds = std::stoll(text);
    return true;
  };
  const RemoteSchema schema{.key_kind = KeyKind::kText, .dimensions = 1, .columns = Columns()};
  const std::vector<ServiceFilter> services = Services();
  for (int i = 0; i < filters; ++i) {
    const std::string document = generator.Filter(2);
    const auto expression = Expression::Compile(document, declared, parse_time);
    const RemoteFilter translated = TranslateFilter(*expression, Columns());
    ++seen.filters;
    if (translated.json.empty()) {
      EXPECT_FALSE(translated.is_exact);
      continue;
    }
    ++seen.said;
    seen.exact += translated.is_exact ? 1 : 0;
    const JsonNode filter = ReadJson(translated.json);
    EXPECT_LE(ConstraintsOf(filter), 100u) << document;
    for (int j = 0; j < rows_each; ++j) {
      const Bytes row = generator.Row();
      std::string json;
      AppendMetadata(schema, row, &json);
      const JsonNode metadata = ReadJson(json);
      const bool expected = expression->Match(row);
      bool is_sent_needlessly = false;
      for (const ServiceFilter& service : services) {
        const bool matches = service.Match(filter, metadata);
        if (matches != expected && (expected || translated.is_exact)) {
          ADD_FAILURE() << document << "\nas      " << translated.json << "\nmetadata " << json << "\nservice "
                        << (&service - services.data());
          return seen;
        }
        is_sent_needlessly = is_sent_needlessly || (matches && !expected);
      }
      ++seen.pairs;
      seen.matches += expected ? 1 : 0;
      seen.others += is_sent_needlessly ? 1 : 0;
    }
  }
  return seen;
}

TEST(RandomRemoteFilters, AreNecessary) {
  const Seen seen = TryFilters(Generator(2026, Columns()), 800, 20);
  // A test of two answers needs both, and filters that say something.
  EXPECT_GT(seen.said, seen.filters / 2);
  EXPECT_GT(seen.exact, seen.filters / 20);
  EXPECT_GT(seen.matches, seen.pairs / 20);
  EXPECT_LT(seen.matches + seen.others, seen.pairs * 7 / 10);
}

TEST(RandomRemoteFilters, AreNecessaryForNumbersNearEachOther) {
  const Seen seen = TryFilters(Generator(7, {{"n", ColumnKind::kNumber}}), 400, 30);
  EXPECT_GT(seen.exact, seen.filters / 20);
  EXPECT_GT(seen.matches, seen.pairs / 20);
}

}  // namespace
}  // namespace s3v

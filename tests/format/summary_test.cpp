#include "format/summary.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <map>

#include "base/error.h"
#include "base/random.h"
#include "format/coding.h"
#include "format/sample_summaries.h"

namespace s3v {
namespace {

using testing::Decimal;
using testing::Float;
using testing::Integer;
using testing::MetadataWriter;
using testing::Null;
using testing::Summarized;
using testing::Text;
using testing::Time;
using testing::Values;

using Limits = std::numeric_limits<int64_t>;
constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
constexpr double kInfinity = std::numeric_limits<double>::infinity();

TEST(Summary, FewValuesAreCounted) {
  const Summarized of({Text("b"), Text("a"), Null(), Text("b"), Text("")});
  const ColumnSummary summary = of.Read();
  EXPECT_EQ(summary.form, SummaryForm::kValues);
  EXPECT_EQ(summary.nulls, 1U);
  ASSERT_EQ(summary.counted, 3U);
  EXPECT_EQ(summary.values[0].value.text, "");
  EXPECT_EQ(summary.values[0].entries, 1U);
  EXPECT_EQ(summary.values[1].value.text, "a");
  EXPECT_EQ(summary.values[2].value.text, "b");
  EXPECT_EQ(summary.values[2].entries, 2U);
}

TEST(Summary, OneEntryAndNone) {
  EXPECT_EQ(Summarized({Integer(Limits::min())}).Read().values[0].value.integer, Limits::min());
  const ColumnSummary null = Summarized({Null()}).Read();
  EXPECT_EQ(null.form, SummaryForm::kValues);
  EXPECT_EQ(null.counted, 0U);
  EXPECT_EQ(null.nulls, 1U);
  const ColumnSummary nothing = Summarized({}).Read();
  EXPECT_EQ(nothing.form, SummaryForm::kValues);
  EXPECT_EQ(nothing.counted, 0U);
}

TEST(Summary, SixteenValuesAreCountedSeventeenAreARange) {
  const ColumnSummary values = Summarized(Values(32, [](int i) { return Integer(i % 16 - 8); })).Read();
  EXPECT_EQ(values.form, SummaryForm::kValues);
  EXPECT_EQ(values.counted, 16U);
  EXPECT_EQ(values.values[15].entries, 2U);
  const ColumnSummary range = Summarized(Values(34, [](int i) { return Integer(i % 17 - 8); })).Read();
  EXPECT_EQ(range.form, SummaryForm::kRange);
  EXPECT_EQ(range.least.integer, -8);
  EXPECT_EQ(range.greatest.integer, 8);
  EXPECT_FALSE(range.greatest_is_cut);
}

TEST(Summary, MixturesAreCountedWhileTheyAreFew) {
  std::vector<Bytes> values = Values(8, Integer);
  values.push_back(MetadataWriter().Boolean(true).row());
  values.push_back(Text("x"));
  EXPECT_EQ(Summarized(values).Read().form, SummaryForm::kValues);
  const std::vector<Bytes> more = Values(8, [](int i) { return Float(i); });
  values.insert(values.end(), more.begin(), more.end());
  EXPECT_EQ(Summarized(values).Read().form, SummaryForm::kUnknown);
  values.push_back(Null());
  EXPECT_EQ(Summarized(values).Read().nulls, 1U);
  values = Values(20, Integer);
  values.push_back(Time(5));
  EXPECT_EQ(Summarized(values).Read().form, SummaryForm::kUnknown) << "other tags behind a range";
}

TEST(Summary, RangesOfNumbersAndTimes) {
  auto values = Values(20, Integer);
  values.push_back(Integer(Limits::min()));
  values.push_back(Integer(Limits::max()));
  values.push_back(Null());
  const ColumnSummary integers = Summarized(values).Read();
  EXPECT_EQ(integers.nulls, 1U);
  EXPECT_EQ(integers.least.integer, Limits::min());
  EXPECT_EQ(integers.greatest.integer, Limits::max());
  const ColumnSummary times = Summarized(Values(20, [](int i) { return Time(-i); })).Read();
  EXPECT_EQ(times.least.tag, ValueTag::kTime);
  EXPECT_EQ(times.least.integer, -19);
  EXPECT_EQ(times.greatest.integer, 0);
}

// NaN is above every number, infinity included.
TEST(Summary, RangesOfFloats) {
  auto values = Values(20, [](int i) { return Float(i / 4.0); });
  values.push_back(Float(-kInfinity));
  const Summarized up_to_number(values);
  EXPECT_EQ(up_to_number.Read().least.number, -kInfinity);
  EXPECT_EQ(up_to_number.Read().greatest.number, 4.75);
  values.push_back(Float(kInfinity));
  const Summarized up_to_infinity(values);
  EXPECT_EQ(up_to_infinity.Read().greatest.number, kInfinity);
  values.push_back(Float(kNan));
  const Summarized up_to_nan(values);
  EXPECT_TRUE(std::isnan(up_to_nan.Read().greatest.number));
  values.insert(values.begin(), Float(kNan));
  const Summarized nan_first(values);
  EXPECT_TRUE(std::isnan(nan_first.Read().greatest.number));
  EXPECT_EQ(nan_first.Read().least.number, -kInfinity);
}

// By value: neither by bytes nor as doubles.
TEST(Summary, RangesOfDecimals) {
  const auto decimals = [](const std::vector<std::string>& more) {
    auto values = Values(17, [](int i) { return Decimal("1000." + std::to_string(i)); });
    for (const std::string& text : more) values.push_back(Decimal(text));
    return Summarized(values);
  };
  const Summarized plain = decimals({"999", "9007199254740993", "9007199254740992.5"});
  EXPECT_EQ(plain.Read().form, SummaryForm::kRange);
  EXPECT_EQ(plain.Read().least.text, "999");
  EXPECT_EQ(plain.Read().greatest.text, "9007199254740993");
  const Summarized negative = decimals({"-10", "-9", "-0.001"});
  EXPECT_EQ(negative.Read().least.text, "-10");
  const Summarized infinite = decimals({"-Infinity", "Infinity"});
  EXPECT_EQ(infinite.Read().least.text, "-Infinity");
  EXPECT_EQ(infinite.Read().greatest.text, "Infinity");
  const Summarized nan = decimals({"NaN", "Infinity"});
  EXPECT_EQ(nan.Read().greatest.text, "NaN");
  const std::string longest(kMostSummaryValueBytes - 5, '9');
  const Summarized long_one = decimals({longest});
  EXPECT_EQ(long_one.Read().greatest.text, longest);
  EXPECT_EQ(decimals({longest + "9"}).Read().form, SummaryForm::kUnknown);
  EXPECT_EQ(decimals({"-" + longest}).Read().form, SummaryForm::kUnknown);
  EXPECT_THROW(decimals({"12a"}), Error);
}

TEST(Summary, RangesOfTextsAreCut) {
  auto values = Values(20, [](int i) { return Text("m" + std::to_string(i)); });
  const Summarized whole(values);
  EXPECT_EQ(whole.Read().form, SummaryForm::kRange);
  EXPECT_EQ(whole.Read().least.text, "m0");
  EXPECT_EQ(whole.Read().greatest.text, "m9");
  EXPECT_FALSE(whole.Read().greatest_is_cut);
  values.push_back(Text("a text that is longer than sixteen bytes"));
  values.push_back(Text("z0123456789abcde"));
  const Summarized as_long(values);
  EXPECT_EQ(as_long.Read().least.text, "a text that is l");
  EXPECT_EQ(as_long.Read().greatest.text, "z0123456789abcde");
  EXPECT_FALSE(as_long.Read().greatest_is_cut);
  values.push_back(Text("z0123456789abcdef"));
  const Summarized cut(values);
  EXPECT_EQ(cut.Read().greatest.text, "z0123456789abcde");
  EXPECT_TRUE(cut.Read().greatest_is_cut);
  values.push_back(Text("\xff"));
  const Summarized bytes(values);
  EXPECT_EQ(bytes.Read().greatest.text, "\xff") << "by bytes, none of which is negative";
  EXPECT_FALSE(bytes.Read().greatest_is_cut);
  values.push_back(Text(""));
  EXPECT_EQ(Summarized(values).Read().least.text, "");
}

// A single text that is too long to be counted makes a range as well.
TEST(Summary, LongTexts) {
  const std::string longest(kMostSummaryValueBytes - 5, 'x');
  EXPECT_EQ(Summarized({Text(longest), Text("y")}).Read().form, SummaryForm::kValues);
  const Summarized range({Text("y"), Text(longest + "x"), Null()});
  EXPECT_EQ(range.Read().form, SummaryForm::kRange);
  EXPECT_EQ(range.Read().least.text, std::string(16, 'x'));
  EXPECT_EQ(range.Read().greatest.text, "y");
  EXPECT_EQ(Summarized({Text(longest + "x"), Integer(1)}).Read().form, SummaryForm::kUnknown);
}

TEST(Summary, ListsAreCountedByElement) {
  const Summarized of({MetadataWriter().List(3).Text("a").Text("b").Text("a").row(), Null(),
                       MetadataWriter().List(1).Text("b").row(), MetadataWriter().List(0).row(),
                       MetadataWriter().List(2).Integer(1).Boolean(true).row()});
  const ColumnSummary summary = of.Read();
  EXPECT_EQ(summary.form, SummaryForm::kElements);
  EXPECT_EQ(summary.nulls, 1U);
  std::map<std::string, uint32_t> texts;
  ASSERT_EQ(summary.counted, 4U);
  for (uint32_t i = 0; i < 4; ++i) texts[std::string(summary.values[i].value.text)] += summary.values[i].entries;
  EXPECT_EQ(texts["a"], 1U) << "each element once for an entry";
  EXPECT_EQ(texts["b"], 2U);
}

TEST(Summary, ListsWithManyElementsSayNothing) {
  const auto list = [](int i) { return MetadataWriter().List(2).Integer(i).Integer(i + 1).row(); };
  EXPECT_EQ(Summarized(Values(15, list)).Read().form, SummaryForm::kElements);
  EXPECT_EQ(Summarized(Values(16, list)).Read().form, SummaryForm::kUnknown);
  EXPECT_EQ(Summarized({MetadataWriter().List(1).Text(std::string(28, 'x')).row()}).Read().form, SummaryForm::kUnknown);
  EXPECT_EQ(Summarized({MetadataWriter().List(0).row(), MetadataWriter().List(0).row()}).Read().counted, 0U);
}

TEST(Summary, ObjectsAndListsAmongScalarsSayNothing) {
  const Bytes list = MetadataWriter().List(1).Text("a").row();
  EXPECT_EQ(Summarized({list, Text("a")}).Read().form, SummaryForm::kUnknown);
  EXPECT_EQ(Summarized({Text("a"), list}).Read().form, SummaryForm::kUnknown);
  const ColumnSummary objects = Summarized({MetadataWriter().Json("{}").row(), Null(), Text("a")}).Read();
  EXPECT_EQ(objects.form, SummaryForm::kUnknown);
  EXPECT_EQ(objects.nulls, 1U);
}

bool IsAbove(const MetadataValue& a, const MetadataValue& b) {
  switch (a.tag) {
    case ValueTag::kFloat:
      return std::isnan(a.number) ? !std::isnan(b.number) : a.number > b.number;
    case ValueTag::kDecimal:
      return std::stold(std::string(a.text)) > std::stold(std::string(b.text));
    case ValueTag::kText:
      return std::ranges::lexicographical_compare(AsBytes(b.text), AsBytes(a.text));
    default:
      return a.integer > b.integer;
  }
}

// What is said of values has to be true of each of them.
void ExpectTrue(const std::vector<Bytes>& values) {
  const Summarized of(values);
  const ColumnSummary summary = of.Read();
  std::map<Bytes, uint32_t> counts;
  uint32_t nulls = 0;
  size_t scalars = 0;
  for (const Bytes& encoded : values) {
    const MetadataValue value = ReadValue(encoded);
    if (value.tag == ValueTag::kNull) {
      ++nulls;
      continue;
    }
    ++counts[encoded];
    scalars += value.tag != ValueTag::kList && value.tag != ValueTag::kJson ? 1 : 0;
    if (summary.form != SummaryForm::kRange) continue;
    EXPECT_EQ(value.tag, summary.least.tag);
    EXPECT_FALSE(IsAbove(summary.least, value));
    MetadataValue prefix = value;
    if (summary.greatest_is_cut) prefix.text = value.text.substr(0, summary.greatest.text.size());
    EXPECT_FALSE(IsAbove(prefix, summary.greatest));
  }
  EXPECT_EQ(summary.nulls, nulls);
  const bool are_scalars = scalars == values.size() - nulls;
  const bool is_short = std::ranges::all_of(counts, [](const auto& c) { return c.first.size() <= 32; });
  EXPECT_EQ(summary.form == SummaryForm::kValues, are_scalars && is_short && counts.size() <= 16);
  if (summary.form != SummaryForm::kValues) return;
  ASSERT_EQ(summary.counted, counts.size());
  uint32_t i = 0;
  for (const auto& [encoded, count] : counts) {
    EXPECT_EQ(summary.values[i].entries, count);
    EXPECT_EQ(summary.values[i].value.tag, ReadValue(encoded).tag);
    EXPECT_EQ(summary.values[i].value.text, ReadValue(encoded).text);
    EXPECT_EQ(summary.values[i++].value.integer, ReadValue(encoded).integer);
  }
}

TEST(Summary, RandomColumnsAreDescribedTruly) {
  Random random(17);
  for (int round = 0; round < 600; ++round) {
    const uint64_t kind = random.Below(6);
    const uint64_t distinct = 1 + random.Below(40);
    std::vector<Bytes> values;
    for (uint64_t count = 1 + random.Below(80); count > 0; --count) {
      const auto i = static_cast<int64_t>(random.Below(distinct)) - 12;
      const std::string number = std::to_string(i);
      switch (random.Below(10) == 0 ? 9 : kind == 5 ? random.Below(5) : kind) {
        case 0:
          values.push_back(Integer(i * 1'000'000'007));
          break;
        case 1:
          values.push_back(Float(i == 3 ? kNan : i == 4 ? -kInfinity : static_cast<double>(i) / 3));
          break;
        case 2:
          values.push_back(Decimal(number + "." + std::to_string(random.Below(3))));
          break;
        case 3:
          values.push_back(Text(std::string(random.Below(2) * 15, 'x') + number + std::string(random.Below(9), 'y')));
          break;
        case 4:
          values.push_back(Time(-i));
          break;
        default:
          values.push_back(Null());
      }
    }
    ExpectTrue(values);
    if (HasFailure()) return;
  }
}

TEST(Summary, MillionsOfValuesInAnyOrder) {
  SummaryBuilder builder;
  Random random(3);
  for (int i = 0; i < 70'000; ++i) builder.Add(Integer(static_cast<int64_t>(random.Below(1'000'000))));
  builder.Add(Integer(-1));
  Bytes bytes;
  builder.AppendTo(bytes);
  EXPECT_EQ(ViewSummary(bytes, builder.entries()).least.integer, -1);
}

// Of several that lie one behind the other each is viewed by where it begins.
TEST(Summary, ViewsEndWhereTheyEnd) {
  const Summarized first({Text("a"), Null()});
  Bytes both = first.bytes;
  Append(both, ByteView(Summarized(Values(20, Integer)).bytes));
  EXPECT_EQ(ViewSummary(both, 2).values[0].value.text, "a");
  EXPECT_EQ(ViewSummary(ByteView(both).subspan(first.bytes.size()), 20).greatest.integer, 19);
}

}  // namespace
}  // namespace s3v

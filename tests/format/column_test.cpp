#include "format/column.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <functional>
#include <limits>

#include "base/random.h"
#include "format/sample_columns.h"
#include "support/metadata_rows.h"

namespace s3v {
namespace {

using testing::Column;
using testing::Float;
using testing::Integer;
using testing::IsSame;
using testing::kNull;
using testing::MetadataWriter;
using testing::Text;
using Limits = std::numeric_limits<int64_t>;

// Writes, reads, and compares value by value. Answers the form that was chosen.
ColumnForm ExpectRoundTrip(const std::vector<Bytes>& values) {
  const Column column(values);
  uint64_t value_bytes = 0;
  for (const Bytes& value : values) value_bytes += value.size();
  EXPECT_LE(column.bytes.size(), MostColumnBytes(values.size(), value_bytes));
  const ColumnRange range = column.Open();
  EXPECT_EQ(range.count(), values.size());
  size_t same = 0;  // one expectation for all entries, of which there may be many
  for (size_t i = 0; i < values.size(); ++i) {
    Bytes encoded;
    range.AppendValue(i, encoded);
    same += encoded == values[i] && IsSame(range.value(i), ReadValue(values[i])) ? 1 : 0;
  }
  EXPECT_EQ(same, values.size());
  if (range.form() == ColumnForm::kDictionary) {
    std::vector<Bytes> distinct = values;
    std::ranges::sort(distinct);
    distinct.erase(std::unique(distinct.begin(), distinct.end()), distinct.end());
    EXPECT_EQ(range.distinct_count(), distinct.size());
    same = 0;
    for (size_t i = 0; i < values.size(); ++i) {
      const bool is_same_value = IsSame(range.distinct(range.code(i)), range.value(i));
      same += is_same_value && distinct[range.code(i)] == values[i] ? 1 : 0;
    }
    EXPECT_EQ(same, values.size());
  }
  return range.form();
}

TEST(Column, OneEntryOfEachKind) {
  EXPECT_EQ(ExpectRoundTrip({kNull}), ColumnForm::kPlain);
  EXPECT_EQ(ExpectRoundTrip({MetadataWriter().Boolean(true).row()}), ColumnForm::kPlain);
  EXPECT_EQ(ExpectRoundTrip({Integer(-7)}), ColumnForm::kIntegers);
  EXPECT_EQ(ExpectRoundTrip({MetadataWriter().Time(Limits::max()).row()}), ColumnForm::kIntegers);
  EXPECT_EQ(ExpectRoundTrip({Float(0.5)}), ColumnForm::kFloats);
  EXPECT_EQ(ExpectRoundTrip({Text("")}), ColumnForm::kPlain);
  EXPECT_EQ(ExpectRoundTrip({MetadataWriter().Decimal("1.50").row()}), ColumnForm::kPlain);
  EXPECT_EQ(ExpectRoundTrip({MetadataWriter().List(2).Text("a").Integer(1).row()}), ColumnForm::kPlain);
  EXPECT_EQ(ExpectRoundTrip({MetadataWriter().Json("{}").row()}), ColumnForm::kPlain);
}

// So many values, each of so many distinct ones at least once.
std::vector<Bytes> Distinct(size_t count, size_t distinct, const std::function<Bytes(size_t)>& value) {
  Random random(distinct);
  std::vector<Bytes> values;
  for (size_t i = 0; i < count; ++i) values.push_back(value(i < distinct ? i : random.Below(distinct)));
  for (size_t i = values.size(); i > 1; --i) std::swap(values[i - 1], values[random.Below(i)]);
  return values;
}

Bytes Label(size_t i) { return Text("a label of some length " + std::to_string(i)); }

TEST(Column, DictionariesOfEveryWidth) {
  for (const size_t distinct : {1, 2, 3, 4, 5, 15, 16, 17, 255, 256, 257, 300}) {
    for (const size_t more : {0, 1, 2, 7, 500}) {
      SCOPED_TRACE(distinct);
      const ColumnForm form = ExpectRoundTrip(Distinct(distinct + more, distinct, Label));
      EXPECT_TRUE(more < 500 || form == ColumnForm::kDictionary);
    }
  }
  ExpectRoundTrip(Distinct(70'000, 300, Label));
  // Longer values, so that the dictionary pays with numbers of 32 bits as well.
  const auto long_label = [](size_t i) { return Text(std::string(40, 'x') + std::to_string(i)); };
  const std::vector<Bytes> values = Distinct(140'000, 66'000, long_label);
  EXPECT_EQ(ExpectRoundTrip(values), ColumnForm::kDictionary);
}

// More distinct values than 16 bits can number.
TEST(Column, SeventyThousandDifferentValues) {
  EXPECT_EQ(ExpectRoundTrip(Distinct(70'000, 70'000, Label)), ColumnForm::kPlain);
  EXPECT_EQ(ExpectRoundTrip(Distinct(70'000, 70'000, [](size_t i) { return Integer(static_cast<int64_t>(i) * 3); })),
            ColumnForm::kIntegers);
  EXPECT_EQ(ExpectRoundTrip(Distinct(70'000, 70'000, [](size_t i) { return Float(static_cast<double>(i) / 3); })),
            ColumnForm::kFloats);
}

TEST(Column, DictionaryOfAnyMixture) {
  const std::vector<Bytes> kinds = {kNull,
                                    MetadataWriter().Boolean(false).row(),
                                    MetadataWriter().Boolean(true).row(),
                                    Integer(3),
                                    Float(std::numeric_limits<double>::quiet_NaN()),
                                    MetadataWriter().Decimal("NaN").row(),
                                    Text(""),
                                    Text(std::string("\0\xff", 2)),
                                    MetadataWriter().Time(Limits::min()).row(),
                                    MetadataWriter().List(0).row(),
                                    MetadataWriter().List(1).Text("x").row(),
                                    MetadataWriter().Json("null").row()};
  EXPECT_EQ(ExpectRoundTrip(Distinct(200, kinds.size(), [&](size_t i) { return kinds[i]; })), ColumnForm::kDictionary);
  ExpectRoundTrip(kinds);
}

TEST(Column, IntegersOfEveryWidth) {
  struct Case {
    int64_t least;
    uint64_t spread;
  };
  for (const auto& [least, spread] : {Case{0, 255},
                                      {-5, 256},
                                      {1000, 65535},
                                      {-70'000, 65536},
                                      {5, 0xffffffff},
                                      {-3, 0x100000000},
                                      {Limits::min(), ~uint64_t{0}},
                                      {Limits::max() - 300, 300},
                                      {Limits::min(), 300}}) {
    for (const bool with_nulls : {false, true}) {
      for (const bool are_times : {false, true}) {
        SCOPED_TRACE(::testing::Message() << least << " + " << spread);
        Random random(spread);
        std::vector<Bytes> values;
        const auto add = [&, least = least](uint64_t offset) {
          const auto value = static_cast<int64_t>(static_cast<uint64_t>(least) + offset);
          values.push_back(are_times ? MetadataWriter().Time(value).row() : Integer(value));
        };
        add(0);
        add(spread);
        for (int i = 0; i < 100; ++i) add(spread == ~uint64_t{0} ? random.Next() : random.Below(spread + 1));
        if (with_nulls) values.insert(values.begin() + 3, 7, kNull);
        EXPECT_EQ(ExpectRoundTrip(values), ColumnForm::kIntegers);
      }
    }
  }
}

TEST(Column, FloatsKeepTheirBits) {
  std::vector<Bytes> values = {Float(std::numeric_limits<double>::infinity()),
                               Float(-std::numeric_limits<double>::infinity()),
                               Float(std::numeric_limits<double>::quiet_NaN()),
                               Float(std::bit_cast<double>(0xfff8000000000123)),
                               Float(-0.0),
                               Float(0.0),
                               Float(std::numeric_limits<double>::denorm_min())};
  Random random(1);
  for (int i = 0; i < 50; ++i) values.push_back(Float(std::bit_cast<double>(random.Next())));
  EXPECT_EQ(ExpectRoundTrip(values), ColumnForm::kFloats);
  values.insert(values.begin(), kNull);
  values.push_back(kNull);
  EXPECT_EQ(ExpectRoundTrip(values), ColumnForm::kFloats);
}

// What no form is made for stands as it is.
TEST(Column, MixturesAreStillRead) {
  std::vector<Bytes> values;
  for (int i = 0; i < 40; ++i) values.push_back(i % 2 == 0 ? Integer(i) : MetadataWriter().Time(i).row());
  EXPECT_EQ(ExpectRoundTrip(values), ColumnForm::kPlain);
  values.push_back(Float(1));
  EXPECT_EQ(ExpectRoundTrip(values), ColumnForm::kPlain);
}

TEST(Column, TheSmallestFormIsChosen) {
  const auto size = [](const std::vector<Bytes>& values) { return Column(values).bytes.size(); };
  constexpr size_t kFrame = 16;  // with the checksum
  std::vector<Bytes> booleans, years, times;
  for (int i = 0; i < 250; ++i) {
    booleans.push_back(MetadataWriter().Boolean(i % 3 == 0).row());
    years.push_back(Integer(1900 + i / 2));
    times.push_back(MetadataWriter().Time(820'000'000'000'000 + i * 3'600'000'000LL).row());
  }
  EXPECT_EQ(size(booleans), kFrame + 8 + 32 + 2 * (4 + 1));
  EXPECT_EQ(size(years), kFrame + 12 + 250);
  EXPECT_EQ(size(times), kFrame + 12 + 8 * 250);
  years[7] = kNull;
  EXPECT_EQ(size(years), kFrame + 12 + 32 + 250);
}

TEST(Column, WriterRefusesWhatIsNoValue) {
  EXPECT_THROW(Column({Bytes{}}), Error);
  EXPECT_THROW(Column({Bytes{0, 0}}), Error);
  EXPECT_THROW(Column({Bytes{3, 1}}), Error);
  EXPECT_THROW(Column({Bytes{10}}), Error);
}

TEST(Column, RandomColumnsComeBack) {
  Random random(99);
  for (int round = 0; round < 400; ++round) {
    const size_t count = 1 + random.Below(60);
    const uint64_t kinds = 1 + random.Below(7);
    const uint64_t spread = uint64_t{1} << random.Below(63);
    std::vector<Bytes> values;
    for (size_t i = 0; i < count; ++i) {
      const auto number = static_cast<int64_t>(random.Below(spread)) - static_cast<int64_t>(spread / 2);
      switch (kinds == 7 ? random.Below(7) : random.Below(8) == 0 ? 0 : kinds) {
        case 0:
          values.push_back(kNull);
          break;
        case 1:
          values.push_back(Integer(number));
          break;
        case 2:
          values.push_back(MetadataWriter().Time(number).row());
          break;
        case 3:
          values.push_back(Float(static_cast<double>(number) / 7));
          break;
        case 4:
          values.push_back(Text(std::to_string(number)));
          break;
        case 5:
          values.push_back(MetadataWriter().Boolean(random.Below(2) == 0).row());
          break;
        default:
          values.push_back(MetadataWriter().List(2).Integer(number).Text("x").row());
      }
    }
    ExpectRoundTrip(values);
  }
}

}  // namespace
}  // namespace s3v

#include "format/column.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <functional>
#include <limits>

#include "base/random.h"
#include "format/coding.h"
#include "format/samples.h"
#include "support/metadata_rows.h"

namespace s3v {
namespace {

using testing::MetadataWriter;
using testing::SampleShape;

constexpr uint32_t kList = 5;
constexpr uint32_t kColumn = 3;
constexpr uint64_t kOffset = 4711;
const std::string kKey = "segment";

using Limits = std::numeric_limits<int64_t>;

Bytes Integer(int64_t value) { return MetadataWriter().Integer(value).row(); }
Bytes Float(double value) { return MetadataWriter().Float(value).row(); }
Bytes Text(std::string_view text) { return MetadataWriter().Text(text).row(); }
const Bytes kNull = MetadataWriter().Null().row();

// A column range, written, and what it is read with.
struct Column {
  Bytes bytes;
  ColumnPlace place;
  Piece piece;

  explicit Column(const std::vector<Bytes>& values) {
    const std::vector<ByteView> views(values.begin(), values.end());
    AppendColumnRange(bytes, views, kList, kColumn, SampleShape().object, kOffset);
    place = {.offset = kOffset, .length = static_cast<uint32_t>(bytes.size())};
    piece = {.list_id = kList, .count = static_cast<uint32_t>(values.size())};
  }
  ColumnRange Open(Trust trust = Trust::kVerify) const { return OpenAs(bytes, trust); }
  ColumnRange OpenAs(ByteView other, Trust trust = Trust::kVerify) const {
    ColumnPlace as_long = place;
    as_long.length = static_cast<uint32_t>(other.size());
    return {other, as_long, kColumn, piece, SampleShape(), kKey, trust};
  }
};

bool IsSame(const MetadataValue& a, const MetadataValue& b) {
  return a.tag == b.tag && a.integer == b.integer &&
         std::bit_cast<uint64_t>(a.number) == std::bit_cast<uint64_t>(b.number) && a.text == b.text &&
         a.list_count == b.list_count && std::ranges::equal(a.list, b.list);
}

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

Code OpenCode(const Column& column, ByteView bytes, Trust trust) {
  try {
    const Bytes copy(bytes.begin(), bytes.end());  // a heap block that ends here
    const ColumnRange range = column.OpenAs(copy, trust);
    // Whatever was accepted can be read.
    for (size_t i = 0; i < range.count(); ++i) {
      Bytes value;
      range.AppendValue(i, value);
      EXPECT_TRUE(IsSame(ReadValue(value), range.value(i)));
      EXPECT_TRUE(range.form() != ColumnForm::kDictionary || range.code(i) < range.distinct_count());
    }
  } catch (const Error& error) {
    return error.code();
  }
  return Code::kOk;
}

// One column of each form, small.
std::vector<Column> Columns() {
  std::vector<Bytes> few, integers, floats;
  for (int i = 0; i < 11; ++i) {
    few.push_back(Text(i % 3 == 0 ? "aaaaaaaaaaaa" : i % 3 == 1 ? "bbbbbbbbbbb" : "c"));
    integers.push_back(i == 4 ? kNull : Integer(1000 * i - 3));
    floats.push_back(i == 2 ? kNull : Float(i / 3.0));
  }
  const std::vector<Bytes> plain = {Text("some"), Integer(1), kNull, MetadataWriter().List(1).Text("x").row(),
                                    MetadataWriter().Json("{}").row()};
  return {Column(few), Column(integers), Column(floats), Column(plain)};
}

TEST(HostileColumns, TheSampleHasEveryForm) {
  const std::vector<Column> columns = Columns();
  for (size_t i = 0; i < columns.size(); ++i) EXPECT_EQ(static_cast<size_t>(columns[i].Open().form()), i + 1);
}

TEST(HostileColumns, EveryFlippedByteIsFound) {
  for (const Column& column : Columns()) {
    for (size_t i = 0; i < column.bytes.size(); ++i) {
      for (const uint8_t mask : {0x01, 0x80, 0xff}) {
        Bytes bytes = column.bytes;
        bytes[i] ^= mask;
        ASSERT_EQ(OpenCode(column, bytes, Trust::kVerify), Code::kCorrupted) << i;
      }
    }
  }
}

// Every byte given every value under a good checksum, and without one compared: an error, or values that can be read.
TEST(HostileColumns, DamageUnderAGoodChecksum) {
  for (const Column& column : Columns()) {
    size_t refused = 0;
    for (size_t i = 0; i + 4 < column.bytes.size(); ++i) {
      for (int value = 0; value < 256; ++value) {
        Bytes bytes(column.bytes.begin(), column.bytes.end() - 4);
        bytes[i] = static_cast<uint8_t>(value);
        AppendRangeChecksum(bytes, SampleShape().object, 0, kOffset);
        const Code code = OpenCode(column, bytes, Trust::kVerify);
        ASSERT_TRUE(code == Code::kOk || code == Code::kCorrupted) << i;
        ASSERT_EQ(OpenCode(column, bytes, Trust::kVerified), code) << i;
        refused += code == Code::kCorrupted ? 1 : 0;
      }
    }
    EXPECT_GT(refused, 16 * 255U) << "frame, form, filler and lengths at least";
  }
}

TEST(HostileColumns, CutsAndMore) {
  for (const Column& column : Columns()) {
    for (size_t size = 0; size <= column.bytes.size() + 1; ++size) {
      Bytes bytes = column.bytes;
      bytes.resize(bytes.size() - 4);
      if (size == bytes.size()) continue;
      bytes.resize(size);
      AppendRangeChecksum(bytes, SampleShape().object, 0, kOffset);
      EXPECT_EQ(OpenCode(column, bytes, Trust::kVerify), Code::kCorrupted) << size;
      EXPECT_EQ(OpenCode(column, bytes, Trust::kVerified), Code::kCorrupted) << size;
    }
    for (size_t size = 0; size < 4; ++size) {
      EXPECT_EQ(OpenCode(column, ByteView(column.bytes).first(size), Trust::kVerified), Code::kCorrupted);
    }
  }
}

TEST(HostileColumns, OthersAreRefused) {
  for (const Column& column : Columns()) {
    const auto open = [&](const std::function<void(ColumnPlace&, uint32_t&, Piece&, SegmentShape&)>& change,
                          Trust trust = Trust::kVerified) {
      ColumnPlace place = column.place;
      uint32_t number = kColumn;
      Piece piece = column.piece;
      SegmentShape shape = SampleShape();
      change(place, number, piece, shape);
      try {
        ColumnRange(column.bytes, place, number, piece, shape, kKey, trust);
      } catch (const Error& error) {
        EXPECT_EQ(error.code(), Code::kCorrupted);
        return error.detail();
      }
      return std::string();
    };
    EXPECT_EQ(open([](auto&, auto&, auto&, auto&) {}), "");
    EXPECT_EQ(open([](auto&, uint32_t& number, auto&, auto&) { ++number; }), "the range belongs to another column");
    EXPECT_EQ(open([](auto&, auto&, Piece& piece, auto&) { ++piece.list_id; }), "the range belongs to another list");
    EXPECT_NE(open([](auto&, auto&, Piece& piece, auto&) { ++piece.count; }), "");
    EXPECT_NE(open([](ColumnPlace& place, auto&, auto&, auto&) { ++place.length; }), "");
    EXPECT_NE(open([](ColumnPlace& place, auto&, auto&, auto&) { ++place.offset; }, Trust::kVerify), "");
    EXPECT_NE(open([](auto&, auto&, auto&, SegmentShape& shape) { shape.object[0] ^= 1; }, Trust::kVerify), "");
  }
}

// What the reader says of a body under a good frame.
std::string FaultOfBody(ColumnForm form, uint32_t count, const Bytes& body) {
  Bytes bytes;
  Append(bytes, count);
  Append(bytes, kList);
  Append(bytes, static_cast<uint16_t>(kColumn));
  Append(bytes, form);
  bytes.push_back(0);
  Append(bytes, ByteView(body));
  AppendRangeChecksum(bytes, SampleShape().object, 0, kOffset);
  const ColumnPlace place{.offset = kOffset, .length = static_cast<uint32_t>(bytes.size())};
  try {
    ColumnRange(bytes, place, kColumn, {.list_id = kList, .count = count}, SampleShape(), kKey, Trust::kVerified);
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), Code::kCorrupted);
    return error.detail();
  }
  return "";
}

TEST(HostileColumns, Dictionaries) {
  const auto fault = [](const Bytes& body, uint32_t count = 3) {
    return FaultOfBody(ColumnForm::kDictionary, count, body);
  };
  // Two values, one bit each, ends 1 and 2, false and true.
  EXPECT_EQ(fault({2, 0, 0, 0, 1, 0, 0, 0, 0b101, 1, 0, 0, 0, 2, 0, 0, 0, 1, 2}), "");
  EXPECT_EQ(fault({2, 0, 0, 0, 1, 0, 0, 0, 0b1101, 1, 0, 0, 0, 2, 0, 0, 0, 1, 2}),
            "bits follow those of the last entry");
  EXPECT_EQ(fault({2, 0, 0, 0, 1, 0, 0, 0, 0b101, 1, 0, 0, 0, 2, 0, 0, 0, 2, 1}),
            "the values of a dictionary are out of order");
  EXPECT_EQ(fault({2, 0, 0, 0, 1, 0, 0, 0, 0b101, 1, 0, 0, 0, 2, 0, 0, 0, 2, 2}),
            "the values of a dictionary are out of order");
  EXPECT_EQ(fault({2, 0, 0, 0, 2, 0, 0, 0, 0b101, 1, 0, 0, 0, 2, 0, 0, 0, 1, 2}),
            "the numbers of the values have another width");
  EXPECT_EQ(fault({0, 0, 0, 0, 0, 0, 0, 0}), "0 distinct values of 3");
  EXPECT_EQ(fault({4, 0, 0, 0, 2, 0, 0, 0}), "4 distinct values of 3");
  EXPECT_EQ(fault({0xff, 0xff, 0xff, 0xff, 32, 0, 0, 0}), "4294967295 distinct values of 3");
  EXPECT_EQ(fault({2, 0, 0, 0, 1, 0, 0, 0, 0b101, 1, 0, 0, 0, 1, 0, 0, 0, 1}),
            "corrupted metadata: the row ends before its last value")
      << "an empty value";
  EXPECT_EQ(fault({1, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 1, 1}), "corrupted metadata: bytes follow the value");
  EXPECT_EQ(fault({1, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 1, 1}), "the ends of the items do not cover their plane");
  // Three values of two bits: the number 3 is none of them.
  EXPECT_EQ(fault({3, 0, 0, 0, 2, 0, 0, 0, 0b100100, 1, 0, 0, 0, 2, 0, 0, 0, 3, 0, 0, 0, 0, 1, 2}), "");
  EXPECT_EQ(fault({3, 0, 0, 0, 2, 0, 0, 0, 0b110100, 1, 0, 0, 0, 2, 0, 0, 0, 3, 0, 0, 0, 0, 1, 2}),
            "an entry has a value that does not exist");
}

TEST(HostileColumns, Numbers) {
  const auto integers = [](const Bytes& head, int64_t least, const Bytes& rest) {
    Bytes body = head;
    Append(body, least);
    Append(body, ByteView(rest));
    return FaultOfBody(ColumnForm::kIntegers, 2, body);
  };
  EXPECT_EQ(integers({3, 0, 1, 0}, 5, {0, 9}), "");
  EXPECT_EQ(integers({7, 0, 1, 0}, Limits::max() - 9, {0, 9}), "");
  EXPECT_EQ(integers({7, 0, 1, 0}, Limits::max() - 9, {0, 10}), "an integer is beyond the greatest");
  EXPECT_EQ(integers({3, 0, 8, 0}, -1, {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x80}), "")
      << "the greatest there is";
  EXPECT_EQ(integers({3, 0, 8, 0}, -1, {0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0x80}),
            "an integer is beyond the greatest");
  EXPECT_EQ(integers({3, 1, 1, 0}, 5, {0b10, 9, 0}), "");
  EXPECT_EQ(integers({3, 1, 1, 0}, 5, {0b10, 0, 9}), "a NULL is not zero");
  EXPECT_EQ(integers({3, 1, 1, 0}, 5, {0b110, 9, 0}), "bits follow those of the last entry");
  EXPECT_EQ(integers({4, 0, 1, 0}, 5, {0, 9}), "a column of no integers");
  EXPECT_EQ(integers({3, 2, 1, 0}, 5, {0, 9}), "flag 2 is unknown");
  for (const uint8_t width : {3, 5, 6, 7, 16, 255}) {
    EXPECT_EQ(integers({3, 0, width, 0}, 5, {0, 9}), "offsets of another width") << int{width};
  }
  EXPECT_EQ(integers({3, 0, 1, 1}, 5, {0, 9}), "a reserved field is not zero");
  EXPECT_EQ(integers({3, 0, 1, 0}, 5, {0, 9, 0}), "bytes follow the last entry");
  EXPECT_EQ(integers({3, 0, 1, 0}, 5, {0}), "a length leaves the range");

  const auto floats = [](const Bytes& head, const std::vector<double>& numbers, const Bytes& rest = {}) {
    Bytes body = head;
    for (const double number : numbers) Append(body, number);
    Append(body, ByteView(rest));
    return FaultOfBody(ColumnForm::kFloats, 2, body);
  };
  EXPECT_EQ(floats({0, 0, 0, 0}, {1, 2}), "");
  EXPECT_EQ(floats({1, 0, 0, 0, 0b01}, {0, 2}), "");
  EXPECT_EQ(floats({1, 0, 0, 0, 0b01}, {-0.0, 2}), "a NULL is not zero");
  EXPECT_EQ(floats({1, 0, 0, 0, 0b101}, {0, 2}), "bits follow those of the last entry");
  EXPECT_EQ(floats({0, 1, 0, 0}, {1, 2}), "a reserved field is not zero");
  EXPECT_EQ(floats({0, 0, 0, 0}, {1, 2}, {0}), "bytes follow the last entry");
}

TEST(HostileColumns, FormsThatDoNotExist) {
  for (const uint8_t form : {0, 5, 255}) {
    EXPECT_EQ(FaultOfBody(ColumnForm{form}, 1, {1, 0, 0, 0, 0}),
              "form of a column " + std::to_string(form) + " is unknown");
  }
  EXPECT_EQ(FaultOfBody(ColumnForm::kPlain, 1, {1, 0, 0, 0, 0}), "");
}

}  // namespace
}  // namespace s3v

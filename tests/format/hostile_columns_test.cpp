// Column ranges that are not what they claim: damaged, cut, of others, or with numbers that lie under a good checksum.
#include <gtest/gtest.h>

#include <functional>
#include <limits>

#include "format/coding.h"
#include "format/sample_columns.h"

namespace s3v {
namespace {

using testing::Column;
using testing::Float;
using testing::Integer;
using testing::IsSame;
using testing::kColumn;
using testing::kColumnKey;
using testing::kList;
using testing::kNull;
using testing::kOffset;
using testing::MetadataWriter;
using testing::SampleShape;
using testing::Text;
using Limits = std::numeric_limits<int64_t>;

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
    const size_t payload = column.bytes.size() - sizeof(uint32_t);
    for (size_t size = 0; size <= payload + 5; ++size) {
      if (size == payload) continue;
      Bytes bytes(column.bytes.begin(), column.bytes.begin() + static_cast<int64_t>(std::min(size, payload)));
      bytes.insert(bytes.end(), size - bytes.size(), 0);
      AppendRangeChecksum(bytes, SampleShape().object, 0, kOffset);
      EXPECT_EQ(OpenCode(column, bytes, Trust::kVerify), Code::kCorrupted) << size;
      EXPECT_EQ(OpenCode(column, bytes, Trust::kVerified), Code::kCorrupted) << size;
    }
    for (size_t size = 0; size < sizeof(uint32_t); ++size) {
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
        ColumnRange(column.bytes, place, number, piece, shape, kColumnKey, trust);
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
    ColumnRange(bytes, place, kColumn, {.list_id = kList, .count = count}, SampleShape(), kColumnKey, Trust::kVerified);
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

#include "format/metadata.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "base/error.h"
#include "base/random.h"
#include "support/metadata_rows.h"

namespace s3v {
namespace {

using ::testing::HasSubstr;
using testing::MetadataWriter;

// Reads to the end and answers the message of the error, or "" when the row is sound.
std::string ReadingFault(ByteView row) {
  try {
    MetadataReader reader(row);
    while (!reader.AtEnd()) reader.Next();
    return {};
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), Code::kCorrupted);
    return error.message();
  }
}

TEST(MetadataReader, ReadsEveryKindOfValue) {
  MetadataWriter writer;
  writer.Null().Boolean(false).Boolean(true).Integer(std::numeric_limits<int64_t>::min()).Float(-0.1);
  writer.Decimal("123456789012345678901234567890.5").Text("Z\xc3\xbcrich").Time(-1).List(0).Json("{}");
  MetadataReader reader(writer.row());
  EXPECT_EQ(reader.Next().tag, ValueTag::kNull);
  EXPECT_EQ(reader.Next().tag, ValueTag::kFalse);
  EXPECT_EQ(reader.Next().tag, ValueTag::kTrue);
  const MetadataValue integer = reader.Next();
  EXPECT_EQ(integer.tag, ValueTag::kInteger);
  EXPECT_EQ(integer.integer, std::numeric_limits<int64_t>::min());
  const MetadataValue number = reader.Next();
  EXPECT_EQ(number.tag, ValueTag::kFloat);
  EXPECT_EQ(number.number, -0.1);
  const MetadataValue decimal = reader.Next();
  EXPECT_EQ(decimal.tag, ValueTag::kDecimal);
  EXPECT_EQ(decimal.text, "123456789012345678901234567890.5");
  const MetadataValue text = reader.Next();
  EXPECT_EQ(text.tag, ValueTag::kText);
  EXPECT_EQ(text.text, "Z\xc3\xbcrich");
  const MetadataValue time = reader.Next();
  EXPECT_EQ(time.tag, ValueTag::kTime);
  EXPECT_EQ(time.integer, -1);
  const MetadataValue list = reader.Next();
  EXPECT_EQ(list.tag, ValueTag::kList);
  EXPECT_EQ(list.list_count, 0u);
  EXPECT_TRUE(list.list.empty());
  const MetadataValue json = reader.Next();
  EXPECT_EQ(json.tag, ValueTag::kJson);
  EXPECT_EQ(json.text, "{}");
  EXPECT_TRUE(reader.AtEnd());
}

TEST(MetadataReader, ListElementsAreAViewThatEndsWithTheList) {
  MetadataWriter writer;
  writer.List(3).Text("a").Integer(7).Boolean(true).Text("behind the list");
  MetadataReader reader(writer.row());
  const MetadataValue list = reader.Next();
  ASSERT_EQ(list.list_count, 3u);
  MetadataReader elements(list.list);
  EXPECT_EQ(elements.Next().text, "a");
  EXPECT_EQ(elements.Next().integer, 7);
  EXPECT_EQ(elements.Next().tag, ValueTag::kTrue);
  EXPECT_TRUE(elements.AtEnd());
  EXPECT_EQ(reader.Next().text, "behind the list");
}

// The bytes of stored rows: a change here makes segments unreadable that were written before.
TEST(MetadataReader, BytesAreThoseOfTheGrammar) {
  MetadataWriter writer;
  writer.Boolean(true).Integer(258).Text("ab").List(1).Time(1).Json("null");
  EXPECT_EQ(ToHex(writer.row()),
            "02"
            "030201000000000000"
            "06020000006162"
            "0801000000"
            "070100000000000000"
            "09040000006e756c6c");
  EXPECT_EQ(ReadingFault(writer.row()), "");
}

TEST(MetadataReader, RefusesReadingBehindTheEnd) {
  MetadataReader reader(ByteView{});
  EXPECT_TRUE(reader.AtEnd());
  EXPECT_THROW(reader.Next(), Error);
}

TEST(MetadataReader, RefusesUnknownTags) {
  for (int tag = 10; tag < 256; ++tag) {
    const uint8_t row[] = {static_cast<uint8_t>(tag), 0, 0, 0, 0, 0, 0, 0, 0};
    EXPECT_THAT(ReadingFault(row), HasSubstr("unknown value tag " + std::to_string(tag)));
  }
}

TEST(MetadataReader, RefusesLengthsThatLeaveTheBytes) {
  for (const uint8_t tag : {5, 6, 9}) {
    const uint8_t one_too_many[] = {tag, 3, 0, 0, 0, 'a', 'b'};
    EXPECT_THAT(ReadingFault(one_too_many), HasSubstr("3 bytes where 2 are left"));
    const uint8_t largest[] = {tag, 0xff, 0xff, 0xff, 0xff, 'a', 'b'};
    EXPECT_THAT(ReadingFault(largest), HasSubstr("4294967295 bytes where 2 are left"));
  }
  const uint8_t lying_list[] = {8, 0xff, 0xff, 0xff, 0xff, 1, 2, 1};
  EXPECT_NE(ReadingFault(lying_list), "");
}

TEST(MetadataReader, RefusesListsOfAnythingButScalars) {
  EXPECT_THAT(ReadingFault(MetadataWriter().List(1).Null().row()), HasSubstr("list element of tag 0"));
  EXPECT_THAT(ReadingFault(MetadataWriter().List(1).List(0).row()), HasSubstr("list element of tag 8"));
  EXPECT_THAT(ReadingFault(MetadataWriter().List(1).Json("{}").row()), HasSubstr("list element of tag 9"));
  // Lists within lists, ten thousand deep: refused at the second, whatever the stack.
  MetadataWriter deep;
  for (int i = 0; i < 10'000; ++i) deep.List(1);
  EXPECT_THAT(ReadingFault(deep.row()), HasSubstr("list element of tag 8"));
}

TEST(MetadataReader, RandomBytesAreReadOrRefused) {
  Random random(42);
  int sound = 0;
  for (int round = 0; round < 20'000; ++round) {
    Bytes row(random.Below(40));
    // Small bytes, so that tags and lengths are often good ones.
    for (uint8_t& byte : row) byte = static_cast<uint8_t>(random.Below(random.Below(4) == 0 ? 256 : 11));
    sound += ReadingFault(row).empty() ? 1 : 0;
  }
  EXPECT_GT(sound, 500);
  EXPECT_LT(sound, 19'500);
}

}  // namespace
}  // namespace s3v

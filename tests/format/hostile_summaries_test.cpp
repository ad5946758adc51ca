// Summaries that are not what they claim: an error, never one that is something else.
#include <gtest/gtest.h>

#include <limits>

#include "base/error.h"
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

const std::string kKey = "delta";
constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

// What the reader says of these bytes.
std::string FaultOf(const Bytes& bytes, uint32_t entries) {
  try {
    Decoder decoder(bytes, kKey);
    ReadSummary(decoder, entries);
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), Code::kCorrupted);
    EXPECT_NE(error.message().find("object \"delta\""), std::string::npos);
    return error.detail();
  }
  return "";
}

TEST(HostileSummaries, Values) {
  EXPECT_EQ(FaultOf({1, 1, 2, 1, 3, 2, 1}, 5), "") << "one NULL, three times false, once true";
  EXPECT_EQ(FaultOf({6, 1, 0}, 5), "a column has more NULLs than entries");
  EXPECT_EQ(FaultOf({1, 4}, 5), "form of a summary 4 is unknown");
  EXPECT_EQ(FaultOf({1, 1, 17}, 5), "a summary of 17 values");
  constexpr const char* kSum = "the values of a summary do not add up to its entries";
  EXPECT_EQ(FaultOf({1, 1, 2, 1, 3, 2, 1}, 6), kSum);
  EXPECT_EQ(FaultOf({1, 1, 2, 1, 2, 2, 1}, 5), kSum);
  EXPECT_EQ(FaultOf({0, 1, 0}, 5), kSum);
  constexpr const char* kOrder = "the values of a summary are out of order";
  EXPECT_EQ(FaultOf({1, 1, 2, 2, 1, 1, 3}, 5), kOrder);
  EXPECT_EQ(FaultOf({1, 1, 2, 1, 1, 1, 3}, 5), kOrder) << "twice the same";
  constexpr const char* kEntries = "a value has other entries than its column";
  EXPECT_EQ(FaultOf({1, 1, 2, 1, 0, 2, 4}, 5), kEntries);
  EXPECT_EQ(FaultOf({1, 1, 2, 1, 5, 2, 1}, 5), kEntries);
  constexpr const char* kScalar = "a summary counts what is no scalar";
  EXPECT_EQ(FaultOf({0, 1, 1, 0, 1}, 1), kScalar);
  EXPECT_EQ(FaultOf({0, 1, 1, 8, 0, 0, 0, 0, 1}, 1), kScalar);
  EXPECT_EQ(FaultOf({0, 1, 1, 9, 0, 0, 0, 0, 1}, 1), kScalar);
  EXPECT_EQ(FaultOf({0, 1, 1, 10, 1}, 1), "corrupted metadata: unknown value tag 10");
  Bytes long_text = {0, 1, 1};
  Append(long_text, ByteView(Text(std::string(28, 'x'))));
  long_text.push_back(1);
  EXPECT_NE(FaultOf(long_text, 1), "") << "longer than is counted";
  EXPECT_EQ(FaultOf({0, 1, 1, 6, 0xff, 0xff, 0xff, 0xff, 1}, 1),
            "corrupted metadata: a value of 4294967295 bytes where 1 are left");
}

TEST(HostileSummaries, Elements) {
  EXPECT_EQ(FaultOf({1, 2, 2, 1, 4, 2, 4}, 5), "") << "each entry may have both";
  EXPECT_EQ(FaultOf({1, 2, 0}, 5), "") << "empty lists";
  EXPECT_EQ(FaultOf({1, 2, 1, 1, 5}, 5), "a value has other entries than its column");
  EXPECT_EQ(FaultOf({5, 2, 0}, 5), "a summary of NULLs has values");
  EXPECT_EQ(FaultOf({1, 2, 17}, 5), "a summary of 17 values");
}

TEST(HostileSummaries, Ranges) {
  const auto fault = [](uint8_t cut, const Bytes& least, const Bytes& greatest, uint8_t nulls = 1) {
    Bytes bytes = {nulls, 3, cut};
    Append(bytes, ByteView(least));
    Append(bytes, ByteView(greatest));
    return FaultOf(bytes, 5);
  };
  EXPECT_EQ(fault(0, Integer(1), Integer(1)), "");
  EXPECT_EQ(fault(0, Integer(1), Integer(2), 5), "a summary of NULLs has values");
  constexpr const char* kOrder = "the least value of a range is above the greatest";
  EXPECT_EQ(fault(0, Integer(2), Integer(1)), kOrder);
  EXPECT_EQ(fault(0, Float(kNan), Float(1)), kOrder);
  EXPECT_EQ(fault(0, Float(1), Float(kNan)), "");
  EXPECT_EQ(fault(0, Decimal("10"), Decimal("9")), kOrder);
  EXPECT_EQ(fault(0, Decimal("9"), Decimal("10")), "");
  EXPECT_EQ(fault(0, Decimal("9"), Decimal("1x")), "corrupted metadata: a decimal that is no number");
  EXPECT_EQ(fault(0, Decimal("9"), Decimal(std::string(28, '9'))),
            "corrupted metadata: a value of 28 bytes where 27 are left");
  EXPECT_EQ(fault(0, Time(1), Time(2)), "");
  EXPECT_EQ(fault(0, Text("b"), Text("a")), kOrder);
  const std::string sixteen(16, 'b');
  EXPECT_EQ(fault(1, Text("a"), Text(sixteen)), "");
  EXPECT_EQ(fault(1, Text(sixteen), Text(sixteen)), "");
  EXPECT_EQ(fault(1, Text("c"), Text(sixteen)), kOrder);
  EXPECT_EQ(fault(2, Text("a"), Text("b")), "flag 2 is unknown");
  EXPECT_EQ(fault(0, Text("a"), Text(sixteen + "b")), "a range of texts that are too long");
  EXPECT_EQ(fault(0, Text("a" + sixteen), Text("b")), "a range of texts that are too long");
  EXPECT_EQ(fault(1, Text("a"), Text("b")), "a range is cut where it cannot be");
  EXPECT_EQ(fault(1, Integer(1), Integer(2)), "a range is cut where it cannot be");
  constexpr const char* kTags = "a range of values without an order";
  EXPECT_EQ(fault(0, Integer(1), Time(2)), kTags);
  EXPECT_EQ(fault(0, {1}, {2}), kTags);
  EXPECT_EQ(fault(0, {0}, {0}), kTags);
  EXPECT_EQ(fault(0, MetadataWriter().List(0).row(), MetadataWriter().List(0).row()), kTags);
}

// One summary of each form.
std::vector<Summarized> OfEachForm() {
  return {Summarized({MetadataWriter().Json("{}").row(), Null()}),
          Summarized({Text("some"), Integer(5), Null(), Text("some"), Decimal("1.5")}),
          Summarized({MetadataWriter().List(2).Text("a").Integer(1).row(), Null()}),
          Summarized(Values(200, Integer)),
          Summarized(Values(20, [](int i) { return Float(i); })),
          Summarized(Values(20, [](int i) { return Decimal(std::to_string(i)); })),
          Summarized(Values(20, [](int i) { return Text(std::string(20, 'a') + std::to_string(i)); }))};
}

// Every byte given every value: an error, or a summary that can be looked at.
TEST(HostileSummaries, EveryByte) {
  for (const Summarized& of : OfEachForm()) {
    size_t refused = 0;
    for (size_t i = 0; i < of.bytes.size(); ++i) {
      for (int value = 0; value < 256; ++value) {
        Bytes bytes(of.bytes.begin(), of.bytes.end());  // a heap block that ends here
        bytes[i] = static_cast<uint8_t>(value);
        try {
          Decoder decoder(bytes, kKey);
          const ColumnSummary summary = ReadSummary(decoder, of.entries);
          ASSERT_LE(summary.nulls, of.entries);
          ASSERT_LE(summary.counted, kMostSummaryValues);
          const ByteView read = ByteView(bytes).first(bytes.size() - decoder.left());
          const Bytes copy(read.begin(), read.end());
          ASSERT_EQ(ViewSummary(copy, of.entries).form, summary.form) << "no byte behind it is looked at";
        } catch (const Error& error) {
          ASSERT_EQ(error.code(), Code::kCorrupted);
          ++refused;
        }
      }
    }
    EXPECT_GT(refused, 250U);
  }
}

TEST(HostileSummaries, EveryCut) {
  for (const Summarized& of : OfEachForm()) {
    for (size_t size = 0; size < of.bytes.size(); ++size) {
      const Bytes cut(of.bytes.begin(), of.bytes.begin() + static_cast<int64_t>(size));
      EXPECT_NE(FaultOf(cut, of.entries), "") << size;
    }
  }
}

}  // namespace
}  // namespace s3v

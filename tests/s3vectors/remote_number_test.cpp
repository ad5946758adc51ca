#include "s3vectors/remote_number.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "base/error.h"

namespace s3v {
namespace {

Number Of(const char* text) { return Number::FromJson(text); }

TEST(RemoteNumber, IntegersAndFloatsPrintShortest) {
  EXPECT_EQ(IntegerText(INT64_MIN), "-9223372036854775808");
  EXPECT_EQ(FloatText(0.1), "0.1");
  EXPECT_EQ(FloatText(2020), "2020");
  EXPECT_EQ(FloatText(-0.0), "0");
  EXPECT_EQ(FloatText(static_cast<double>(0.1F)), "0.10000000149011612");
  EXPECT_EQ(FloatText(std::nan("")), std::nullopt);
  EXPECT_EQ(FloatText(INFINITY), kGreatestText);
  EXPECT_EQ(FloatText(-INFINITY), kLeastText);
}

TEST(RemoteNumber, DecimalsPrintWithoutZerosThatSayNothing) {
  EXPECT_EQ(DecimalText("19.90"), "19.9");
  EXPECT_EQ(DecimalText("-0.00"), "0");
  EXPECT_EQ(DecimalText("2020.000"), "2020");
  EXPECT_EQ(DecimalText("1000"), "1000");
  EXPECT_EQ(DecimalText("123456789.12345678901234567890"), "123456789.1234567890123456789");
  EXPECT_EQ(DecimalText("NaN"), std::nullopt);
  EXPECT_EQ(DecimalText("Infinity"), kGreatestText);
  EXPECT_EQ(DecimalText("-1" + std::string(400, '0')), kLeastText);
  EXPECT_EQ(DecimalText("0." + std::string(29, '0') + "15"), "1.5e-30");
  EXPECT_THROW(DecimalText("1e5"), Error);
  EXPECT_THROW(DecimalText(""), Error);
}

// As doubles they were equal to the short number beside them.
TEST(RemoteNumber, DecimalsThatRoundToAShortNumberAreMovedOffIt) {
  EXPECT_EQ(DecimalText("5.00000000000000000001"), "5.000000000000001");
  EXPECT_EQ(DecimalText("4.99999999999999999999"), "4.999999999999999");
  EXPECT_EQ(DecimalText("-0.10000000000000000001"), "-0.10000000000000002");
  EXPECT_EQ(DecimalText("0." + std::string(400, '0') + "1"), "5e-324");
  EXPECT_EQ(DecimalText("5.0000001"), "5.0000001");
}

TEST(RemoteNumber, TimesAreSecondsSince1970) {
  constexpr int64_t k1970 = -946'684'800'000'000;
  EXPECT_EQ(TimeText(0), "946684800");
  EXPECT_EQ(TimeText(k1970), "0");
  EXPECT_EQ(TimeText(k1970 + 1), "0.000001");
  EXPECT_EQ(TimeText(k1970 - 1), "-0.000001");
  EXPECT_EQ(TimeText(k1970 - 1'500'000), "-1.5");
  EXPECT_EQ(TimeText(k1970 + 1'500'000), "1.5");
  EXPECT_EQ(TimeText(k1970 - 1'000'000), "-1");
  EXPECT_EQ(TimeText(123'456), "946684800.123456");
  EXPECT_EQ(TimeText(-123'456), "946684799.876544");
  EXPECT_EQ(TimeText(INT64_MAX - 1), "9224318721654.775806");
  EXPECT_EQ(TimeText(INT64_MIN + 1), "-9222425352054.775807");
  EXPECT_EQ(TimeText(INT64_MAX), kGreatestText);
  EXPECT_EQ(TimeText(INT64_MIN), kLeastText);
}

TEST(RemoteNumber, ShortNumbersHaveFifteenDigitsOrAreIntegers) {
  for (const char* text : {"0", "-0.0", "5", "1e3", "0.1", "123456789012345", "12345.6789012345", "4503599627370495",
                           "9007199254740990", "1e-290"}) {
    EXPECT_TRUE(IsShort(Of(text))) << text;
    EXPECT_EQ(TextsOf(Of(text)).size(), 1u) << text;
  }
  for (const char* text : {"1e16", "9007199254740991", "12345.67890123456", "0.1000000000000000055511151231257827",
                           "1e-300", "1e-400", "5.00000000000000000001"}) {
    EXPECT_FALSE(IsShort(Of(text))) << text;
  }
}

TEST(RemoteNumber, LongNumbersHaveTheTextsOfAllRowsThatAreEqual) {
  EXPECT_EQ(TextsOf(Of("5.00000000000000000001")),
            (std::vector<std::string>{"5", "5.00000000000000000001", "5.000000000000001"}));
  EXPECT_EQ(TextsOf(Of("9007199254740993")), (std::vector<std::string>{"9007199254740992", "9007199254740993"}));
}

TEST(RemoteNumber, BoundsOfLongNumbersLeaveRoom) {
  EXPECT_EQ(UpperBound(Of("5.0")), "5");
  EXPECT_EQ(UpperBound(Of("5.00000000000000000001")), "5.000000000000001");
  EXPECT_EQ(LowerBound(Of("5.00000000000000000001")), "4.999999999999999");
  EXPECT_EQ(UpperBound(Of("1e-400")), "1e-290");
  EXPECT_EQ(LowerBound(Of("1e-400")), "-1e-290");
  EXPECT_EQ(UpperBound(Of("1.7976931348623157e308")), std::nullopt);
  EXPECT_NE(LowerBound(Of("1.7976931348623157e308")), std::nullopt);
}

TEST(RemoteNumber, ShortTimesEndIn2242) {
  constexpr int64_t kEnd = (int64_t{1} << 33) * 1'000'000 - 946'684'800'000'000;
  EXPECT_TRUE(IsShortTime(0));
  EXPECT_TRUE(IsShortTime(kEnd - 1));
  EXPECT_FALSE(IsShortTime(kEnd));
  EXPECT_FALSE(IsShortTime(INT64_MAX));
  EXPECT_FALSE(IsShortTime(INT64_MIN));
}

}  // namespace
}  // namespace s3v

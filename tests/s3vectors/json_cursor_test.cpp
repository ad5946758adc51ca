#include "s3vectors/json_cursor.h"

#include <gtest/gtest.h>

#include <cmath>
#include <nlohmann/json.hpp>
#include <vector>

#include "base/random.h"

namespace s3v {
namespace {

using nlohmann::json;

TEST(JsonCursor, ReadsWhatOthersWrite) {
  JsonCursor cursor(
      R"( { "a" : [ 1 , -2.5e-3, 0.1 ] , "b\n\u00fc\ud83d\ude00" : "\"\\\/\b\f\n\r\t" , "c":true,"d":null} )");
  std::vector<double> numbers;
  std::vector<std::string> keys;
  std::string text;
  bool flag = false;
  EXPECT_TRUE(cursor.ReadObject([&](std::string_view key) {
    keys.emplace_back(key);
    double number = 0;
    if (key == "a")
      return cursor.ReadList([&] { return cursor.ReadNumber(&number) && (numbers.push_back(number), true); });
    if (key == "c") return cursor.ReadBoolean(&flag);
    if (key == "d") return cursor.ReadNull();
    return cursor.ReadString(&text);
  }));
  EXPECT_TRUE(cursor.AtEnd());
  EXPECT_EQ(numbers, (std::vector<double>{1, -0.0025, 0.1}));
  EXPECT_EQ(keys, (std::vector<std::string>{"a", "b\n\xC3\xBC\xF0\x9F\x98\x80", "c", "d"}));
  EXPECT_EQ(text, "\"\\/\b\f\n\r\t");
  EXPECT_TRUE(flag);
}

TEST(JsonCursor, NumbersBeyondDoublesAreInfiniteOrZero) {
  double number = 0;
  EXPECT_TRUE(JsonCursor("-1e999").ReadNumber(&number));
  EXPECT_EQ(number, -INFINITY);
  EXPECT_TRUE(JsonCursor("1e-999").ReadNumber(&number));
  EXPECT_EQ(number, 0);
  float value = 0;
  EXPECT_FALSE(JsonCursor("1e39").ReadFloat(&value));
  EXPECT_TRUE(JsonCursor("0.100000001490116").ReadFloat(&value));
  EXPECT_EQ(value, 0.1F);
  EXPECT_TRUE(JsonCursor("1e-60").ReadFloat(&value));
  EXPECT_EQ(value, 0);
}

TEST(JsonCursor, SkippedTextIsTheValue) {
  JsonCursor cursor(R"( {"a":  {"b":[1,{"c":"}]"}],"d":"\""}  ,"e":-1.5e+3 } )");
  std::string seen;
  EXPECT_TRUE(cursor.ReadObject([&](std::string_view key) {
    std::string_view raw;
    const bool is_value = cursor.SkipValue(&raw);
    seen += std::string(key) + '=' + std::string(raw) + ';';
    return is_value;
  }));
  EXPECT_EQ(seen, R"(a={"b":[1,{"c":"}]"}],"d":"\""};e=-1.5e+3;)");
}

bool IsWhole(std::string_view text) {
  JsonCursor cursor(text);
  std::string_view raw;
  return cursor.SkipValue(&raw) && cursor.AtEnd();
}

TEST(JsonCursor, RefusesWhatIsNoJson) {
  for (const char* broken :
       {"",   "{",       "[",         "[1",          "[1,", "[1,]", "{\"a\"}", "{\"a\":}", "{\"a\":1,}", "{a:1}",
        "\"", "\"\\x\"", "\"\\u12\"", "\"\\u12g4\"", "tru", "nul",  "-",       "1.",       ".5",         "1e",
        "+1", "NaN",     "inf",       "-inf",        "1 2", "01",   "[1}",     "\"\x01\"", "\"\xff\"",   "'a'"}) {
    EXPECT_FALSE(IsWhole(broken)) << broken;
  }
  EXPECT_TRUE(IsWhole(std::string(60, '[') + std::string(60, ']')));
  EXPECT_FALSE(IsWhole(std::string(100'000, '[') + std::string(100'000, ']')));
}

TEST(JsonCursor, BrokenSurrogatesAreReplaced) {
  std::string text;
  EXPECT_TRUE(JsonCursor(R"("\ud83d!\ud83d\u0041\ude00")").ReadString(&text));
  EXPECT_EQ(text,
            "\xEF\xBF\xBD!\xEF\xBF\xBD"
            "A\xEF\xBF\xBD");
}

// Cut or changed anywhere: read or refused, never beyond its end; and what is whole JSON to another reader is so here.
TEST(JsonCursor, AgreesWithAnotherReaderOnMangledText) {
  const std::string text =
      R"({"vectors":[{"key":"a\u00e9","distance":0.25,"metadata":{"x":[1,"y",true]}}],"nextToken":"t=="})";
  Random random(11);
  int whole = 0;
  for (int i = 0; i < 20'000; ++i) {
    std::string mangled = text.substr(0, random.Below(4) == 0 ? random.Below(text.size() + 1) : text.size());
    constexpr char kBytes[] = "{}[]\",:\\0e.-t nu\x80";
    for (uint64_t n = random.Below(3); n > 0 && !mangled.empty(); --n) {
      mangled[random.Below(mangled.size())] = kBytes[random.Below(sizeof kBytes - 1)];
    }
    const bool expected = json::accept(mangled);
    whole += expected ? 1 : 0;
    ASSERT_EQ(IsWhole(mangled), expected) << mangled;
  }
  EXPECT_GT(whole, 1000);
  EXPECT_LT(whole, 19'000);
}

}  // namespace
}  // namespace s3v

#include "filter/json_tree.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <ctime>
#include <string>

#include "base/error.h"

namespace s3v {
namespace {

using ::testing::HasSubstr;

std::string Repeated(const std::string& part, size_t times) {
  std::string text;
  for (size_t i = 0; i < times; ++i) text += part;
  return text;
}

// The message of the refusal, or "" when the document is read; never for more than a tenth of a second of CPU time.
std::string Refusal(const std::string& json) {
  const std::clock_t start = std::clock();
  std::string message;
  try {
    ReadJson(json);
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), Code::kInvalidArgument);
    message = error.message();
  }
  EXPECT_LT(std::clock() - start, CLOCKS_PER_SEC / 10) << json.substr(0, 40);
  return message;
}

TEST(ReadJson, KeepsNumbersAsWritten) {
  const JsonNode list = ReadJson("[0, -7, 18446744073709551615, 123456789012345678901234567890, 2020.0, 1e3, 1E-400]");
  ASSERT_EQ(list.children.size(), 7u);
  EXPECT_EQ(list.children[0].text, "0");
  EXPECT_EQ(list.children[1].text, "-7");
  EXPECT_EQ(list.children[2].text, "18446744073709551615");
  EXPECT_EQ(list.children[3].text, "123456789012345678901234567890");
  EXPECT_EQ(list.children[4].text, "2020.0");
  EXPECT_EQ(list.children[5].text, "1e3");
  EXPECT_EQ(list.children[6].text, "1E-400");
}

TEST(ReadJson, TreeOfEveryType) {
  const JsonNode root = ReadJson(R"({"b": [true, false, null], "a": {"k\n": "v\u00fc"}})");
  ASSERT_EQ(root.type, JsonNode::Type::kObject);
  ASSERT_EQ(root.children.size(), 2u);
  EXPECT_EQ(root.children[0].key, "a");  // members come by key
  EXPECT_EQ(root.children[0].children.at(0).key, "k\n");
  EXPECT_EQ(root.children[0].children.at(0).text, "v\xc3\xbc");
  const JsonNode& list = root.children[1];
  EXPECT_EQ(list.key, "b");
  ASSERT_EQ(list.children.size(), 3u);
  EXPECT_EQ(list.children[0].type, JsonNode::Type::kTrue);
  EXPECT_EQ(list.children[1].type, JsonNode::Type::kFalse);
  EXPECT_EQ(list.children[2].type, JsonNode::Type::kNull);
  EXPECT_EQ(list.children[0].key, "");
}

TEST(ReadJson, OfEqualKeysTheLastStays) {
  const JsonNode root = ReadJson(R"({"a": 1, "b": {"c": 2}, "a": 3, "b": [], "a": "x"})");
  ASSERT_EQ(root.children.size(), 2u);
  EXPECT_EQ(root.children[0].text, "x");
  EXPECT_EQ(root.children[1].type, JsonNode::Type::kList);
}

TEST(ReadJson, RefusesWhatIsNoJson) {
  for (const std::string json :
       {"", " ", "{", "{\"a\":}", "{\"a\":1,}", "{'a':1}", "[1", "1 2", "nul", "{\"a\":01}", "{\"a\":+1}", "{\"a\":.5}",
        "{\"a\":NaN}", "{\"a\":\"\xff\"}", "{\"a\":\"\\ud800\"}", "{\"a\":\"\n\"}", "{} {}", "/**/{}"}) {
    EXPECT_THAT(Refusal(json), HasSubstr("filter is not valid JSON at byte ")) << json;
  }
}

TEST(ReadJson, BoundsAreExact) {
  EXPECT_EQ(Refusal(Repeated("[", 32) + Repeated("]", 32)), "");
  EXPECT_THAT(Refusal(Repeated("[", 33) + Repeated("]", 33)), HasSubstr("deeper than 32 levels"));
  EXPECT_EQ(Refusal("[" + Repeated("1,", 9'999) + "1]"), "");
  EXPECT_THAT(Refusal("[" + Repeated("1,", 10'000) + "1]"), HasSubstr("more than 10000 values"));
  EXPECT_EQ(Refusal('"' + std::string(64 * 1024 - 2, 'x') + '"'), "");
  EXPECT_EQ(Refusal('"' + std::string(64 * 1024 - 1, 'x') + '"'), "filter is too long: 65537 bytes");
}

TEST(ReadJson, HostileDocumentsEndQuickly) {
  EXPECT_NE(Refusal(Repeated("[", 100'000)), "");
  EXPECT_NE(Refusal(Repeated("{\"a\":", 100'000)), "");
  EXPECT_THAT(Refusal(Repeated("[", 60'000)), HasSubstr("deeper than 32 levels"));
  EXPECT_THAT(Refusal(Repeated("{\"a\":", 10'000)), HasSubstr("deeper than 32 levels"));
  EXPECT_NE(Refusal("{\"a\":\"" + std::string(1'000'000, 'x') + "\"}"), "");
  EXPECT_NE(Refusal("{\"a\":{\"$in\":[" + Repeated("1,", 100'000) + "1]}}"), "");
  EXPECT_EQ(Refusal("{\"a\":1e1000000}"), "filter has a number out of range: 1e1000000");
  EXPECT_THAT(Refusal("{\"a\":-" + std::string(60'000, '9') + "}"), HasSubstr("number out of range: -999"));
  EXPECT_LT(Refusal("{\"a\":-" + std::string(60'000, '9') + "}").size(), 200u);
  EXPECT_EQ(Refusal("{\"a\":0." + std::string(60'000, '0') + "1}"), "");
  EXPECT_EQ(Refusal("{" + Repeated("\"a\":1,", 9'998) + "\"b\":1}"), "");
  EXPECT_EQ(Refusal("[" + Repeated("[],", 21'000) + "[]]"), "");
}

TEST(Quoted, CutsLongTextsBetweenCharacters) {
  EXPECT_EQ(Quoted("abc"), "\"abc\"");
  EXPECT_EQ(Quoted(std::string(64, 'a')), '"' + std::string(64, 'a') + '"');
  EXPECT_EQ(Quoted(std::string(65, 'a')), '"' + std::string(64, 'a') + "...\"");
  EXPECT_EQ(Quoted(std::string(63, 'a') + "\xc3\xbc"), '"' + std::string(63, 'a') + "...\"");
}

}  // namespace
}  // namespace s3v

#include "catalogue/copy_text.h"

#include <gtest/gtest.h>

#include <limits>

namespace s3v::catalogue {
namespace {

TEST(RealArrayLiteral, IsShortAndExact) {
  EXPECT_EQ(RealArrayLiteral(std::vector<float>{}), "{}");
  EXPECT_EQ(RealArrayLiteral(std::vector<float>{0.1F, -1.0F, 0.0F, 16777216.0F}), "{0.1,-1,0,16777216}");
  const float tiny = std::numeric_limits<float>::denorm_min();
  EXPECT_EQ(std::stof(RealArrayLiteral(std::vector<float>{1.0F / 3}).substr(1)), 1.0F / 3);
  EXPECT_EQ(RealArrayLiteral(std::vector<float>{tiny}), "{1e-45}");
}

TEST(TextArrayLiteral, QuotesEveryElement) {
  EXPECT_EQ(TextArrayLiteral({}), "{}");
  EXPECT_EQ(TextArrayLiteral({"a", "NULL", "", "b,c", "say \"hi\"", "back\\slash"}),
            R"({"a","NULL","","b,c","say \"hi\"","back\\slash"})");
}

TEST(EscapeCopyText, EscapesWhatWouldEndAColumnOrARow) {
  EXPECT_EQ(EscapeCopyText("a\tb\nc\rd\\n"), R"(a\tb\nc\rd\\n)");
  EXPECT_EQ(EscapeCopyText("\\N"), R"(\\N)");
  EXPECT_EQ(EscapeCopyText("caf\u00E9 \\."), "caf\u00E9 \\\\.");
}

TEST(CopyRow, WritesEveryColumn) {
  Package package;
  package.name = "xpdf";
  package.section = "text";
  package.size_kb = 412;
  package.depends = {"libc6", "a\"b"};
  package.description = "line \\r or\ttab";
  package.tags = {"use::viewing"};
  EXPECT_EQ(CopyRow(7, package, std::vector<float>{0.5F, -0.25F}),
            "7\txpdf\ttext\t412\t{\"libc6\",\"a\\\\\"b\"}\tline \\\\r or\\ttab\t{\"use::viewing\"}\t{0.5,-0.25}\n");
}

TEST(CopyRow, WritesUnknownsAsNull) {
  Package package;
  package.name = "bare";
  EXPECT_EQ(CopyRow(1, package, std::nullopt), "1\tbare\t\\N\t\\N\t{}\t\t{}\t\\N\n");
}

}  // namespace
}  // namespace s3v::catalogue

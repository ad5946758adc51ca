#include "catalogue/package.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sstream>

#include "base/error.h"

namespace s3v::catalogue {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;

std::vector<Package> Read(const std::string& text) {
  std::istringstream in(text);
  return ReadPackages(in);
}

TEST(ReadPackages, TakesTheFieldsOfAStanza) {
  const std::vector<Package> packages = Read(
      "Package: xpdf\n"
      "Version: 3.04-1\n"
      "Installed-Size: 412\n"
      "Depends: libc6 (>= 2.34), poppler | poppler-old (<< 2),\n python3:any, libc6 (<< 3)\n"
      "Description: viewer for \"PDF\"\n This is the long text.\n .\n More of it.\n"
      "Description-md5: 183c49f6505eb3432d1b069800f1f5b6\n"
      "Tag: role::program, use::viewing,\n works-with-format::pdf\n"
      "Section: text\n");
  ASSERT_THAT(packages, SizeIs(1));
  const Package& xpdf = packages.front();
  EXPECT_EQ(xpdf.name, "xpdf");
  EXPECT_EQ(xpdf.section, "text");
  EXPECT_EQ(xpdf.size_kb, 412);
  EXPECT_THAT(xpdf.depends, ElementsAre("libc6", "poppler", "python3"));
  EXPECT_EQ(xpdf.description, "viewer for \"PDF\"");
  EXPECT_THAT(xpdf.tags, ElementsAre("role::program", "use::viewing", "works-with-format::pdf"));
}

TEST(ReadPackages, FindsTheDescriptionUnderItsOtherName) {
  const std::vector<Package> packages =
      Read("Package: a\nDescription-md5: 183c49f6\nDescription-en: a small thing\n and its long text\n");
  ASSERT_THAT(packages, SizeIs(1));
  EXPECT_EQ(packages.front().description, "a small thing");
}

TEST(ReadPackages, LeavesUnknownWhatIsNotThere) {
  const std::vector<Package> packages = Read("Package: a\n\nPackage: b\nInstalled-Size: many\n");
  ASSERT_THAT(packages, SizeIs(2));
  EXPECT_EQ(packages[0].size_kb, std::nullopt);
  EXPECT_EQ(packages[0].section, "");
  EXPECT_THAT(packages[0].depends, IsEmpty());
  EXPECT_EQ(packages[1].size_kb, std::nullopt);
}

TEST(ReadPackages, KeepsTheNewestVersionAndOrdersByName) {
  const std::vector<Package> packages = Read(
      "Package: b\nVersion: 1.9\n\nPackage: a\nVersion: 1\n\nPackage: b\nVersion: 1.10\n\nPackage: b\nVersion: 1.2\n");
  ASSERT_THAT(packages, SizeIs(2));
  EXPECT_EQ(packages[0].name, "a");
  EXPECT_EQ(packages[1].name, "b");
  EXPECT_EQ(packages[1].version, "1.10");
}

TEST(ReadPackages, ReplacesBytesThatAreNoUtf8) {
  const std::vector<Package> packages = Read(
      "Package: a\nDescription: caf\xC3\xA9 caf\xE9 \xE2\x82\xAC \xF0\x9F\x90\x98 \xC0\x80 \xED\xA0\x80 \xE2\x82\n");
  ASSERT_THAT(packages, SizeIs(1));
  EXPECT_EQ(packages.front().description, "café caf\uFFFD € 🐘 \uFFFD\uFFFD \uFFFD\uFFFD\uFFFD \uFFFD\uFFFD");
}

TEST(ReadPackages, ReplacesNulBytes) {
  EXPECT_EQ(Read(std::string("Package: a\nDescription: x\0y\n", 28)).front().description, "x\uFFFDy");
}

TEST(ReadPackages, RefusesAStanzaWithoutAName) { EXPECT_THROW(Read("Version: 1\n"), Error); }

}  // namespace
}  // namespace s3v::catalogue

#include "catalogue/stanza.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sstream>

#include "base/error.h"

namespace s3v::catalogue {
namespace {

TEST(Stanza, ReadsFieldsUpToTheEmptyLine) {
  std::istringstream in("Package: a\nVersion: 1:2.0-1\n\n\n \nPackage: b\n");
  Stanza stanza;
  ASSERT_TRUE(ReadStanza(in, &stanza));
  EXPECT_EQ(stanza.Get("package"), "a");
  EXPECT_EQ(stanza.Get("version"), "1:2.0-1");
  ASSERT_TRUE(ReadStanza(in, &stanza));
  EXPECT_EQ(stanza.Get("package"), "b");
  EXPECT_EQ(stanza.Get("version"), "");
  EXPECT_FALSE(ReadStanza(in, &stanza));
}

TEST(Stanza, JoinsContinuationLines) {
  std::istringstream in("Tag: one::a,\n two::b,\n\tthree::c\nSection: games\n");
  Stanza stanza;
  ASSERT_TRUE(ReadStanza(in, &stanza));
  EXPECT_EQ(stanza.Get("tag"), "one::a,\ntwo::b,\nthree::c");
  EXPECT_EQ(stanza.Get("section"), "games");
}

TEST(Stanza, FieldNamesAreCaseInsensitiveAndCarriageReturnsAreBlanks) {
  std::istringstream in("PACKAGE:a\r\nInstalled-size: 7 \r\n\r\nPackage: b\r\n");
  Stanza stanza;
  ASSERT_TRUE(ReadStanza(in, &stanza));
  EXPECT_EQ(stanza.Get("package"), "a");
  EXPECT_EQ(stanza.Get("installed-size"), "7");
}

TEST(Stanza, RefusesWhatIsNoListOfPackages) {
  for (const char* text : {"<html>\n", ": value\n", " continuation of nothing\n"}) {
    std::istringstream in(text);
    Stanza stanza;
    EXPECT_THROW(ReadStanza(in, &stanza), Error) << text;
  }
}

}  // namespace
}  // namespace s3v::catalogue

#include "s3vectors/names.h"

#include <gtest/gtest.h>

namespace s3v {
namespace {

constexpr ObjectId kIndex = {0x00, 0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77,
                             0x88, 0x99, 0xaa, 0xbb, 0xcc, 0xdd, 0xee, 0xff};

TEST(RemoteNames, AreThoseOfTheGrammar) {
  EXPECT_EQ(RemotePrefix(kIndex), "s3v-00112233445566778899aabbccddeeff");
  EXPECT_EQ(GenerationName(kIndex, 0xBEEF), "s3v-00112233445566778899aabbccddeeff-0000beef");
  EXPECT_EQ(OwnerName(kIndex, 12), "s3v-00112233445566778899aabbccddeeffo00000012");
  EXPECT_LE(OwnerName(kIndex, kMaxOwnerNumber).size(), 45u);
}

TEST(RemoteNames, ReadBackWhatWasBuilt) {
  RemoteName name;
  ASSERT_TRUE(ParseRemoteName(GenerationName(kIndex, 0xFFFFFFFF), &name));
  EXPECT_FALSE(name.is_owner);
  EXPECT_EQ(name.index, kIndex);
  EXPECT_EQ(name.generation, 0xFFFFFFFFu);
  ASSERT_TRUE(ParseRemoteName(OwnerName(kIndex, kMaxOwnerNumber), &name));
  EXPECT_TRUE(name.is_owner);
  EXPECT_EQ(name.index, kIndex);
  EXPECT_EQ(name.number, kMaxOwnerNumber);
}

TEST(RemoteNames, RefuseEverythingElse) {
  RemoteName name;
  for (const char* text :
       {"", "docs", "s3v-", "s3v-00112233445566778899aabbccddeeff", "s3v-00112233445566778899aabbccddeeff-0000bee",
        "s3v-00112233445566778899aabbccddeeff-0000beef0", "s3v-00112233445566778899AABBCCDDEEFF-0000beef",
        "s3v-00112233445566778899aabbccddeeff-0000BEEF", "s3v-00112233445566778899aabbccddeeff.0000beef",
        "s3v-00112233445566778899aabbccddeeffo0000beef", "s3v-00112233445566778899aabbccddeeffo00000000",
        "S3v-00112233445566778899aabbccddeeff-0000beef", "s3v-00112233445566778899aabbccddeeff-+000beef"}) {
    EXPECT_FALSE(ParseRemoteName(text, &name)) << text;
  }
}

}  // namespace
}  // namespace s3v

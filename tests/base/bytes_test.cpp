#include "base/bytes.h"

#include <gtest/gtest.h>

namespace s3v {
namespace {

TEST(Bytes, AppendWritesLittleEndian) {
  Bytes bytes;
  Append(bytes, uint8_t{0x01});
  Append(bytes, uint16_t{0x0203});
  Append(bytes, uint32_t{0x04050607});
  Append(bytes, uint64_t{0x08090a0b0c0d0e0f});
  Append(bytes, 1.0f);
  EXPECT_EQ(ToHex(bytes),
            "01"
            "0302"
            "07060504"
            "0f0e0d0c0b0a0908"
            "0000803f");
}

TEST(Bytes, AppendTakesViewsAsTheyAre) {
  Bytes bytes = {1};
  Append(bytes, AsBytes("ab"));
  Append(bytes, ByteView());
  EXPECT_EQ(bytes, (Bytes{1, 'a', 'b'}));
}

TEST(Bytes, TextAndBytesAreTheSameMemory) {
  const std::string text("a\0\xff", 3);
  const ByteView view = AsBytes(text);
  EXPECT_EQ(view.size(), 3u);
  EXPECT_EQ(static_cast<const void*>(view.data()), static_cast<const void*>(text.data()));
  EXPECT_EQ(AsText(view), text);
  EXPECT_TRUE(AsText(ByteView()).empty());
}

TEST(ToHex, GivesTwoLowerCaseDigitsAByte) {
  EXPECT_EQ(ToHex(Bytes{}), "");
  EXPECT_EQ(ToHex(Bytes{0x00, 0x0f, 0xf0, 0xab, 0xff}), "000ff0abff");
}

}  // namespace
}  // namespace s3v

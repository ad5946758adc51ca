#include "format/coding.h"

#include <gtest/gtest.h>

#include "base/checksum.h"
#include "format/samples.h"

namespace s3v {
namespace {

using testing::kSampleIndex;
using testing::kSampleObject;

const std::string kKey = "index/segment/x";

Code CodeOf(const std::function<void()>& call, std::string* message = nullptr) {
  try {
    call();
  } catch (const Error& error) {
    if (message != nullptr) *message = error.message() + "; " + error.detail();
    return error.code();
  }
  return Code::kOk;
}

ObjectHeader Expected() { return {.kind = 'G', .index = kSampleIndex, .object = kSampleObject}; }

Bytes Header() {
  Bytes bytes;
  AppendHeader(bytes, Expected());
  return bytes;
}

// Writes a byte and makes the checksum fit again.
Bytes Forged(size_t offset, uint8_t value) {
  Bytes bytes = Header();
  bytes[offset] = value;
  const uint32_t checksum = Crc32c(ByteView(bytes).first(kHeaderSize - 4));
  std::memcpy(bytes.data() + kHeaderSize - 4, &checksum, 4);
  return bytes;
}

TEST(Header, RoundTrip) {
  EXPECT_EQ(Header().size(), kHeaderSize);
  EXPECT_EQ(CodeOf([] { CheckHeader(Header(), Expected(), kKey); }), Code::kOk);
}

TEST(Header, EveryFlippedBitAndEveryCutIsFound) {
  for (size_t bit = 0; bit < kHeaderSize * 8; ++bit) {
    Bytes bytes = Header();
    bytes[bit / 8] ^= static_cast<uint8_t>(1U << (bit % 8));
    EXPECT_EQ(CodeOf([&] { CheckHeader(bytes, Expected(), kKey); }), Code::kCorrupted) << bit;
  }
  for (size_t size = 0; size < kHeaderSize; ++size) {
    const Bytes bytes = Header();
    EXPECT_EQ(CodeOf([&] { CheckHeader(ByteView(bytes).first(size), Expected(), kKey); }), Code::kCorrupted) << size;
  }
}

TEST(Header, OtherIdentityIsCorruptionEvenWithAGoodChecksum) {
  std::string message;
  EXPECT_EQ(CodeOf([] { CheckHeader(Forged(3, 'M'), Expected(), kKey); }), Code::kCorrupted);
  EXPECT_EQ(CodeOf([] { CheckHeader(Forged(8, 0xff), Expected(), kKey); }, &message), Code::kCorrupted);
  EXPECT_NE(message.find("belongs to index ff11"), std::string::npos) << message;
  EXPECT_EQ(CodeOf([] { CheckHeader(Forged(24, 0xff), Expected(), kKey); }, &message), Code::kCorrupted);
  EXPECT_NE(message.find("corrupted at offset 24"), std::string::npos) << message;
  EXPECT_EQ(CodeOf([] { CheckHeader(Forged(40, 1), Expected(), kKey); }), Code::kCorrupted);
}

TEST(Header, FutureFormatAndUnknownFlagAreRefusedWithBothNumbers) {
  std::string message;
  EXPECT_EQ(CodeOf([] { CheckHeader(Forged(4, 2), Expected(), kKey); }, &message), Code::kNotSupported);
  EXPECT_NE(message.find("format 2"), std::string::npos) << message;
  EXPECT_NE(message.find("reads format 1"), std::string::npos) << message;
  EXPECT_EQ(CodeOf([] { CheckHeader(Forged(7, 0x80), Expected(), kKey); }), Code::kNotSupported);
}

TEST(Decoder, ChecksLengthsBeforeAllocating) {
  const Bytes bytes(16);
  Decoder decoder(bytes, kKey, 100);
  decoder.Read<uint32_t>();
  EXPECT_EQ(decoder.offset(), 104U);
  std::string message;
  EXPECT_EQ(CodeOf([&] { decoder.ReadArray<float>(4); }, &message), Code::kCorrupted);
  EXPECT_NE(message.find("corrupted at offset 104"), std::string::npos) << message;
  EXPECT_EQ(CodeOf([&] { decoder.ReadArray<float>(UINT64_MAX / 2); }), Code::kCorrupted);
  EXPECT_EQ(CodeOf([&] { decoder.Take(13); }), Code::kCorrupted);
  EXPECT_EQ(decoder.ReadArray<float>(3).size(), 3U);
  EXPECT_EQ(CodeOf([&] { decoder.Read<char>(); }), Code::kCorrupted);
}

TEST(Range, ChecksumKnowsItsObjectAndPlace) {
  Bytes range = {1, 2, 3};
  AppendRangeChecksum(range, kSampleObject, 0, 48);
  EXPECT_EQ(CheckRange(range, kSampleObject, 48, kKey).size(), 3U);
  EXPECT_EQ(CodeOf([&] { CheckRange(range, kSampleObject, 55, kKey); }), Code::kCorrupted);
  EXPECT_EQ(CodeOf([&] { CheckRange(range, kSampleIndex, 48, kKey); }), Code::kCorrupted);
  EXPECT_EQ(CodeOf([&] { CheckRange(ByteView(range).first(3), kSampleObject, 48, kKey); }), Code::kCorrupted);
}

}  // namespace
}  // namespace s3v

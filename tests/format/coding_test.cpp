#include "format/coding.h"

#include <gtest/gtest.h>

#include <functional>
#include <limits>

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

TEST(Header, OtherFormatsAndUnknownFlagsAreRefusedWithBothNumbers) {
  const auto error_of = [](const Bytes& bytes) {
    try {
      CheckHeader(bytes, Expected(), kKey);
    } catch (const Error& error) {
      return error;
    }
    return Error(Code::kOk, "");
  };
  for (const uint8_t format : {1, 2, 3}) {
    const Error old = error_of(Forged(4, format));
    EXPECT_EQ(old.code(), Code::kNotSupported);
    EXPECT_NE(old.message().find("format " + std::to_string(format)), std::string::npos) << old.message();
    EXPECT_NE(old.detail().find("reads format 4"), std::string::npos) << old.detail();
    EXPECT_EQ(old.hint(), "Rebuild the index: s3v_sync with mode 'rebuild'.");
  }
  const Error future = error_of(Forged(4, 5));
  EXPECT_EQ(future.code(), Code::kNotSupported);
  EXPECT_NE(future.message().find("format 5"), std::string::npos) << future.message();
  EXPECT_NE(future.detail().find("reads format 4"), std::string::npos) << future.detail();
  EXPECT_NE(future.hint().find("Upgrade the extension"), std::string::npos) << future.hint();
  EXPECT_EQ(error_of(Forged(7, 0x80)).code(), Code::kNotSupported);
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

TEST(Decoder, NumbersInRangeAndFiller) {
  const Bytes bytes = {0, 1, 2, 7, 0, 0, 3, 0};
  Decoder decoder(bytes, kKey);
  EXPECT_FALSE(decoder.ReadFlag());
  EXPECT_TRUE(decoder.ReadFlag());
  std::string message;
  EXPECT_EQ(CodeOf([&] { decoder.ReadFlag(); }, &message), Code::kCorrupted);
  EXPECT_NE(message.find("offset 2; flag 2 is unknown"), std::string::npos) << message;
  EXPECT_EQ(decoder.ReadNumber(3, 7, "number"), 7);
  decoder.RequireZero(2);
  EXPECT_EQ(CodeOf([&] { Decoder(ByteView(bytes).last(2), kKey).RequireZero(2); }), Code::kCorrupted);
  EXPECT_EQ(CodeOf([&] { Decoder(ByteView(bytes).last(1), kKey).RequireZero(2); }), Code::kCorrupted);
  EXPECT_EQ(CodeOf([&] { Decoder(ByteView(bytes).last(1), kKey).ReadNumber(1, 2, "number"); }), Code::kCorrupted);
}

TEST(Range, ChecksumKnowsItsObjectAndPlace) {
  Bytes range = {1, 2, 3};
  AppendRangeChecksum(range, kSampleObject, 0, 48);
  EXPECT_EQ(CheckRange(range, kSampleObject, 48, kKey).size(), 3U);
  EXPECT_EQ(CodeOf([&] { CheckRange(range, kSampleObject, 55, kKey); }), Code::kCorrupted);
  EXPECT_EQ(CodeOf([&] { CheckRange(range, kSampleIndex, 48, kKey); }), Code::kCorrupted);
  EXPECT_EQ(CodeOf([&] { CheckRange(ByteView(range).first(3), kSampleObject, 48, kKey); }), Code::kCorrupted);
  EXPECT_EQ(SkipChecksum(range, 48, kKey).size(), 3U);
  EXPECT_EQ(CodeOf([&] { SkipChecksum(ByteView(range).first(3), 48, kKey); }), Code::kCorrupted);
}

TEST(Floats, TheFirstOutOfRangeIsFound) {
  using Limits = std::numeric_limits<float>;
  const auto find = [](const std::vector<float>& floats, float greatest) {
    Bytes bytes(1);  // an odd address
    for (const float value : floats) Append(bytes, value);
    return FindNoLength(bytes.data() + 1, floats.size(), greatest);
  };
  const auto find_not_finite = [](const std::vector<float>& floats) {
    return FindNotFinite(reinterpret_cast<const uint8_t*>(floats.data()), floats.size());
  };
  std::vector<float> floats(67, 1);
  floats[5] = 0;
  floats[66] = Limits::max();
  EXPECT_EQ(find({}, 1), 0U);
  EXPECT_EQ(find(floats, Limits::max()), 67U);
  EXPECT_EQ(find(floats, 1), 66U);
  for (const float bad : {-0.0F, -1.0F, Limits::quiet_NaN(), -Limits::quiet_NaN(), -Limits::infinity()}) {
    for (const size_t i : {size_t{0}, size_t{13}, size_t{66}}) {
      std::vector<float> with = floats;
      with[i] = bad;
      EXPECT_EQ(find(with, Limits::infinity()), i) << bad;
    }
  }
  for (const size_t i : {size_t{0}, size_t{13}, size_t{15}, size_t{16}, size_t{66}}) {
    for (const float value : {0.0F, -0.0F, -Limits::max(), Limits::denorm_min()}) {
      std::vector<float> with = floats;
      with[i] = value;
      EXPECT_EQ(find_not_finite(with), 67U) << value;
    }
    for (const float bad : {Limits::infinity(), -Limits::infinity(), Limits::quiet_NaN(), -Limits::quiet_NaN()}) {
      std::vector<float> with = floats;
      with[i] = bad;
      EXPECT_EQ(find_not_finite(with), i) << bad;
    }
  }
  floats[40] = Limits::infinity();
  EXPECT_EQ(find(floats, Limits::infinity()), 67U);
  EXPECT_EQ(find(floats, Limits::max()), 40U);
}

}  // namespace
}  // namespace s3v

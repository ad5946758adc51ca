#include "store/cache_pack.h"

#include <gtest/gtest.h>

#include "base/checksum.h"
#include "base/random.h"

namespace s3v {
namespace {

PackDirectory Sample(size_t count, uint64_t seed) {
  Random random(seed);
  PackDirectory directory{.id = RandomId(), .file_bytes = 1'000'000, .disk_bytes = 1'003'520, .entries = {}};
  for (size_t i = 0; i < count; ++i) {
    directory.entries.push_back({.object = RandomId(),
                                 .offset = random.Next(),
                                 .length = static_cast<uint32_t>(random.Below(1000)),
                                 .position = static_cast<uint32_t>(random.Below(900'000)),
                                 .crc = static_cast<uint32_t>(random.Next())});
  }
  return directory;
}

TEST(CachePack, ADirectoryReadsBackAsItWas) {
  for (const size_t count : {size_t{0}, size_t{1}, size_t{300}}) {
    const PackDirectory directory = Sample(count, count);
    Bytes bytes = EncodeDirectory(directory);
    const size_t length = bytes.size();
    Append(bytes, ByteView(EncodeDirectory(Sample(3, 9))));  // the next one of a journal
    const auto decoded = DecodeDirectory(bytes);
    ASSERT_TRUE(decoded);
    EXPECT_EQ(decoded->length, length);
    EXPECT_EQ(decoded->directory.id, directory.id);
    EXPECT_EQ(decoded->directory.file_bytes, directory.file_bytes);
    EXPECT_EQ(decoded->directory.disk_bytes, directory.disk_bytes);
    ASSERT_EQ(decoded->directory.entries.size(), count);
    for (size_t i = 0; i < count; ++i) {
      EXPECT_TRUE(IsSameRange(decoded->directory.entries[i], directory.entries[i]));
      EXPECT_EQ(decoded->directory.entries[i].position, directory.entries[i].position);
      EXPECT_EQ(decoded->directory.entries[i].crc, directory.entries[i].crc);
    }
  }
}

TEST(CachePack, EveryFlippedBitAndEveryCutIsFound) {
  const Bytes whole = EncodeDirectory(Sample(3, 1));
  for (size_t bit = 0; bit < whole.size() * 8; ++bit) {
    Bytes damaged = whole;
    damaged[bit / 8] ^= static_cast<uint8_t>(1 << bit % 8);
    EXPECT_FALSE(DecodeDirectory(damaged)) << bit;
  }
  for (size_t length = 0; length < whole.size(); ++length) {
    EXPECT_FALSE(DecodeDirectory(ByteView(whole).first(length))) << length;
  }
}

TEST(CachePack, CountsAndPlacesAreCheckedEvenWhereTheChecksumIsRight) {
  const auto with_right_checksum = [](Bytes bytes) {
    const uint32_t crc = Crc32c(ByteView(bytes).subspan(4));
    std::memcpy(bytes.data(), &crc, sizeof(crc));
    return bytes;
  };
  for (const uint32_t count : {uint32_t{4}, ~uint32_t{0}, uint32_t{1} << 31}) {
    Bytes bytes = EncodeDirectory(Sample(3, 2));
    std::memcpy(bytes.data() + 4, &count, sizeof(count));
    EXPECT_FALSE(DecodeDirectory(with_right_checksum(bytes))) << count;
  }
  for (const auto& [position, length] : {std::pair{1'000'000u, 1u}, std::pair{~0u, ~0u}, std::pair{1u, 1'000'000u}}) {
    PackDirectory directory = Sample(3, 3);
    directory.entries[1].position = position;
    directory.entries[1].length = length;
    EXPECT_FALSE(DecodeDirectory(EncodeDirectory(directory))) << position;
  }
}

TEST(CachePack, TheTailLeadsToTheDirectory) {
  PackDirectory directory = Sample(5, 4);
  Bytes pack(1'000'000, 7);
  Append(pack, ByteView(EncodePackEnd(&directory, pack.size())));
  EXPECT_EQ(directory.file_bytes, pack.size());
  const ByteView bytes = pack;
  const auto length = DecodePackTail(bytes.last(kPackTailBytes));
  ASSERT_TRUE(length);
  const auto decoded = DecodeDirectory(bytes.subspan(pack.size() - kPackTailBytes - *length, *length));
  ASSERT_TRUE(decoded);
  EXPECT_EQ(decoded->directory.id, directory.id);
  EXPECT_EQ(decoded->directory.file_bytes, pack.size());
  for (size_t i = 0; i < kPackTailBytes; ++i) {
    Bytes tail(bytes.end() - kPackTailBytes, bytes.end());
    tail[i] ^= 1;
    EXPECT_FALSE(DecodePackTail(tail)) << i;
  }
  EXPECT_FALSE(DecodePackTail(bytes.last(kPackTailBytes - 1)));
}

}  // namespace
}  // namespace s3v

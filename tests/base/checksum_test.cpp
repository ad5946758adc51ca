#include "base/checksum.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>

namespace s3v {
namespace {

// RFC 3720 appendix B.4; the last one is the check value of the catalogue of CRC algorithms.
TEST(Crc32c, GivesThePublishedValues) {
  Bytes bytes(32, 0x00);
  EXPECT_EQ(Crc32c(bytes), 0x8a9136aau);
  std::fill(bytes.begin(), bytes.end(), 0xff);
  EXPECT_EQ(Crc32c(bytes), 0x62a8ab43u);
  std::iota(bytes.begin(), bytes.end(), 0);
  EXPECT_EQ(Crc32c(bytes), 0x46dd794eu);
  std::reverse(bytes.begin(), bytes.end());
  EXPECT_EQ(Crc32c(bytes), 0x113fdb5cu);
  const Bytes iscsi_read = {0x01, 0xc0, 0, 0, 0, 0, 0,    0, 0,    0, 0, 0,    0, 0, 0, 0,
                            0x14, 0,    0, 0, 0, 0, 0x04, 0, 0,    0, 0, 0x14, 0, 0, 0, 0x18,
                            0x28, 0,    0, 0, 0, 0, 0,    0, 0x02, 0, 0, 0,    0, 0, 0, 0};
  EXPECT_EQ(Crc32c(iscsi_read), 0xd9963a56u);
  EXPECT_EQ(Crc32c(AsBytes("123456789")), 0xe3069283u);
  EXPECT_EQ(Crc32c({}), 0u);
}

TEST(Crc32c, ContinuesWhereItStopped) {
  Bytes bytes(257);
  std::iota(bytes.begin(), bytes.end(), 0);
  const uint32_t whole = Crc32c(bytes);
  for (size_t cut = 0; cut <= bytes.size(); ++cut) {
    const ByteView view(bytes);
    EXPECT_EQ(Crc32c(view.subspan(cut), Crc32c(view.first(cut))), whole) << cut;
  }
}

TEST(RangeChecksum, IsTheChecksumOfIdOffsetAndPayload) {
  ObjectId id{};
  std::iota(id.begin(), id.end(), 1);
  Bytes all(id.begin(), id.end());
  Append(all, uint64_t{0x1122334455667788});
  Append(all, AsBytes("payload"));
  EXPECT_EQ(RangeChecksum(id, 0x1122334455667788, AsBytes("payload")), Crc32c(all));
}

TEST(RangeChecksum, TellsObjectsPlacesAndPayloadsApart) {
  const ObjectId here{1};
  const ObjectId there{2};
  const uint32_t checksum = RangeChecksum(here, 4096, AsBytes("payload"));
  EXPECT_NE(checksum, RangeChecksum(there, 4096, AsBytes("payload")));
  EXPECT_NE(checksum, RangeChecksum(here, 8192, AsBytes("payload")));
  EXPECT_NE(checksum, RangeChecksum(here, 4096, AsBytes("payloae")));
}

}  // namespace
}  // namespace s3v

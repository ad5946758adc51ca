#include "format/owner.h"

#include <gtest/gtest.h>

#include "base/checksum.h"
#include "base/error.h"
#include "format/coding.h"
#include "format/samples.h"

namespace s3v {
namespace {

using testing::kSampleIndex;
using testing::SampleOwner;

TEST(Owner, RoundTrip) {
  OwnerMarker marker = SampleOwner();
  marker.system_identifier = UINT64_MAX;
  marker.database = UINT32_MAX;
  const OwnerMarker read = DecodeOwner(EncodeOwner(marker, kSampleIndex), kSampleIndex, marker.number, "owner");
  EXPECT_EQ(read.number, marker.number);
  EXPECT_EQ(read.system_identifier, marker.system_identifier);
  EXPECT_EQ(read.database, marker.database);
  EXPECT_EQ(read.timeline, marker.timeline);
  EXPECT_EQ(read.token, marker.token);
}

TEST(Owner, AnotherNumberOrIndexIsRefused) {
  const Bytes bytes = EncodeOwner(SampleOwner(), kSampleIndex);
  EXPECT_THROW(DecodeOwner(bytes, kSampleIndex, SampleOwner().number + 1, "owner"), Error);
  EXPECT_THROW(DecodeOwner(bytes, testing::kSampleObject, SampleOwner().number, "owner"), Error);
}

// Whoever rebuilds an index of an older format has to pass its fence, and markers are what they were.
TEST(Owner, MarkersOfOlderFormatsAreRead) {
  const auto with_format = [](uint16_t format) {
    Bytes bytes = EncodeOwner(SampleOwner(), kSampleIndex);
    std::memcpy(bytes.data() + 4, &format, sizeof format);
    const uint32_t checksum = Crc32c(ByteView(bytes).first(kHeaderSize - 4));
    std::memcpy(bytes.data() + kHeaderSize - 4, &checksum, sizeof checksum);
    return bytes;
  };
  const auto decode = [](const Bytes& bytes) { return DecodeOwner(bytes, kSampleIndex, 7, "owner"); };
  for (const uint16_t format : {1, 2, 3, 4})
    EXPECT_EQ(decode(with_format(format)).token, SampleOwner().token) << format;
  for (const uint16_t format : {0, 5, 0x0101}) EXPECT_THROW(decode(with_format(format)), Error) << format;
  Bytes damaged = with_format(1);
  damaged[kHeaderSize - 1] ^= 1;
  EXPECT_THROW(decode(damaged), Error);
}

}  // namespace
}  // namespace s3v

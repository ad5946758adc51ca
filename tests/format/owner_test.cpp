#include "format/owner.h"

#include <gtest/gtest.h>

#include "base/error.h"
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

}  // namespace
}  // namespace s3v

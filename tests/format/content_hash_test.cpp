#include "format/content_hash.h"

#include <gtest/gtest.h>
#include <xxhash.h>

#include <cmath>
#include <limits>
#include <set>
#include <vector>

namespace s3v {
namespace {

constexpr uint8_t kRow[] = {3, 5, 0, 0, 0, 0, 0, 0, 0};

std::vector<float> Ramp(size_t size) {
  std::vector<float> vector(size);
  for (size_t i = 0; i < size; ++i) vector[i] = static_cast<float>(i) * 0.25F - 100;
  return vector;
}

// Stored in segments: these must never change.
TEST(ContentHash, GoldenValues) {
  const float vector[] = {3, -4};
  EXPECT_EQ(ContentHash({}, {}), 0x2d06800538d394c2U);
  EXPECT_EQ(ContentHash(vector, {}), 0x98ee552d775715f4U);
  EXPECT_EQ(ContentHash(vector, kRow), 0x9552d4a7618e0dc4U);
  EXPECT_EQ(ContentHash({}, kRow), 0xc48e99a32a8d3021U);
  EXPECT_EQ(ContentHash(Ramp(768), {}), 0xf996f239b4b16756U);
  EXPECT_EQ(ContentHash(Ramp(768), kRow), 0x81fa4b3244e43198U);
}

// It is that of the bytes one behind the other, however many.
TEST(ContentHash, IsXxh3OfVectorAndRow) {
  for (const size_t size : {1, 3, 4, 16, 60, 64, 127, 128, 784, 16000}) {
    const std::vector<float> vector = Ramp(size);
    for (const size_t row_size : {0, 1, 9}) {
      Bytes bytes(reinterpret_cast<const uint8_t*>(vector.data()),
                  reinterpret_cast<const uint8_t*>(vector.data() + size));
      bytes.insert(bytes.end(), kRow, kRow + row_size);
      EXPECT_EQ(ContentHash(vector, ByteView(kRow).first(row_size)), XXH3_64bits(bytes.data(), bytes.size())) << size;
    }
  }
}

TEST(ContentHash, EveryBitCounts) {
  std::vector<float> vector = Ramp(100);
  std::set<uint64_t> seen = {ContentHash(vector, kRow)};
  for (float& element : vector) {
    const float before = element;
    element = std::nextafter(element, std::numeric_limits<float>::max());
    EXPECT_TRUE(seen.insert(ContentHash(vector, kRow)).second);
    element = before;
  }
  for (size_t i = 0; i < sizeof kRow; ++i) {
    Bytes row(kRow, kRow + sizeof kRow);
    row[i] ^= 1;
    EXPECT_TRUE(seen.insert(ContentHash(vector, row)).second);
    EXPECT_TRUE(seen.insert(ContentHash(vector, ByteView(kRow).first(i))).second);
  }
}

}  // namespace
}  // namespace s3v

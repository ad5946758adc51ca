#include "engine/row_spill.h"

#include <gtest/gtest.h>

#include "base/random.h"
#include "format/content_hash.h"
#include "support/temp_spill.h"

namespace s3v {
namespace {

TEST(SpillBuffer, ReadsAcrossFileAndMemory) {
  testing::TempSpillFactory spill;
  SpillBuffer buffer(spill, 10);
  Bytes all;
  Random random(1);
  for (int i = 0; i < 40; ++i) {
    Bytes part(random.Below(25));
    for (uint8_t& byte : part) byte = static_cast<uint8_t>(random.Next());
    buffer.Append(part);
    Append(all, part);
    ASSERT_EQ(buffer.size(), all.size());
    for (int probe = 0; probe < 10 && !all.empty(); ++probe) {
      const size_t offset = random.Below(all.size());
      Bytes read(random.Below(all.size() - offset + 1));
      buffer.ReadAt(offset, read);
      ASSERT_TRUE(std::equal(read.begin(), read.end(), all.begin() + static_cast<ptrdiff_t>(offset)));
    }
  }
  EXPECT_EQ(spill.created(), 1);
}

TEST(SpillBuffer, SmallContentsMakeNoFile) {
  testing::TempSpillFactory spill;
  SpillBuffer buffer(spill, 10);
  buffer.Append(Bytes(10));
  EXPECT_EQ(spill.created(), 0);
  buffer.Append(Bytes(1));
  EXPECT_EQ(spill.created(), 1);
}

TEST(RowSpill, RowsComeBack) {
  for (const size_t buffer_bytes : {16U, 1000U, 1000000U}) {
    testing::TempSpillFactory spill;
    RowSpill rows(spill, 3, buffer_bytes);
    for (int i = 0; i < 200; ++i) {
      const float vector[] = {static_cast<float>(i), 1, 2};
      rows.Append(AsBytes(std::string(static_cast<size_t>(i % 9), 'k')), vector,
                  Bytes(static_cast<size_t>(i % 100), 7));
    }
    std::vector<float> vectors(50 * 3);
    rows.ReadVectors(100, vectors);
    for (size_t i = 0; i < 50; ++i) EXPECT_EQ(vectors[3 * i], 100.0F + static_cast<float>(i));
    for (const size_t read_bytes : {1U, 64U, 100000U}) {
      RowSpill::Payloads payloads(rows, read_bytes);
      for (int i = 0; i < 200; ++i) {
        payloads.Next();
        ASSERT_EQ(payloads.key().size(), static_cast<size_t>(i % 9));
        ASSERT_EQ(payloads.metadata().size(), static_cast<size_t>(i % 100));
        const float vector[] = {static_cast<float>(i), 1, 2};
        ASSERT_EQ(payloads.content_hash(), ContentHash(vector, Bytes(static_cast<size_t>(i % 100), 7)));
        if (i % 100 > 0) {
          ASSERT_EQ(payloads.metadata().back(), 7);
        }
      }
    }
  }
}

}  // namespace
}  // namespace s3v

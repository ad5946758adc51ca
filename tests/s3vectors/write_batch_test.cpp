#include "s3vectors/write_batch.h"

#include <gtest/gtest.h>

namespace s3v {
namespace {

TEST(WriteBatch, IsOneBody) {
  WriteBatch batch(Operation::kDeleteVectors, "{\"keys\":[");
  EXPECT_TRUE(batch.empty());
  batch.Add("\"a\"", 5);
  batch.Add("\"b\"", 7);
  EXPECT_EQ(batch.size(), 2u);
  EXPECT_EQ(batch.logical_bytes(), 12u);
  batch.Close();
  EXPECT_EQ(batch.TakeBody(), R"({"keys":["a","b"]})");
}

TEST(WriteBatch, HasRoomForFiveHundredItems) {
  WriteBatch batch(Operation::kPutVectors, "[");
  for (size_t i = 0; i < WriteBatch::kMaxItems; ++i) {
    ASSERT_TRUE(batch.Fits("1"));
    batch.Add("1", 1);
  }
  EXPECT_FALSE(batch.Fits("1"));
}

TEST(WriteBatch, HasRoomForTwentyMegabytes) {
  const std::string item(WriteBatch::kMaxBytes / 2, '1');
  WriteBatch batch(Operation::kPutVectors, "[");
  batch.Add(item, 1);
  EXPECT_FALSE(batch.Fits(item));
  const std::string rest(WriteBatch::kMaxBytes - batch.bytes() - 3, '1');  // a comma, and what closes it
  EXPECT_TRUE(batch.Fits(rest));
  EXPECT_FALSE(batch.Fits(rest + '1'));
  batch.Add(rest, 1);
  batch.Close();
  EXPECT_EQ(batch.bytes(), WriteBatch::kMaxBytes);
}

TEST(WriteBatch, HalvesHaveEveryItemOnce) {
  WriteBatch batch(Operation::kPutVectors, "{\"vectors\":[");
  for (const char* item : {"1", "{\"a\":2}", "[3]"}) batch.Add(item, 10);
  batch.Close();
  auto [first, second] = batch.Halves();
  EXPECT_EQ(first.operation(), Operation::kPutVectors);
  EXPECT_EQ(first.size(), 1u);
  EXPECT_EQ(second.size(), 2u);
  EXPECT_EQ(second.logical_bytes(), 20u);
  auto [third, fourth] = second.Halves();
  EXPECT_EQ(first.TakeBody(), R"({"vectors":[1]})");
  EXPECT_EQ(second.TakeBody(), R"({"vectors":[{"a":2},[3]]})");
  EXPECT_EQ(third.TakeBody(), R"({"vectors":[{"a":2}]})");
  EXPECT_EQ(fourth.TakeBody(), R"({"vectors":[[3]]})");
}

}  // namespace
}  // namespace s3v

#include "s3vectors/remote_writer.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "base/error.h"
#include "support/metadata_rows.h"
#include "support/vector_service.h"

namespace s3v {
namespace {

using testing::MetadataWriter;
using testing::ServedAnswer;
using testing::VectorService;

struct CountedStop final : Stop {
  bool Requested() override { return ++polls > stop_after; }
  int polls = 0;
  int stop_after = 1 << 30;
};

struct RemoteWriterTest : ::testing::Test {
  ServiceClient Client(int64_t timeout_ms = 30'000, int parallel = 64) const {
    StoreConfig config = service.config();
    config.request_timeout_ms = timeout_ms;
    config.max_parallel_requests = parallel;
    return {config, ParseStoreUrl(config.url), ServiceRetryPolicy(), SystemClock()};
  }
  // Keys are numbers, vectors begin with them.
  void Put(RemoteWriter& writer, int number) {
    std::vector<float> vector(schema.dimensions, 1);
    vector[0] = static_cast<float>(number);
    const std::string key = "k" + std::to_string(number);
    writer.Put(AsBytes(key), vector, MetadataWriter().Integer(number).row(), stop);
  }
  std::vector<size_t> Sizes(const std::string& operation) const {
    std::vector<size_t> sizes;
    for (const VectorService::Request& request : service.requests) {
      const char* list = operation == "PutVectors" ? "vectors" : "keys";
      if (request.operation == operation) sizes.push_back(request.body.at(list).size());
    }
    std::ranges::sort(sizes);
    return sizes;
  }

  CountedStop stop;
  VectorService service;
  RemoteSchema schema{.key_kind = KeyKind::kText, .dimensions = 3, .columns = {{"n", ColumnKind::kNumber}}};
};

TEST_F(RemoteWriterTest, PutsAndRemoves) {
  service.vectors["old"] = {{1, 2, 3}, {}};
  service.vectors["foreign"] = {{1, 2, 3}, {}};
  ServiceClient client = Client();
  RemoteWriter writer(client, VectorService::kIndex, schema);
  Put(writer, 1);
  writer.Remove(AsBytes("old"), stop);
  writer.RemoveText("foreign", stop);
  writer.Put(AsBytes("\"bare\""), std::vector<float>{0.1F, -2.5F, 0}, MetadataWriter().Null().row(), stop);
  const RemoteWritten written = writer.Finish(stop);
  ASSERT_EQ(service.vectors.size(), 2u);
  EXPECT_EQ(service.vectors.at("k1").metadata.dump(), R"({"n":1})");
  EXPECT_EQ(service.vectors.at("\"bare\"").values, (std::vector<float>{0.1F, -2.5F, 0}));
  EXPECT_TRUE(service.vectors.at("\"bare\"").metadata.is_null());
  EXPECT_EQ(written.put, 2u);
  EXPECT_EQ(written.removed, 2u);
  EXPECT_EQ(written.logical_bytes, 2 * 12 + 2 + 7 + 6u);  // floats, keys, {"n":1}
  EXPECT_EQ(written.requests, 2u);
  EXPECT_EQ(written.refusals, 0u);
}

TEST_F(RemoteWriterTest, WithNothingToDoSendsNothing) {
  ServiceClient client = Client();
  RemoteWriter writer(client, VectorService::kIndex, schema);
  EXPECT_EQ(writer.Finish(stop).requests, 0u);
  EXPECT_TRUE(service.requests.empty());
}

TEST_F(RemoteWriterTest, BatchesHaveFiveHundredVectors) {
  ServiceClient client = Client();
  RemoteWriter writer(client, VectorService::kIndex, schema);
  for (int i = 0; i < 1'234; ++i) Put(writer, i);
  for (int i = 0; i < 501; ++i) writer.RemoveText("gone" + std::to_string(i), stop);
  const RemoteWritten written = writer.Finish(stop);
  EXPECT_EQ(Sizes("PutVectors"), (std::vector<size_t>{234, 500, 500}));
  EXPECT_EQ(Sizes("DeleteVectors"), (std::vector<size_t>{1, 500}));
  EXPECT_EQ(service.vectors.size(), 1'234u);
  EXPECT_EQ(written.put, 1'234u);
  EXPECT_EQ(written.removed, 501u);
}

TEST_F(RemoteWriterTest, RequestsStayBelowTwentyMegabytes) {
  std::vector<size_t> sizes;
  testing::HttpServer plain([&](const testing::ServedRequest& request, int) {
    sizes.push_back(request.body.size());
    return testing::Answer(200, "{}");
  });
  StoreConfig config = service.config();
  config.endpoint = plain.url();
  ServiceClient client(config, ParseStoreUrl(config.url), ServiceRetryPolicy(), SystemClock());
  schema.dimensions = 4096;
  RemoteWriter writer(client, VectorService::kIndex, schema);
  std::vector<float> vector(4096);
  for (size_t i = 0; i < vector.size(); ++i) vector[i] = 1.0F / static_cast<float>(i + 3);
  for (int i = 0; i < 700; ++i) {
    writer.Put(AsBytes("k" + std::to_string(i)), vector, MetadataWriter().Integer(i).row(), stop);
  }
  EXPECT_EQ(writer.Finish(stop).put, 700u);
  // What goes out together has 32 MiB: one whole request, and a part.
  constexpr size_t kMiB = size_t{1} << 20;
  ASSERT_EQ(sizes.size(), 3u);
  std::ranges::sort(sizes);
  EXPECT_LE(sizes[2], 20 * kMiB);
  EXPECT_GT(sizes[2], 19 * kMiB);
  EXPECT_LE(sizes[1] + sizes[2], 32 * kMiB);
  EXPECT_GT(sizes[1] + sizes[2], 31 * kMiB);
}

TEST_F(RemoteWriterTest, ABatchTooLargeForTheMomentIsHalved) {
  service.most_vectors = 60;
  ServiceClient client = Client();
  RemoteWriter writer(client, VectorService::kIndex, schema);
  for (int i = 0; i < 100; ++i) Put(writer, i);
  const RemoteWritten written = writer.Finish(stop);
  EXPECT_EQ(Sizes("PutVectors"), (std::vector<size_t>{50, 50, 100}));
  EXPECT_EQ(service.vectors.size(), 100u);
  EXPECT_EQ(written.put, 100u);
  EXPECT_EQ(written.refusals, 1u);
  EXPECT_EQ(written.requests, 3u);
}

TEST_F(RemoteWriterTest, RefusedRequestsAreSentAgain) {
  service.throttled = 2;
  ServiceClient client = Client();
  RemoteWriter writer(client, VectorService::kIndex, schema);
  for (int i = 0; i < 10; ++i) Put(writer, i);
  writer.RemoveText("gone", stop);
  const RemoteWritten written = writer.Finish(stop);
  EXPECT_EQ(service.vectors.size(), 10u);
  EXPECT_EQ(written.put, 10u);
  EXPECT_EQ(written.removed, 1u);
  EXPECT_EQ(written.refusals, 2u);
  EXPECT_EQ(written.requests, 4u);
}

TEST_F(RemoteWriterTest, WhoIsRefusedForGoodGivesUp) {
  service.throttled = 1 << 30;
  ServiceClient client = Client(300);
  RemoteWriter writer(client, VectorService::kIndex, schema);
  Put(writer, 1);
  try {
    writer.Finish(stop);
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), Code::kUnavailable);
    EXPECT_NE(error.detail().find("Rate exceeded"), std::string::npos) << error.detail();
  }
  EXPECT_GE(service.Count("PutVectors"), 2);
}

TEST_F(RemoteWriterTest, AWaitEndsWhenTheCallerWantsIt) {
  service.throttled = 1 << 30;
  ServiceClient client = Client(60'000);
  RemoteWriter writer(client, VectorService::kIndex, schema);
  Put(writer, 1);
  stop.stop_after = stop.polls + 40;
  try {
    writer.Finish(stop);
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), Code::kCancelled);
  }
}

TEST_F(RemoteWriterTest, WhatTheServiceSaysOfAVectorIsTold) {
  service.dimensions = 5;
  ServiceClient client = Client();
  RemoteWriter writer(client, VectorService::kIndex, schema);
  Put(writer, 7);
  try {
    writer.Finish(stop);
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), Code::kInvalidArgument);
    EXPECT_NE(error.detail().find("record for key 'k7'"), std::string::npos) << error.detail();
  }
}

TEST_F(RemoteWriterTest, SendsAsManyAtOnceAsItMay) {
  // One batch too many for one round; the first ones have to be under way when the last key comes.
  ServiceClient client = Client(30'000, 2);
  RemoteWriter writer(client, VectorService::kIndex, schema);
  for (int i = 0; i < 1'000; ++i) Put(writer, i);
  EXPECT_EQ(service.Count("PutVectors"), 0);
  Put(writer, 1'000);
  Put(writer, 1'001);
  EXPECT_EQ(service.Count("PutVectors"), 2);
  EXPECT_EQ(writer.Finish(stop).put, 1'002u);
}

}  // namespace
}  // namespace s3v

#include "s3vectors/remote_contents.h"

#include <gtest/gtest.h>

#include <map>

#include "base/error.h"
#include "base/random.h"
#include "support/metadata_rows.h"
#include "support/temp_spill.h"
#include "support/vector_service.h"

namespace s3v {
namespace {

using nlohmann::json;
using testing::MetadataWriter;
using testing::VectorService;

constexpr size_t kMemory = 1 << 20;

struct RemoteContentsTest : ::testing::Test {
  RemoteContentsTest() {
    for (int i = -100; i < 400; ++i) Add(i * 7);
  }

  void Add(int64_t key) {
    std::vector<float> vector = {static_cast<float>(key), 0.1F, -1};
    service.vectors[std::to_string(key)] = {vector, {{"n", key}}};
    const Bytes encoded = *KeyFromText(KeyKind::kInteger, std::to_string(key));
    expected[encoded] = RemoteContentHash(schema, vector, MetadataWriter().Integer(key).row());
  }

  RemoteContents Open(size_t memory = kMemory) {
    const StoreConfig config = service.config();
    client = std::make_unique<ServiceClient>(config, ParseStoreUrl(config.url), ServiceRetryPolicy(), SystemClock());
    return {*client, VectorService::kIndex, schema, memory, spill, stop};
  }
  // In the order they come in, each once.
  std::map<Bytes, uint64_t> Read(RemoteContents& contents) {
    std::map<Bytes, uint64_t> found;
    ByteView key;
    uint64_t hash = 0;
    Bytes last;
    while (contents.Next(&key, &hash, stop)) {
      const Bytes copy(key.begin(), key.end());
      EXPECT_TRUE(found.empty() || last < copy);
      found[copy] = hash;
      last = copy;
    }
    EXPECT_FALSE(contents.Next(&key, &hash, stop));
    return found;
  }
  std::map<Bytes, uint64_t> ReadAll(size_t memory = kMemory) {
    RemoteContents contents = Open(memory);
    return Read(contents);
  }

  NeverStop stop;
  VectorService service;
  RemoteSchema schema{.key_kind = KeyKind::kInteger, .dimensions = 3, .columns = {{"n", ColumnKind::kNumber}}};
  std::map<Bytes, uint64_t> expected;
  std::unique_ptr<ServiceClient> client;
  testing::TempSpillFactory spill;
};

TEST_F(RemoteContentsTest, HasEveryKeyInOrderWithTheHashOfItsRow) {
  EXPECT_EQ(ReadAll(), expected);
  EXPECT_EQ(service.requests.size(), 16u);
  const json& body = service.requests[3].body;
  EXPECT_EQ(body.at("segmentCount"), 16);
  EXPECT_EQ(body.at("maxResults"), 1000);
  EXPECT_EQ(body.at("returnData"), true);
  EXPECT_EQ(body.at("returnMetadata"), true);
  EXPECT_FALSE(body.contains("nextToken"));
}

TEST_F(RemoteContentsTest, AnEmptyIndexHasNone) {
  service.vectors.clear();
  EXPECT_TRUE(ReadAll().empty());
}

TEST_F(RemoteContentsTest, ShortPagesAreNotTheEnd) {
  service.list_page = 3;
  EXPECT_EQ(ReadAll(), expected);
  service.ends_with_empty_token = true;
  EXPECT_EQ(ReadAll(), expected);
}

TEST_F(RemoteContentsTest, EmptyPagesAreNotTheEnd) {
  service.intercept = [](const VectorService::Request& request) -> std::optional<testing::ServedAnswer> {
    if (request.body.contains("nextToken")) return std::nullopt;
    return testing::Answer(200, R"({"vectors":[],"nextToken":"0"})");
  };
  EXPECT_EQ(ReadAll(), expected);
}

TEST_F(RemoteContentsTest, WithoutSegmentsThereIsOneChain) {
  service.knows_segments = false;
  service.list_page = 100;
  EXPECT_EQ(ReadAll(), expected);
  EXPECT_FALSE(service.requests.back().body.contains("segmentCount"));
  service.intercept = [](const VectorService::Request& request) -> std::optional<testing::ServedAnswer> {
    if (!request.body.contains("segmentCount")) return std::nullopt;
    return VectorService::Refusal(501, "NotImplemented", "");
  };
  EXPECT_EQ(ReadAll(), expected);
}

TEST_F(RemoteContentsTest, WhoIgnoresSegmentsSendsEverythingSixteenTimes) {
  service.ignores_segments = true;
  service.vectors["foreign"] = {{1, 2, 3}, {}};
  RemoteContents contents = Open();
  EXPECT_EQ(Read(contents), expected);
  EXPECT_EQ(contents.foreign_count(), 1u);
}

TEST_F(RemoteContentsTest, WhatDoesNotFitIntoMemorySpills) {
  EXPECT_EQ(ReadAll(2'000), expected);
  EXPECT_EQ(spill.created(), 1);
}

TEST_F(RemoteContentsTest, TextKeysComeInTheOrderOfTheirBytes) {
  schema.key_kind = KeyKind::kText;
  service.vectors.clear();
  expected.clear();
  Random random(4);
  for (int i = 0; i < 300; ++i) {
    std::string key(1, "a\x01z\x7f"[random.Below(4)]);
    for (uint64_t n = random.Below(4); n > 0; --n) key += "a\x01z\x7f"[random.Below(4)];
    const std::vector<float> vector = {1, 2, static_cast<float>(i)};
    service.vectors[key] = {vector, {}};
    expected[Bytes(key.begin(), key.end())] = RemoteContentHash(schema, vector, MetadataWriter().Null().row());
  }
  EXPECT_EQ(ReadAll(), expected);
  EXPECT_EQ(ReadAll(1'000), expected);
}

TEST_F(RemoteContentsTest, AKeyInTwoStatesDiffersFromEveryRow) {
  service.intercept = [](const VectorService::Request& request) -> std::optional<testing::ServedAnswer> {
    if (request.body.at("segmentIndex") == 3) {
      return testing::Answer(200, R"({"vectors":[{"key":"7","data":{"float32":[7,0.1,-2]},"metadata":{"n":7}}]})");
    }
    return std::nullopt;
  };
  service.ignores_segments = true;
  std::map<Bytes, uint64_t> found = ReadAll();
  const Bytes seven = *KeyFromText(KeyKind::kInteger, "7");
  EXPECT_EQ(found.at(seven), 0u);
  found[seven] = expected.at(seven);
  EXPECT_EQ(found, expected);
}

TEST_F(RemoteContentsTest, WhatIsNoVectorOfOursHasNoHash) {
  service.vectors["1"] = {{1, 2}, {}};
  service.vectors["2"] = {{}, {}};
  service.vectors["3"] = {{1, 2, 3}, {{"n", json::array({json::array()})}}};
  const std::map<Bytes, uint64_t> found = ReadAll();
  for (const char* key : {"1", "2", "3"}) EXPECT_EQ(found.at(*KeyFromText(KeyKind::kInteger, key)), 0u) << key;
}

TEST_F(RemoteContentsTest, ForeignKeysAreToldAsFarAsTheyAreKept) {
  for (int i = 0; i < 1'200; ++i) service.vectors["x" + std::to_string(10'000 + i)] = {{1, 2, 3}, {}};
  RemoteContents contents = Open();
  EXPECT_EQ(Read(contents), expected);
  EXPECT_EQ(contents.foreign_count(), 1'200u);
  EXPECT_EQ(contents.foreign_keys().size(), 1'000u);
  EXPECT_EQ(contents.foreign_keys().front().front(), 'x');
}

TEST_F(RemoteContentsTest, PagesOfLongVectorsAreSmaller) {
  schema.dimensions = 4096;
  service.vectors.clear();
  EXPECT_TRUE(ReadAll().empty());
  EXPECT_EQ(service.requests[0].body.at("maxResults"), 64);
}

TEST_F(RemoteContentsTest, ErrorsAreThoseOfTheClient) {
  service.intercept = [](const VectorService::Request& request) -> std::optional<testing::ServedAnswer> {
    if (request.operation != "ListVectors") return testing::Answer(200, "{}");
    return VectorService::Refusal(404, "NotFoundException", "The specified index could not be found");
  };
  try {
    Open();
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), Code::kObjectMissing);
  }
}

}  // namespace
}  // namespace s3v

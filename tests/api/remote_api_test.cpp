// A remote index through the wall, as the shim uses it: rows written, searched, listed, compared.
#include <gtest/gtest.h>

#include <cmath>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "api/s3v_c.h"
#include "api/s3v_remote_c.h"
#include "base/bytes.h"
#include "support/metadata_rows.h"
#include "support/vector_service.h"

namespace s3v {
namespace {

using testing::MetadataWriter;
using testing::VectorService;

Bytes KeyOf(uint8_t number) { return {0x80, 0, 0, 0, 0, 0, 0, number}; }

Bytes RowOf(int64_t price, const char* note) { return MetadataWriter().Integer(price).Text(note).row(); }

struct RemoteApi : ::testing::Test {
  RemoteApi() {
    const s3v_column columns[] = {{"price", S3V_COLUMN_NUMBER}, {"note", S3V_COLUMN_TEXT}};
    const uint8_t nonfilterable[] = {0, 1};
    const s3v_remote_schema schema = {.key_kind = S3V_KEY_INTEGER,
                                      .dimensions = 3,
                                      .column_count = 2,
                                      .columns = columns,
                                      .nonfilterable = nonfilterable};
    EXPECT_EQ(s3v_remote_open(&schema, &remote, &err), S3V_OK);
    const std::string url = service.url();
    s3v_store_config config = {};
    config.url = "s3vectors://vectors";
    config.endpoint = url.c_str();
    config.access_key_id = "AKID";
    config.secret_access_key = "secret";
    config.max_parallel_requests = 16;
    config.request_timeout_ms = 30'000;
    EXPECT_EQ(s3v_store_open(&config, &store, &err), S3V_OK) << err.message;
  }
  ~RemoteApi() override {
    s3v_store_close(store);
    s3v_remote_free(remote);
  }

  s3v_remote_written Write(const std::map<uint8_t, int64_t>& prices) {
    s3v_remote_writer* writer = nullptr;
    EXPECT_EQ(s3v_remote_writer_open(&env, store, remote, VectorService::kIndex, &writer, &err), S3V_OK) << err.message;
    for (const auto& [number, price] : prices) {
      const Bytes key = KeyOf(number);
      const Bytes row = RowOf(price, "x");
      const float vector[] = {1, static_cast<float>(number), 0};
      EXPECT_EQ(s3v_remote_writer_put(writer, key.data(), key.size(), vector, row.data(), row.size(), &err), S3V_OK);
    }
    s3v_remote_written written = {};
    EXPECT_EQ(s3v_remote_writer_finish(writer, &written, &err), S3V_OK) << err.message << err.detail;
    s3v_remote_writer_free(writer);
    return written;
  }

  VectorService service;
  s3v_env env = {};
  s3v_error err = {};
  s3v_remote* remote = nullptr;
  s3v_store* store = nullptr;
};

TEST_F(RemoteApi, RowsAreMeasured) {
  const Bytes key = KeyOf(7);
  const Bytes row = RowOf(10, "x");
  s3v_remote_sizes sizes = {};
  ASSERT_EQ(s3v_remote_row_sizes(remote, key.data(), key.size(), row.data(), row.size(), &sizes, &err), S3V_OK);
  EXPECT_EQ(sizes.key_bytes, 1u);
  EXPECT_EQ(sizes.filterable_bytes, std::string(R"({"price":10})").size());
  EXPECT_EQ(sizes.metadata_bytes, std::string(R"({"price":10,"note":"x"})").size());

  int fits = 0;
  char complaint[256];
  ASSERT_EQ(s3v_remote_check_row(remote, key.data(), key.size(), row.data(), row.size(), &fits, complaint, &err),
            S3V_OK);
  EXPECT_NE(fits, 0);
  const Bytes large = RowOf(10, std::string(50'000, 'y').c_str());
  ASSERT_EQ(s3v_remote_check_row(remote, key.data(), key.size(), large.data(), large.size(), &fits, complaint, &err),
            S3V_OK);
  EXPECT_EQ(fits, 0);
  EXPECT_EQ(std::string(complaint), "Metadata has 50022 bytes, and the service takes at most 40960.");
  EXPECT_EQ(s3v_remote_row_sizes(remote, key.data(), key.size(), row.data(), 3, &sizes, &err), S3V_CORRUPTED);
}

TEST_F(RemoteApi, WhatIsWrittenIsFound) {
  const s3v_remote_written written = Write({{1, 10}, {2, 20}, {3, 30}});
  EXPECT_EQ(written.put, 3u);
  EXPECT_EQ(written.requests, 1u);

  const float queries[] = {1, 0, 0, 9, 9, 9, 1, 0, 0};
  const uint64_t top_k[] = {2, 0, 5};
  s3v_filter* filter = nullptr;
  const s3v_column columns[] = {{"price", S3V_COLUMN_NUMBER}, {"note", S3V_COLUMN_TEXT}};
  ASSERT_EQ(s3v_filter_compile(R"({"price":{"$gt":10},"note":"x"})", columns, 2, nullptr, nullptr, &filter, &err),
            S3V_OK);
  const s3v_remote_search_options options = {
      .top_k = top_k, .filter = filter, .filter_json = nullptr, .with_metadata = 1};
  s3v_remote_search* search = nullptr;
  ASSERT_EQ(s3v_remote_search_open(&env, store, remote, VectorService::kIndex, queries, 3, 3, &options, &search, &err),
            S3V_OK)
      << err.message << err.detail;
  const s3v_remote_hit* hits = nullptr;
  size_t count = 0;
  int whole = 0;
  ASSERT_EQ(s3v_remote_search_hits(search, 0, &hits, &count, &whole, &err), S3V_OK);
  ASSERT_EQ(count, 2u);
  EXPECT_EQ(Bytes(static_cast<const uint8_t*>(hits[0].key), static_cast<const uint8_t*>(hits[0].key) + 8), KeyOf(2));
  EXPECT_NEAR(hits[0].distance, 1 - 1 / std::sqrt(5), 1e-6);
  EXPECT_STREQ(hits[1].metadata, R"({"note":"x","price":30})");
  EXPECT_EQ(whole, 0);
  ASSERT_EQ(s3v_remote_search_hits(search, 1, &hits, &count, &whole, &err), S3V_OK);
  EXPECT_EQ(count, 0u);
  ASSERT_EQ(s3v_remote_search_hits(search, 2, &hits, &count, &whole, &err), S3V_OK);
  EXPECT_EQ(count, 2u);
  EXPECT_NE(whole, 0);
  EXPECT_NE(s3v_remote_search_hits(search, 3, &hits, &count, &whole, &err), S3V_OK);
  s3v_remote_search_free(search);
  s3v_filter_free(filter);
}

TEST_F(RemoteApi, AnAttachedIndexHasTextKeys) {
  service.vectors["some key"] = {{1, 0, 0}, {{"genre", "drama"}}};
  service.vectors["other"] = {{1, 0, 0}, {{"genre", "comedy"}}};
  const float query[] = {1, 0, 0};
  const uint64_t top_k = 10;
  s3v_remote_search_options options = {
      .top_k = &top_k, .filter = nullptr, .filter_json = R"({"genre":"drama"})", .with_metadata = 0};
  s3v_remote_search* search = nullptr;
  ASSERT_EQ(s3v_remote_search_open(&env, store, nullptr, VectorService::kIndex, query, 1, 3, &options, &search, &err),
            S3V_OK);
  const s3v_remote_hit* hits = nullptr;
  size_t count = 0;
  int whole = 0;
  ASSERT_EQ(s3v_remote_search_hits(search, 0, &hits, &count, &whole, &err), S3V_OK);
  ASSERT_EQ(count, 1u);
  EXPECT_EQ(std::string(static_cast<const char*>(hits[0].key), hits[0].key_size), "some key");
  EXPECT_EQ(hits[0].metadata, nullptr);
  s3v_remote_search_free(search);

  options.filter_json = "{";
  EXPECT_EQ(s3v_remote_search_open(&env, store, nullptr, VectorService::kIndex, query, 1, 3, &options, &search, &err),
            S3V_INVALID_ARGUMENT);
}

TEST_F(RemoteApi, ContentsAreThoseOfTheRows) {
  Write({{1, 10}, {2, 20}});
  service.vectors["nobody's"] = {{1, 2, 3}, {}};
  s3v_contents* contents = nullptr;
  uint64_t foreign = 0;
  ASSERT_EQ(s3v_remote_contents_open(&env, store, remote, VectorService::kIndex, 1 << 20, &contents, &foreign, &err),
            S3V_OK)
      << err.message << err.detail;
  EXPECT_EQ(foreign, 1u);
  const void* key = nullptr;
  size_t key_size = 0;
  uint64_t found = 0;
  for (const uint8_t number : {1, 2}) {
    ASSERT_EQ(s3v_contents_next(contents, &key, &key_size, &found, &err), S3V_OK);
    EXPECT_EQ(Bytes(static_cast<const uint8_t*>(key), static_cast<const uint8_t*>(key) + key_size), KeyOf(number));
    const Bytes row = RowOf(10 * number, "x");
    const float vector[] = {1, static_cast<float>(number), 0};
    uint64_t expected = 0;
    ASSERT_EQ(s3v_remote_row_hash(remote, vector, row.data(), row.size(), &expected, &err), S3V_OK);
    EXPECT_EQ(found, expected);
  }
  ASSERT_EQ(s3v_contents_next(contents, &key, &key_size, &found, &err), S3V_OK);
  EXPECT_EQ(key, nullptr);

  s3v_remote_writer* writer = nullptr;
  ASSERT_EQ(s3v_remote_writer_open(&env, store, remote, VectorService::kIndex, &writer, &err), S3V_OK);
  EXPECT_EQ(s3v_remote_writer_remove_foreign(writer, contents, &err), S3V_OK);
  const Bytes second = KeyOf(2);
  EXPECT_EQ(s3v_remote_writer_remove(writer, second.data(), second.size(), &err), S3V_OK);
  s3v_remote_written written = {};
  EXPECT_EQ(s3v_remote_writer_finish(writer, &written, &err), S3V_OK);
  EXPECT_EQ(written.removed, 2u);
  EXPECT_EQ(service.vectors.size(), 1u);
  s3v_remote_writer_free(writer);
  s3v_contents_free(contents);
}

TEST_F(RemoteApi, AStoreOfObjectsHasNoRemoteIndexes) {
  s3v_store_config config = {};
  config.url = "memory://remote_api";
  s3v_store* objects = nullptr;
  ASSERT_EQ(s3v_store_open(&config, &objects, &err), S3V_OK);
  s3v_remote_writer* writer = nullptr;
  EXPECT_EQ(s3v_remote_writer_open(&env, objects, remote, "x", &writer, &err), S3V_NOT_SUPPORTED);
  s3v_store_close(objects);
}

}  // namespace
}  // namespace s3v

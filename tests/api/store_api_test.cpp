// Stores behind the wall: which kind they are, where they lead, and what one of a service refuses.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>
#include <string>

#include "api/s3v_c.h"
#include "api/s3v_remote_c.h"
#include "support/http_server.h"

namespace s3v {
namespace {

using testing::Answer;
using ::testing::HasSubstr;
using testing::HttpServer;
using testing::ServedRequest;

s3v_store_config ConfigFor(const char* url) {
  s3v_store_config config = {};
  config.url = url;
  config.access_key_id = "AKID";
  config.secret_access_key = "c4n4ry";
  return config;
}

std::string EndpointOfConfig(const s3v_store_config& config) {
  char endpoint[256];
  s3v_error err = {};
  EXPECT_EQ(s3v_store_endpoint(&config, endpoint, &err), S3V_OK) << err.message;
  return endpoint;
}

TEST(StoreApi, TheUrlTellsWhetherAServiceKeepsTheIndex) {
  EXPECT_NE(s3v_url_is_remote("s3vectors://my-vectors"), 0);
  EXPECT_NE(s3v_url_is_remote("s3vectors://"), 0);
  for (const char* url : {"s3://bucket", "file:///srv", "memory://x", "S3VECTORS://x", "s3vectors:x", ""}) {
    EXPECT_EQ(s3v_url_is_remote(url), 0) << url;
  }
  EXPECT_EQ(s3v_url_is_remote(nullptr), 0);
}

TEST(StoreApi, TheEndpointThatAConfigLeadsTo) {
  s3v_store_config config = ConfigFor("s3vectors://my-vectors");
  EXPECT_EQ(EndpointOfConfig(config), "https://s3vectors.us-east-1.api.aws");
  config.region = "cn-north-1";
  EXPECT_EQ(EndpointOfConfig(config), "https://s3vectors.cn-north-1.api.amazonwebservices.com.cn");
  config.endpoint = "http://127.0.0.1:9092";
  EXPECT_EQ(EndpointOfConfig(config), "http://127.0.0.1:9092");
  config = ConfigFor("s3://bucket");
  EXPECT_EQ(EndpointOfConfig(config), "https://s3.us-east-1.amazonaws.com");
  EXPECT_EQ(EndpointOfConfig(ConfigFor("file:///srv/s3v")), "");
}

TEST(StoreApi, AnEndpointThatIsNoneOrDoesNotFitIsRefused) {
  char endpoint[256];
  s3v_error err = {};
  s3v_store_config config = ConfigFor("s3vectors://my-vectors");
  const std::string too_long = "https://" + std::string(300, 'h');
  for (const char* text : {"nonsense", "https://host/path", too_long.c_str()}) {
    config.endpoint = text;
    EXPECT_EQ(s3v_store_endpoint(&config, endpoint, &err), S3V_INVALID_ARGUMENT) << text;
  }
  config = ConfigFor("gs://bucket");
  EXPECT_EQ(s3v_store_endpoint(&config, endpoint, &err), S3V_INVALID_ARGUMENT);
}

TEST(StoreApi, AServiceIsCheckedAndOpenedLikeAStore) {
  s3v_error err = {};
  s3v_store* store = nullptr;
  s3v_store_config config = ConfigFor("s3vectors://my-vectors");
  EXPECT_EQ(s3v_store_check(&config, &err), S3V_OK);
  ASSERT_EQ(s3v_store_open(&config, &store, &err), S3V_OK) << err.message;
  EXPECT_NE(s3v_store_is_remote(store), 0);
  s3v_store_close(store);
  config.path_style = 1;
  EXPECT_EQ(s3v_store_check(&config, &err), S3V_INVALID_ARGUMENT);
  EXPECT_EQ(s3v_store_open(&config, &store, &err), S3V_INVALID_ARGUMENT);
  config = ConfigFor("s3vectors://my-vectors");
  config.access_key_id = config.secret_access_key = nullptr;
  EXPECT_EQ(s3v_store_open(&config, &store, &err), S3V_PERMISSION_DENIED);
  config = ConfigFor("memory://store-api");
  ASSERT_EQ(s3v_store_open(&config, &store, &err), S3V_OK);
  EXPECT_EQ(s3v_store_is_remote(store), 0);
  s3v_store_close(store);
}

// --- a service behind the wall ---

class OpenService : public ::testing::Test {
 protected:
  void SetUp() override {
    const std::string endpoint = server_.url();
    s3v_store_config config = ConfigFor("s3vectors://my-vectors");
    config.endpoint = endpoint.c_str();
    ASSERT_EQ(s3v_store_open(&config, &store_, &err_), S3V_OK) << err_.message;
  }
  void TearDown() override { s3v_store_close(store_); }

  HttpServer server_{[](const ServedRequest&, int) { return Answer(200, R"({"indexes":[]})"); }};
  s3v_store* store_ = nullptr;
  s3v_env env_ = {};
  s3v_error err_ = {};
};

constexpr char kUuid[] = "00112233-4455-6677-8899-aabbccddeeff";
constexpr char kId[] = "00112233445566778899aabbccddeeff";

s3v_object_name Name() {
  s3v_object_name name = {};
  std::strcpy(name.id, kId);
  return name;
}

TEST_F(OpenService, RefusesWhatNeedsVersions) {
  s3v_version_names names = {};
  names.index_uuid = kUuid;
  s3v_version_shape shape;
  EXPECT_EQ(s3v_version_open(&env_, store_, kUuid, kId, &names, &shape, &err_), S3V_NOT_SUPPORTED);
  EXPECT_THAT(err_.message, HasSubstr("s3vectors://my-vectors at http://127.0.0.1"));
  names = {.index_uuid = kUuid, .base = Name(), .deltas = {Name()}, .delta_count = 1};
  uint64_t fetched;
  EXPECT_EQ(s3v_warm(&env_, store_, &names, 0, &fetched, &err_), S3V_NOT_SUPPORTED);
  const float query[] = {1};
  s3v_search_options options = {};
  options.k = 1;
  s3v_search* search = nullptr;
  EXPECT_EQ(s3v_search_open(&env_, store_, &names, query, 1, 1, &options, &search, &err_), S3V_NOT_SUPPORTED);
  s3v_contents* contents = nullptr;
  s3v_damage damage = {};
  EXPECT_EQ(s3v_contents_open(&env_, store_, &names, kId, &contents, &damage, &err_), S3V_NOT_SUPPORTED);
  env_.spill_create = [](void*) { return -1; };
  env_.spill_append = [](void*, int, uint64_t, const void*, size_t) { return -1; };
  env_.spill_read = [](void*, int, uint64_t, void*, size_t) { return -1; };
  env_.spill_close = [](void*, int) {};
  s3v_build_options build_options = {};
  build_options.index_uuid = kUuid;
  build_options.dimensions = 1;
  s3v_build* build = nullptr;
  EXPECT_EQ(s3v_build_open(&env_, store_, &build_options, &build, &err_), S3V_NOT_SUPPORTED) << err_.message;
  s3v_update* update = nullptr;
  EXPECT_EQ(s3v_update_open(&env_, store_, &names, &build_options, 0, &update, &err_), S3V_NOT_SUPPORTED);
  EXPECT_TRUE(server_.requests().empty());
}

TEST_F(OpenService, ListsIndexesAndCounts) {
  char(*uuids)[37] = nullptr;
  size_t count = 7;
  uint64_t foreign = 7;
  ASSERT_EQ(s3v_store_indexes(&env_, store_, &uuids, &count, &foreign, &err_), S3V_OK) << err_.message;
  s3v_store_indexes_free(uuids);
  EXPECT_EQ(count, 0u);
  EXPECT_EQ(foreign, 0u);
  s3v_counters counters;
  s3v_store_counters(store_, &counters);
  EXPECT_EQ(counters.get_requests, 1u);
  EXPECT_EQ(counters.put_requests, 0u);
  EXPECT_EQ(counters.bytes_read, 14u);
}

}  // namespace
}  // namespace s3v

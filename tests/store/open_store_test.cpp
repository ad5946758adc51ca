#include "store/open_store.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.h"
#include "base/random.h"
#include "store/cache_fixture.h"

namespace s3v {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

StoreConfig S3(const std::string& url = "s3://bucket/prefix") {
  StoreConfig config;
  config.url = url;
  config.access_key_id = "AKID";
  config.secret_access_key = "c4n4ry";
  return config;
}

// The error of a config; the empty one if it is good.
Error Check(const StoreConfig& config) {
  try {
    CheckStoreConfig(config);
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), Code::kInvalidArgument);
    EXPECT_FALSE(error.hint().empty()) << error.message();
    EXPECT_THAT(error.message() + error.detail() + error.hint(), Not(HasSubstr("c4n4ry")));
    return error;
  }
  return Error(Code::kOk, "");
}

TEST(CheckStoreConfig, TheErrorNamesTheKindsThereAre) {
  StoreConfig config;
  config.url = "gs://bucket";
  EXPECT_THAT(Check(config).hint(), AllOf(HasSubstr("file://"), HasSubstr("s3://"), HasSubstr("s3vectors://")));
}

TEST(CheckStoreConfig, GoodOnes) {
  EXPECT_EQ(Check(S3()).message(), "");
  StoreConfig local = S3();
  local.endpoint = "http://127.0.0.1:7070";
  EXPECT_EQ(Check(local).message(), "");
  StoreConfig remote = S3();
  remote.endpoint = "http://store.example.com";
  remote.allow_http = true;
  EXPECT_EQ(Check(remote).message(), "");
  StoreConfig encrypted = S3();
  encrypted.sse = "aws:kms";
  encrypted.kms_key_id = "arn:aws:kms:us-east-1:1:key/2";
  EXPECT_EQ(Check(encrypted).message(), "");
  StoreConfig server_only = S3();  // as a validator sees it
  server_only.access_key_id = server_only.secret_access_key = "";
  EXPECT_EQ(Check(server_only).message(), "");
  StoreConfig file;
  file.url = "file:///srv/s3v";
  EXPECT_EQ(Check(file).message(), "");
}

TEST(CheckStoreConfig, UnencryptedHttpIsForThisMachineOnly) {
  for (const char* endpoint : {"http://store.example.com", "http://10.0.0.1:9000", "http://2130706433",
                               "http://0.0.0.0", "http://localhost.example.com", "http://[::ffff:127.0.0.1]"}) {
    StoreConfig config = S3();
    config.endpoint = endpoint;
    EXPECT_THAT(Check(config).hint(), HasSubstr("allow_http")) << endpoint;
  }
}

TEST(CheckStoreConfig, BadOnes) {
  const auto with = [](const std::function<void(StoreConfig&)>& change) {
    StoreConfig config = S3();
    change(config);
    return Check(config).message();
  };
  EXPECT_THAT(with([](StoreConfig& c) { c.region = "us east"; }), HasSubstr("region"));
  EXPECT_THAT(with([](StoreConfig& c) { c.region = ""; }), HasSubstr("region"));
  EXPECT_THAT(with([](StoreConfig& c) { c.region = "x.evil.com/"; }), HasSubstr("region"));
  EXPECT_THAT(with([](StoreConfig& c) { c.endpoint = "127.0.0.1:7070"; }), HasSubstr("endpoint"));
  EXPECT_THAT(with([](StoreConfig& c) { c.endpoint = "https://host/path"; }), HasSubstr("endpoint"));
  EXPECT_THAT(with([](StoreConfig& c) { c.sse = "yes"; }), HasSubstr("sse"));
  EXPECT_THAT(with([](StoreConfig& c) { c.kms_key_id = "k"; }), HasSubstr("kms_key_id"));
  EXPECT_THAT(with([](StoreConfig& c) { c.access_key_id = ""; }), HasSubstr("access_key_id"));
  EXPECT_THAT(with([](StoreConfig& c) { c.secret_access_key = "c4n4ry\n"; }), HasSubstr("secret_access_key"));
  EXPECT_THAT(with([](StoreConfig& c) { c.session_token = "c4n4ry\r\nx: y"; }), HasSubstr("session_token"));
  EXPECT_THAT(with([](StoreConfig& c) { c.url = "s3://my.bucket"; }), HasSubstr("dot"));
  EXPECT_THAT(with([](StoreConfig& c) { c.max_parallel_requests = 0; }), HasSubstr("parallel"));
  EXPECT_THAT(with([](StoreConfig& c) { c.request_timeout_ms = 0; }), HasSubstr("timeout"));
  EXPECT_THAT(with([](StoreConfig& c) {
                c.url = "file:///srv/s3v";
                c.endpoint = "https://host";
              }),
              HasSubstr("endpoint"));
}

constexpr char kKeyArn[] = "arn:aws:kms:us-east-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab";

TEST(CheckStoreConfig, GoodOnesOfVectorBuckets) {
  const auto with = [](const std::function<void(StoreConfig&)>& change) {
    StoreConfig config = S3("s3vectors://my-vectors");
    change(config);
    return Check(config).message();
  };
  EXPECT_EQ(with([](StoreConfig&) {}), "");
  EXPECT_EQ(with([](StoreConfig& c) { c.region = "cn-north-1"; }), "");
  EXPECT_EQ(with([](StoreConfig& c) { c.endpoint = "https://vpce-1.s3vectors.us-east-1.vpce.amazonaws.com"; }), "");
  EXPECT_EQ(with([](StoreConfig& c) { c.endpoint = "http://localhost:9092"; }), "");
  EXPECT_EQ(with([](StoreConfig& c) {
              c.endpoint = "http://vectors.example.com";
              c.allow_http = true;
            }),
            "");
  EXPECT_EQ(with([](StoreConfig& c) { c.ca_file = "/etc/ssl/private-ca.pem"; }), "");
  EXPECT_EQ(with([](StoreConfig& c) { c.sse = "AES256"; }), "");
  EXPECT_EQ(with([](StoreConfig& c) { c.sse = "aws:kms"; }), "");
  EXPECT_EQ(with([](StoreConfig& c) {
              c.sse = "aws:kms";
              c.kms_key_id = kKeyArn;
            }),
            "");
  EXPECT_EQ(with([](StoreConfig& c) { c.access_key_id = c.secret_access_key = ""; }), "");
}

TEST(CheckStoreConfig, BadOnesOfVectorBuckets) {
  const auto with = [](const std::function<void(StoreConfig&)>& change) {
    StoreConfig config = S3("s3vectors://my-vectors");
    change(config);
    return Check(config);
  };
  const auto with_key = [&](const std::string& key) {
    return with([&](StoreConfig& c) {
      c.sse = "aws:kms";
      c.kms_key_id = key;
    });
  };
  EXPECT_THAT(with([](StoreConfig& c) { c.path_style = true; }).message(), HasSubstr("path_style"));
  EXPECT_THAT(with([](StoreConfig& c) { c.region = "x.evil.com/"; }).message(), HasSubstr("region"));
  EXPECT_THAT(with([](StoreConfig& c) { c.endpoint = "https://host/vector"; }).message(), HasSubstr("endpoint"));
  EXPECT_THAT(with([](StoreConfig& c) { c.endpoint = "http://vectors.example.com"; }).hint(), HasSubstr("allow_http"));
  EXPECT_THAT(with([](StoreConfig& c) { c.sse = "yes"; }).message(), HasSubstr("sse"));
  EXPECT_THAT(with([](StoreConfig& c) { c.kms_key_id = kKeyArn; }).message(), HasSubstr("aws:kms"));
  EXPECT_THAT(with([](StoreConfig& c) { c.secret_access_key = ""; }).message(), HasSubstr("secret_access_key"));
  const std::string arn = kKeyArn;
  for (const std::string& key :
       {std::string("1234abcd-12ab-34cd-56ef-1234567890ab"), std::string("alias/mine"),
        std::string("arn:aws:kms:us-east-1:123456789012:alias/mine"), std::string("arn:aws:kms:us-east-1:1:key/2"),
        std::string("arn:aws:kms:us-east-1:123456789012:key/"), std::string("arn:aws:s3:us-east-1:123456789012:key/1"),
        "x" + arn, arn.substr(4)}) {
    EXPECT_THAT(with_key(key).message(), HasSubstr("ARN")) << key;
    EXPECT_THAT(with_key(key).hint(), HasSubstr("arn:aws:kms:")) << key;
  }
}

TEST(OpenStore, AVectorBucketIsNoStoreOfObjects) {
  try {
    OpenStore(S3("s3vectors://my-vectors"));
    FAIL() << "a vector bucket was opened as a store of objects";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), Code::kInternal);
  }
}

TEST(OpenStore, OpensWhatTheUrlNames) {
  NeverStop never;
  StoreConfig memory;
  memory.url = "memory://" + IdText(RandomId());
  OpenStore(memory)->Put("k", AsBytes("v"), ObjectStore::PutMode::kOverwrite, never);
  EXPECT_EQ(OpenStore(memory)->Get("k", 10, never), Bytes{'v'});
  EXPECT_NE(OpenStore(S3()), nullptr);  // connects to nothing
  StoreConfig anonymous = S3();
  anonymous.access_key_id = anonymous.secret_access_key = "";
  try {
    OpenStore(anonymous);
    FAIL() << "a store without credentials was opened";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), Code::kPermissionDenied);
    EXPECT_THAT(error.hint(), HasSubstr("user mapping"));
  }
}

TEST(OpenStore, RelativeFilesLieBelowTheDataDirectory) {
  NeverStop never;
  StoreConfig config;
  config.url = "file://./sub";
  EXPECT_THROW(OpenStore(config), Error);
  config.data_directory = ::testing::TempDir() + "s3v-open-" + IdText(RandomId());
  OpenStore(config)->Put("k", AsBytes("v"), ObjectStore::PutMode::kOverwrite, never);
  StoreConfig absolute;
  absolute.url = "file://" + config.data_directory + "/sub";
  const auto store = OpenStore(absolute);
  EXPECT_EQ(store->Get("k", 10, never), Bytes{'v'});
  store->Delete(std::vector<ObjectKey>{"k"}, never);
}

TEST(OpenStore, CachesWhereADirectoryAndASizeAreGiven) {
  NeverStop never;
  const testing::CacheDirectoryForTest cache;
  const testing::CacheDirectoryForTest files;
  const std::vector<RangeRequest> ranges = {{"k", 0, 5}};
  const auto hits = [&](const StoreConfig& config) {
    const auto store = OpenStore(config);
    store->Put("k", AsBytes("01234"), ObjectStore::PutMode::kOverwrite, never);
    for (int round = 0; round < 2; ++round)
      store->GetRanges(
          ranges, [](size_t, ByteView) {}, never);
    for (int round = 0; round < 2; ++round)
      store->GetMapped(
          ranges, [](size_t, ByteView) {}, never);
    return store->counters().cache_hits;
  };
  StoreConfig config;
  config.url = "memory://" + IdText(RandomId());
  EXPECT_EQ(hits(config), 0u);
  config.cache_directory = cache.path;
  EXPECT_EQ(hits(config), 0u);
  config.cache_bytes = 1 << 20;
  EXPECT_EQ(hits(config), 2u);
  // Another store's objects of the same names are others.
  config.url = "memory://" + IdText(RandomId());
  EXPECT_EQ(hits(config), 2u);
  EXPECT_EQ(hits(config), 4u);
  // Files of this machine are not kept twice, except to map them.
  config.url = "file://" + files.path;
  EXPECT_EQ(hits(config), 1u);
  config.cache_directory = "";
  EXPECT_EQ(hits(config), 0u);
}

}  // namespace
}  // namespace s3v

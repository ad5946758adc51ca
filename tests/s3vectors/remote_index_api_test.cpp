// The wall's functions about remote indexes.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "api/s3v_remote_c.h"
#include "s3vectors/index_service.h"
#include "s3vectors/names.h"

namespace s3v {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using testing::IndexService;

constexpr char kUuid[] = "07000000-0000-0000-0000-000000000000";
const ObjectId kIndex = {7};

class RemoteIndexApi : public ::testing::Test {
 protected:
  RemoteIndexApi() {
    const std::string endpoint = service_.url();
    s3v_store_config config = {};
    config.url = "s3vectors://vectors";
    config.endpoint = endpoint.c_str();
    config.access_key_id = "AKID";
    config.secret_access_key = testing::kServiceSecret;
    EXPECT_EQ(s3v_store_open(&config, &store_, &error_), S3V_OK) << error_.message;
    creation_.metric = S3V_L2;
    creation_.dimensions = 5;
    creation_.nonfilterable = keys_;
    creation_.nonfilterable_count = 2;
  }
  ~RemoteIndexApi() override { s3v_store_close(store_); }

  s3v_code Create(char (&name)[S3V_MAX_REMOTE_NAME]) {
    return s3v_remote_create(nullptr, store_, kUuid, &creation_, name, &error_);
  }
  s3v_code Find(const std::vector<const char*>& published, char (&name)[S3V_MAX_REMOTE_NAME]) {
    return s3v_remote_find_unfinished(nullptr, store_, kUuid, published.data(), published.size(), &creation_, name,
                                      &error_);
  }

  const char* keys_[2] = {"body", "title"};
  IndexService service_;
  s3v_store* store_ = nullptr;
  s3v_remote_creation creation_ = {};
  s3v_error error_ = {};
};

TEST_F(RemoteIndexApi, ChecksWithoutAStore) {
  EXPECT_EQ(s3v_remote_check_creation(&creation_, &error_), S3V_OK);
  creation_.mode = "FAST";
  EXPECT_EQ(s3v_remote_check_creation(&creation_, &error_), S3V_INVALID_ARGUMENT);
  creation_.mode = nullptr;
  creation_.metric = S3V_INNER_PRODUCT;
  EXPECT_EQ(s3v_remote_check_creation(&creation_, &error_), S3V_NOT_SUPPORTED);
  EXPECT_THAT(error_.hint, HasSubstr("cosine"));
}

TEST_F(RemoteIndexApi, MakesDescribesAndFindsAgain) {
  creation_.mode = "CLASSIC";
  char name[S3V_MAX_REMOTE_NAME];
  ASSERT_EQ(Create(name), S3V_OK) << error_.message;
  EXPECT_THAT(service_.Names(), ElementsAre(std::string(name)));
  EXPECT_TRUE(std::string(name).starts_with(RemotePrefix(kIndex)));

  s3v_remote_shape shape;
  ASSERT_EQ(s3v_remote_describe(nullptr, store_, name, &shape, &error_), S3V_OK) << error_.message;
  EXPECT_EQ(shape.metric, S3V_L2);
  EXPECT_EQ(shape.dimensions, 5U);
  EXPECT_STREQ(shape.mode, "CLASSIC");

  char found[S3V_MAX_REMOTE_NAME];
  ASSERT_EQ(Find({}, found), S3V_OK) << error_.message;
  EXPECT_STREQ(found, name);
  ASSERT_EQ(Find({name}, found), S3V_OK) << error_.message;
  EXPECT_STREQ(found, "") << "it is published";
}

TEST_F(RemoteIndexApi, ModeOfTomorrowIsCut) {
  service_.default_mode = "MUCH_MORE_ENHANCED";
  char name[S3V_MAX_REMOTE_NAME];
  ASSERT_EQ(Create(name), S3V_OK) << error_.message;
  s3v_remote_shape shape;
  ASSERT_EQ(s3v_remote_describe(nullptr, store_, name, &shape, &error_), S3V_OK) << error_.message;
  EXPECT_STREQ(shape.mode, "MUCH_MORE_ENHAN");
}

TEST_F(RemoteIndexApi, MakesTheBucket) {
  service_.buckets.clear();
  EXPECT_EQ(s3v_remote_make_bucket(nullptr, store_, &error_), S3V_OK) << error_.message;
  EXPECT_TRUE(service_.buckets.contains("vectors"));
}

TEST_F(RemoteIndexApi, ErrorsComeAsCodes) {
  s3v_remote_shape shape;
  EXPECT_EQ(s3v_remote_describe(nullptr, store_, "none", &shape, &error_), S3V_OBJECT_MISSING);
  service_.buckets.clear();
  char name[S3V_MAX_REMOTE_NAME];
  EXPECT_EQ(Create(name), S3V_STORE_MISSING);
  EXPECT_THAT(error_.hint, HasSubstr("create_bucket"));
  EXPECT_EQ(s3v_remote_create(nullptr, store_, "7", &creation_, name, &error_), S3V_INVALID_ARGUMENT);
}

TEST_F(RemoteIndexApi, StoreOfObjectsHasNoRemoteIndexes) {
  s3v_store_config config = {};
  s3v_store* objects = nullptr;
  config.url = "memory://remote-index-api";
  ASSERT_EQ(s3v_store_open(&config, &objects, &error_), S3V_OK) << error_.message;
  s3v_remote_shape shape;
  EXPECT_EQ(s3v_remote_describe(nullptr, objects, "docs", &shape, &error_), S3V_NOT_SUPPORTED);
  s3v_store_close(objects);
}

}  // namespace
}  // namespace s3v

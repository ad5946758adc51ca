// What the wall says of an index's contents, to whoever compares them with a table.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>
#include <map>
#include <string>

#include "api/handles.h"
#include "api/names.h"
#include "api/s3v_c.h"
#include "engine/hand_made_index.h"
#include "format/content_hash.h"

namespace s3v {
namespace {

using Contents = std::map<std::string, uint64_t>;

class ContentsApi : public ::testing::Test {
 protected:
  void SetUp() override {
    index_.AddSegment({{"", 1}, {"b", 2}, {"d", 3}});
    index_.AddSegment({{"a", 4}, {"c", 5}});
    index_.WriteDelta();
    index_.AddSegment({{"d", 6}});
    index_.Mask(0, 2, 1);
    index_.WriteDelta();
    index_.WriteManifest();
    static int number = 0;
    const std::string name = "contents" + std::to_string(++number);
    objects_ = MakeMemoryStore(name);
    for (const ObjectInfo& object : index_.store->List("", stop_))
      objects_->Put(object.key, index_.Get(object.key), ObjectStore::PutMode::kOverwrite, stop_);
    url_ = "memory://" + name;
    s3v_store_config config{};
    config.url = url_.c_str();
    ASSERT_EQ(s3v_store_open(&config, &store_, &err_), S3V_OK) << err_.message;
    uuid_ = UuidText(index_.names.index);
    names_.index_uuid = uuid_.c_str();
    FillNames(index_.names, &names_);
    manifest_ = IdText(index_.manifest);
    env_.arg = this;
    env_.stop_requested = [](void* arg) {
      auto* self = static_cast<ContentsApi*>(arg);
      return self->polls_until_stop_ >= 0 && self->polls_until_stop_-- == 0 ? 1 : 0;
    };
  }
  void TearDown() override {
    s3v_contents_free(contents_);
    s3v_store_close(store_);
  }

  s3v_code Open() {
    s3v_contents_free(contents_);
    return s3v_contents_open(&env_, store_, &names_, manifest_.c_str(), &contents_, &damage_, &err_);
  }
  Contents Read() {
    Contents all;
    for (;;) {
      const void* key = this;
      size_t size = 0;
      uint64_t hash = 0;
      EXPECT_EQ(s3v_contents_next(contents_, &key, &size, &hash, &err_), S3V_OK) << err_.message;
      if (key == nullptr) return all;
      all.emplace(std::string(static_cast<const char*>(key), size), hash);
    }
  }
  void FlipIn(const std::string& key) {
    Bytes bytes = index_.Get(key);
    bytes[bytes.size() / 2] ^= 1;
    objects_->Put(key, bytes, ObjectStore::PutMode::kOverwrite, stop_);
  }

  testing::HandMadeIndex index_;
  std::unique_ptr<ObjectStore> objects_;
  NeverStop stop_;
  std::string url_;
  std::string uuid_;
  std::string manifest_;
  s3v_env env_{};
  int polls_until_stop_ = -1;
  s3v_store* store_ = nullptr;
  s3v_version_names names_{};
  s3v_contents* contents_ = nullptr;
  s3v_damage damage_{};
  s3v_error err_{};
};

TEST_F(ContentsApi, OfASoundVersion) {
  ASSERT_EQ(Open(), S3V_OK) << err_.message;
  EXPECT_EQ(damage_.objects, 0U);
  EXPECT_EQ(damage_.unusable, 0);
  EXPECT_STREQ(damage_.complaint, "");
  EXPECT_TRUE(contents_->damaged.empty());
  EXPECT_EQ(Read(), (Contents{{"", 1}, {"a", 4}, {"b", 2}, {"c", 5}, {"d", 6}}));
}

TEST_F(ContentsApi, DamagedSegmentIsLeftOut) {
  FlipIn(index_.KeyOf(1));
  ASSERT_EQ(Open(), S3V_OK) << err_.message;
  EXPECT_EQ(damage_.objects, 1U);
  EXPECT_EQ(damage_.unusable, 0);
  EXPECT_THAT(damage_.complaint, ::testing::HasSubstr(index_.KeyOf(1)));
  EXPECT_THAT(contents_->damaged, ::testing::ElementsAre(index_.segments[1].info.id));
  EXPECT_EQ(Read(), (Contents{{"", 1}, {"b", 2}, {"d", 6}}));
}

TEST_F(ContentsApi, UnusableVersionHasNoContents) {
  ASSERT_EQ(Open(), S3V_OK);
  FlipIn(NavigationKey(index_.names.index, index_.names.deltas[0].id));
  ASSERT_EQ(Open(), S3V_OK) << err_.message;
  EXPECT_EQ(contents_, nullptr);
  EXPECT_EQ(damage_.unusable, 1);
  EXPECT_EQ(damage_.objects, 1U);
  EXPECT_STRNE(damage_.complaint, "");
}

TEST_F(ContentsApi, BadNamesAndCancel) {
  manifest_ = "../x";
  EXPECT_EQ(Open(), S3V_INVALID_ARGUMENT);
  EXPECT_EQ(contents_, nullptr);
  manifest_ = IdText(index_.manifest);
  polls_until_stop_ = 3;
  EXPECT_EQ(Open(), S3V_CANCELLED);
  EXPECT_EQ(contents_, nullptr);
  polls_until_stop_ = -1;
  ASSERT_EQ(Open(), S3V_OK) << err_.message;
  polls_until_stop_ = 0;
  const void* key = nullptr;
  size_t size = 0;
  uint64_t hash = 0;
  EXPECT_EQ(s3v_contents_next(contents_, &key, &size, &hash, &err_), S3V_CANCELLED);
}

TEST(ContentHashApi, IsTheHashOfVectorAndMetadata) {
  const float vector[] = {1, -2, 3};
  EXPECT_EQ(s3v_content_hash(vector, 3, "abc", 3), ContentHash(vector, AsBytes("abc")));
  EXPECT_EQ(s3v_content_hash(vector, 3, nullptr, 0), ContentHash(vector, {}));
  EXPECT_NE(s3v_content_hash(vector, 2, nullptr, 0), ContentHash(vector, {}));
}

}  // namespace
}  // namespace s3v

// One of each kind of store, for tests that hold for all of them.
#pragma once

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "base/random.h"
#include "store/cached_store.h"
#include "store/open_store.h"
#include "store/s3_store.h"

namespace s3v::testing {

// Makes stores that share their objects, which no other test sees.
class StoreMaker {
 public:
  virtual ~StoreMaker() = default;
  virtual std::unique_ptr<ObjectStore> Make() = 0;
};

class MemoryMaker final : public StoreMaker {
 public:
  std::unique_ptr<ObjectStore> Make() override {
    StoreConfig config;
    config.url = "memory://" + name_;
    return OpenStore(config);
  }

 private:
  std::string name_ = IdText(RandomId());
};

class FileMaker final : public StoreMaker {
 public:
  ~FileMaker() override { std::filesystem::remove_all(directory_); }
  std::unique_ptr<ObjectStore> Make() override {
    StoreConfig config;
    config.url = "file://" + directory_;
    return OpenStore(config);
  }

 private:
  std::string directory_ = ::testing::TempDir() + "s3v-conformance-" + IdText(RandomId());
};

// A store of another kind behind a local cache.
class CachedMaker final : public StoreMaker {
 public:
  explicit CachedMaker(std::unique_ptr<StoreMaker> inner) : inner_(std::move(inner)) {}
  ~CachedMaker() override { std::filesystem::remove_all(directory_); }
  std::unique_ptr<ObjectStore> Make() override {
    const LocalCacheConfig config{.directory = directory_, .max_bytes = uint64_t{256} << 20, .store = "inner"};
    return MakeCachedStore(inner_->Make(), config, true);
  }

 private:
  std::unique_ptr<StoreMaker> inner_;
  std::string directory_ = ::testing::TempDir() + "s3v-cached-" + IdText(RandomId());
};

inline std::string Environment(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

class S3Maker final : public StoreMaker {
 public:
  S3Maker() {
    config_.endpoint = Environment("S3V_TEST_S3_ENDPOINT");
    config_.url = "s3://" + Environment("S3V_TEST_S3_BUCKET") + "/conformance/" + IdText(RandomId());
    config_.access_key_id = Environment("S3V_TEST_S3_ACCESS_KEY");
    config_.secret_access_key = Environment("S3V_TEST_S3_SECRET_KEY");
    config_.allow_http = true;
    config_.path_style = true;
  }
  ~S3Maker() override {
    NeverStop never;
    const std::unique_ptr<ObjectStore> store = Make();
    std::vector<ObjectKey> keys;
    for (const ObjectInfo& object : store->List("", never)) keys.push_back(object.key);
    store->Delete(keys, never);
  }
  std::unique_ptr<ObjectStore> Make() override {
    CheckStoreConfig(config_);
    return MakeS3Store(config_, {.list_page_size = page_size_});
  }

 private:
  StoreConfig config_;
  uint64_t page_size_ = 400;  // so that a listing of some hundreds has pages
};

enum class StoreKind { kMemory, kFile, kCachedMemory, kCachedFile, kS3, kCachedS3 };

inline bool IsOverS3(StoreKind kind) { return kind == StoreKind::kS3 || kind == StoreKind::kCachedS3; }

inline std::unique_ptr<StoreMaker> MakerOf(StoreKind kind) {
  switch (kind) {
    case StoreKind::kMemory:
      return std::make_unique<MemoryMaker>();
    case StoreKind::kFile:
      return std::make_unique<FileMaker>();
    case StoreKind::kS3:
      return std::make_unique<S3Maker>();
    case StoreKind::kCachedMemory:
      return std::make_unique<CachedMaker>(MakerOf(StoreKind::kMemory));
    case StoreKind::kCachedFile:
      return std::make_unique<CachedMaker>(MakerOf(StoreKind::kFile));
    case StoreKind::kCachedS3:
      return std::make_unique<CachedMaker>(MakerOf(StoreKind::kS3));
  }
  return nullptr;
}

}  // namespace s3v::testing

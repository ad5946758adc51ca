// Objects in a bucket, over the S3 REST API.
#pragma once

#include <memory>

#include "base/clock.h"
#include "net/retry.h"
#include "store/object_store.h"
#include "store/open_store.h"

namespace s3v {

// What only tests change. `clock` must outlive the store.
struct S3Tuning {
  uint64_t list_page_size = 1000;
  RetryPolicy retry = {};
  const Clock* clock = &SystemClock();
};

// REQUIRES: CheckStoreConfig(config) passed and its url is s3://.
std::unique_ptr<ObjectStore> MakeS3Store(const StoreConfig& config, const S3Tuning& tuning = {});

}  // namespace s3v

// From a server's options to a store.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "store/object_store.h"

namespace s3v {

struct StoreConfig {
  std::string
      url;  // file:///absolute/dir, file://./below-the-data-directory, s3://bucket[/prefix], memory://name (tests)
  std::string data_directory;  // what file://./ is relative to
  std::string region = "us-east-1";
  std::string endpoint;  // http[s]://host[:port]; empty: https://s3.<region>.amazonaws.com
  bool path_style = false;
  std::string sse;         // "", AES256, aws:kms
  std::string kms_key_id;  // with aws:kms
  std::string ca_file;
  bool allow_http = false;     // http to hosts other than loopback
  bool check_address = false;  // refuse loopback, link-local, multicast... addresses (servers of non-superusers)
  std::vector<std::string> allowed_endpoints;  // with check_address: host[:port], *.suffix; these are not refused
  std::string access_key_id;
  std::string secret_access_key;
  std::string session_token;
  int max_parallel_requests = 64;
  int64_t request_timeout_ms = 30000;  // total deadline of one call, retries included
  std::string cache_directory;         // empty: no local cache
  uint64_t cache_bytes = 0;            // 0: no local cache
};

// Throws kInvalidArgument for a url that names no kind of store. Connects to nothing.
std::unique_ptr<ObjectStore> OpenStore(const StoreConfig& config);

// Throws kInvalidArgument (with detail and hint) unless the options make sense together; used by the validator too.
void CheckStoreConfig(const StoreConfig& config);

}  // namespace s3v

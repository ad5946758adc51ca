// From a server's options to a store.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "store/object_store.h"

namespace s3v {

struct StoreConfig {
  std::string url;             // what ParseStoreUrl takes
  std::string data_directory;  // what file://./ is relative to
  std::string region = "us-east-1";
  std::string endpoint;  // http[s]://host[:port]; empty: Amazon's for the region
  bool path_style = false;
  std::string sse;         // "", AES256, aws:kms
  std::string kms_key_id;  // with aws:kms; s3vectors://: the whole ARN of a key
  std::string ca_file;
  bool allow_http = false;     // http to hosts other than loopback
  bool check_address = false;  // refuse loopback, link-local, multicast... addresses (servers of non-superusers)
  // host[:port], *.suffix; with check_address, addresses here are not refused
  std::vector<std::string> allowed_endpoints;
  std::string access_key_id;
  std::string secret_access_key;
  std::string session_token;
  int max_parallel_requests = 64;
  int64_t request_timeout_ms = 30000;  // total deadline of one call, retries included
  std::string cache_directory;         // empty: no local cache
  uint64_t cache_bytes = 0;            // 0: no local cache
};

// Throws kInvalidArgument for a url that names no kind of store, kInternal for one of a service that keeps no objects
// (s3vectors://: see s3vectors/service_client.h). Connects to nothing.
std::unique_ptr<ObjectStore> OpenStore(const StoreConfig& config);

// Throws kInvalidArgument (with detail and hint) unless the options make sense together; used by the validator too.
void CheckStoreConfig(const StoreConfig& config);

}  // namespace s3v

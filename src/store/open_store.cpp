#include "store/open_store.h"

#include <algorithm>
#include <regex>
#include <string>
#include <utility>

#include "base/error.h"
#include "base/random.h"
#include "net/address.h"
#include "net/sigv4.h"
#include "store/cached_store.h"
#include "store/file_store.h"
#include "store/file_system.h"
#include "store/memory_store.h"
#include "store/s3_client.h"
#include "store/s3_store.h"
#include "store/store_url.h"

namespace s3v {
namespace {

constexpr int kMaxParallel = 1024;

[[noreturn]] void Refuse(const std::string& message, const std::string& hint, const std::string& detail = {}) {
  throw Error(Code::kInvalidArgument, message, detail, hint);
}

// Of secrets, too: the value is not shown.
void CheckPrintable(const char* option, const std::string& value) {
  if (std::any_of(value.begin(), value.end(), [](char c) { return c <= ' ' || c > '~'; })) {
    Refuse(std::string("option ") + option + " contains a blank, a control character or a byte that is not ASCII",
           "Write the value without surrounding blanks and line ends.");
  }
}

// `servers` is where the option makes sense.
void RefuseOption(const char* option, const char* servers) {
  Refuse(std::string("option ") + option + " is for " + servers + " servers only", "Drop the option or change url.");
}

void RefuseRemoteOptions(const StoreConfig& config) {
  if (config.path_style) RefuseOption("path_style", "s3://");
  const std::pair<const char*, bool> given[] = {{"endpoint", !config.endpoint.empty()},
                                                {"sse", !config.sse.empty()},
                                                {"kms_key_id", !config.kms_key_id.empty()},
                                                {"ca_file", !config.ca_file.empty()},
                                                {"allow_http", config.allow_http}};
  for (const auto& [option, is_given] : given) {
    if (is_given) RefuseOption(option, "s3:// and s3vectors://");
  }
}

void CheckRegion(const std::string& region) {
  const bool valid = !region.empty() && region.size() <= 64 && std::all_of(region.begin(), region.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-';
  });
  if (!valid) Refuse("invalid region", "A region is a name such as us-east-1, of letters, digits and hyphens.");
}

void CheckEncryption(const StoreConfig& config) {
  if (!config.sse.empty() && config.sse != "AES256" && config.sse != "aws:kms") {
    Refuse("invalid value for option sse", "Valid values are AES256 and aws:kms.");
  }
  if (!config.kms_key_id.empty() && config.sse != "aws:kms") {
    Refuse("option kms_key_id needs sse 'aws:kms'", "Set sse to aws:kms or drop kms_key_id.");
  }
  CheckPrintable("kms_key_id", config.kms_key_id);
}

// As the service's model has it: no alias, no bare id.
bool IsKeyArn(const std::string& text) {
  return text.size() <= 2048 && std::regex_match(text, std::regex("arn:aws[-a-z0-9]*:kms:[-a-z0-9]*:[0-9]{12}:key/.+"));
}

void CheckVectorsOptions(const StoreConfig& config) {
  if (config.path_style) RefuseOption("path_style", "s3://");
  if (!config.kms_key_id.empty() && !IsKeyArn(config.kms_key_id)) {
    Refuse("option kms_key_id is not the ARN of a key",
           "For s3vectors:// write the whole ARN, such as arn:aws:kms:us-east-1:123456789012:key/... (no alias).");
  }
}

void CheckEncrypted(const StoreConfig& config, const Endpoint& endpoint) {
  if (!endpoint.is_https && !config.allow_http && !IsLoopbackHost(endpoint.host)) {
    Refuse("endpoint \"" + endpoint.Text() + "\" is not encrypted",
           "Use https, or let a superuser set allow_http 'true'. Without it, http is allowed to this machine only.");
  }
}

void CheckBucketHost(const StoreConfig& config, const Endpoint& endpoint, const StoreUrl& url) {
  const bool bucket_in_name = !config.path_style && endpoint.is_https && url.bucket.find('.') != std::string::npos;
  if (bucket_in_name) {
    Refuse("bucket \"" + url.bucket + "\" has a dot in its name, which no certificate matches",
           "Set path_style 'true'.");
  }
}

void CheckCredentials(const StoreConfig& config) {
  CheckPrintable("access_key_id", config.access_key_id);
  CheckPrintable("secret_access_key", config.secret_access_key);
  CheckPrintable("session_token", config.session_token);
  if (config.access_key_id.empty() != config.secret_access_key.empty()) {
    Refuse("access_key_id and secret_access_key must be given together", "Set both options of the user mapping.");
  }
  if (config.access_key_id.empty() && !config.session_token.empty()) {
    Refuse("session_token needs access_key_id and secret_access_key", "Set all three options of the user mapping.");
  }
}

void CheckLimits(const StoreConfig& config) {
  if (config.max_parallel_requests < 1 || config.max_parallel_requests > kMaxParallel) {
    Refuse("invalid number of parallel requests: " + std::to_string(config.max_parallel_requests),
           "Valid are 1 to " + std::to_string(kMaxParallel) + ".");
  }
  if (config.request_timeout_ms < 1) {
    Refuse("invalid request timeout: " + std::to_string(config.request_timeout_ms), "It must be positive.");
  }
}

std::string DirectoryOf(const StoreConfig& config, const StoreUrl& url) {
  if (!url.is_relative) return url.directory;
  if (!config.data_directory.starts_with('/')) {
    throw Error(Code::kInternal, "data directory \"" + config.data_directory + "\" is not an absolute path");
  }
  return config.data_directory + "/" + url.directory;
}

}  // namespace

void CheckStoreConfig(const StoreConfig& config) {
  const StoreUrl url = ParseStoreUrl(config.url);
  CheckLimits(config);
  const bool is_service = url.kind == StoreUrl::Kind::kS3Vectors;
  if (url.kind != StoreUrl::Kind::kS3 && !is_service) return RefuseRemoteOptions(config);
  CheckRegion(config.region);
  // Without the option, both lead to Amazon over https.
  const Endpoint endpoint = EndpointOf(config);
  CheckEncrypted(config, endpoint);
  CheckEncryption(config);
  if (is_service) {
    CheckVectorsOptions(config);
  } else {
    CheckBucketHost(config, endpoint, url);
  }
  CheckCredentials(config);
}

namespace {

std::unique_ptr<ObjectStore> OpenPlain(const StoreConfig& config, const StoreUrl& url) {
  switch (url.kind) {
    case StoreUrl::Kind::kFile:
      return MakeFileStore(DirectoryOf(config, url), config.max_parallel_requests);
    case StoreUrl::Kind::kMemory:
      return MakeMemoryStore(url.name);
    case StoreUrl::Kind::kS3Vectors:
      throw Error(Code::kInternal, "vector bucket \"" + url.bucket + "\" was opened as a store of objects");
    case StoreUrl::Kind::kS3:
      break;
  }
  if (config.access_key_id.empty()) {
    throw Error(Code::kPermissionDenied, "no credentials for s3://" + url.bucket, {},
                "Create a user mapping with options access_key_id and secret_access_key.");
  }
  return MakeS3Store(config);
}

// By which the cache tells the objects of one store from those of another. Who may read them is not part of it: that is
// decided by who may use the server.
std::string IdentityOf(const StoreConfig& config, const StoreUrl& url) {
  switch (url.kind) {
    case StoreUrl::Kind::kFile:
      return "file://" + DirectoryOf(config, url);
    case StoreUrl::Kind::kMemory:
      // Every store without a name has objects of its own.
      return "memory://" + (url.name.empty() ? IdText(RandomId()) : url.name);
    case StoreUrl::Kind::kS3Vectors:
    case StoreUrl::Kind::kS3:
      break;
  }
  return "s3://" + url.bucket + "/" + url.prefix + " at " + EndpointOf(config).Text();
}

// Files of this machine need no second copy.
bool IsNearby(const StoreConfig& config, const StoreUrl& url) {
  return url.kind == StoreUrl::Kind::kFile && IsOnLocalFileSystem(DirectoryOf(config, url));
}

}  // namespace

std::unique_ptr<ObjectStore> OpenStore(const StoreConfig& config) {
  CheckStoreConfig(config);
  const StoreUrl url = ParseStoreUrl(config.url);
  std::unique_ptr<ObjectStore> store = OpenPlain(config, url);
  if (config.cache_directory.empty() || config.cache_bytes == 0) return store;
  const LocalCacheConfig cache{
      .directory = config.cache_directory, .max_bytes = config.cache_bytes, .store = IdentityOf(config, url)};
  return MakeCachedStore(std::move(store), cache, !IsNearby(config, url));
}

}  // namespace s3v

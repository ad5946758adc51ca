#include "store/store_url.h"

#include <algorithm>
#include <string_view>
#include <utility>

#include "base/error.h"
#include "store/object_store.h"

namespace s3v {
namespace {

constexpr size_t kMaxPrefixBytes = 120;  // a prefix, '/' and a key fit into the 1024 bytes that S3 allows

[[noreturn]] void Refuse(const std::string& what, std::string hint = {}) {
  if (hint.empty()) {
    hint =
        "A url begins with file://, s3:// or s3vectors://, for example s3://bucket/prefix, file:///directory or "
        "s3vectors://vector-bucket.";
  }
  throw Error(Code::kInvalidArgument, what, {}, std::move(hint));
}

// A path below something: the rules of object keys, and no character that a url gives a meaning to.
void CheckPath(const std::string& path, const std::string& url_part) {
  if (path.find_first_of("?#%\\") != std::string::npos) {
    Refuse(url_part + " of the url contains one of ? # % \\",
           "Nothing in the url is decoded: write the name as it is, with characters that have no meaning in urls.");
  }
  try {
    CheckObjectKey(path);
  } catch (const Error&) {
    Refuse(url_part + " of the url is not valid", "Segments must not be empty, \".\" or \"..\".");
  }
}

StoreUrl ParseFile(std::string rest) {
  StoreUrl url;
  while (rest.size() > 1 && rest.ends_with('/')) rest.pop_back();
  if (rest.starts_with("./")) {
    url.is_relative = true;
    url.directory = rest.substr(2);
    CheckPath(url.directory, "directory");
  } else if (rest.starts_with("/") && rest.size() > 1) {
    CheckPath(rest.substr(1), "directory");
    url.directory = rest;
  } else {
    Refuse("invalid file url",
           "Write file:///directory for an absolute path, or file://./directory for one below the data directory.");
  }
  return url;
}

void CheckBucket(const std::string& bucket) {
  const auto allowed = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '_' ||
           c == '-';
  };
  const auto alphanumeric = [&](char c) { return allowed(c) && c != '.' && c != '_' && c != '-'; };
  const bool valid = bucket.size() >= 3 && bucket.size() <= 63 && std::all_of(bucket.begin(), bucket.end(), allowed) &&
                     alphanumeric(bucket.front()) && alphanumeric(bucket.back()) &&
                     bucket.find("..") == std::string::npos;
  if (!valid)
    Refuse("invalid bucket name in the url", "Bucket names have 3 to 63 characters of a-z, 0-9, dot and hyphen.");
}

StoreUrl ParseS3(std::string rest) {
  StoreUrl url;
  url.kind = StoreUrl::Kind::kS3;
  while (rest.ends_with('/')) rest.pop_back();
  const size_t slash = rest.find('/');
  url.bucket = rest.substr(0, slash);
  CheckBucket(url.bucket);
  if (slash == std::string::npos) return url;
  url.prefix = rest.substr(slash + 1);
  CheckPath(url.prefix, "prefix");
  if (url.prefix.size() > kMaxPrefixBytes) {
    Refuse("prefix of " + std::to_string(url.prefix.size()) + " bytes is too long",
           "At most " + std::to_string(kMaxPrefixBytes) + " bytes are possible.");
  }
  return url;
}

bool IsVectorBucketName(const std::string& name) {
  const auto alphanumeric = [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); };
  const auto allowed = [&](char c) { return alphanumeric(c) || c == '-'; };
  return name.size() >= 3 && name.size() <= 63 && std::all_of(name.begin(), name.end(), allowed) &&
         alphanumeric(name.front()) && alphanumeric(name.back());
}

StoreUrl ParseS3Vectors(std::string rest) {
  if (rest.ends_with('/')) rest.pop_back();
  if (rest.find('/') != std::string::npos) {
    Refuse("nothing can follow the vector bucket in the url",
           "Write s3vectors://vector-bucket: a vector bucket has no prefixes.");
  }
  if (!IsVectorBucketName(rest)) {
    Refuse("invalid vector bucket name in the url",
           "Write s3vectors://vector-bucket; names have 3 to 63 characters of a-z, 0-9 and hyphen, without a hyphen at "
           "either end.");
  }
  StoreUrl url;
  url.kind = StoreUrl::Kind::kS3Vectors;
  url.bucket = std::move(rest);
  return url;
}

}  // namespace

StoreUrl ParseStoreUrl(const std::string& url) {
  if (url.starts_with("file://")) return ParseFile(url.substr(7));
  if (url.starts_with("s3://")) return ParseS3(url.substr(5));
  if (url.starts_with("s3vectors://")) return ParseS3Vectors(url.substr(12));
  if (url.starts_with("memory://")) {
    StoreUrl memory;
    memory.kind = StoreUrl::Kind::kMemory;
    memory.name = url.substr(9);
    return memory;
  }
  Refuse("url names no kind of store");
}

}  // namespace s3v

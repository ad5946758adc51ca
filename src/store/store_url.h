// The url option of a server, taken apart. Pure.
#pragma once

#include <string>

namespace s3v {

struct StoreUrl {
  enum class Kind { kFile, kS3, kS3Vectors, kMemory };
  Kind kind = Kind::kFile;
  std::string directory;     // file: absolute, or below the data directory
  bool is_relative = false;  // file://./
  std::string bucket;        // s3, s3vectors
  std::string prefix;        // s3: without slashes at its ends; may be empty
  std::string name;          // memory
};

// file:///absolute/dir, file://./below-the-data-directory, s3://bucket[/prefix], s3vectors://vector-bucket,
// memory://name. A slash at the end is dropped. Throws kInvalidArgument (with hint) for everything else: ".", ".." and
// empty segments, control characters, and whatever would mean something in a real url ('?', '#', '%', user names):
// nothing is decoded.
StoreUrl ParseStoreUrl(const std::string& url);

}  // namespace s3v

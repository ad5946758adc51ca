// The one exception type of the core. Whatever ends the caller's statement is thrown as Error; an outcome the caller
// expects is a return value. Only src/api catches.
#pragma once

#include <exception>
#include <string>
#include <utility>

namespace s3v {

// Each code has one SQLSTATE, given where the shim raises it (extension/boundary.c). Numbers are part of the C API.
enum class Code : int {
  kOk = 0,
  kInvalidArgument = 1,   // 22023
  kNotSupported = 2,      // 0A000
  kObjectMissing = 3,     // 58P01: an object that a version names does not exist (ENOENT, NoSuchKey)
  kUnavailable = 4,       // 08006: the store does not answer, or not usefully
  kPermissionDenied = 5,  // 42501: the store or the file system refuses
  kCorrupted = 6,         // XX001
  kCancelled = 7,         // the caller asked to stop; the shim raises the server's own error
  kOutOfMemory = 8,       // 53200
  kLimitExceeded = 9,     // 54000
  kConflict = 10,         // 55000: not the owner of the prefix
  kIoError = 11,          // 58030
  kDiskFull = 12,         // 53100
  kInternal = 13,         // XX000
  kStoreMissing = 14,     // 08001: bucket or root directory does not exist
};

class Error : public std::exception {
 public:
  Error(Code code, std::string message, std::string detail = {}, std::string hint = {})
      : code_(code), message_(std::move(message)), detail_(std::move(detail)), hint_(std::move(hint)) {}

  // Lower case, no full stop, the values that failed, never a secret.
  const char* what() const noexcept override { return message_.c_str(); }
  Code code() const noexcept { return code_; }
  const std::string& message() const noexcept { return message_; }
  const std::string& detail() const noexcept { return detail_; }
  const std::string& hint() const noexcept { return hint_; }

 private:
  Code code_;
  std::string message_;
  std::string detail_;
  std::string hint_;
};

}  // namespace s3v

// Files below one directory, reached without following a symbolic link and never outside it.
#pragma once

#include <sys/stat.h>

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace s3v {

// Owns a descriptor.
class Fd {
 public:
  explicit Fd(int fd = -1) : fd_(fd) {}
  ~Fd();
  Fd(Fd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Fd& operator=(Fd&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  int get() const { return fd_; }
  int release() { return std::exchange(fd_, -1); }
  bool is_open() const { return fd_ >= 0; }

 private:
  int fd_;
};

// The directories from the root down to the one that holds a file, and the file's own name there.
struct FilePlace {
  std::vector<Fd> directories;  // root first
  std::string name;
  const Fd& directory() const { return directories.back(); }
};

// Throws Error for the number in errno: kPermissionDenied, kDiskFull, kIoError. `what` begins the message: "could not
// ...".
[[noreturn]] void ThrowFileError(const std::string& what, int error_number);

class FileTree {
 public:
  // `root` is an absolute path. The root itself may be reached through symbolic links, nothing below it may.
  explicit FileTree(std::string root) : root_(std::move(root)) {}

  // Opens the directories of a valid object key; nothing if one of them is missing.
  std::optional<FilePlace> Find(std::string_view key) const { return Walk(key, false); }
  // Makes missing directories (0700), the root and its parents included.
  FilePlace FindOrMake(std::string_view key) const;

  // Opens the directory at `path` ("" is the root); nothing if it is missing.
  std::optional<Fd> OpenDirectory(std::string_view path) const;

  // Removes the directories of `key` that are empty now, deepest first, but not the root.
  void RemoveEmptyDirectories(std::string_view key) const;

  // How messages name a file.
  std::string PathOf(std::string_view key) const;

 private:
  std::optional<FilePlace> Walk(std::string_view key, bool make) const;
  Fd OpenRoot(bool make) const;
  Fd OpenBelow(const Fd& parent, const std::string& name, bool make, std::string_view key) const;

  std::string root_;
};

// Makes names in a directory durable. File systems that cannot sync a directory are passed over.
void SyncDirectory(const Fd& directory, const std::string& path);

}  // namespace s3v

#include "store/file_tree.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>

#include "base/error.h"

namespace s3v {
namespace {

constexpr mode_t kDirectoryMode = 0700;
constexpr int kOpenDirectory = O_RDONLY | O_DIRECTORY | O_CLOEXEC;

bool IsMissing(int error_number) { return error_number == ENOENT || error_number == ENOTDIR; }

bool IsSymbolicLink(const Fd& parent, const std::string& name) {
  struct stat info;
  return fstatat(parent.get(), name.c_str(), &info, AT_SYMLINK_NOFOLLOW) == 0 && S_ISLNK(info.st_mode);
}

// mkdir -p, every new name made durable in its parent.
void MakeDirectories(const std::string& path) {
  if (mkdir(path.c_str(), kDirectoryMode) == 0 || errno == EEXIST) {
    const std::string parent = path.substr(0, path.rfind('/') + 1);
    const Fd directory(open(parent.c_str(), kOpenDirectory));
    // A parent that can be passed through but not read cannot be synced either.
    if (directory.is_open()) SyncDirectory(directory, parent);
    return;
  }
  const size_t slash = path.rfind('/');
  if (errno != ENOENT || slash == 0) ThrowFileError("could not create directory \"" + path + "\"", errno);
  MakeDirectories(path.substr(0, slash));
  MakeDirectories(path);
}

}  // namespace

Fd::~Fd() {
  if (fd_ >= 0) close(fd_);
}

void ThrowFileError(const std::string& what, int error_number) {
  const std::string message = what + ": " + std::generic_category().message(error_number);
  switch (error_number) {
    case EACCES:
    case EPERM:
    case EROFS:
      throw Error(Code::kPermissionDenied, message);
    case ENOSPC:
    case EDQUOT:
      throw Error(Code::kDiskFull, message);
    case ENOMEM:
      throw Error(Code::kOutOfMemory, message);
    default:
      throw Error(Code::kIoError, message);
  }
}

void SyncDirectory(const Fd& directory, const std::string& path) {
  if (fsync(directory.get()) != 0 && errno != EINVAL && errno != ENOTSUP) {
    ThrowFileError("could not fsync directory \"" + path + "\"", errno);
  }
}

std::string FileTree::PathOf(std::string_view key) const { return root_ + "/" + std::string(key); }

FilePlace FileTree::FindOrMake(std::string_view key) const {
  // Another process may remove an empty directory between our making and our entering it.
  for (int attempt = 0; attempt < 100; ++attempt) {
    std::optional<FilePlace> place = Walk(key, true);
    if (place) return std::move(*place);
  }
  throw Error(Code::kIoError, "could not create directories of \"" + PathOf(key) + "\"", "They vanish time and again.");
}

std::optional<FilePlace> FileTree::Walk(std::string_view key, bool make) const {
  FilePlace place;
  place.directories.push_back(OpenRoot(make));
  size_t begin = 0;
  for (size_t slash; place.directory().is_open() && (slash = key.find('/', begin)) != std::string_view::npos;) {
    const std::string name(key.substr(begin, slash - begin));
    place.directories.push_back(OpenBelow(place.directory(), name, make, key));
    begin = slash + 1;
  }
  if (!place.directory().is_open()) return std::nullopt;
  place.name = key.substr(begin);
  return place;
}

Fd FileTree::OpenRoot(bool make) const {
  Fd root(open(root_.c_str(), kOpenDirectory));
  if (root.is_open()) return root;
  if (errno == ENOENT && make) {
    MakeDirectories(root_);
    return Fd(open(root_.c_str(), kOpenDirectory));
  }
  if (errno != ENOENT) ThrowFileError("could not open directory \"" + root_ + "\"", errno);
  return Fd();
}

Fd FileTree::OpenBelow(const Fd& parent, const std::string& name, bool make, std::string_view key) const {
  if (make && mkdirat(parent.get(), name.c_str(), kDirectoryMode) != 0 && errno != EEXIST && errno != ENOENT) {
    ThrowFileError("could not create directory of \"" + PathOf(key) + "\"", errno);
  }
  Fd directory(openat(parent.get(), name.c_str(), kOpenDirectory | O_NOFOLLOW));
  if (directory.is_open()) return directory;
  const int error_number = errno;
  if (IsSymbolicLink(parent, name)) {
    throw Error(Code::kPermissionDenied, "symbolic link \"" + name + "\" on the way to \"" + PathOf(key) + "\"",
                "Symbolic links below the directory of a store are not followed.");
  }
  const bool is_missing = make ? error_number == ENOENT : IsMissing(error_number);
  if (!is_missing) ThrowFileError("could not open directory of \"" + PathOf(key) + "\"", error_number);
  return Fd();
}

std::optional<Fd> FileTree::OpenDirectory(std::string_view path) const {
  // As the place of a file in that directory.
  std::optional<FilePlace> place = Find(path.empty() ? "file" : std::string(path) + "/file");
  if (!place) return std::nullopt;
  return std::move(place->directories.back());
}

void FileTree::RemoveEmptyDirectories(std::string_view key) const {
  while (true) {
    const size_t slash = key.rfind('/');
    if (slash == std::string_view::npos) return;
    key = key.substr(0, slash);
    const std::optional<FilePlace> place = Find(key);
    if (!place) continue;  // gone already, the one above may be empty
    if (unlinkat(place->directory().get(), place->name.c_str(), AT_REMOVEDIR) != 0) return;
  }
}

}  // namespace s3v

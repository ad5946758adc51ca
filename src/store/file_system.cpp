#include "store/file_system.h"

#include <sys/vfs.h>

#include <cerrno>
#include <cstdint>

namespace s3v {
namespace {

// Numbers of statfs(2); not all of them are in <linux/magic.h>.
bool IsLocalType(uint32_t type) {
  switch (type) {
    case 0xef53:      // ext2, ext3, ext4
    case 0x58465342:  // xfs
    case 0x9123683e:  // btrfs
    case 0x2fc12fc1:  // zfs
    case 0xf2f52010:  // f2fs
    case 0xca451a4e:  // bcachefs
    case 0x52654973:  // reiserfs
    case 0x3153464a:  // jfs
    case 0x01021994:  // tmpfs
    case 0x858458f6:  // ramfs
    case 0x794c7630:  // overlayfs, of containers
      return true;
    default:
      return false;
  }
}

}  // namespace

bool IsOnLocalFileSystem(int fd) {
  struct statfs info;
  return fstatfs(fd, &info) == 0 && IsLocalType(static_cast<uint32_t>(info.f_type));
}

bool IsOnLocalFileSystem(std::string path) {
  struct statfs info;
  while (statfs(path.c_str(), &info) != 0) {
    const size_t slash = path.rfind('/');
    if (errno != ENOENT || slash == std::string::npos || path == "/") return false;
    path.erase(slash == 0 ? 1 : slash);
  }
  return IsLocalType(static_cast<uint32_t>(info.f_type));
}

}  // namespace s3v

// What kind of file system a file lies on.
#pragma once

#include <string>

namespace s3v {

// Whether the file system is known to lie on this machine. Network file systems, user-space ones and kinds that are not
// known are not: a mapping there can fail under its reader, and each read may be a round trip.
bool IsOnLocalFileSystem(int fd);

// The same for a path; of its nearest ancestor that exists, where it does not.
bool IsOnLocalFileSystem(std::string path);

}  // namespace s3v

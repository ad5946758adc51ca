// Temporary files for work that does not fit into memory. In the server they are PostgreSQL's own (temp_file_limit
// holds, a crash cleans up); in unit tests, unlinked files.
#pragma once

#include <cstdint>
#include <memory>

#include "base/bytes.h"

namespace s3v {

// Appended to and read back by place. Used from one thread at a time. Closing deletes the file.
class SpillFile {
 public:
  virtual ~SpillFile() = default;
  // Throws kDiskFull, kIoError, or what the server said about its limit.
  virtual void Append(ByteView bytes) = 0;
  // Fills `out` from `offset`. REQUIRES: the range was appended.
  virtual void ReadAt(uint64_t offset, std::span<uint8_t> out) = 0;
};

class SpillFactory {
 public:
  virtual ~SpillFactory() = default;
  virtual std::unique_ptr<SpillFile> Create() = 0;
};

}  // namespace s3v

// Bytes of whole objects, in memory and mapped.
#pragma once

#include <memory>
#include <utility>

#include "store/file_tree.h"
#include "store/object_store.h"

namespace s3v {

class OwnedObject final : public MappedObject {
 public:
  explicit OwnedObject(Bytes bytes) : bytes_(std::move(bytes)) {}
  ByteView bytes() const override { return bytes_; }

 private:
  Bytes bytes_;
};

// The first `length` bytes of a file, mapped read-only. Nothing if that fails. REQUIRES: the file is as long, is never
// shortened or changed, and lies on a local file system. It may be unlinked.
std::shared_ptr<const MappedObject> MapFile(const Fd& file, uint64_t length);

}  // namespace s3v

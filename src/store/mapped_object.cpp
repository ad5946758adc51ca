#include "store/mapped_object.h"

#include <sys/mman.h>

namespace s3v {
namespace {

class MappedFile final : public MappedObject {
 public:
  MappedFile(const uint8_t* begin, size_t length) : bytes_(begin, length) {}
  ~MappedFile() override { munmap(const_cast<uint8_t*>(bytes_.data()), bytes_.size()); }
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;
  ByteView bytes() const override { return bytes_; }

 private:
  ByteView bytes_;
};

}  // namespace

std::shared_ptr<const MappedObject> MapFile(const Fd& file, uint64_t length) {
  if (length == 0) return std::make_shared<OwnedObject>(Bytes());
  void* begin = mmap(nullptr, length, PROT_READ, MAP_SHARED, file.get(), 0);
  if (begin == MAP_FAILED) return nullptr;
  return std::make_shared<MappedFile>(static_cast<const uint8_t*>(begin), length);
}

}  // namespace s3v

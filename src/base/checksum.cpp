#include "base/checksum.h"

#include <isa-l/crc.h>

#include <algorithm>

namespace s3v {

uint32_t Crc32c(ByteView bytes, uint32_t crc) {
  // ISA-L's "iSCSI" CRC is CRC32C without the inversions before and after. It takes a mutable pointer and an int
  // length.
  uint32_t state = ~crc;
  while (!bytes.empty()) {
    const size_t step = std::min<size_t>(bytes.size(), size_t{1} << 30);
    state = crc32_iscsi(const_cast<unsigned char*>(bytes.data()), static_cast<int>(step), state);
    bytes = bytes.subspan(step);
  }
  return ~state;
}

uint32_t RangeChecksum(const ObjectId& object, uint64_t offset, ByteView payload) {
  uint32_t crc = Crc32c(object);
  crc = Crc32c({reinterpret_cast<const uint8_t*>(&offset), sizeof offset}, crc);
  return Crc32c(payload, crc);
}

}  // namespace s3v

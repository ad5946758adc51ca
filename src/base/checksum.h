// CRC32C (Castagnoli), the checksum of every stored range.
#pragma once

#include <cstdint>

#include "base/bytes.h"
#include "base/random.h"

namespace s3v {

uint32_t Crc32c(ByteView bytes, uint32_t crc = 0);

// The checksum of a range that is read alone: seeded with the object's id and the range's place in it, so that a range
// swapped with its neighbour, or served from another object, does not pass.
uint32_t RangeChecksum(const ObjectId& object, uint64_t offset, ByteView payload);

}  // namespace s3v

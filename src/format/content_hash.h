// What an entry was made from, in 64 bits: tells whether a row of the source is still the one that was indexed.
#pragma once

#include <cstdint>
#include <span>

#include "base/bytes.h"

namespace s3v {

// XXH3 (64 bits, seed 0) of the vector's elements as float32, little-endian, as users know them, followed by the
// metadata row (metadata.h). Stored: it must not change.
uint64_t ContentHash(std::span<const float> vector, ByteView metadata);

}  // namespace s3v

// Checksums that fit whatever bytes they are over: random changes never get past a checksum, so whoever wants to reach
// the decoder behind it has to write a new one. As the owner of a hostile store would.
#pragma once

#include "base/bytes.h"
#include "base/random.h"

namespace s3v::fuzz {

inline constexpr ObjectId kIndex = {1, 2, 3};

// Headers as the reader expects them, and the checksum at the object's end. Objects too short for both grow.
Bytes SealedObject(ByteView input, char kind, const ObjectId& id);
// The checksum alone: the last four bytes of a range at `offset` of the object. Ranges too short for one grow.
Bytes SealedRange(ByteView input, const ObjectId& id, uint64_t offset);
// The same in place; what lies beyond the object is left alone.
void SealRange(Bytes& object, uint64_t offset, uint64_t length, const ObjectId& id);

}  // namespace s3v::fuzz

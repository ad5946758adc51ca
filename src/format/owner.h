// The owner marker owner/<n>: who may write to an index's prefix. Header (object id: n, little-endian, in the first 8
// bytes), then JSON, then a checksum.
#pragma once

#include <cstdint>
#include <string>

#include "base/bytes.h"
#include "base/random.h"

namespace s3v {

struct OwnerMarker {
  uint64_t number = 0;
  uint64_t system_identifier = 0;
  uint32_t database = 0;  // oid
  uint32_t timeline = 0;
  ObjectId token{};  // random, one for each attempt
};

Bytes EncodeOwner(const OwnerMarker& marker, const ObjectId& index);
// Throws kCorrupted, kNotSupported. Markers of older formats are read as well.
OwnerMarker DecodeOwner(ByteView object, const ObjectId& index, uint64_t number, const std::string& key);

}  // namespace s3v

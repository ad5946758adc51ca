// A version of an index: immutable, self-describing, names every object of the version. Header (coding.h), then JSON,
// then a checksum. Read by clean-up, check and recovery, never by a query.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/random.h"
#include "format/navigation.h"

namespace s3v {

struct Manifest {
  ObjectId index{};
  ObjectId id{};
  Metric metric = Metric::kL2;
  uint32_t dimensions = 0;
  KeyKind key_kind = KeyKind::kText;
  int bits = 4;
  RawPlane raw = RawPlane::kNone;
  bool has_duplicates = false;
  std::vector<std::string> metadata_columns;
  uint64_t rows = 0;
  uint64_t lists = 0;
  ObjectId base{};
  uint64_t base_length = 0;
  ObjectId delta{};
  uint64_t delta_length = 0;
  std::vector<SegmentInfo> segments;
  int64_t created = 0;  // seconds since 1970, the writer's clock; for people
};

Bytes EncodeManifest(const Manifest& manifest);
// Throws kCorrupted, kNotSupported. Unknown members of the JSON are ignored.
Manifest DecodeManifest(ByteView object, const ObjectId& index, const ObjectId& id, const std::string& key);

}  // namespace s3v

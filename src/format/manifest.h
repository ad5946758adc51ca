// A version of an index: immutable, self-describing, names every object of the version. Header (coding.h), then JSON,
// then a checksum. Read by clean-up, check, recovery and queries of an older version; never by other
// queries.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/random.h"
#include "format/navigation.h"

namespace s3v {

// An object of a version.
struct ObjectName {
  ObjectId id{};
  uint64_t length = 0;
  bool operator==(const ObjectName&) const = default;
};

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
  uint64_t entries = 0;
  uint64_t lists = 0;
  ObjectName base;
  std::vector<ObjectName> deltas;    // as the version row has them: the last carries the version's numbers
  std::vector<ObjectName> segments;  // that anybody reads
  int64_t created = 0;               // seconds since 1970, the writer's clock; for people
};

Bytes EncodeManifest(const Manifest& manifest);
// Throws kCorrupted, kNotSupported. Unknown members of the JSON are ignored.
Manifest DecodeManifest(ByteView object, const ObjectId& index, const ObjectId& id, const std::string& key);

}  // namespace s3v

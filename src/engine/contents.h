// What an index says it holds: keys and content hashes in key order, from the key planes; and whether what it is made
// of is whole. For comparing it with its source.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "base/bytes.h"
#include "base/stop.h"
#include "engine/snapshot.h"
#include "store/object_store.h"

namespace s3v {

// What is missing, too short, or does not pass its checksums.
struct Damage {
  bool is_unusable = false;        // manifest, base or a delta: only a rebuild helps
  std::vector<ObjectId> segments;  // that cannot be read as they should
  uint64_t objects = 0;            // damaged ones
  std::string first_complaint;     // of the first: names object and offset
};

// Reads every object of a version but raw vectors, from the store itself, and keeps nothing: memory is that of some
// ranges in flight. Missing and damaged objects are what it tells; a store that does not answer is an error.
Damage Verify(const VersionNames& names, const ObjectId& manifest, ObjectStore& store, Stop& stop);

// Keys of live rows, ascending, each once, with their content hashes. Memory: a few blocks a segment.
class IndexContents {
 public:
  // Segments of `skip` (by id) are left out. Both must outlive it.
  IndexContents(std::shared_ptr<const Navigation> navigation, std::vector<ObjectId> skip, ObjectStore& store);
  ~IndexContents();
  // False at the end; the view lives until the next call. Throws kCorrupted, kObjectMissing.
  bool Next(ByteView* key, uint64_t* content_hash, Stop& stop);

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace s3v

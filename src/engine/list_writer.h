// The last step of a build: coded rows with their lists in, segments on the store and their pieces out.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <vector>

#include "base/spill.h"
#include "base/stop.h"
#include "format/navigation.h"
#include "format/segment.h"
#include "store/object_store.h"

namespace s3v {

// What a list will hold; known before the first row is added.
struct ListSize {
  uint32_t entries = 0;
  uint64_t payload_bytes = 0;  // keys and metadata, or about so many: more of them take more memory
};

struct WrittenLists {
  std::vector<SegmentInfo> segments;
  std::vector<Piece> pieces;  // by segment (of `segments`), then position
  ColumnTable columns;        // of these
  uint64_t bytes = 0;
};

// Add* Finish. Entries are distributed over groups of neighbouring lists, each small enough to be sorted in memory;
// then group after group is packed into segments. Memory: `memory_bytes`, half of it for a group and a quarter for a
// segment.
class ListWriter {
 public:
  // `shape.object` is not used: every segment gets a new name. `list_ids`: of each list, copied. Segments are settled,
  // or fresh.
  ListWriter(const SegmentShape& shape, std::span<const ListSize> lists, std::span<const uint32_t> list_ids,
             bool is_settled, size_t memory_bytes, ObjectStore& store, SpillFactory& spill);
  ~ListWriter();
  // Copies. `list` is a place, not an id. REQUIRES: no list gets more entries than its ListSize says.
  void Add(uint32_t list, const Entry& entry);
  // `written` is told the number of entries written so far.
  WrittenLists Finish(const std::function<void(uint64_t)>& written, Stop& stop);

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace s3v

// Live entries of an open version, as they are stored: for copying them, for their keys, for decoding them.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <utility>
#include <vector>

#include "base/stop.h"
#include "engine/live_map.h"
#include "engine/snapshot.h"
#include "format/column.h"
#include "format/segment.h"
#include "store/object_store.h"

namespace s3v {

// What of an entry is read.
enum class EntryParts : uint8_t {
  kKeys,   // alone
  kCodes,  // keys, codes and their factors
  kAll,    // with metadata, raw vector and content hash, as SegmentWriter takes them
};

class EntryReader {
 public:
  // The view of the entry lives during the call only.
  using Visit = std::function<void(const Piece& piece, uint32_t position, const Entry& entry)>;

  // About so many bytes are held at once. All referred to must outlive the reader.
  EntryReader(const Navigation& navigation, const LiveMap& live, EntryParts parts, uint64_t bytes_at_once,
              ObjectStore& store)
      : navigation_(navigation), live_(live), parts_(parts), bytes_at_once_(bytes_at_once), store_(store) {}

  // Visits the live entries of the pieces in the order of these, in as few waves as memory allows. Throws kCorrupted,
  // kObjectMissing.
  void Read(std::span<const Piece* const> pieces, const Visit& visit, Stop& stop);

 private:
  // The ranges of a piece: one for each plane, then one for each metadata column. Empty: not wanted, or the index has
  // none.
  enum Plane : size_t { kScan, kExtension, kRaw, kFirstColumn };
  using Planes = std::vector<Bytes>;
  struct Asked {
    size_t piece;
    size_t plane;
  };
  std::vector<std::pair<size_t, RangeRequest>> RangesOf(const Piece& piece) const;
  uint64_t BytesOf(const Piece& piece) const;
  std::vector<Planes> ReadPlanes(std::span<const Piece* const> pieces, Stop& stop);
  void Check(const Piece& piece, size_t plane, ByteView bytes) const;
  ColumnRange OpenColumn(const Piece& piece, size_t plane, ByteView bytes) const;
  void VisitPiece(const Piece& piece, const Planes& planes, const Visit& visit, Stop& stop);
  SegmentShape ShapeOf(const Piece& piece) const {
    return navigation_.segment_shape(navigation_.segments[piece.segment]);
  }

  const Navigation& navigation_;
  const LiveMap& live_;
  const EntryParts parts_;
  const uint64_t bytes_at_once_;
  ObjectStore& store_;
  size_t hashed_segment_ = SIZE_MAX;  // whose content hashes are at hand
  std::vector<uint64_t> hashes_;
};

}  // namespace s3v

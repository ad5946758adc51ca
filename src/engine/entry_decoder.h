// Live entries as vectors: about what they were coded from.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "engine/entry_reader.h"

namespace s3v {

class EntryDecoder {
 public:
  // `row` is rotated, of space.dimensions elements; the views live during the call only.
  using Visit = std::function<void(const Piece& piece, uint32_t position, ByteView key, std::span<const float> row)>;

  // As EntryReader.
  EntryDecoder(const Navigation& navigation, const LiveMap& live, uint64_t bytes_at_once, ObjectStore& store);
  void Read(std::span<const Piece* const> pieces, const Visit& visit, Stop& stop);

 private:
  const Navigation& navigation_;
  EntryReader reader_;
  uint32_t list_ = UINT32_MAX;
  std::vector<float> centroid_;  // of that list
  std::vector<float> row_;
};

}  // namespace s3v

// The rows put into an update, and the lists they go to. Spilled where memory ends.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "base/spill.h"
#include "base/stop.h"
#include "engine/list_writer.h"
#include "engine/row_assigner.h"
#include "engine/row_spill.h"
#include "ivf/kmeans.h"

namespace s3v {

class UpdateRows {
 public:
  UpdateRows(SpillFactory& spill, size_t dimensions, size_t memory_bytes);

  void Append(ByteView key, std::span<const float> vector, ByteView metadata) { rows_.Append(key, vector, metadata); }
  uint64_t count() const { return rows_.rows(); }

  // Assigns the rows that are not yet; `progress` is told how many are.
  using Progress = std::function<void(uint64_t done)>;
  void Assign(RowAssigner& assigner, bool twice, const Progress& progress, Stop& stop);
  // All of them have to be assigned anew.
  void ForgetLists();

  // Entries and payloads that the rows bring to each of `lists` lists.
  std::vector<ListSize> Sizes(size_t lists, Stop& stop);
  uint64_t entries() const { return entries_; }  // of the assigned rows

  // Row after row, in blocks. `lists` and `vectors` (row-major) are those of the rows from `first` on.
  using VisitBlock =
      std::function<void(uint64_t first, std::span<const ListPair> lists, std::span<const float> vectors)>;
  void ForEachBlock(const VisitBlock& visit, Stop& stop);
  void ForEachListBlock(const std::function<void(uint64_t first, std::span<const ListPair> lists)>& visit, Stop& stop);
  void ReadVector(uint64_t row, std::span<float> vector) { rows_.ReadVectors(row, vector); }
  RowSpill::Payloads payloads() { return RowSpill::Payloads(rows_); }

 private:
  std::span<const float> ReadBlock(uint64_t first, size_t count);

  SpillFactory& spill_;
  const size_t dimensions_;
  const size_t memory_bytes_;
  const size_t block_rows_;
  RowSpill rows_;
  std::unique_ptr<SpillBuffer> lists_;  // ListPair a row
  uint64_t entries_ = 0;
  std::vector<float> block_;
};

}  // namespace s3v

// New segments out of entries that move, copied as they are, and rows that were put, coded.
#pragma once

#include <functional>
#include <span>
#include <vector>

#include "base/spill.h"
#include "base/stop.h"
#include "engine/list_writer.h"
#include "engine/live_map.h"
#include "engine/relist.h"
#include "engine/row_coder.h"
#include "engine/snapshot.h"
#include "engine/update_plan.h"
#include "engine/update_rows.h"
#include "store/object_store.h"

namespace s3v {

class SegmentUpdate {
 public:
  // All referred to must outlive it. `sizes` are those that the plan was made by; `list_ids` by place after the update.
  SegmentUpdate(const Navigation& navigation, const UpdateSizes& sizes, const SegmentPlan& plan,
                const ListPlaces& places, std::span<const uint32_t> list_ids, const LiveMap& live);

  struct Resources {
    size_t memory_bytes;
    int threads;
    ObjectStore& store;
    SpillFactory& spill;
    std::function<void(const char* phase, uint64_t done, uint64_t total)> progress;
  };
  // Pieces are by segment, then position.
  WrittenLists Write(UpdateRows& rows, const RowCoder& coder, const Resources& resources, Stop& stop);

  // Takes what moved out of `live`.
  void MaskMoved(LiveMap& live) const;
  uint64_t entries() const { return moved_entries_ + put_entries_; }  // once written

 private:
  struct Output {
    std::vector<ListSize> sizes;  // by place
    uint64_t entries = 0;
    std::unique_ptr<ListWriter> writer;
  };
  void ChooseMoves();
  void CountPut(std::span<const ListSize> put);
  void OpenWriters(const Resources& resources);
  void Move(const Resources& resources, Stop& stop);
  void AddRows(UpdateRows& rows, const RowCoder& coder, const Resources& resources, Stop& stop);
  Output& OutputFor(uint32_t place) { return goes_settled_[place] ? settled_ : fresh_; }
  uint32_t PlaceOf(const Piece& piece) const { return places_.place_of[piece.list]; }

  const Navigation& navigation_;
  const ListPlaces& places_;
  const std::span<const uint32_t> list_ids_;
  const LiveMap& live_;
  std::vector<bool> goes_settled_;   // by place: the list's entries, where they are written
  std::vector<const Piece*> moved_;  // by segment, then position
  std::vector<bool> is_given_up_;    // by segment: all its live entries move
  uint64_t moved_entries_ = 0;
  uint64_t put_entries_ = 0;
  Output settled_;
  Output fresh_;
};

}  // namespace s3v

#include "engine/update_sizes.h"

#include <algorithm>

namespace s3v {
namespace {

// Of one list, piece after piece: segments ascend.
class OwnerSearch {
 public:
  void Add(uint32_t segment, uint64_t entries) {
    if (segment != segment_) {
      segment_ = segment;
      entries_ = 0;
    }
    entries_ += entries;
    if (entries_ <= most_) return;
    most_ = entries_;
    owner_ = segment;
  }
  uint32_t owner() const { return owner_; }

 private:
  uint32_t segment_ = UpdateSizes::kNoOwner;
  uint64_t entries_ = 0;
  uint64_t most_ = 0;
  uint32_t owner_ = UpdateSizes::kNoOwner;
};

// Lists without settled entries go with the list before them, else behind them.
void InheritOwners(std::vector<UpdateSizes::List>& lists) {
  uint32_t owner = UpdateSizes::kNoOwner;
  const auto pass = [&](UpdateSizes::List& list) {
    if (list.is_made) return;
    if (list.owner == UpdateSizes::kNoOwner) list.owner = owner;
    owner = list.owner;
  };
  std::ranges::for_each(lists, pass);
  std::for_each(lists.rbegin(), lists.rend(), pass);
}

constexpr uint64_t kNullBytes = 1;
constexpr uint64_t kRepeatedBytes = 24;  // of a text that is not stored for each entry, about

uint64_t EncodedBytes(const MetadataValue& value) {
  constexpr uint64_t kTagBytes = 1;
  switch (value.tag) {
    case ValueTag::kInteger:
    case ValueTag::kTime:
    case ValueTag::kFloat:
      return kTagBytes + sizeof(int64_t);
    case ValueTag::kDecimal:
    case ValueTag::kText:
      return kTagBytes + sizeof(uint32_t) + value.text.size();
    default:
      return kTagBytes;
  }
}

// Whether all values between the least and the greatest take as many bytes.
bool IsFixed(const ColumnSummary& summary) {
  const ValueTag tag = summary.least.tag;
  return summary.form == SummaryForm::kRange && tag != ValueTag::kDecimal && tag != ValueTag::kText;
}

}  // namespace

UpdateSizes MeasureSizes(const Navigation& navigation, const LiveMap& live, const ListPlaces& places,
                         std::span<const ListSize> put) {
  UpdateSizes sizes;
  for (size_t i = 0; i < navigation.segments.size(); ++i) {
    const SegmentInfo& info = navigation.segments[i].info;
    sizes.segments.push_back({.bytes = info.length,
                              .entries = info.entries,
                              .live = live.live(i),
                              .is_settled = info.is_settled,
                              .is_discarded = live.is_dropped(i)});
  }
  sizes.lists.resize(put.size());
  for (size_t i = 0; i < put.size(); ++i) {
    sizes.lists[i] = {
        .live = put[i].entries, .fresh = put[i].entries, .owner = UpdateSizes::kNoOwner, .is_made = places.is_made[i]};
    sizes.new_entries += put[i].entries;
  }
  for (size_t old = 0; old < places.place_of.size(); ++old) {
    if (places.place_of[old] == kNoList) continue;
    UpdateSizes::List& list = sizes.lists[places.place_of[old]];
    OwnerSearch search;
    for (uint32_t p = navigation.first_piece[old]; p < navigation.first_piece[old + 1]; ++p) {
      const Piece& piece = navigation.pieces[p];
      const uint64_t entries = live.LiveIn(piece);
      list.live += entries;
      if (navigation.segments[piece.segment].info.is_settled) {
        search.Add(piece.segment, entries);
      } else {
        list.fresh += entries;
      }
    }
    list.owner = search.owner();
  }
  InheritOwners(sizes.lists);
  sizes.base_bytes = navigation.names.base.length;
  sizes.calibrated_entries = navigation.state.calibrated_entries;
  sizes.dimensions = navigation.shape.dimensions;
  return sizes;
}

uint64_t PayloadBytes(const Navigation& navigation, const Piece& piece) {
  const SegmentShape shape = navigation.segment_shape(navigation.segments[piece.segment]);
  const size_t key_width = KeyWidth(shape.key_kind);
  uint64_t bytes = key_width > 0 ? piece.count * key_width : piece.scan_length - ScanLength(shape, piece.count, 0);
  // A range is smaller than its values where they repeat. What they take on their own is known of most columns.
  for (size_t column = 0; column < shape.metadata_columns; ++column) {
    const ColumnSummary summary = navigation.SummaryOf(piece, column);
    const uint64_t present = summary.entries - summary.nulls;
    bytes += summary.nulls * kNullBytes;
    if (summary.form == SummaryForm::kValues) {
      for (uint32_t i = 0; i < summary.counted; ++i) {
        bytes += summary.values[i].entries * EncodedBytes(summary.values[i].value);
      }
    } else if (IsFixed(summary)) {
      bytes += present * EncodedBytes(summary.least);
    } else {
      bytes += navigation.ColumnsOf(piece)[column].length + present * kRepeatedBytes;
    }
  }
  return bytes;
}

}  // namespace s3v

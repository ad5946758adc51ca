#include "engine/update_rows.h"

#include <algorithm>

namespace s3v {

UpdateRows::UpdateRows(SpillFactory& spill, size_t dimensions, size_t memory_bytes)
    : spill_(spill),
      dimensions_(dimensions),
      memory_bytes_(memory_bytes),
      block_rows_(std::clamp<size_t>(memory_bytes / 16 / (dimensions * sizeof(float)), 64, 8192)),
      rows_(spill, dimensions, memory_bytes / 8) {
  ForgetLists();
}

void UpdateRows::ForgetLists() {
  lists_ = std::make_unique<SpillBuffer>(spill_, memory_bytes_ / 32);
  entries_ = 0;
}

std::span<const float> UpdateRows::ReadBlock(uint64_t first, size_t count) {
  block_.resize(count * dimensions_);
  rows_.ReadVectors(first, block_);
  return block_;
}

void UpdateRows::Assign(RowAssigner& assigner, bool twice, const Progress& progress, Stop& stop) {
  const uint64_t total = rows_.rows();
  for (uint64_t first = lists_->size() / sizeof(ListPair); first < total; first += block_rows_) {
    stop.Check();
    progress(first);
    const std::vector<ListPair> lists =
        assigner.Assign(ReadBlock(first, std::min<uint64_t>(block_rows_, total - first)), twice, stop);
    for (const ListPair& pair : lists) entries_ += pair.first == pair.second ? 1 : 2;
    lists_->Append({reinterpret_cast<const uint8_t*>(lists.data()), lists.size() * sizeof(ListPair)});
  }
  progress(total);
}

void UpdateRows::ForEachListBlock(const std::function<void(uint64_t, std::span<const ListPair>)>& visit, Stop& stop) {
  const uint64_t total = rows_.rows();
  std::vector<ListPair> lists;
  for (uint64_t first = 0; first < total; first += block_rows_) {
    stop.Check();
    lists.resize(std::min<uint64_t>(block_rows_, total - first));
    lists_->ReadAt(first * sizeof(ListPair),
                   {reinterpret_cast<uint8_t*>(lists.data()), lists.size() * sizeof(ListPair)});
    visit(first, lists);
  }
}

void UpdateRows::ForEachBlock(const VisitBlock& visit, Stop& stop) {
  ForEachListBlock(
      [&](uint64_t first, std::span<const ListPair> lists) { visit(first, lists, ReadBlock(first, lists.size())); },
      stop);
}

std::vector<ListSize> UpdateRows::Sizes(size_t lists, Stop& stop) {
  std::vector<ListSize> sizes(lists);
  RowSpill::Payloads payload = payloads();
  ForEachListBlock(
      [&](uint64_t, std::span<const ListPair> pairs) {
        for (const ListPair& pair : pairs) {
          payload.Next();
          const auto count = [&](ListSize& size) {
            ++size.entries;
            size.payload_bytes += payload.key().size() + payload.metadata().size();
          };
          count(sizes[pair.first]);
          if (pair.second != pair.first) count(sizes[pair.second]);
        }
      },
      stop);
  return sizes;
}

}  // namespace s3v

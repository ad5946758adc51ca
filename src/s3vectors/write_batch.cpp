#include "s3vectors/write_batch.h"

#include <algorithm>

namespace s3v {

WriteBatch::WriteBatch(Operation operation, std::string head)
    : operation_(operation), head_size_(head.size()), body_(std::move(head)) {}

bool WriteBatch::Fits(std::string_view item) const {
  const size_t bytes = body_.size() + 1 + item.size() + kTail.size();
  return empty() || (items_.size() < kMaxItems && bytes <= kMaxBytes);
}

void WriteBatch::Add(std::string_view item, uint64_t logical_bytes) {
  // Vectors of one index are about equally long; a body that doubled as it grew would hold its bytes twice.
  if (empty()) body_.reserve(std::min(kMaxBytes, body_.size() + (item.size() + item.size() / 16) * kMaxItems));
  if (!empty()) body_ += ',';
  const size_t begin = body_.size();
  body_ += item;
  items_.push_back({begin, body_.size(), logical_bytes});
  logical_bytes_ += logical_bytes;
}

std::pair<WriteBatch, WriteBatch> WriteBatch::Halves() const {
  const std::string head = body_.substr(0, head_size_);
  std::pair halves(WriteBatch(operation_, head), WriteBatch(operation_, head));
  for (size_t i = 0; i < items_.size(); ++i) {
    WriteBatch& half = i < items_.size() / 2 ? halves.first : halves.second;
    const Item& item = items_[i];
    half.Add(std::string_view(body_).substr(item.begin, item.end - item.begin), item.logical_bytes);
  }
  halves.first.Close();
  halves.second.Close();
  return halves;
}

}  // namespace s3v

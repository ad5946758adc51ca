#include "engine/row_spill.h"

#include <algorithm>

#include "format/content_hash.h"

namespace s3v {
namespace {

ByteView RawBytes(std::span<const float> values) {
  return {reinterpret_cast<const uint8_t*>(values.data()), values.size_bytes()};
}

struct PayloadHeader {
  uint32_t key_size;
  uint32_t metadata_size;
  uint64_t content_hash;
};

}  // namespace

void SpillBuffer::Append(ByteView bytes) {
  if (buffer_.size() + bytes.size() > capacity_) {
    if (file_ == nullptr) file_ = spill_.Create();
    if (!buffer_.empty()) file_->Append(buffer_);
    spilled_ += buffer_.size();
    buffer_.clear();
    if (bytes.size() > capacity_) {
      file_->Append(bytes);
      spilled_ += bytes.size();
      return;
    }
    buffer_.reserve(capacity_);
  }
  s3v::Append(buffer_, bytes);
}

void SpillBuffer::ReadAt(uint64_t offset, std::span<uint8_t> out) {
  if (offset < spilled_) {
    const size_t from_file = std::min<uint64_t>(out.size(), spilled_ - offset);
    file_->ReadAt(offset, out.first(from_file));
    out = out.subspan(from_file);
    offset += from_file;
  }
  if (!out.empty()) std::memcpy(out.data(), buffer_.data() + (offset - spilled_), out.size());
}

RowSpill::RowSpill(SpillFactory& spill, size_t dimensions, size_t buffer_bytes)
    : dimensions_(dimensions), vectors_(spill, buffer_bytes * 3 / 4), payloads_(spill, buffer_bytes / 4) {}

void RowSpill::Append(ByteView key, std::span<const float> vector, ByteView metadata) {
  vectors_.Append(RawBytes(vector));
  const PayloadHeader header{.key_size = static_cast<uint32_t>(key.size()),
                             .metadata_size = static_cast<uint32_t>(metadata.size()),
                             .content_hash = ContentHash(vector, metadata)};
  payloads_.Append({reinterpret_cast<const uint8_t*>(&header), sizeof header});
  payloads_.Append(key);
  payloads_.Append(metadata);
  ++rows_;
}

void RowSpill::ReadVectors(uint64_t first, std::span<float> out) {
  vectors_.ReadAt(first * dimensions_ * sizeof(float), {reinterpret_cast<uint8_t*>(out.data()), out.size_bytes()});
}

void RowSpill::Payloads::Next() {
  PayloadHeader header;
  std::memcpy(&header, Take(sizeof header).data(), sizeof header);
  const ByteView both = Take(size_t{header.key_size} + header.metadata_size);
  key_ = both.first(header.key_size);
  metadata_ = both.subspan(header.key_size);
  content_hash_ = header.content_hash;
}

ByteView RowSpill::Payloads::Take(size_t size) {
  if (buffer_.size() - taken_ < size) {
    buffer_.erase(buffer_.begin(), buffer_.begin() + static_cast<ptrdiff_t>(taken_));
    taken_ = 0;
    const size_t have = buffer_.size();
    const uint64_t left = rows_.payloads_.size() - offset_;
    const size_t more = std::min<uint64_t>(left, std::max(buffer_bytes_, size) - have);
    buffer_.resize(have + more);
    rows_.payloads_.ReadAt(offset_, std::span(buffer_).subspan(have));
    offset_ += more;
  }
  const ByteView taken = ByteView(buffer_).subspan(taken_, size);
  taken_ += size;
  return taken;
}

}  // namespace s3v

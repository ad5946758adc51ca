#include "format/segment.h"

#include <limits>

#include "format/coding.h"

namespace s3v {
namespace {

constexpr uint64_t kChecksumSize = sizeof(uint32_t);

template <class T>
T ReadAt(const uint8_t* array, size_t i) {
  T value;
  std::memcpy(&value, array + i * sizeof(T), sizeof(T));
  return value;
}

// Ends must not go back, and the last must be the end of the bytes they divide.
void CheckEnds(const uint8_t* ends, size_t count, size_t size, size_t max_item, uint64_t offset,
               const std::string& key) {
  uint64_t before = 0;
  for (size_t i = 0; i < count; ++i) {
    const auto end = ReadAt<uint32_t>(ends, i);
    if (end < before || end > size || end - before > max_item) {
      ThrowCorrupted(key, offset + i * sizeof(uint32_t), "the end of an item lies outside its plane");
    }
    before = end;
  }
  if (before != size) ThrowCorrupted(key, offset, "the ends of the items do not cover their plane");
}

ByteView Item(const uint8_t* ends, ByteView bytes, size_t i) {
  const size_t begin = i == 0 ? 0 : ReadAt<uint32_t>(ends, i - 1);
  return bytes.subspan(begin, ReadAt<uint32_t>(ends, i) - begin);
}

// Verifies the checksum and the two numbers that every range of a piece begins with.
Decoder OpenRange(ByteView bytes, uint64_t offset, uint64_t length, const Piece& piece, const SegmentShape& shape,
                  const std::string& key) {
  if (bytes.size() != length) ThrowCorrupted(key, offset, "the range has another length than the piece");
  Decoder decoder(CheckRange(bytes, shape.object, offset, key), key, offset);
  if (decoder.Read<uint32_t>() != piece.count)
    ThrowCorrupted(key, offset, "the range has another count than the piece");
  if (decoder.Read<uint32_t>() != piece.list) ThrowCorrupted(key, offset, "the range belongs to another list");
  return decoder;
}

template <class GetItem>
void AppendEnds(Bytes& out, std::span<const Entry> entries, GetItem get_item) {
  uint64_t end = 0;
  for (const Entry& entry : entries) {
    end += get_item(entry).size();
    if (end > std::numeric_limits<uint32_t>::max()) {
      throw Error(Code::kLimitExceeded, "a list of the index holds too many bytes");
    }
    Append(out, static_cast<uint32_t>(end));
  }
}

}  // namespace

size_t KeyWidth(KeyKind kind) {
  switch (kind) {
    case KeyKind::kInteger:
      return 8;
    case KeyKind::kUuid:
      return 16;
    case KeyKind::kText:
      return 0;
  }
  return 0;
}

uint64_t EntryScanBytes(const SegmentShape& shape, size_t key_size) {
  const bool is_variable = KeyWidth(shape.key_kind) == 0;
  return (1 + shape.dimensions) * sizeof(float) + key_size + (is_variable ? sizeof(uint32_t) : 0);
}

SegmentWriter::SegmentWriter(const SegmentShape& shape, size_t expected_bytes) : shape_(shape) {
  object_.reserve(expected_bytes);
  AppendHeader(object_, {.kind = 'G', .index = shape.index, .object = shape.object});
}

uint64_t SegmentWriter::size() const {
  return object_.size() + metadata_.size() + kChecksumSize * metadata_sizes_.size();
}

void SegmentWriter::AddPiece(uint32_t list, std::span<const Entry> entries) {
  Piece piece{.list = list, .count = static_cast<uint32_t>(entries.size()), .scan_offset = object_.size()};
  Append(object_, piece.count);
  Append(object_, list);
  for (const Entry& entry : entries) Append(object_, entry.norm);
  for (const Entry& entry : entries) {
    Append(object_, ByteView(reinterpret_cast<const uint8_t*>(entry.vector.data()), entry.vector.size_bytes()));
  }
  if (KeyWidth(shape_.key_kind) == 0) AppendEnds(object_, entries, [](const Entry& entry) { return entry.key; });
  for (const Entry& entry : entries) Append(object_, entry.key);
  AppendRangeChecksum(object_, shape_.object, piece.scan_offset, piece.scan_offset);
  piece.scan_length = object_.size() - piece.scan_offset;

  if (shape_.has_metadata) {
    const size_t start = metadata_.size();
    Append(metadata_, piece.count);
    Append(metadata_, list);
    AppendEnds(metadata_, entries, [](const Entry& entry) { return entry.metadata; });
    for (const Entry& entry : entries) Append(metadata_, entry.metadata);
    metadata_sizes_.push_back(metadata_.size() - start);
  }
  pieces_.push_back(piece);
}

Bytes SegmentWriter::Finish(std::vector<Piece>* pieces) {
  // Only here are the places of the metadata ranges known, which their checksums include.
  size_t taken = 0;
  for (size_t i = 0; i < metadata_sizes_.size(); ++i) {
    Piece& piece = pieces_[i];
    piece.metadata_offset = object_.size();
    Append(object_, ByteView(metadata_).subspan(taken, metadata_sizes_[i]));
    AppendRangeChecksum(object_, shape_.object, piece.metadata_offset, piece.metadata_offset);
    piece.metadata_length = object_.size() - piece.metadata_offset;
    taken += metadata_sizes_[i];
  }
  *pieces = std::move(pieces_);
  return std::move(object_);
}

ScanRange::ScanRange(ByteView bytes, const Piece& piece, const SegmentShape& shape, const std::string& key)
    : count_(piece.count), key_width_(KeyWidth(shape.key_kind)) {
  Decoder decoder = OpenRange(bytes, piece.scan_offset, piece.scan_length, piece, shape, key);
  norms_ = reinterpret_cast<const float*>(decoder.Take(uint64_t{piece.count} * sizeof(float)).data());
  vectors_ =
      reinterpret_cast<const float*>(decoder.Take(uint64_t{piece.count} * shape.dimensions * sizeof(float)).data());
  if (key_width_ > 0) {
    keys_ = decoder.Take(uint64_t{piece.count} * key_width_);
  } else {
    const uint64_t offset = decoder.offset();
    key_ends_ = decoder.Take(uint64_t{piece.count} * sizeof(uint32_t)).data();
    keys_ = decoder.Take(decoder.left());
    CheckEnds(key_ends_, count_, keys_.size(), kMaxKeyBytes, offset, key);
  }
  if (decoder.left() != 0) decoder.Fail("bytes follow the last plane");
}

ByteView ScanRange::key(size_t i) const {
  return key_width_ > 0 ? keys_.subspan(i * key_width_, key_width_) : Item(key_ends_, keys_, i);
}

MetadataRange::MetadataRange(ByteView bytes, const Piece& piece, const SegmentShape& shape, const std::string& key) {
  Decoder decoder = OpenRange(bytes, piece.metadata_offset, piece.metadata_length, piece, shape, key);
  const uint64_t offset = decoder.offset();
  ends_ = decoder.Take(uint64_t{piece.count} * sizeof(uint32_t)).data();
  rows_ = decoder.Take(decoder.left());
  CheckEnds(ends_, piece.count, rows_.size(), std::numeric_limits<uint32_t>::max(), offset, key);
}

ByteView MetadataRange::row(size_t i) const { return Item(ends_, rows_, i); }

}  // namespace s3v

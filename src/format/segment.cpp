#include "format/segment.h"

#include <cmath>
#include <limits>

#include "format/coding.h"
#include "format/half.h"

namespace s3v {
namespace {

constexpr uint64_t kFactorSize = sizeof(float);
constexpr uint64_t kEndSize = sizeof(uint32_t);
constexpr uint64_t kChecksumSize = sizeof(uint32_t);
constexpr uint64_t kFrameSize = 2 * sizeof(uint32_t) + kChecksumSize;  // count, list and checksum of a range

template <class T>
T ReadAt(const uint8_t* array, size_t i) {
  T value;
  std::memcpy(&value, array + i * sizeof(T), sizeof(T));
  return value;
}

bool HasEnds(KeyKind kind) { return KeyWidth(kind) == 0; }

// `count` items of `size` bytes. The product may be beyond any number: what is left decides.
const uint8_t* TakeItems(Decoder& decoder, uint64_t count, uint64_t size) {
  if (size > 0 && count > decoder.left() / size) decoder.Fail("a length leaves the range");
  return decoder.Take(count * size).data();
}

const uint8_t* TakeFactors(Decoder& decoder, uint64_t count) {
  const uint64_t offset = decoder.offset();
  const uint8_t* factors = TakeItems(decoder, count, kFactorSize);
  const size_t bad = FindNoLength(factors, count, std::numeric_limits<float>::infinity());
  if (bad < count) decoder.FailAt(offset + bad * kFactorSize, "a factor is negative or no number");
  return factors;
}

// Ends must not go back, and the last must be the end of the bytes they divide.
void CheckEnds(const uint8_t* ends, size_t count, size_t size, size_t max_item, uint64_t offset,
               const std::string& key) {
  uint64_t before = 0;
  for (size_t i = 0; i < count; ++i) {
    const auto end = ReadAt<uint32_t>(ends, i);
    if (end < before || end > size || end - before > max_item) {
      ThrowCorrupted(key, offset + i * kEndSize, "the end of an item lies outside its plane");
    }
    before = end;
  }
  if (before != size) ThrowCorrupted(key, offset, "the ends of the items do not cover their plane");
}

ByteView Item(const uint8_t* ends, ByteView bytes, size_t i) {
  const size_t begin = i == 0 ? 0 : ReadAt<uint32_t>(ends, i - 1);
  return bytes.subspan(begin, ReadAt<uint32_t>(ends, i) - begin);
}

// Checks length and checksum, and the two numbers that every range of a piece begins with.
Decoder OpenRange(ByteView bytes, uint64_t offset, uint64_t length, const Piece& piece, const SegmentShape& shape,
                  const std::string& key, Trust trust) {
  if (bytes.size() != length) ThrowCorrupted(key, offset, "the range has another length than the piece");
  Decoder decoder(
      trust == Trust::kVerify ? CheckRange(bytes, shape.object, offset, key) : SkipChecksum(bytes, offset, key), key,
      offset);
  if (decoder.Read<uint32_t>() != piece.count) {
    ThrowCorrupted(key, offset, "the range has another count than the piece");
  }
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

template <class GetFactor>
void AppendFactors(Bytes& out, std::span<const Entry> entries, GetFactor get_factor) {
  for (const Entry& entry : entries) {
    const float factor = get_factor(entry);
    if (std::isnan(factor) || std::signbit(factor)) {
      throw Error(Code::kInternal, "a code has the factor " + std::to_string(factor));
    }
    Append(out, factor);
  }
}

void AppendWords(Bytes& out, std::span<const uint64_t> words) {
  Append(out, ByteView(reinterpret_cast<const uint8_t*>(words.data()), words.size_bytes()));
}

void AppendSignPlane(Bytes& out, const CodeShape& codes, std::span<const Entry> entries) {
  std::vector<uint64_t> rows;
  rows.reserve(entries.size() * codes.words());
  for (const Entry& entry : entries) rows.insert(rows.end(), entry.signs.begin(), entry.signs.end());
  const size_t start = out.size();
  out.resize(start + codes.sign_plane_bytes(entries.size()));
  InterleaveSigns(codes, rows, entries.size(), out.data() + start);
}

void AppendRaw(Bytes& out, RawPlane plane, std::span<const float> vector) {
  if (plane == RawPlane::kFloat32) {
    Append(out, ByteView(reinterpret_cast<const uint8_t*>(vector.data()), vector.size_bytes()));
    return;
  }
  const size_t start = out.size();
  out.resize(start + vector.size() * sizeof(uint16_t));
  for (size_t i = 0; i < vector.size(); ++i) {
    const uint16_t half = ToHalf(vector[i]);
    std::memcpy(out.data() + start + i * sizeof half, &half, sizeof half);
  }
}

}  // namespace

size_t RawBytes(RawPlane plane, size_t dimensions) {
  switch (plane) {
    case RawPlane::kNone:
      return 0;
    case RawPlane::kFloat32:
      return dimensions * sizeof(float) + kChecksumSize;
    case RawPlane::kFloat16:
      return dimensions * sizeof(uint16_t) + kChecksumSize;
  }
  return 0;
}

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

uint64_t ScanLength(const SegmentShape& shape, uint64_t count, uint64_t key_bytes) {
  const uint64_t ends = HasEnds(shape.key_kind) ? count * kEndSize : 0;
  return kFrameSize + count * 2 * kFactorSize + shape.codes.sign_plane_bytes(count) + ends + key_bytes;
}

uint64_t ExtensionLength(const SegmentShape& shape, uint64_t count) {
  if (shape.codes.bits == 1) return 0;
  return kFrameSize + count * (2 * kFactorSize + shape.codes.extension_bytes());
}

uint64_t MetadataLength(const SegmentShape& shape, uint64_t count, uint64_t metadata_bytes) {
  return shape.has_metadata ? kFrameSize + count * kEndSize + metadata_bytes : 0;
}

uint64_t EntryBytes(const SegmentShape& shape, size_t key_size) {
  const uint64_t scan =
      2 * kFactorSize + shape.codes.sign_bytes() + key_size + (HasEnds(shape.key_kind) ? kEndSize : 0);
  const uint64_t extension = shape.codes.bits == 1 ? 0 : 2 * kFactorSize + shape.codes.extension_bytes();
  return scan + extension + RawBytes(shape.raw, shape.codes.dimensions);
}

SegmentWriter::SegmentWriter(const SegmentShape& shape, size_t expected_bytes) : shape_(shape) {
  object_.reserve(expected_bytes);
  AppendHeader(object_, {.kind = 'G', .index = shape.index, .object = shape.object});
}

uint64_t SegmentWriter::size() const {
  uint64_t vectors = 0;
  if (shape_.raw != RawPlane::kNone) {
    for (const Piece& piece : pieces_) vectors += piece.count;
  }
  return object_.size() + metadata_.size() + raw_.size() + kChecksumSize * (metadata_sizes_.size() + vectors);
}

void SegmentWriter::AddPiece(uint32_t list, std::span<const Entry> entries) {
  Piece piece{.list = list, .count = static_cast<uint32_t>(entries.size()), .scan_offset = object_.size()};
  Append(object_, piece.count);
  Append(object_, list);
  AppendFactors(object_, entries, [](const Entry& entry) { return entry.sign_factors.residual_norm; });
  AppendFactors(object_, entries, [](const Entry& entry) { return entry.sign_factors.scale; });
  AppendSignPlane(object_, shape_.codes, entries);
  if (HasEnds(shape_.key_kind)) AppendEnds(object_, entries, [](const Entry& entry) { return entry.key; });
  for (const Entry& entry : entries) Append(object_, entry.key);
  AppendRangeChecksum(object_, shape_.object, piece.scan_offset, piece.scan_offset);
  piece.scan_length = object_.size() - piece.scan_offset;

  if (shape_.codes.bits > 1) {
    Append(object_, piece.count);
    Append(object_, list);
    AppendFactors(object_, entries, [](const Entry& entry) { return entry.code_factors.scale; });
    AppendFactors(object_, entries, [](const Entry& entry) { return entry.code_factors.error; });
    for (const Entry& entry : entries) AppendWords(object_, entry.extension);
    AppendRangeChecksum(object_, shape_.object, piece.extension_offset(), piece.extension_offset());
    piece.extension_length = object_.size() - piece.extension_offset();
  }

  if (shape_.has_metadata) {
    const size_t start = metadata_.size();
    Append(metadata_, piece.count);
    Append(metadata_, list);
    AppendEnds(metadata_, entries, [](const Entry& entry) { return entry.metadata; });
    for (const Entry& entry : entries) Append(metadata_, entry.metadata);
    metadata_sizes_.push_back(metadata_.size() - start);
  }
  if (shape_.raw != RawPlane::kNone) {
    for (const Entry& entry : entries) AppendRaw(raw_, shape_.raw, entry.vector);
  }
  pieces_.push_back(piece);
}

Bytes SegmentWriter::Finish(std::vector<Piece>* pieces) {
  // Only here are the places of the metadata ranges and of the vectors known, which their checksums include.
  object_.reserve(size());
  size_t taken = 0;
  for (size_t i = 0; i < metadata_sizes_.size(); ++i) {
    Piece& piece = pieces_[i];
    piece.metadata_offset = object_.size();
    Append(object_, ByteView(metadata_).subspan(taken, metadata_sizes_[i]));
    AppendRangeChecksum(object_, shape_.object, piece.metadata_offset, piece.metadata_offset);
    piece.metadata_length = object_.size() - piece.metadata_offset;
    taken += metadata_sizes_[i];
  }
  if (shape_.raw != RawPlane::kNone) {
    const size_t vector_bytes = RawBytes(shape_.raw, shape_.codes.dimensions) - kChecksumSize;
    taken = 0;
    for (Piece& piece : pieces_) {
      piece.raw_offset = object_.size();
      for (uint32_t i = 0; i < piece.count; ++i, taken += vector_bytes) {
        const uint64_t offset = object_.size();
        Append(object_, ByteView(raw_).subspan(taken, vector_bytes));
        AppendRangeChecksum(object_, shape_.object, offset, offset);
      }
    }
  }
  *pieces = std::move(pieces_);
  return std::move(object_);
}

ScanRange::ScanRange(ByteView bytes, const Piece& piece, const SegmentShape& shape, const std::string& key, Trust trust)
    : count_(piece.count), key_width_(KeyWidth(shape.key_kind)) {
  Decoder decoder = OpenRange(bytes, piece.scan_offset, piece.scan_length, piece, shape, key, trust);
  norms_ = reinterpret_cast<const float*>(TakeFactors(decoder, count_));
  scales_ = reinterpret_cast<const float*>(TakeFactors(decoder, count_));
  const uint64_t blocks = (uint64_t{piece.count} + kSignBlock - 1) / kSignBlock;
  signs_ = TakeItems(decoder, blocks, kSignBlock * shape.codes.sign_bytes());
  if (key_width_ > 0) {
    keys_ = {TakeItems(decoder, count_, key_width_), count_ * key_width_};
  } else {
    const uint64_t offset = decoder.offset();
    key_ends_ = TakeItems(decoder, count_, kEndSize);
    keys_ = decoder.Take(decoder.left());
    CheckEnds(key_ends_, count_, keys_.size(), kMaxKeyBytes, offset, key);
  }
  if (decoder.left() != 0) decoder.Fail("bytes follow the last plane");
}

ByteView ScanRange::key(size_t i) const {
  return key_width_ > 0 ? keys_.subspan(i * key_width_, key_width_) : Item(key_ends_, keys_, i);
}

uint64_t ExtensionFactorsEnd(size_t count) { return 2 * sizeof(uint32_t) + 2 * sizeof(float) * count; }

uint64_t ExtensionCodeOffset(const CodeShape& codes, size_t count, size_t i) {
  return ExtensionFactorsEnd(count) + i * codes.extension_bytes();
}

ExtensionRange::ExtensionRange(ByteView bytes, const Piece& piece, const SegmentShape& shape, const std::string& key,
                               Trust trust)
    : code_bytes_(shape.codes.extension_bytes()) {
  Decoder decoder = OpenRange(bytes, piece.extension_offset(), piece.extension_length, piece, shape, key, trust);
  scales_ = TakeFactors(decoder, piece.count);
  errors_ = TakeFactors(decoder, piece.count);
  codes_ = TakeItems(decoder, piece.count, code_bytes_);
  if (decoder.left() != 0) decoder.Fail("bytes follow the last code");
}

CodeFactors ExtensionRange::factors(size_t i) const {
  return {.scale = ReadAt<float>(scales_, i), .error = ReadAt<float>(errors_, i)};
}

MetadataRange::MetadataRange(ByteView bytes, const Piece& piece, const SegmentShape& shape, const std::string& key,
                             Trust trust) {
  Decoder decoder = OpenRange(bytes, piece.metadata_offset, piece.metadata_length, piece, shape, key, trust);
  const uint64_t offset = decoder.offset();
  ends_ = TakeItems(decoder, piece.count, kEndSize);
  rows_ = decoder.Take(decoder.left());
  CheckEnds(ends_, piece.count, rows_.size(), std::numeric_limits<uint32_t>::max(), offset, key);
}

ByteView MetadataRange::row(size_t i) const { return Item(ends_, rows_, i); }

void DecodeRaw(ByteView bytes, uint64_t offset, const SegmentShape& shape, const std::string& key,
               std::span<float> vector, Trust trust) {
  if (shape.raw == RawPlane::kNone || bytes.size() != RawBytes(shape.raw, vector.size())) {
    ThrowCorrupted(key, offset, "a raw vector has " + std::to_string(bytes.size()) + " bytes");
  }
  const ByteView payload =
      trust == Trust::kVerify ? CheckRange(bytes, shape.object, offset, key) : SkipChecksum(bytes, offset, key);
  if (shape.raw == RawPlane::kFloat32) {
    std::memcpy(vector.data(), payload.data(), payload.size());
  } else {
    FromHalves(payload.data(), vector);
  }
  if (FindNotFinite(reinterpret_cast<const uint8_t*>(vector.data()), vector.size()) < vector.size()) {
    ThrowCorrupted(key, offset, "an element of a raw vector is not finite");
  }
}

}  // namespace s3v

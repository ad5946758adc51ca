#include "format/segment.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "format/coding.h"
#include "format/column.h"
#include "format/half.h"
#include "format/items.h"
#include "format/key_plane.h"

namespace s3v {
namespace {

constexpr uint64_t kFactorSize = sizeof(float);

const uint8_t* TakeFactors(Decoder& decoder, uint64_t count) {
  const uint64_t offset = decoder.offset();
  const uint8_t* factors = TakeItems(decoder, count, kFactorSize);
  const size_t bad = FindNoLength(factors, count, std::numeric_limits<float>::infinity());
  if (bad < count) decoder.FailAt(offset + bad * kFactorSize, "a factor is negative or no number");
  return factors;
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

uint64_t EntryBytes(const SegmentShape& shape, size_t key_size) {
  const uint64_t scan =
      2 * kFactorSize + shape.codes.sign_bytes() + key_size + (HasEnds(shape.key_kind) ? kEndSize : 0);
  const uint64_t extension = shape.codes.bits == 1 ? 0 : 2 * kFactorSize + shape.codes.extension_bytes();
  return scan + extension + RawBytes(shape.raw, shape.codes.dimensions);
}

SegmentWriter::SegmentWriter(const SegmentShape& shape, size_t expected_bytes)
    : shape_(shape), columns_(shape.metadata_columns), summaries_(shape.metadata_columns) {
  object_.reserve(expected_bytes);
  AppendHeader(object_, {.kind = 'G', .index = shape.index, .object = shape.object});
}

uint64_t SegmentWriter::size() const {
  const uint64_t vectors = shape_.raw == RawPlane::kNone ? 0 : keys_.size();
  return object_.size() + metadata_bytes_ + raw_.size() + kChecksumSize * vectors +
         MostKeyPlaneBytes(shape_.key_kind, keys_.size(), key_bytes_, longest_key_);
}

void SegmentWriter::AddPiece(uint32_t list_id, std::span<const Entry> entries) {
  const auto get_key = [](const Entry& entry) { return entry.key; };
  Piece piece{.list_id = list_id,
              .count = static_cast<uint32_t>(entries.size()),
              .first = static_cast<uint32_t>(keys_.size()),
              .scan_offset = object_.size()};
  Append(object_, piece.count);
  Append(object_, list_id);
  AppendFactors(object_, entries, [](const Entry& entry) { return entry.sign_factors.residual_norm; });
  AppendFactors(object_, entries, [](const Entry& entry) { return entry.sign_factors.scale; });
  AppendSignPlane(object_, shape_.codes, entries);
  AppendKeys(object_, shape_.key_kind, entries, get_key);
  NoteKeys(entries);
  AppendRangeChecksum(object_, shape_.object, piece.scan_offset, piece.scan_offset);
  piece.scan_length = object_.size() - piece.scan_offset;

  if (shape_.codes.bits > 1) {
    Append(object_, piece.count);
    Append(object_, list_id);
    AppendFactors(object_, entries, [](const Entry& entry) { return entry.code_factors.scale; });
    AppendFactors(object_, entries, [](const Entry& entry) { return entry.code_factors.error; });
    for (const Entry& entry : entries) AppendWords(object_, entry.extension);
    AppendRangeChecksum(object_, shape_.object, piece.extension_offset(), piece.extension_offset());
    piece.extension_length = object_.size() - piece.extension_offset();
  }

  if (shape_.metadata_columns > 0) {
    piece.columns = static_cast<uint32_t>(table_.places.size());
    AddColumns(entries);
  }
  if (shape_.raw != RawPlane::kNone) {
    for (const Entry& entry : entries) AppendRaw(raw_, shape_.raw, entry.vector);
  }
  pieces_.push_back(piece);
}

// The keys are the last bytes of the object, where they stay: to know their places is enough.
void SegmentWriter::NoteKeys(std::span<const Entry> entries) {
  uint64_t end = object_.size();
  for (const Entry& entry : entries) end -= entry.key.size();
  for (const Entry& entry : entries) {
    const size_t size = entry.key.size();
    keys_.push_back({.offset = end, .content_hash = entry.content_hash, .size = static_cast<uint32_t>(size)});
    end += size;
    key_bytes_ += size;
    longest_key_ = std::max(longest_key_, size);
  }
}

// Rows become columns here; their ranges have to wait for Finish, which knows their places.
void SegmentWriter::AddColumns(std::span<const Entry> entries) {
  std::vector<SummaryBuilder> summaries(shape_.metadata_columns);
  for (const Entry& entry : entries) {
    MetadataReader row(entry.metadata);
    for (size_t column = 0; column < shape_.metadata_columns; ++column) {
      const ByteView value = row.NextEncoded();
      Append(columns_[column], value);
      summaries[column].Add(value);
      summaries_[column].Add(value);
    }
    if (!row.AtEnd()) {
      throw Error(Code::kCorrupted,
                  "corrupted metadata: a row of more than " + std::to_string(shape_.metadata_columns) + " values");
    }
    metadata_bytes_ += entry.metadata.size();
  }
  metadata_bytes_ += shape_.metadata_columns * MostColumnBytes(entries.size(), 0);
  if (metadata_bytes_ > std::numeric_limits<uint32_t>::max()) {
    throw Error(Code::kLimitExceeded, "a segment of the index holds too many bytes of metadata");
  }
  for (const SummaryBuilder& summary : summaries) {
    table_.places.push_back({.summary = static_cast<uint32_t>(table_.summaries.size())});
    summary.AppendTo(table_.summaries);
  }
}

// All ranges of a column lie side by side.
void SegmentWriter::LayColumns() {
  std::vector<ByteView> values;
  for (uint32_t column = 0; column < shape_.metadata_columns; ++column) {
    MetadataReader reader(columns_[column]);
    for (const Piece& piece : pieces_) {
      values.clear();
      for (uint32_t i = 0; i < piece.count; ++i) values.push_back(reader.NextEncoded());
      const uint64_t offset = object_.size();
      AppendColumnRange(object_, values, piece.list_id, column, shape_.object, offset);
      if (object_.size() > std::numeric_limits<uint32_t>::max()) {
        throw Error(Code::kLimitExceeded, "a segment of the index holds too many bytes");
      }
      ColumnPlace& place = table_.places[piece.columns + column];
      place.offset = static_cast<uint32_t>(offset);
      place.length = static_cast<uint32_t>(object_.size() - offset);
    }
  }
}

WrittenSegment SegmentWriter::Finish() {
  // Only here are the places of the columns and of the vectors known, which their checksums include.
  object_.reserve(size());
  LayColumns();
  if (shape_.raw != RawPlane::kNone) {
    const size_t vector_bytes = RawBytes(shape_.raw, shape_.codes.dimensions) - kChecksumSize;
    size_t taken = 0;
    for (Piece& piece : pieces_) {
      piece.raw_offset = object_.size();
      for (uint32_t i = 0; i < piece.count; ++i, taken += vector_bytes) {
        const uint64_t offset = object_.size();
        Append(object_, ByteView(raw_).subspan(taken, vector_bytes));
        AppendRangeChecksum(object_, shape_.object, offset, offset);
      }
    }
  }
  const KeyPlanePlace keys = AppendKeyPlane(object_, shape_, SortedKeys());
  Bytes summaries;
  for (const SummaryBuilder& summary : summaries_) summary.AppendTo(summaries);
  return {.object = std::move(object_),
          .pieces = std::move(pieces_),
          .columns = std::move(table_),
          .summaries = std::move(summaries),
          .entries = static_cast<uint32_t>(keys_.size()),
          .keys = keys};
}

std::vector<KeyEntry> SegmentWriter::SortedKeys() const {
  std::vector<KeyEntry> entries;
  entries.reserve(keys_.size());
  for (const KeyInObject& key : keys_) {
    entries.push_back({.key = ByteView(object_).subspan(key.offset, key.size),
                       .position = static_cast<uint32_t>(entries.size()),
                       .content_hash = key.content_hash});
  }
  std::sort(entries.begin(), entries.end());
  return entries;
}

ByteView ColumnTable::SummariesOf(const Piece& piece, size_t columns) const {
  if (columns == 0) return {};
  const size_t next = piece.columns + columns;
  const size_t begin = places[piece.columns].summary;
  const size_t end = next < places.size() ? places[next].summary : summaries.size();
  return ByteView(summaries).subspan(begin, end - begin);
}

void ColumnTable::Append(const ColumnTable& from, size_t columns, Piece& piece) {
  const ByteView copied = from.SummariesOf(piece, columns);
  if (summaries.size() + copied.size() > std::numeric_limits<uint32_t>::max()) {
    throw Error(Code::kLimitExceeded, "the pieces of a version have too many summaries");
  }
  const uint32_t first = static_cast<uint32_t>(places.size());
  for (ColumnPlace place : from.Of(piece, columns)) {
    place.summary -= from.places[piece.columns].summary;
    place.summary += static_cast<uint32_t>(summaries.size());
    places.push_back(place);
  }
  s3v::Append(summaries, copied);
  piece.columns = first;
}

ScanRange::ScanRange(ByteView bytes, const Piece& piece, const SegmentShape& shape, const std::string& key, Trust trust)
    : count_(piece.count), key_width_(KeyWidth(shape.key_kind)) {
  Decoder decoder = OpenRange(bytes, piece.scan_offset, piece.scan_length, piece, shape, key, trust);
  norms_ = reinterpret_cast<const float*>(TakeFactors(decoder, count_));
  scales_ = reinterpret_cast<const float*>(TakeFactors(decoder, count_));
  const uint64_t blocks = (uint64_t{piece.count} + kSignBlock - 1) / kSignBlock;
  signs_ = TakeItems(decoder, blocks, kSignBlock * shape.codes.sign_bytes());
  const Items keys = TakeKeys(decoder, shape.key_kind, count_);
  key_ends_ = keys.ends;
  keys_ = keys.bytes;
}

ByteView ScanRange::key(size_t i) const { return KeyAt(key_width_, key_ends_, keys_, i); }

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

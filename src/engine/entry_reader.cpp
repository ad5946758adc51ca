#include "engine/entry_reader.h"

#include <algorithm>
#include <optional>

#include "engine/key_lookup.h"
#include "engine/key_reading.h"

namespace s3v {
namespace {

// The sign words of one entry, side by side.
void GatherSigns(const CodeShape& codes, const uint8_t* plane, size_t i, std::span<uint64_t> signs) {
  const uint8_t* block = plane + i / kSignBlock * kSignBlock * codes.sign_bytes();
  for (size_t w = 0; w < signs.size(); ++w) {
    std::memcpy(&signs[w], block + (w * kSignBlock + i % kSignBlock) * sizeof(uint64_t), sizeof(uint64_t));
  }
}

float FloatAt(const float* unaligned, size_t i) {
  float value;
  std::memcpy(&value, reinterpret_cast<const uint8_t*>(unaligned) + i * sizeof value, sizeof value);
  return value;
}

}  // namespace

void EntryReader::Read(std::span<const Piece* const> pieces, const Visit& visit, Stop& stop) {
  while (!pieces.empty()) {
    size_t count = 0;
    for (uint64_t bytes = 0; count < pieces.size() && (count == 0 || bytes < bytes_at_once_); ++count)
      bytes += BytesOf(*pieces[count]);
    const std::vector<Planes> planes = ReadPlanes(pieces.first(count), stop);
    for (size_t i = 0; i < count; ++i) VisitPiece(*pieces[i], planes[i], visit, stop);
    pieces = pieces.subspan(count);
  }
}

// The same ranges that a search asks for, so that a local cache knows them.
std::vector<std::pair<size_t, RangeRequest>> EntryReader::RangesOf(const Piece& piece) const {
  std::vector<std::pair<size_t, RangeRequest>> ranges;
  const auto want = [&](size_t plane, uint64_t offset, uint64_t length) {
    if (length > 0) ranges.push_back({plane, {navigation_.segments[piece.segment].key, offset, length}});
  };
  want(kScan, piece.scan_offset, piece.scan_length);
  if (parts_ != EntryParts::kKeys) want(kExtension, piece.extension_offset(), piece.extension_length);
  if (parts_ == EntryParts::kAll) {
    size_t plane = kFirstColumn;
    for (const ColumnPlace& place : navigation_.ColumnsOf(piece)) want(plane++, place.offset, place.length);
    want(kRaw, piece.raw_offset, piece.count * RawBytes(navigation_.shape.raw, navigation_.shape.dimensions));
  }
  return ranges;
}

uint64_t EntryReader::BytesOf(const Piece& piece) const {
  uint64_t bytes = 0;
  for (const auto& [plane, range] : RangesOf(piece)) bytes += range.length;
  return bytes;
}

// What is read here is soon part of other segments, or not wanted again: no cache should keep it.
std::vector<EntryReader::Planes> EntryReader::ReadPlanes(std::span<const Piece* const> pieces, Stop& stop) {
  std::vector<Planes> planes(pieces.size(), Planes(kFirstColumn + navigation_.shape.metadata_columns));
  std::vector<RangeRequest> requests;
  std::vector<Asked> asked;
  for (size_t i = 0; i < pieces.size(); ++i) {
    for (auto& [plane, range] : RangesOf(*pieces[i])) {
      if (store_.GetLocal(range, &planes[i][plane])) continue;
      requests.push_back(std::move(range));
      asked.push_back({i, plane});
    }
  }
  if (requests.empty()) return planes;
  ReadDecoded(
      requests,
      [&](size_t i, ByteView bytes) {
        const auto [piece, plane] = asked[i];
        Check(*pieces[piece], plane, bytes);
        planes[piece][plane].assign(bytes.begin(), bytes.end());
      },
      store_.uncached(), stop);
  return planes;
}

void EntryReader::Check(const Piece& piece, size_t plane, ByteView bytes) const {
  const SegmentShape shape = ShapeOf(piece);
  const std::string& key = navigation_.segments[piece.segment].key;
  if (plane == kScan) ScanRange(bytes, piece, shape, key);
  if (plane == kExtension) ExtensionRange(bytes, piece, shape, key);
  if (plane >= kFirstColumn) OpenColumn(piece, plane, bytes);
  if (plane != kRaw) return;
  const uint64_t vector = bytes.size() / piece.count;
  for (uint32_t i = 0; i < piece.count; ++i) {
    CheckRange(bytes.subspan(i * vector, vector), shape.object, piece.raw_offset + i * vector, key);
  }
}

ColumnRange EntryReader::OpenColumn(const Piece& piece, size_t plane, ByteView bytes) const {
  const size_t column = plane - kFirstColumn;
  return {bytes,          navigation_.ColumnsOf(piece)[column],   static_cast<uint32_t>(column), piece,
          ShapeOf(piece), navigation_.segments[piece.segment].key};
}

void EntryReader::VisitPiece(const Piece& piece, const Planes& planes, const Visit& visit, Stop& stop) {
  stop.Check();
  const SegmentShape shape = ShapeOf(piece);
  const std::string& key = navigation_.segments[piece.segment].key;
  const ScanRange scan(planes[kScan], piece, shape, key);
  std::optional<ExtensionRange> extension;
  if (!planes[kExtension].empty()) extension.emplace(planes[kExtension], piece, shape, key);
  std::vector<ColumnRange> columns;
  for (size_t plane = kFirstColumn; plane < planes.size() && !planes[plane].empty(); ++plane) {
    columns.push_back(OpenColumn(piece, plane, planes[plane]));
  }
  if (parts_ == EntryParts::kAll && hashed_segment_ != piece.segment) {
    hashes_ = ReadContentHashes(navigation_, piece.segment, store_, stop);
    hashed_segment_ = piece.segment;
  }

  const size_t raw_bytes = planes[kRaw].size() / piece.count;
  std::vector<uint64_t> signs(shape.codes.words());
  std::vector<uint64_t> planes_of_code(shape.codes.extension_bytes() / sizeof(uint64_t));
  std::vector<float> vector(raw_bytes > 0 ? shape.codes.dimensions : 0);
  Bytes row;
  const std::span<const MaskRun> masked = live_.masked(piece.segment);
  for (uint32_t i = 0; i < piece.count; ++i) {
    if (CountCovered(masked, piece.first + i, 1) > 0) continue;
    Entry entry{.key = scan.key(i)};
    if (parts_ != EntryParts::kKeys) {
      GatherSigns(shape.codes, scan.sign_plane(), i, signs);
      entry.signs = signs;
      entry.sign_factors = {.residual_norm = FloatAt(scan.residual_norms(), i),
                            .scale = FloatAt(scan.sign_scales(), i)};
      if (extension) {
        std::memcpy(planes_of_code.data(), extension->code(i), shape.codes.extension_bytes());
        entry.extension = planes_of_code;
        entry.code_factors = extension->factors(i);
      }
    }
    if (parts_ == EntryParts::kAll) {
      row.clear();
      for (const ColumnRange& column : columns) column.AppendValue(i, row);
      entry.metadata = row;
      if (raw_bytes > 0) {
        DecodeRaw(ByteView(planes[kRaw]).subspan(i * raw_bytes, raw_bytes), piece.raw_offset + i * raw_bytes, shape,
                  key, vector);
        entry.vector = vector;
      }
      entry.content_hash = hashes_[piece.first + i];
    }
    visit(piece, piece.first + i, entry);
  }
}

}  // namespace s3v

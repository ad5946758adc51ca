#include "format/piece_table.h"

#include <limits>

#include "format/column.h"
#include "format/items.h"

namespace s3v {
namespace {

constexpr const char* kMissing = "the pieces of a segment do not have all its entries";

}  // namespace

uint32_t Narrow(uint64_t value) {
  if (value > std::numeric_limits<uint32_t>::max()) throw Error(Code::kInternal, "a segment is larger than 4 GiB");
  return static_cast<uint32_t>(value);
}

void AppendPiece(Bytes& out, const Piece& piece, const NavigationDelta& delta) {
  Append(out, piece.list_id);
  Append(out, piece.segment);
  Append(out, piece.count);
  Append(out, Narrow(piece.scan_offset));
  Append(out, Narrow(piece.scan_length));
  Append(out, Narrow(piece.extension_length));
  Append(out, Narrow(piece.raw_offset));
  const size_t columns = delta.shape.metadata_columns;
  for (const ColumnPlace& place : delta.columns.Of(piece, columns)) AppendVarint(out, place.length);
  Append(out, delta.columns.SummariesOf(piece, columns));
}

PieceReader::PieceReader(NavigationDelta& delta, std::span<const std::vector<uint32_t>> column_offsets)
    : segments_(delta.segments),
      column_offsets_(column_offsets),
      columns_(delta.columns),
      shape_{.codes = {.dimensions = delta.shape.dimensions, .bits = delta.shape.bits},
             .key_kind = delta.shape.key_kind,
             .metadata_columns = delta.shape.metadata_columns,
             .raw = delta.shape.raw} {
  if (!column_offsets.empty()) StartColumns();
}

Piece PieceReader::Read(Decoder& decoder) {
  const uint64_t offset = decoder.offset();
  Piece piece;
  piece.list_id = decoder.Read<uint32_t>();
  piece.segment = decoder.Read<uint32_t>();
  piece.count = decoder.Read<uint32_t>();
  piece.scan_offset = decoder.Read<uint32_t>();
  piece.scan_length = decoder.Read<uint32_t>();
  piece.extension_length = decoder.Read<uint32_t>();
  piece.raw_offset = decoder.Read<uint32_t>();
  const char* fault = PlaceFault(piece);
  if (fault == nullptr) fault = LengthFault(piece);
  if (fault != nullptr) decoder.FailAt(offset, fault);
  ReadColumns(decoder, piece);
  fault = OverlapFault(piece);
  if (fault != nullptr) decoder.FailAt(offset, fault);
  piece.first = entries_;
  entries_ += piece.count;
  return piece;
}

void PieceReader::RequireWholeSegments(const Decoder& decoder) const {
  const bool is_last = segments_.empty() || segment_ + 1 == segments_.size();
  if (!is_last || !IsWhole()) decoder.Fail(kMissing);
}

bool PieceReader::Plane::Extend(uint64_t offset, uint64_t length) {
  if (offset < end) return false;
  if (start == 0) start = offset;
  end = offset + length;
  return true;
}

void PieceReader::StartColumns() {
  column_ends_.assign(column_offsets_[segment_].begin(), column_offsets_[segment_].end());
}

// The ranges of a column follow each other, so their lengths say where they lie.
void PieceReader::ReadColumns(Decoder& decoder, Piece& piece) {
  const uint64_t offset = decoder.offset();
  piece.columns = static_cast<uint32_t>(columns_.places.size());
  for (uint64_t& end : column_ends_) {
    const uint32_t length = decoder.ReadVarint();
    if (length < MostColumnBytes(1, 1)) decoder.FailAt(offset, "a column range is too short for its entries");
    if (end + length > segments_[segment_].length) decoder.FailAt(offset, "a column leaves its segment");
    columns_.places.push_back({.offset = static_cast<uint32_t>(end), .length = length});
    end += length;
  }
  for (size_t column = 0; column < column_ends_.size(); ++column) {
    const ByteView bytes = decoder.rest();
    ReadSummary(decoder, piece.count);
    columns_.places[piece.columns + column].summary = Narrow(columns_.summaries.size());
    Append(columns_.summaries, bytes.first(bytes.size() - decoder.left()));
  }
}

const char* PieceReader::PlaceFault(const Piece& piece) {
  if (piece.segment >= segments_.size()) return "a piece lies in a segment that does not exist";
  if (piece.segment != segment_) {
    if (piece.segment < segment_) return "pieces are out of order";
    if (piece.segment != segment_ + 1 || !IsWhole()) return kMissing;
    segment_ = piece.segment;
    entries_ = 0;
    codes_ = {.start = 0, .end = kHeaderSize};
    raw_ = {};
    StartColumns();
  }
  if (piece.count > segments_[segment_].entries - entries_) return "a segment has fewer entries than its pieces";
  return nullptr;
}

const char* PieceReader::LengthFault(const Piece& piece) const {
  if (piece.count == 0) return "a piece is empty";
  const size_t key_width = KeyWidth(shape_.key_kind);
  const uint64_t least = ScanLength(shape_, piece.count, piece.count * key_width);
  const bool fits = key_width > 0 ? piece.scan_length == least : piece.scan_length >= least;
  if (!fits) return "a scan range has another length than its entries";
  if (piece.extension_length != ExtensionLength(shape_, piece.count)) {
    return "an extension range has another length than its entries";
  }
  if (shape_.raw == RawPlane::kNone && piece.raw_offset != 0) return "a piece has unexpected raw vectors";
  return nullptr;
}

const char* PieceReader::OverlapFault(const Piece& piece) {
  constexpr const char* kOverlap = "pieces overlap";
  if (!codes_.Extend(piece.scan_offset, piece.scan_length + piece.extension_length)) return kOverlap;
  uint64_t end = codes_.end;
  for (size_t column = 0; column < column_ends_.size(); ++column) {
    if (column_offsets_[segment_][column] < end) return kOverlap;
    end = column_ends_[column];
  }
  if (shape_.raw != RawPlane::kNone) {
    const uint64_t length = uint64_t{piece.count} * RawBytes(shape_.raw, shape_.codes.dimensions);
    if (!raw_.Extend(piece.raw_offset, length)) return kOverlap;
    if (raw_.start < end) return kOverlap;
    end = raw_.end;
  }
  return end > segments_[segment_].keys.offset ? "a piece leaves its segment" : nullptr;
}

}  // namespace s3v

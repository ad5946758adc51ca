#include <algorithm>
#include <cmath>
#include <limits>

#include "format/coding.h"
#include "format/column.h"
#include "format/items.h"
#include "format/key_plane.h"
#include "format/mask_runs.h"
#include "format/navigation.h"

namespace s3v {
namespace {

// Bytes of the fixed parts. What is known of the columns follows those of segments and pieces, the runs those of masks.
constexpr uint64_t kSegmentSize = sizeof(ObjectId) + sizeof(uint64_t) + 4 * sizeof(uint32_t);
constexpr uint64_t kPieceSize = 7 * sizeof(uint32_t);
constexpr uint64_t kMaskSize = sizeof(ObjectId) + 2 * sizeof(uint32_t);

// What each metadata column takes at least: a summary of two bytes, and the place of its ranges or the length of one.
constexpr uint64_t kSegmentColumnSize = sizeof(uint32_t) + 2;
constexpr uint64_t kPieceColumnSize = 1 + 2;

constexpr size_t kFlagFiller = 3;  // behind a flag, up to a whole u32

uint32_t Narrow(uint64_t value) {
  if (value > std::numeric_limits<uint32_t>::max()) throw Error(Code::kInternal, "a segment is larger than 4 GiB");
  return static_cast<uint32_t>(value);
}

void AppendFlag(Bytes& out, bool flag) {
  Append(out, static_cast<uint8_t>(flag));
  out.insert(out.end(), kFlagFiller, 0);
}

bool ReadPaddedFlag(Decoder& decoder) {
  const bool flag = decoder.ReadFlag();
  decoder.RequireZero(kFlagFiller);
  return flag;
}

void AppendShape(Bytes& out, const IndexShape& shape) {
  Append(out, shape.dimensions);
  Append(out, static_cast<uint8_t>(shape.key_kind));
  Append(out, static_cast<uint8_t>(shape.bits));
  Append(out, static_cast<uint8_t>(shape.raw));
  Append(out, static_cast<uint8_t>(shape.has_duplicates));
  Append(out, shape.metadata_columns);
}

IndexShape ReadShape(Decoder& decoder) {
  IndexShape shape;
  shape.dimensions = decoder.Read<uint32_t>();
  if (shape.dimensions < 1 || shape.dimensions > kMaxDimensions) {
    decoder.Fail(std::to_string(shape.dimensions) + " dimensions");
  }
  shape.key_kind = static_cast<KeyKind>(
      decoder.ReadNumber(static_cast<int>(KeyKind::kInteger), static_cast<int>(KeyKind::kText), "key kind"));
  shape.bits = decoder.ReadNumber(1, kMaxBits, "number of bits");
  shape.raw = static_cast<RawPlane>(decoder.ReadNumber(0, static_cast<int>(RawPlane::kFloat16), "raw plane"));
  shape.has_duplicates = decoder.ReadFlag();
  shape.metadata_columns = decoder.Read<uint32_t>();
  if (shape.metadata_columns > kMaxMetadataColumns) {
    decoder.Fail(std::to_string(shape.metadata_columns) + " metadata columns");
  }
  return shape;
}

void AppendRule(Bytes& out, const ProbeRule& rule) {
  if (rule.points.empty() || rule.points.size() > kMostProbePoints) {
    throw Error(Code::kInternal, "a probe rule has " + std::to_string(rule.points.size()) + " points");
  }
  Append(out, static_cast<uint8_t>(rule.points.size()));
  out.insert(out.end(), kFlagFiller, 0);
  for (const ProbePoint& point : rule.points) {
    Append(out, point.entries);
    Append(out, point.gap);
    Append(out, point.most);
    Append(out, point.margin);
    Append(out, point.bound);
  }
}

ProbeRule ReadRule(Decoder& decoder) {
  const uint8_t count = decoder.ReadNumber(1, kMostProbePoints, "number of points");
  decoder.RequireZero(kFlagFiller);
  ProbeRule rule;
  rule.points.clear();
  for (uint8_t i = 0; i < count; ++i) {
    ProbePoint point;
    point.entries = decoder.Read<float>();
    point.gap = decoder.Read<float>();
    point.most = decoder.Read<uint32_t>();
    point.margin = decoder.Read<float>();
    point.bound = decoder.Read<float>();
    const bool ascends = point.entries > (i == 0 ? 0 : rule.points.back().entries) && std::isfinite(point.entries);
    const bool are_finite = std::isfinite(point.gap) && std::isfinite(point.margin) && std::isfinite(point.bound);
    if (!ascends || !are_finite || point.gap < 0 || point.margin < 0 || point.most == 0) {
      decoder.Fail("the probe rule makes no sense");
    }
    rule.points.push_back(point);
  }
  return rule;
}

void AppendState(Bytes& out, const VersionState& state) {
  Append(out, ByteView(state.base));
  AppendRule(out, state.rule);
  Append(out, state.rows);
  Append(out, state.entries);
  Append(out, state.calibrated_entries);
  Append(out, state.written_since_base);
}

VersionState ReadState(Decoder& decoder, bool has_duplicates) {
  VersionState state;
  state.base = decoder.Read<ObjectId>();
  state.rule = ReadRule(decoder);
  state.rows = decoder.Read<uint64_t>();
  state.entries = decoder.Read<uint64_t>();
  if (state.rows > state.entries || (!has_duplicates && state.rows != state.entries)) {
    decoder.Fail(std::to_string(state.entries) + " entries for " + std::to_string(state.rows) + " rows");
  }
  state.calibrated_entries = decoder.Read<uint64_t>();
  state.written_since_base = decoder.Read<uint64_t>();
  return state;
}

// The bytes of one summary for each metadata column.
Bytes ReadSummaries(Decoder& decoder, const IndexShape& shape, uint32_t entries) {
  const ByteView bytes = decoder.rest();
  for (uint32_t column = 0; column < shape.metadata_columns; ++column) ReadSummary(decoder, entries);
  const ByteView read = bytes.first(bytes.size() - decoder.left());
  return {read.begin(), read.end()};
}

// `first`: of its pieces, null when it has none.
void AppendSegment(Bytes& out, const SegmentInfo& segment, const Piece* first, const NavigationDelta& delta) {
  Append(out, ByteView(segment.id));
  Append(out, segment.length);
  Append(out, segment.entries);
  AppendFlag(out, segment.is_settled);
  Append(out, Narrow(segment.keys.offset));
  Append(out, Narrow(segment.keys.index_length));
  for (uint32_t column = 0; column < delta.shape.metadata_columns; ++column) {
    const bool has_place = first != nullptr;
    Append(out, has_place ? delta.columns.places[first->columns + column].offset : uint32_t{0});
  }
  Append(out, ByteView(segment.summaries));
}

// With where the columns of the segment begin, which is nowhere else.
struct StoredSegment {
  SegmentInfo info;
  std::vector<uint32_t> column_offsets;
};

StoredSegment ReadSegment(Decoder& decoder, const IndexShape& shape) {
  const uint64_t offset = decoder.offset();
  StoredSegment stored;
  SegmentInfo& segment = stored.info;
  segment.id = decoder.Read<ObjectId>();
  segment.length = decoder.Read<uint64_t>();
  segment.entries = decoder.Read<uint32_t>();
  segment.is_settled = ReadPaddedFlag(decoder);
  segment.keys.offset = decoder.Read<uint32_t>();
  segment.keys.index_length = decoder.Read<uint32_t>();
  if (segment.length > std::numeric_limits<uint32_t>::max()) {
    decoder.FailAt(offset, "a segment has " + std::to_string(segment.length) + " bytes");
  }
  if (segment.entries == 0) decoder.FailAt(offset, "a segment is empty");
  const bool is_inside = segment.keys.offset >= kHeaderSize && segment.keys.offset <= segment.length;
  const uint64_t plane = is_inside ? segment.length - segment.keys.offset : 0;
  if (plane < MostKeyPlaneBytes(shape.key_kind, segment.entries, 0, 0) || segment.keys.index_length >= plane) {
    decoder.FailAt(offset, "the keys of a segment do not fit into it");
  }
  stored.column_offsets = decoder.ReadArray<uint32_t>(shape.metadata_columns);
  segment.summaries = ReadSummaries(decoder, shape, segment.entries);
  return stored;
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

// Pieces come segment after segment, and so do their ranges in each: the planes of a segment (scan ranges with their
// extensions, each metadata column, raw vectors) lie one behind the other, and all before its keys.
class PieceReader {
 public:
  // Reads into `delta`, which has its segments; `column_offsets` are theirs.
  PieceReader(NavigationDelta& delta, std::span<const std::vector<uint32_t>> column_offsets)
      : segments_(delta.segments),
        column_offsets_(column_offsets),
        columns_(delta.columns),
        shape_{.codes = {.dimensions = delta.shape.dimensions, .bits = delta.shape.bits},
               .key_kind = delta.shape.key_kind,
               .metadata_columns = delta.shape.metadata_columns,
               .raw = delta.shape.raw} {
    if (!column_offsets.empty()) StartColumns();
  }

  Piece Read(Decoder& decoder) {
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

  // After the last piece.
  void RequireWholeSegments(const Decoder& decoder) const {
    const bool is_last = segments_.empty() || segment_ + 1 == segments_.size();
    if (!is_last || !IsWhole()) decoder.Fail(kMissing);
  }

 private:
  static constexpr const char* kMissing = "the pieces of a segment do not have all its entries";

  // What the pieces of a segment that were read so far take of it.
  struct Plane {
    uint64_t start = 0;  // 0: nothing yet
    uint64_t end = 0;

    bool Extend(uint64_t offset, uint64_t length) {
      if (offset < end) return false;
      if (start == 0) start = offset;
      end = offset + length;
      return true;
    }
  };

  bool IsWhole() const { return segments_.empty() || entries_ == segments_[segment_].entries; }

  void StartColumns() { column_ends_.assign(column_offsets_[segment_].begin(), column_offsets_[segment_].end()); }

  // The ranges of a column follow each other, so their lengths say where they lie.
  void ReadColumns(Decoder& decoder, Piece& piece) {
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

  const char* PlaceFault(const Piece& piece) {
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

  const char* LengthFault(const Piece& piece) const {
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

  const char* OverlapFault(const Piece& piece) {
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

  const std::vector<SegmentInfo>& segments_;
  std::span<const std::vector<uint32_t>> column_offsets_;  // of each segment
  ColumnTable& columns_;
  SegmentShape shape_;
  uint32_t segment_ = 0;  // the one that pieces are read of, and what they take of it
  uint32_t entries_ = 0;
  Plane codes_{.start = 0, .end = kHeaderSize};
  std::vector<uint64_t> column_ends_;
  Plane raw_;
};

void AppendMask(Bytes& out, const SegmentMask& mask) {
  Bytes runs;
  AppendMaskRuns(runs, mask.runs);
  Append(out, ByteView(mask.segment));
  AppendFlag(out, mask.whole);
  Append(out, Narrow(runs.size()));
  Append(out, ByteView(runs));
}

// Entries of the delta's own segments, by id.
std::vector<std::pair<ObjectId, uint32_t>> EntriesById(const NavigationDelta& delta, const Decoder& decoder) {
  std::vector<std::pair<ObjectId, uint32_t>> entries;
  for (const SegmentInfo& segment : delta.segments) entries.emplace_back(segment.id, segment.entries);
  std::ranges::sort(entries);
  const auto has_same_id = [](const auto& a, const auto& b) { return a.first == b.first; };
  const auto twice = std::ranges::adjacent_find(entries, has_same_id);
  if (twice != entries.end()) decoder.Fail("segment " + IdText(twice->first) + " is named twice");
  return entries;
}

SegmentMask ReadMask(Decoder& decoder, std::span<const std::pair<ObjectId, uint32_t>> own, const std::string& key) {
  SegmentMask mask;
  mask.segment = decoder.Read<ObjectId>();
  mask.whole = ReadPaddedFlag(decoder);
  const auto length = decoder.Read<uint32_t>();
  const uint64_t offset = decoder.offset();
  if (mask.whole && length != 0) decoder.Fail("a mask of a whole segment has runs");
  const auto found = std::ranges::lower_bound(own, mask.segment, {}, &std::pair<ObjectId, uint32_t>::first);
  const bool is_own = found != own.end() && found->first == mask.segment;
  mask.runs = DecodeMaskRuns(decoder.Take(length), offset, is_own ? found->second : UINT32_MAX, key);
  return mask;
}

}  // namespace

Bytes EncodeDelta(const NavigationDelta& delta, const ObjectId& index, const ObjectId& id) {
  Bytes out;
  AppendHeader(out, {.kind = 'D', .index = index, .object = id});
  AppendShape(out, delta.shape);
  AppendState(out, delta.state);
  Append(out, static_cast<uint32_t>(delta.segments.size()));
  Append(out, static_cast<uint32_t>(delta.pieces.size()));
  Append(out, static_cast<uint32_t>(delta.masks.size()));
  for (size_t i = 0; i < delta.segments.size(); ++i) {
    const auto first = std::ranges::lower_bound(delta.pieces, i, {}, &Piece::segment);
    AppendSegment(out, delta.segments[i], first == delta.pieces.end() ? nullptr : &*first, delta);
  }
  for (const Piece& piece : delta.pieces) AppendPiece(out, piece, delta);
  for (const SegmentMask& mask : delta.masks) AppendMask(out, mask);
  AppendRangeChecksum(out, id, kHeaderSize, kHeaderSize);
  return out;
}

void CheckDelta(ByteView object, const ObjectId& index, const ObjectId& id, const std::string& key) {
  CheckHeader(object, {.kind = 'D', .index = index, .object = id}, key);
  CheckRange(object.subspan(kHeaderSize), id, kHeaderSize, key);
}

NavigationDelta DecodeDelta(ByteView object, const ObjectId& index, const ObjectId& id, const std::string& key) {
  CheckHeader(object, {.kind = 'D', .index = index, .object = id}, key);
  Decoder decoder(CheckRange(object.subspan(kHeaderSize), id, kHeaderSize, key), key, kHeaderSize);
  NavigationDelta delta;
  delta.shape = ReadShape(decoder);
  delta.state = ReadState(decoder, delta.shape.has_duplicates);
  const uint64_t segment_count = decoder.Read<uint32_t>();
  const uint64_t piece_count = decoder.Read<uint32_t>();
  const uint64_t mask_count = decoder.Read<uint32_t>();
  const uint64_t columns = delta.shape.metadata_columns;
  if (decoder.left() < segment_count * (kSegmentSize + columns * kSegmentColumnSize) +
                           piece_count * (kPieceSize + columns * kPieceColumnSize) + mask_count * kMaskSize) {
    decoder.Fail(std::to_string(segment_count) + " segments, " + std::to_string(piece_count) + " pieces and " +
                 std::to_string(mask_count) + " masks are more than the object has");
  }

  delta.segments.reserve(segment_count);
  std::vector<std::vector<uint32_t>> column_offsets;
  for (uint64_t i = 0; i < segment_count; ++i) {
    StoredSegment stored = ReadSegment(decoder, delta.shape);
    delta.segments.push_back(std::move(stored.info));
    column_offsets.push_back(std::move(stored.column_offsets));
  }
  const auto own = EntriesById(delta, decoder);

  PieceReader reader(delta, column_offsets);
  delta.pieces.reserve(piece_count);
  delta.columns.places.reserve(piece_count * columns);
  for (uint64_t i = 0; i < piece_count; ++i) delta.pieces.push_back(reader.Read(decoder));
  reader.RequireWholeSegments(decoder);

  delta.masks.reserve(mask_count);
  for (uint64_t i = 0; i < mask_count; ++i) {
    const uint64_t offset = decoder.offset();
    delta.masks.push_back(ReadMask(decoder, own, key));
    const bool is_in_order = i == 0 || delta.masks[i - 1].segment < delta.masks[i].segment;
    if (!is_in_order) decoder.FailAt(offset, "masks are out of order");
  }
  if (decoder.left() != 0) decoder.Fail("bytes follow the last mask");
  return delta;
}

}  // namespace s3v

#include <algorithm>
#include <cmath>
#include <limits>

#include "format/coding.h"
#include "format/key_plane.h"
#include "format/mask_runs.h"
#include "format/navigation.h"
#include "format/piece_table.h"

namespace s3v {
namespace {

// Bytes of the fixed parts. What is known of its columns follows that of a segment, the runs that of a mask.
constexpr uint64_t kSegmentSize = sizeof(ObjectId) + sizeof(uint64_t) + 4 * sizeof(uint32_t);
constexpr uint64_t kMaskSize = sizeof(ObjectId) + 2 * sizeof(uint32_t);

// What each metadata column of a segment takes at least: the place of its ranges, and a summary of two bytes.
constexpr uint64_t kSegmentColumnSize = sizeof(uint32_t) + 2;

constexpr size_t kFlagFiller = 3;  // behind a flag or a small count, up to a whole u32

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

// Whether a point can follow the one before it, if there is one.
bool MakesSense(const ProbePoint& point, const ProbePoint* before) {
  const bool are_finite = std::isfinite(point.entries) && std::isfinite(point.gap) && std::isfinite(point.margin) &&
                          std::isfinite(point.bound);
  return are_finite && point.entries >= 1 && point.gap >= 0 && point.most >= 1 && point.margin >= 0 &&
         (before == nullptr || point.entries > before->entries);
}

// Throws kInternal for a rule that no reader would take.
void AppendRule(Bytes& out, const ProbeRule& rule) {
  const size_t count = rule.points.size();
  bool makes_sense = count >= 1 && count <= kMostProbePoints;
  for (size_t i = 0; i < count; ++i) makes_sense &= MakesSense(rule.points[i], i > 0 ? &rule.points[i - 1] : nullptr);
  if (!makes_sense) {
    throw Error(Code::kInternal, "a probe rule of " + std::to_string(count) + " points makes no sense");
  }
  Append(out, static_cast<uint8_t>(count));
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
    const uint64_t offset = decoder.offset();
    ProbePoint point;
    point.entries = decoder.Read<float>();
    point.gap = decoder.Read<float>();
    point.most = decoder.Read<uint32_t>();
    point.margin = decoder.Read<float>();
    point.bound = decoder.Read<float>();
    if (!MakesSense(point, i > 0 ? &rule.points.back() : nullptr)) {
      decoder.FailAt(offset, "the probe rule makes no sense");
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

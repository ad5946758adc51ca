#include "format/navigation.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "format/coding.h"

namespace s3v {
namespace {


// Filler that a later format may give a meaning: refused, not ignored.
void RequireZero(Decoder& decoder, size_t size) {
  const uint64_t offset = decoder.offset();
  for (const uint8_t byte : decoder.Take(size)) {
    if (byte != 0) decoder.FailAt(offset, "a reserved field is not zero");
  }
}

Metric ReadMetric(Decoder& decoder) {
  const auto number = decoder.Read<uint8_t>();
  if (number < static_cast<uint8_t>(Metric::kCosine) || number > static_cast<uint8_t>(Metric::kInnerProduct)) {
    decoder.Fail("metric " + std::to_string(number) + " is unknown");
  }
  return static_cast<Metric>(number);
}

KeyKind ReadKeyKind(Decoder& decoder) {
  const auto number = decoder.Read<uint8_t>();
  if (number < static_cast<uint8_t>(KeyKind::kInteger) || number > static_cast<uint8_t>(KeyKind::kText)) {
    decoder.Fail("key kind " + std::to_string(number) + " is unknown");
  }
  return static_cast<KeyKind>(number);
}

Encoding ReadEncoding(Decoder& decoder, const std::string& key) {
  const auto number = decoder.Read<uint8_t>();
  if (number != static_cast<uint8_t>(Encoding::kFloat32)) {
    throw Error(Code::kNotSupported, "object \"" + key + "\" has encoding " + std::to_string(number),
                "This release of s3v reads encoding 1.",
                "Upgrade the extension, or rebuild the index with this release.");
  }
  return static_cast<Encoding>(number);
}

std::vector<float> ReadCentroids(Decoder& decoder, uint64_t count, size_t width) {
  const uint64_t offset = decoder.offset();
  std::vector<float> values = decoder.ReadArray<float>(count * width);
  const auto bad = std::ranges::find_if(values, [](float value) { return !std::isfinite(value); });
  if (bad != values.end()) {
    decoder.FailAt(offset + static_cast<uint64_t>(bad - values.begin()) * sizeof(float), "a centroid is not finite");
  }
  return values;
}

template <class T>
void AppendArray(Bytes& out, const std::vector<T>& values) {
  Append(out, ByteView(reinterpret_cast<const uint8_t*>(values.data()), values.size() * sizeof(T)));
}

// Everything after the header, verified.
Decoder OpenBody(ByteView object, const ObjectHeader& header, const std::string& key) {
  CheckHeader(object, header, key);
  return Decoder(CheckRange(object.subspan(kHeaderSize), header.object, kHeaderSize, key), key, kHeaderSize);
}

uint32_t Narrow(uint64_t value) {
  if (value > std::numeric_limits<uint32_t>::max()) throw Error(Code::kInternal, "a segment is larger than 4 GiB");
  return static_cast<uint32_t>(value);
}

void AppendPiece(Bytes& out, const Piece& piece) {
  Append(out, piece.list);
  Append(out, piece.segment);
  Append(out, piece.count);
  Append(out, Narrow(piece.scan_offset));
  Append(out, Narrow(piece.scan_length));
  Append(out, Narrow(piece.metadata_offset));
  Append(out, Narrow(piece.metadata_length));
}

// Pieces come in list order, and so do their ranges in each segment: scan ranges first, then metadata ranges, none
// overlapping.
class PieceReader {
 public:
  PieceReader(const NavigationDelta& delta, size_t list_count)
      : delta_(delta),
        list_count_(list_count),
        scan_ends_(delta.segments.size(), kHeaderSize),
        metadata_starts_(delta.segments.size()),
        metadata_ends_(delta.segments.size()) {}

  Piece Read(Decoder& decoder) {
    const uint64_t offset = decoder.offset();
    Piece piece;
    piece.list = decoder.Read<uint32_t>();
    piece.segment = decoder.Read<uint32_t>();
    piece.count = decoder.Read<uint32_t>();
    piece.scan_offset = decoder.Read<uint32_t>();
    piece.scan_length = decoder.Read<uint32_t>();
    piece.metadata_offset = decoder.Read<uint32_t>();
    piece.metadata_length = decoder.Read<uint32_t>();
    if (const char* fault = Fault(piece)) decoder.FailAt(offset, fault);
    return piece;
  }

 private:
  const char* Fault(const Piece& piece) {
    if (piece.list >= list_count_) return "a piece belongs to a list that does not exist";
    if (piece.segment >= delta_.segments.size()) return "a piece lies in a segment that does not exist";
    if (piece.list < list_ || (piece.list == list_ && piece.segment < segment_)) return "pieces are out of order";
    list_ = piece.list;
    segment_ = piece.segment;
    if (piece.count == 0 || piece.scan_length == 0) return "a piece is empty";
    if (piece.count > piece.scan_length / sizeof(float)) return "a piece holds more entries than bytes";

    const uint64_t length = delta_.segments[piece.segment].length;
    uint64_t& scan_end = scan_ends_[piece.segment];
    if (piece.scan_offset < scan_end) return "pieces overlap";
    scan_end = piece.scan_offset + piece.scan_length;
    if (scan_end > length) return "a piece leaves its segment";

    if (!delta_.has_metadata) {
      return piece.metadata_offset == 0 && piece.metadata_length == 0 ? nullptr : "a piece has unexpected metadata";
    }
    uint64_t& start = metadata_starts_[piece.segment];
    uint64_t& end = metadata_ends_[piece.segment];
    if (piece.metadata_length == 0) return "a piece has no metadata";
    if (piece.metadata_offset < end) return "pieces overlap";
    if (start == 0) start = piece.metadata_offset;
    if (start < scan_end) return "pieces overlap";
    end = piece.metadata_offset + piece.metadata_length;
    return end > length ? "a piece leaves its segment" : nullptr;
  }

  const NavigationDelta& delta_;
  const size_t list_count_;
  uint32_t list_ = 0;
  uint32_t segment_ = 0;
  std::vector<uint64_t> scan_ends_;
  std::vector<uint64_t> metadata_starts_;
  std::vector<uint64_t> metadata_ends_;
};

}  // namespace

Bytes EncodeBase(const NavigationBase& base, const ObjectId& index, const ObjectId& id) {
  const Centroids& centroids = base.centroids;
  Bytes out;
  out.reserve(kHeaderSize + 32 +
              sizeof(float) * (centroids.parents.size() + centroids.first_list.size() + centroids.lists.size()));
  AppendHeader(out, {.kind = 'B', .index = index, .object = id});
  Append(out, static_cast<uint32_t>(base.space.dimensions));
  Append(out, static_cast<uint8_t>(base.space.metric));
  out.insert(out.end(), 3, 0);
  Append(out, base.space.norm_limit);
  Append(out, static_cast<uint32_t>(centroids.parent_count()));
  Append(out, static_cast<uint32_t>(centroids.list_count()));
  AppendArray(out, centroids.first_list);
  AppendArray(out, centroids.parents);
  AppendArray(out, centroids.lists);
  AppendRangeChecksum(out, id, kHeaderSize, kHeaderSize);
  return out;
}

NavigationBase DecodeBase(ByteView object, const ObjectId& index, const ObjectId& id, const std::string& key) {
  Decoder decoder = OpenBody(object, {.kind = 'B', .index = index, .object = id}, key);
  NavigationBase base;
  const auto dimensions = decoder.Read<uint32_t>();
  if (dimensions < 1 || dimensions > kMaxDimensions) decoder.Fail(std::to_string(dimensions) + " dimensions");
  base.space.dimensions = dimensions;
  base.space.metric = ReadMetric(decoder);
  RequireZero(decoder, 3);
  base.space.norm_limit = decoder.Read<double>();
  if (!std::isfinite(base.space.norm_limit) || base.space.norm_limit < 0)
    decoder.Fail("the norm limit is not a length");
  const auto parent_count = decoder.Read<uint32_t>();
  const auto list_count = decoder.Read<uint32_t>();
  if (list_count < 1 || list_count > kMaxLists || parent_count < 1 || parent_count > list_count) {
    decoder.Fail(std::to_string(list_count) + " lists of " + std::to_string(parent_count) + " parents");
  }

  Centroids& centroids = base.centroids;
  centroids.width = base.space.width();
  const uint64_t first_list_offset = decoder.offset();
  centroids.first_list = decoder.ReadArray<uint32_t>(uint64_t{parent_count} + 1);
  if (centroids.first_list.front() != 0 || centroids.first_list.back() != list_count ||
      !std::ranges::is_sorted(centroids.first_list)) {
    decoder.FailAt(first_list_offset, "the lists of the parents do not follow each other");
  }
  centroids.parents = ReadCentroids(decoder, parent_count, centroids.width);
  centroids.lists = ReadCentroids(decoder, list_count, centroids.width);
  if (decoder.left() != 0) decoder.Fail("bytes follow the last centroid");
  return base;
}

Bytes EncodeDelta(const NavigationDelta& delta, const ObjectId& index, const ObjectId& id) {
  Bytes out;
  AppendHeader(out, {.kind = 'D', .index = index, .object = id});
  Append(out, ByteView(delta.base));
  Append(out, static_cast<uint8_t>(delta.key_kind));
  Append(out, static_cast<uint8_t>(delta.encoding));
  Append(out, static_cast<uint8_t>(delta.has_metadata));
  Append(out, uint8_t{0});
  Append(out, delta.rule.gap);
  Append(out, delta.rule.least);
  Append(out, delta.rule.most);
  Append(out, delta.rows);
  Append(out, static_cast<uint32_t>(delta.segments.size()));
  Append(out, static_cast<uint32_t>(delta.pieces.size()));
  for (const SegmentInfo& segment : delta.segments) {
    Append(out, ByteView(segment.id));
    Append(out, segment.length);
  }
  for (const Piece& piece : delta.pieces) AppendPiece(out, piece);
  AppendRangeChecksum(out, id, kHeaderSize, kHeaderSize);
  return out;
}

NavigationDelta DecodeDelta(ByteView object, const ObjectId& index, const ObjectId& id, size_t list_count,
                            const std::string& key) {
  constexpr size_t kSegmentSize = sizeof(ObjectId) + sizeof(uint64_t);
  constexpr size_t kPieceSize = 7 * sizeof(uint32_t);
  Decoder decoder = OpenBody(object, {.kind = 'D', .index = index, .object = id}, key);
  NavigationDelta delta;
  delta.base = decoder.Read<ObjectId>();
  delta.key_kind = ReadKeyKind(decoder);
  delta.encoding = ReadEncoding(decoder, key);
  const auto has_metadata = decoder.Read<uint8_t>();
  if (has_metadata > 1) decoder.Fail("a flag is neither 0 nor 1");
  delta.has_metadata = has_metadata == 1;
  RequireZero(decoder, 1);
  delta.rule.gap = decoder.Read<float>();
  delta.rule.least = decoder.Read<uint32_t>();
  delta.rule.most = decoder.Read<uint32_t>();
  if (!(delta.rule.gap >= 0) || delta.rule.least > delta.rule.most) decoder.Fail("the probe rule makes no sense");
  delta.rows = decoder.Read<uint64_t>();
  const auto segment_count = decoder.Read<uint32_t>();
  const auto piece_count = decoder.Read<uint32_t>();
  if (decoder.left() != uint64_t{segment_count} * kSegmentSize + uint64_t{piece_count} * kPieceSize) {
    decoder.Fail(std::to_string(segment_count) + " segments and " + std::to_string(piece_count) +
                 " pieces do not fill the object");
  }

  delta.segments.resize(segment_count);
  for (SegmentInfo& segment : delta.segments) {
    segment.id = decoder.Read<ObjectId>();
    segment.length = decoder.Read<uint64_t>();
    if (segment.length < kHeaderSize || segment.length > std::numeric_limits<uint32_t>::max()) {
      decoder.Fail("a segment has " + std::to_string(segment.length) + " bytes");
    }
  }
  PieceReader reader(delta, list_count);
  delta.pieces.reserve(piece_count);
  uint64_t rows = 0;
  for (uint32_t i = 0; i < piece_count; ++i) {
    delta.pieces.push_back(reader.Read(decoder));
    rows += delta.pieces.back().count;
  }
  if (rows != delta.rows) {
    decoder.Fail("pieces hold " + std::to_string(rows) + " entries, not " + std::to_string(delta.rows));
  }
  return delta;
}

}  // namespace s3v

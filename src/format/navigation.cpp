#include "format/navigation.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "format/coding.h"

namespace s3v {
namespace {

// Where rows of centroids begin, counted from the object's start: with a cache line, so that kernels read whole ones.
constexpr uint64_t kRowAlignment = 64;

uint64_t FillerBefore(uint64_t offset) { return (kRowAlignment - offset % kRowAlignment) % kRowAlignment; }

// Filler that a later format may give a meaning: refused, not ignored.
void RequireZero(Decoder& decoder, size_t size) {
  const uint64_t offset = decoder.offset();
  for (const uint8_t byte : decoder.Take(size)) {
    if (byte != 0) decoder.FailAt(offset, "a reserved field is not zero");
  }
}

// A number from `first` to `last`; `what` names it in errors.
uint8_t ReadNumber(Decoder& decoder, int first, int last, const char* what) {
  const uint64_t offset = decoder.offset();
  const auto number = decoder.Read<uint8_t>();
  if (number < first || number > last) {
    decoder.FailAt(offset, std::string(what) + " " + std::to_string(number) + " is unknown");
  }
  return number;
}

bool ReadFlag(Decoder& decoder) { return ReadNumber(decoder, 0, 1, "flag") == 1; }

// `count` numbers that are neither negative nor infinite.
const uint8_t* TakeLengths(Decoder& decoder, uint64_t count, const char* what) {
  const uint64_t offset = decoder.offset();
  const uint8_t* floats = decoder.Take(count * sizeof(float)).data();
  const size_t bad = FindNoLength(floats, count, std::numeric_limits<float>::max());
  if (bad < count) decoder.FailAt(offset + bad * sizeof(float), std::string(what) + " is negative or not finite");
  return floats;
}

CentroidTable TakeTable(Decoder& decoder, uint64_t count, size_t dimensions) {
  CentroidTable table{.dimensions = dimensions, .count = count};
  table.scales = TakeLengths(decoder, count, "the scale of a centroid");
  table.squared_norms = TakeLengths(decoder, count, "the norm of a centroid");
  RequireZero(decoder, FillerBefore(decoder.offset()));
  table.codes = reinterpret_cast<const int8_t*>(decoder.Take(count * dimensions).data());
  return table;
}

const uint8_t* TakeFirstLists(Decoder& decoder, uint32_t parents, uint32_t lists) {
  const uint64_t offset = decoder.offset();
  const ByteView bytes = decoder.Take((uint64_t{parents} + 1) * sizeof(uint32_t));
  uint32_t before = 0;
  for (uint32_t i = 0; i <= parents; ++i) {
    uint32_t first;
    std::memcpy(&first, bytes.data() + i * sizeof first, sizeof first);
    const bool is_in_order = i == 0 ? first == 0 : first >= before;
    if (!is_in_order || (i == parents && first != lists)) {
      decoder.FailAt(offset + i * sizeof first, "the lists of the parents do not follow each other");
    }
    before = first;
  }
  return bytes.data();
}

template <class T>
void AppendArray(Bytes& out, const std::vector<T>& values) {
  Append(out, ByteView(reinterpret_cast<const uint8_t*>(values.data()), values.size() * sizeof(T)));
}

void AppendTable(Bytes& out, const OwnedCentroidTable& table) {
  AppendArray(out, table.scales);
  AppendArray(out, table.squared_norms);
  out.resize(out.size() + FillerBefore(out.size()));
  AppendArray(out, table.codes);
}

// Everything after the header.
Decoder OpenBody(ByteView object, const ObjectHeader& header, const std::string& key, Trust trust) {
  CheckHeader(object, header, key);
  const ByteView body = object.subspan(kHeaderSize);
  return Decoder(trust == Trust::kVerify ? CheckRange(body, header.object, kHeaderSize, key)
                                         : SkipChecksum(body, kHeaderSize, key),
                 key, kHeaderSize);
}

NavigationBase ReadBase(ByteView object, const ObjectId& index, const ObjectId& id, const std::string& key,
                        Trust trust) {
  Decoder decoder = OpenBody(object, {.kind = 'B', .index = index, .object = id}, key, trust);
  NavigationBase base;
  const auto dimensions = decoder.Read<uint32_t>();
  if (dimensions < 1 || dimensions > kMaxDimensions) decoder.Fail(std::to_string(dimensions) + " dimensions");
  base.space.dimensions = dimensions;
  base.space.metric = static_cast<Metric>(
      ReadNumber(decoder, static_cast<int>(Metric::kCosine), static_cast<int>(Metric::kInnerProduct), "metric"));
  RequireZero(decoder, 3);
  base.space.norm_limit = decoder.Read<double>();
  if (!std::isfinite(base.space.norm_limit) || base.space.norm_limit < 0) {
    decoder.Fail("the norm limit is not a length");
  }
  const auto rotation_seed = decoder.Read<uint64_t>();
  const auto parents = decoder.Read<uint32_t>();
  const auto lists = decoder.Read<uint32_t>();
  if (lists < 1 || lists > kMaxLists || parents < 1 || parents > lists) {
    decoder.Fail(std::to_string(lists) + " lists of " + std::to_string(parents) + " parents");
  }
  base.tables.first_list = TakeFirstLists(decoder, parents, lists);
  base.tables.parents = TakeTable(decoder, parents, dimensions);
  base.tables.lists = TakeTable(decoder, lists, dimensions);
  if (decoder.left() != 0) decoder.Fail("bytes follow the last centroid");
  base.rotation = Rotation(dimensions, rotation_seed);
  return base;
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
  Append(out, Narrow(piece.extension_length));
  Append(out, Narrow(piece.metadata_offset));
  Append(out, Narrow(piece.metadata_length));
  Append(out, Narrow(piece.raw_offset));
}

// Pieces come in list order, and so do their ranges in each segment: the planes of a segment (scan ranges with their
// extensions, metadata, raw vectors) lie one behind the other.
class PieceReader {
 public:
  PieceReader(const NavigationDelta& delta, const NavigationBase& base)
      : delta_(delta), list_count_(base.tables.lists.count), planes_(delta.segments.size()) {
    shape_.codes = {.dimensions = base.space.dimensions, .bits = delta.bits};
    shape_.key_kind = delta.key_kind;
    shape_.has_metadata = delta.has_metadata;
    shape_.raw = delta.raw;
  }

  Piece Read(Decoder& decoder) {
    const uint64_t offset = decoder.offset();
    Piece piece;
    piece.list = decoder.Read<uint32_t>();
    piece.segment = decoder.Read<uint32_t>();
    piece.count = decoder.Read<uint32_t>();
    piece.scan_offset = decoder.Read<uint32_t>();
    piece.scan_length = decoder.Read<uint32_t>();
    piece.extension_length = decoder.Read<uint32_t>();
    piece.metadata_offset = decoder.Read<uint32_t>();
    piece.metadata_length = decoder.Read<uint32_t>();
    piece.raw_offset = decoder.Read<uint32_t>();
    const char* fault = PlaceFault(piece);
    if (fault == nullptr) fault = LengthFault(piece);
    if (fault == nullptr) fault = OverlapFault(piece);
    if (fault != nullptr) decoder.FailAt(offset, fault);
    return piece;
  }

 private:
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
  struct Planes {
    Plane codes{0, kHeaderSize};
    Plane metadata;
    Plane raw;
  };

  const char* PlaceFault(const Piece& piece) {
    if (piece.list >= list_count_) return "a piece belongs to a list that does not exist";
    if (piece.segment >= delta_.segments.size()) return "a piece lies in a segment that does not exist";
    if (piece.list < list_ || (piece.list == list_ && piece.segment < segment_)) return "pieces are out of order";
    list_ = piece.list;
    segment_ = piece.segment;
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
    if (!shape_.has_metadata) {
      if (piece.metadata_offset != 0 || piece.metadata_length != 0) return "a piece has unexpected metadata";
    } else if (piece.metadata_length < MetadataLength(shape_, piece.count, 0)) {
      return "a metadata range is too short for its entries";
    }
    if (shape_.raw == RawPlane::kNone && piece.raw_offset != 0) return "a piece has unexpected raw vectors";
    return nullptr;
  }

  const char* OverlapFault(const Piece& piece) {
    constexpr const char* kOverlap = "pieces overlap";
    Planes& planes = planes_[piece.segment];
    if (!planes.codes.Extend(piece.scan_offset, piece.scan_length + piece.extension_length)) return kOverlap;
    uint64_t end = planes.codes.end;
    if (shape_.has_metadata) {
      if (!planes.metadata.Extend(piece.metadata_offset, piece.metadata_length)) return kOverlap;
      if (planes.metadata.start < end) return kOverlap;
      end = planes.metadata.end;
    }
    if (shape_.raw != RawPlane::kNone) {
      const uint64_t length = uint64_t{piece.count} * RawBytes(shape_.raw, shape_.codes.dimensions);
      if (!planes.raw.Extend(piece.raw_offset, length)) return kOverlap;
      if (planes.raw.start < end) return kOverlap;
      end = planes.raw.end;
    }
    return end > delta_.segments[piece.segment].length ? "a piece leaves its segment" : nullptr;
  }

  const NavigationDelta& delta_;
  SegmentShape shape_;
  size_t list_count_;
  uint32_t list_ = 0;
  uint32_t segment_ = 0;
  std::vector<Planes> planes_;  // one for each segment
};

}  // namespace

Bytes EncodeBase(const NavigationBaseParts& base, const ObjectId& index, const ObjectId& id) {
  const size_t parents = base.parents.scales.size();
  const size_t lists = base.lists.scales.size();
  Bytes out;
  out.reserve(kHeaderSize + 4 * kRowAlignment + (3 * parents + 2 * lists) * sizeof(float) + base.parents.codes.size() +
              base.lists.codes.size());
  AppendHeader(out, {.kind = 'B', .index = index, .object = id});
  Append(out, static_cast<uint32_t>(base.space.dimensions));
  Append(out, static_cast<uint8_t>(base.space.metric));
  out.insert(out.end(), 3, 0);
  Append(out, base.space.norm_limit);
  Append(out, base.rotation_seed);
  Append(out, static_cast<uint32_t>(parents));
  Append(out, static_cast<uint32_t>(lists));
  AppendArray(out, base.first_list);
  AppendTable(out, base.parents);
  AppendTable(out, base.lists);
  AppendRangeChecksum(out, id, kHeaderSize, kHeaderSize);
  return out;
}

NavigationBase DecodeBase(ByteView object, const ObjectId& index, const ObjectId& id, const std::string& key) {
  return ReadBase(object, index, id, key, Trust::kVerify);
}

NavigationBase ViewBase(ByteView object, const ObjectId& index, const ObjectId& id, const std::string& key) {
  return ReadBase(object, index, id, key, Trust::kVerified);
}

Bytes EncodeDelta(const NavigationDelta& delta, const ObjectId& index, const ObjectId& id) {
  Bytes out;
  AppendHeader(out, {.kind = 'D', .index = index, .object = id});
  Append(out, ByteView(delta.base));
  Append(out, static_cast<uint8_t>(delta.key_kind));
  Append(out, static_cast<uint8_t>(delta.bits));
  Append(out, static_cast<uint8_t>(delta.raw));
  Append(out, static_cast<uint8_t>(delta.has_metadata));
  Append(out, static_cast<uint8_t>(delta.has_duplicates));
  out.insert(out.end(), 3, 0);
  Append(out, delta.rule.gap);
  Append(out, delta.rule.least);
  Append(out, delta.rule.most);
  Append(out, delta.rows);
  Append(out, delta.entries);
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

void CheckDelta(ByteView object, const ObjectId& index, const ObjectId& id, const std::string& key) {
  OpenBody(object, {.kind = 'D', .index = index, .object = id}, key, Trust::kVerify);
}

NavigationDelta DecodeDelta(ByteView object, const ObjectId& index, const ObjectId& id, const NavigationBase& base,
                            const std::string& key) {
  constexpr size_t kSegmentSize = sizeof(ObjectId) + sizeof(uint64_t);
  constexpr size_t kPieceSize = 9 * sizeof(uint32_t);
  Decoder decoder = OpenBody(object, {.kind = 'D', .index = index, .object = id}, key, Trust::kVerify);
  NavigationDelta delta;
  delta.base = decoder.Read<ObjectId>();
  delta.key_kind = static_cast<KeyKind>(
      ReadNumber(decoder, static_cast<int>(KeyKind::kInteger), static_cast<int>(KeyKind::kText), "key kind"));
  delta.bits = ReadNumber(decoder, 1, kMaxBits, "number of bits");
  delta.raw = static_cast<RawPlane>(ReadNumber(decoder, 0, static_cast<int>(RawPlane::kFloat16), "raw plane"));
  delta.has_metadata = ReadFlag(decoder);
  delta.has_duplicates = ReadFlag(decoder);
  RequireZero(decoder, 3);
  delta.rule.gap = decoder.Read<float>();
  delta.rule.least = decoder.Read<uint32_t>();
  delta.rule.most = decoder.Read<uint32_t>();
  if (!(delta.rule.gap >= 0) || delta.rule.least > delta.rule.most) decoder.Fail("the probe rule makes no sense");
  delta.rows = decoder.Read<uint64_t>();
  delta.entries = decoder.Read<uint64_t>();
  if (delta.rows > delta.entries || (!delta.has_duplicates && delta.rows != delta.entries)) {
    decoder.Fail(std::to_string(delta.entries) + " entries for " + std::to_string(delta.rows) + " rows");
  }
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
  PieceReader reader(delta, base);
  delta.pieces.reserve(piece_count);
  uint64_t entries = 0;
  for (uint32_t i = 0; i < piece_count; ++i) {
    delta.pieces.push_back(reader.Read(decoder));
    entries += delta.pieces.back().count;
  }
  if (entries != delta.entries) {
    decoder.Fail("pieces hold " + std::to_string(entries) + " entries, not " + std::to_string(delta.entries));
  }
  return delta;
}

}  // namespace s3v

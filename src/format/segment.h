// A segment: pieces of lists, packed in list order; each plane of a piece is one range with its own checksum.
//
// What the coarse scan needs (factors, sign plane, keys) is one range; the extension (the other bits of the codes)
// follows directly, so that both come in one request or the first alone. Metadata lies behind all of these, column
// after column (column.h), raw vectors behind the metadata, the key plane (key_plane.h) last: a query pays only for
// what it reads. FORMAT.md has the grammar and a worked example.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/random.h"
#include "format/summary.h"
#include "ivf/codes.h"

namespace s3v {

// What writers keep to and readers insist on.
inline constexpr uint32_t kMaxDimensions = 16000;
inline constexpr uint32_t kMaxLists = 16u << 20;
inline constexpr size_t kMaxKeyBytes = 65535;
inline constexpr size_t kMaxMetadataColumns = 1600;  // as many as a table can have

inline constexpr uint64_t kMaxSegmentBytes = 64ull << 20;
inline constexpr uint64_t kMaxPieceBytes = 4ull << 20;  // target; a piece of one entry may be larger

// Vectors kept beside their codes, as the source has them (not rotated). Numbers are stored.
enum class RawPlane : uint8_t { kNone = 0, kFloat32 = 1, kFloat16 = 2 };
size_t RawBytes(RawPlane plane, size_t dimensions);  // of one vector, its checksum included; 0: none

// Whether the checksum of a range still has to be compared. All other checks are made in either case.
enum class Trust : uint8_t {
  kVerify,
  kVerified,  // it was, by this process: bytes of the local cache
};

// Keys are byte strings whose memcmp order is the key type's order. Numbers are stored.
enum class KeyKind : uint8_t {
  kInteger = 1,  // 8 bytes: int64 with the sign bit flipped, big-endian
  kUuid = 2,     // 16 bytes
  kText = 3,     // as they are, at most 65,535 bytes
};
size_t KeyWidth(KeyKind kind);  // 0: variable

// Where one piece of a list lies. Stored in the navigation delta.
//
// Entries of a segment are numbered from 0, piece after piece in the order of their scan ranges: an entry's *position*.
struct Piece {
  uint32_t list_id = 0;  // stored with the piece; names the list for as long as the index lives
  uint32_t list = 0;     // not stored: its place in the base's table, which engine/snapshot fills in
  uint32_t segment = 0;  // ordinal in the table of segments it was read with
  uint32_t count = 0;    // entries
  uint32_t first = 0;    // not stored: position of its first entry
  uint32_t columns = 0;  // not stored: where its columns begin in the table that it was read with
  uint32_t delta = 0;    // not stored: ordinal of the delta that has this table, which engine/unite fills in
  uint64_t scan_offset = 0;
  uint64_t scan_length = 0;
  uint64_t extension_length = 0;  // the range begins where the scan range ends; 0: codes of one bit
  uint64_t raw_offset = 0;        // count vectors of RawBytes(...) each; 0: no raw plane

  uint64_t extension_offset() const { return scan_offset + scan_length; }  // also the end of the scan range
};

// Where the range of a piece's metadata column lies, and where its summary (summary.h) begins in the table's bytes.
struct ColumnPlace {
  uint32_t offset = 0;
  uint32_t length = 0;
  uint32_t summary = 0;
};

// The metadata columns of some pieces. Empty where the index carries no metadata.
struct ColumnTable {
  std::vector<ColumnPlace> places;  // for each piece one for each column, at piece.columns
  Bytes summaries;

  std::span<const ColumnPlace> Of(const Piece& piece, size_t columns) const {
    return std::span(places).subspan(piece.columns, columns);
  }
  ByteView SummaryBytes(const ColumnPlace& place) const { return ByteView(summaries).subspan(place.summary); }
  ByteView SummariesOf(const Piece& piece, size_t columns) const;  // of all its columns, and nothing else
  // Copies those of a piece of another table, which is `piece.columns` from now on; its places, and as many summaries.
  void Append(const ColumnTable& from, size_t columns, Piece& piece);
};

struct SegmentShape {
  ObjectId index{};
  ObjectId object{};
  CodeShape codes;
  KeyKind key_kind = KeyKind::kText;
  size_t metadata_columns = 0;
  RawPlane raw = RawPlane::kNone;
};

// One entry on its way into a segment; views must live until AddPiece returns. Factors are neither negative nor NaN;
// infinities are stored as they are.
struct Entry {
  ByteView key{};
  std::span<const uint64_t> signs{};      // codes.words()
  std::span<const uint64_t> extension{};  // (codes.bits - 1) * codes.words()
  SignFactors sign_factors{};
  CodeFactors code_factors{};       // codes.bits > 1
  std::span<const float> vector{};  // with a raw plane: as users know it, finite
  ByteView metadata{};              // a row as metadata.h says, of all columns
  uint64_t content_hash = 0;        // of vector and metadata (content_hash.h); goes to the key plane
};

// Lengths of the ranges of a piece, checksums included. `key_bytes`: of all its keys. A piece without extension has no
// such range.
uint64_t ScanLength(const SegmentShape& shape, uint64_t count, uint64_t key_bytes);
uint64_t ExtensionLength(const SegmentShape& shape, uint64_t count);

// Bytes that one entry takes in the scan range, in the extension range and in the raw plane (padding of the last block
// of signs not included).
uint64_t EntryBytes(const SegmentShape& shape, size_t key_size);

// Where a segment's key plane lies: from `offset` to the segment's end, its index last.
struct KeyPlanePlace {
  uint64_t offset = 0;
  uint64_t index_length = 0;
  bool operator==(const KeyPlanePlace&) const = default;
};

struct KeyEntry;  // key_plane.h

// A finished segment.
struct WrittenSegment {
  Bytes object;
  std::vector<Piece> pieces;  // in the order added; `segment` and `list` are left 0
  ColumnTable columns;        // of these
  Bytes summaries;            // of each column over all entries, one behind the other
  uint32_t entries = 0;
  KeyPlanePlace keys;
};

// AddPiece* Finish. Pieces come in whatever order of lists; those of one list one after the other.
class SegmentWriter {
 public:
  // `expected_bytes` is set aside at once, so that the object does not grow by copying.
  explicit SegmentWriter(const SegmentShape& shape, size_t expected_bytes = 0);
  // Bytes the segment would have if finished now; a little more where keys are text (how its key plane divides into
  // blocks is not known before it is sorted).
  uint64_t size() const;
  // Throws kLimitExceeded when keys or metadata are too long for it, kInternal for factors that no reader would take,
  // kCorrupted for metadata that is no row of so many columns.
  void AddPiece(uint32_t list_id, std::span<const Entry> entries);
  // Lays the columns behind the scan and extension ranges, raw planes behind those, the key plane last.
  WrittenSegment Finish();

 private:
  struct KeyInObject {
    uint64_t offset = 0;
    uint64_t content_hash = 0;
    uint32_t size = 0;
  };
  void NoteKeys(std::span<const Entry> entries);
  void AddColumns(std::span<const Entry> entries);
  void LayColumns();
  std::vector<KeyEntry> SortedKeys() const;

  SegmentShape shape_;
  Bytes object_;                   // header, scan and extension ranges; Finish appends the rest
  std::vector<KeyInObject> keys_;  // by position
  uint64_t key_bytes_ = 0;
  size_t longest_key_ = 0;
  ColumnTable table_;                      // of the pieces; Finish says where the ranges lie
  uint64_t metadata_bytes_ = 0;            // that the column ranges take at most
  std::vector<Bytes> columns_;             // of all pieces, their metadata column after column: encoded values
  std::vector<SummaryBuilder> summaries_;  // of each column
  Bytes raw_;                              // the raw planes, without checksums
  std::vector<Piece> pieces_;
};

// A decoded scan range: views into the bytes it was made from, which may lie at any address.
class ScanRange {
 public:
  // Throws kCorrupted unless checksum, count and lengths fit `piece` and `shape`, and the factors are neither negative
  // nor NaN. They may be infinite.
  ScanRange(ByteView bytes, const Piece& piece, const SegmentShape& shape, const std::string& key,
            Trust trust = Trust::kVerify);
  size_t count() const { return count_; }
  const float* residual_norms() const { return norms_; }  // may be unaligned: read through kernels or memcpy
  const float* sign_scales() const { return scales_; }    // may be unaligned
  const uint8_t* sign_plane() const { return signs_; }    // interleaved, whole blocks
  ByteView key(size_t i) const;

 private:
  size_t count_ = 0;
  size_t key_width_ = 0;
  const uint8_t* key_ends_ = nullptr;
  ByteView keys_;
  const float* norms_ = nullptr;
  const float* scales_ = nullptr;
  const uint8_t* signs_ = nullptr;
};

// Where an extension range has its factors, which come first, and the code of one entry.
uint64_t ExtensionFactorsEnd(size_t count);
uint64_t ExtensionCodeOffset(const CodeShape& codes, size_t count, size_t i);

// A decoded extension range. Throws and accepts what ScanRange does.
class ExtensionRange {
 public:
  ExtensionRange(ByteView bytes, const Piece& piece, const SegmentShape& shape, const std::string& key,
                 Trust trust = Trust::kVerify);
  CodeFactors factors(size_t i) const;
  const uint8_t* code(size_t i) const { return codes_ + i * code_bytes_; }  // (bits - 1) planes, any alignment

 private:
  const uint8_t* scales_ = nullptr;
  const uint8_t* errors_ = nullptr;
  const uint8_t* codes_ = nullptr;
  size_t code_bytes_ = 0;
};

// One vector of a raw plane, read alone: `bytes` are RawBytes() long and lie at `offset` of the object, which is
// raw_offset + i * RawBytes(). Throws kCorrupted unless checksum and length fit and all elements are finite.
// REQUIRES: vector.size() == shape.codes.dimensions.
void DecodeRaw(ByteView bytes, uint64_t offset, const SegmentShape& shape, const std::string& key,
               std::span<float> vector, Trust trust = Trust::kVerify);

}  // namespace s3v

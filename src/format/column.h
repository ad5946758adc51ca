// A metadata column of one piece: the values of its entries side by side, in one range of its own, so that a filter
// reads the columns that it names and nothing else. FORMAT.md has the grammar.
//
// Values are those of metadata.h. Few distinct ones are a dictionary with a number for each entry, so that a filter
// looks at each of them once; integers and times are offsets from the least; whatever else there is stands as it is.
#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "base/bytes.h"
#include "format/metadata.h"
#include "format/segment.h"

namespace s3v {

// Numbers are stored.
enum class ColumnForm : uint8_t {
  kDictionary = 1,  // distinct values, and which of them each entry has
  kIntegers = 2,    // integers or times
  kFloats = 3,
  kPlain = 4,  // encoded values, one after the other
};

// Appends a column range (frame, body, checksum) in the form that takes the fewest bytes. `values`: of each entry the
// encoded value, exactly one. `offset`: of the range in the object.
void AppendColumnRange(Bytes& out, std::span<const ByteView> values, uint32_t list_id, uint32_t column,
                       const ObjectId& object, uint64_t offset);

// Bytes that a range of so many values has at most, when they are `value_bytes` together.
uint64_t MostColumnBytes(uint64_t count, uint64_t value_bytes);

// A decoded column range: views into the bytes it was made from, which may lie at any address.
class ColumnRange {
 public:
  // `place`: of the piece's column number `column`. Throws kCorrupted unless checksum, count, list, column and lengths
  // fit, and every value is well-formed.
  ColumnRange(ByteView bytes, const ColumnPlace& place, uint32_t column, const Piece& piece, const SegmentShape& shape,
              const std::string& key, Trust trust = Trust::kVerify);

  ColumnForm form() const { return form_; }
  size_t count() const { return count_; }

  // kDictionary: at least one, no two the same.
  size_t distinct_count() const { return distinct_; }
  MetadataValue distinct(size_t number) const;
  uint32_t code(size_t i) const;  // the number of entry i's value

  // Of any form.
  MetadataValue value(size_t i) const;
  void AppendValue(size_t i, Bytes& out) const;  // encoded, as it came

 private:
  void ReadDictionary(Decoder& decoder);
  void ReadIntegers(Decoder& decoder);
  void ReadFloats(Decoder& decoder);
  void ReadPlain(Decoder& decoder);
  bool is_null(size_t i) const { return nulls_ != nullptr && (nulls_[i / 8] >> (i % 8) & 1) != 0; }

  ColumnForm form_ = ColumnForm::kPlain;
  size_t count_ = 0;
  size_t distinct_ = 0;
  uint8_t width_ = 0;               // kDictionary: bits of a number; kIntegers: bytes of an offset
  ValueTag tag_ = ValueTag::kNull;  // kIntegers
  int64_t least_ = 0;               // kIntegers
  const uint8_t* ends_ = nullptr;   // kDictionary, kPlain: of the encoded values
  ByteView values_;
  const uint8_t* nulls_ = nullptr;    // kIntegers, kFloats: a bit for each entry; null: none is NULL
  const uint8_t* numbers_ = nullptr;  // kDictionary: codes; kIntegers: offsets; kFloats: floats
};

}  // namespace s3v

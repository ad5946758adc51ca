#include "format/column.h"

#include <algorithm>
#include <limits>

#include "format/coding.h"
#include "format/column_body.h"
#include "format/items.h"

namespace s3v {
namespace {

constexpr size_t kTagSize = sizeof(ValueTag);

// The number of `bytes` bytes at place i.
inline uint64_t ReadNumberAt(const uint8_t* numbers, size_t bytes, size_t i) {
  switch (bytes) {
    case 0:
      return 0;
    case 1:
      return numbers[i];
    case 2:
      return ReadAt<uint16_t>(numbers, i);
    case 4:
      return ReadAt<uint32_t>(numbers, i);
    default:
      return ReadAt<uint64_t>(numbers, i);
  }
}

// The number of so many bits at place i, of which whole ones lie in each byte, or whole bytes in each of them.
inline uint32_t ReadPacked(const uint8_t* numbers, size_t bits, size_t i) {
  if (bits == 0) return 0;
  if (bits >= kBitsPerByte) return static_cast<uint32_t>(ReadNumberAt(numbers, bits / kBitsPerByte, i));
  return static_cast<uint32_t>(numbers[i * bits / kBitsPerByte] >> (i * bits % kBitsPerByte)) & ((1U << bits) - 1);
}

// A filter opens the column of every list that it reads: with the width known when compiled, this is a cycle or two for
// each entry.
template <size_t kBits>
bool AreBelow(const uint8_t* numbers, size_t count, uint64_t limit) {
  if (limit > (uint64_t{1} << kBits) - 1) return true;
  uint32_t greatest = 0;
  for (size_t i = 0; i < count; ++i) greatest = std::max(greatest, ReadPacked(numbers, kBits, i));
  return greatest < limit;
}

bool AreBelow(const uint8_t* numbers, size_t bits, size_t count, uint64_t limit) {
  switch (bits) {
    case 0:
      return true;
    case 1:
      return AreBelow<1>(numbers, count, limit);
    case 2:
      return AreBelow<2>(numbers, count, limit);
    case 4:
      return AreBelow<4>(numbers, count, limit);
    case 8:
      return AreBelow<8>(numbers, count, limit);
    case 16:
      return AreBelow<16>(numbers, count, limit);
    default:
      return AreBelow<32>(numbers, count, limit);
  }
}

// The greatest of the numbers of `bytes` bytes, or zero where none of them can be beyond `enough`.
uint64_t GreatestNumber(const uint8_t* numbers, size_t bytes, size_t count, uint64_t enough) {
  if (bytes < sizeof(uint64_t) && enough >> (kBitsPerByte * bytes) != 0) return 0;
  uint64_t greatest = 0;
  if (bytes == sizeof(uint64_t)) {
    for (size_t i = 0; i < count; ++i) greatest = std::max(greatest, ReadAt<uint64_t>(numbers, i));
  } else {
    for (size_t i = 0; i < count; ++i) greatest = std::max(greatest, ReadNumberAt(numbers, bytes, i));
  }
  return greatest;
}

// Whether the bits behind so many numbers, up to a whole byte, are zero.
bool EndsWithZeros(const uint8_t* numbers, uint64_t count, uint64_t bits) {
  const uint64_t used = count * bits % kBitsPerByte;
  return used == 0 || numbers[count * bits / kBitsPerByte] >> used == 0;
}

// Whether the bytes are one text and nothing else, which is what most values are that are checked one by one.
bool IsText(ByteView bytes) {
  constexpr size_t kHead = kTagSize + sizeof(uint32_t);
  return bytes.size() >= kHead && bytes[0] == static_cast<uint8_t>(ValueTag::kText) &&
         ReadAt<uint32_t>(bytes.data() + kTagSize, 0) == bytes.size() - kHead;
}

// Reads one value and nothing else of `bytes`, which lie somewhere before the place where `decoder` stands.
void RequireValue(const Decoder& decoder, ByteView bytes) {
  if (IsText(bytes)) return;
  try {
    ReadValue(bytes);
  } catch (const Error& error) {
    decoder.Fail(error.message());
  }
}

const uint8_t* TakeNulls(Decoder& decoder, size_t count) {
  const uint8_t* nulls = decoder.Take(PackedBytes(count, 1)).data();
  if (!EndsWithZeros(nulls, count, 1)) decoder.Fail("bits follow those of the last entry");
  return nulls;
}

void AppendEncoded(Bytes& out, ValueTag tag, const void* number) {
  const size_t start = out.size();
  out.resize(start + kTagSize + sizeof(uint64_t));
  out[start] = static_cast<uint8_t>(tag);
  std::memcpy(out.data() + start + kTagSize, number, sizeof(uint64_t));
}

}  // namespace

ColumnRange::ColumnRange(ByteView bytes, const ColumnPlace& place, uint32_t column, const Piece& piece,
                         const SegmentShape& shape, const std::string& key, Trust trust)
    : count_(piece.count) {
  Decoder decoder = OpenRange(bytes, place.offset, place.length, piece, shape, key, trust);
  if (decoder.Read<uint16_t>() != column) ThrowCorrupted(key, place.offset, "the range belongs to another column");
  form_ = static_cast<ColumnForm>(decoder.ReadNumber(static_cast<int>(ColumnForm::kDictionary),
                                                     static_cast<int>(ColumnForm::kPlain), "form of a column"));
  decoder.RequireZero(kFormFiller);
  switch (form_) {
    case ColumnForm::kDictionary:
      ReadDictionary(decoder);
      break;
    case ColumnForm::kIntegers:
      ReadIntegers(decoder);
      break;
    case ColumnForm::kFloats:
      ReadFloats(decoder);
      break;
    case ColumnForm::kPlain:
      ReadPlain(decoder);
      break;
  }
}

void ColumnRange::ReadDictionary(Decoder& decoder) {
  const uint64_t offset = decoder.offset();
  distinct_ = decoder.Read<uint32_t>();
  if (distinct_ == 0 || distinct_ > count_) {
    decoder.FailAt(offset, std::to_string(distinct_) + " distinct values of " + std::to_string(count_));
  }
  width_ = decoder.Read<uint8_t>();
  if (width_ != CodeBits(distinct_)) decoder.FailAt(offset, "the numbers of the values have another width");
  decoder.RequireZero(kDictionaryFiller);
  numbers_ = decoder.Take(PackedBytes(count_, width_)).data();
  if (!EndsWithZeros(numbers_, count_, width_)) decoder.Fail("bits follow those of the last entry");
  if (!AreBelow(numbers_, width_, count_, distinct_)) decoder.Fail("an entry has a value that does not exist");
  const Items items = TakeDivided(decoder, distinct_, std::numeric_limits<uint32_t>::max());
  ends_ = items.ends;
  values_ = items.bytes;
  for (size_t number = 0; number < distinct_; ++number) {
    const ByteView value = ItemAt(ends_, values_, number);
    RequireValue(decoder, value);
    const bool ascends = number == 0 || std::ranges::lexicographical_compare(ItemAt(ends_, values_, number - 1), value);
    if (!ascends) decoder.Fail("the values of a dictionary are out of order");
  }
}

void ColumnRange::ReadIntegers(Decoder& decoder) {
  const uint64_t offset = decoder.offset();
  tag_ = static_cast<ValueTag>(decoder.Read<uint8_t>());
  if (tag_ != ValueTag::kInteger && tag_ != ValueTag::kTime) decoder.FailAt(offset, "a column of no integers");
  const bool has_nulls = decoder.ReadFlag();
  width_ = decoder.Read<uint8_t>();
  if (width_ > sizeof(uint64_t) || (width_ & (width_ - 1)) != 0) decoder.FailAt(offset, "offsets of another width");
  decoder.RequireZero(kIntegersFiller);
  least_ = decoder.Read<int64_t>();
  if (has_nulls) nulls_ = TakeNulls(decoder, count_);
  numbers_ = TakeItems(decoder, count_, width_);
  const uint64_t room = static_cast<uint64_t>(std::numeric_limits<int64_t>::max()) - static_cast<uint64_t>(least_);
  if (GreatestNumber(numbers_, width_, count_, room) > room) decoder.Fail("an integer is beyond the greatest");
  for (size_t i = 0; has_nulls && i < count_; ++i) {
    if (is_null(i) && ReadNumberAt(numbers_, width_, i) != 0) decoder.Fail("a NULL is not zero");
  }
  if (decoder.left() != 0) decoder.Fail("bytes follow the last entry");
}

void ColumnRange::ReadFloats(Decoder& decoder) {
  const bool has_nulls = decoder.ReadFlag();
  decoder.RequireZero(kFloatsFiller);
  if (has_nulls) nulls_ = TakeNulls(decoder, count_);
  numbers_ = TakeItems(decoder, count_, sizeof(double));
  for (size_t i = 0; has_nulls && i < count_; ++i) {
    if (is_null(i) && ReadAt<uint64_t>(numbers_, i) != 0) decoder.Fail("a NULL is not zero");
  }
  if (decoder.left() != 0) decoder.Fail("bytes follow the last entry");
}

void ColumnRange::ReadPlain(Decoder& decoder) {
  const Items items = TakeDivided(decoder, count_, std::numeric_limits<uint32_t>::max());
  ends_ = items.ends;
  values_ = items.bytes;
  for (size_t i = 0; i < count_; ++i) RequireValue(decoder, ItemAt(ends_, values_, i));
}

MetadataValue ColumnRange::distinct(size_t number) const {
  return MetadataReader(ItemAt(ends_, values_, number)).Next();
}

uint32_t ColumnRange::code(size_t i) const { return ReadPacked(numbers_, width_, i); }

MetadataValue ColumnRange::value(size_t i) const {
  switch (form_) {
    case ColumnForm::kDictionary:
      return distinct(code(i));
    case ColumnForm::kPlain:
      return distinct(i);
    case ColumnForm::kIntegers:
    case ColumnForm::kFloats:
      break;
  }
  MetadataValue value;
  if (is_null(i)) return value;
  if (form_ == ColumnForm::kFloats) {
    value.tag = ValueTag::kFloat;
    value.number = ReadAt<double>(numbers_, i);
  } else {
    value.tag = tag_;
    value.integer = static_cast<int64_t>(static_cast<uint64_t>(least_) + ReadNumberAt(numbers_, width_, i));
  }
  return value;
}

void ColumnRange::AppendValue(size_t i, Bytes& out) const {
  switch (form_) {
    case ColumnForm::kDictionary:
      return Append(out, ItemAt(ends_, values_, code(i)));
    case ColumnForm::kPlain:
      return Append(out, ItemAt(ends_, values_, i));
    case ColumnForm::kIntegers:
    case ColumnForm::kFloats:
      break;
  }
  if (is_null(i)) return Append(out, ValueTag::kNull);
  if (form_ == ColumnForm::kFloats) return AppendEncoded(out, ValueTag::kFloat, numbers_ + i * sizeof(double));
  const uint64_t integer = static_cast<uint64_t>(least_) + ReadNumberAt(numbers_, width_, i);
  AppendEncoded(out, tag_, &integer);
}

}  // namespace s3v

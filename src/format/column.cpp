#include "format/column.h"

#include <algorithm>
#include <array>
#include <limits>
#include <numeric>
#include <vector>

#include "format/coding.h"
#include "format/items.h"

namespace s3v {
namespace {

constexpr uint64_t kBitsPerByte = 8;
constexpr size_t kFormFiller = 1;        // behind the form
constexpr size_t kDictionaryFiller = 3;  // behind the width
constexpr size_t kIntegersFiller = 1;
constexpr size_t kFloatsFiller = 3;
constexpr uint64_t kDictionaryHead = sizeof(uint32_t) + sizeof(uint8_t) + kDictionaryFiller;
constexpr uint64_t kIntegersHead = 3 * sizeof(uint8_t) + kIntegersFiller + sizeof(int64_t);
constexpr uint64_t kFloatsHead = sizeof(uint8_t) + kFloatsFiller;

constexpr size_t kTagSize = sizeof(ValueTag);

// Bits of a number below `values`: a power of two or none, so that none crosses a byte.
uint8_t CodeBits(uint64_t values) {
  for (const uint8_t bits : {0, 1, 2, 4, 8, 16}) {
    if (values <= uint64_t{1} << bits) return bits;
  }
  return 32;
}

// Bytes of a number from 0 to `greatest`.
uint8_t OffsetBytes(uint64_t greatest) {
  if (greatest == 0) return 0;
  for (const uint8_t bytes : {1, 2, 4}) {
    if (greatest >> (kBitsPerByte * bytes) == 0) return bytes;
  }
  return 8;
}

// Bytes that hold so many numbers of so many bits.
uint64_t PackedBytes(uint64_t count, uint64_t bits) { return (count * bits + kBitsPerByte - 1) / kBitsPerByte; }

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

// Whether the bits behind so many numbers, up to a whole byte, are zero.
bool EndsWithZeros(const uint8_t* numbers, uint64_t count, uint64_t bits) {
  const uint64_t used = count * bits % kBitsPerByte;
  return used == 0 || numbers[count * bits / kBitsPerByte] >> used == 0;
}

void AppendPacked(Bytes& out, std::span<const uint32_t> numbers, size_t bits) {
  const size_t start = out.size();
  out.resize(start + PackedBytes(numbers.size(), bits));
  for (size_t i = 0; i < numbers.size() && bits > 0; ++i) {
    const size_t place = i * bits / kBitsPerByte;
    const uint32_t shifted = numbers[i] << (i * bits % kBitsPerByte);
    for (size_t byte = 0; byte * kBitsPerByte < bits; ++byte) {
      out[start + place + byte] |= static_cast<uint8_t>(shifted >> (byte * kBitsPerByte));
    }
  }
}

// The values of a column, looked at once, and what each form would take.
class ColumnWriter {
 public:
  explicit ColumnWriter(std::span<const ByteView> values) : values_(values) {
    decoded_.reserve(values.size());
    for (const ByteView value : values) Look(value);
    offset_bytes_ = OffsetBytes(static_cast<uint64_t>(greatest_) - static_cast<uint64_t>(least_));
    MakeDictionary();
  }

  ColumnForm SmallestForm() const {
    const std::array sizes = {std::pair{DictionarySize(), ColumnForm::kDictionary},
                              std::pair{IntegersSize(), ColumnForm::kIntegers},
                              std::pair{FloatsSize(), ColumnForm::kFloats}, std::pair{PlainSize(), ColumnForm::kPlain}};
    return std::ranges::min(sizes).second;
  }

  void AppendBody(Bytes& out, ColumnForm form) const {
    switch (form) {
      case ColumnForm::kDictionary:
        return AppendDictionary(out);
      case ColumnForm::kIntegers:
        return AppendIntegers(out);
      case ColumnForm::kFloats:
        return AppendFloats(out);
      case ColumnForm::kPlain:
        return AppendDivided(out, values_, std::identity{});
    }
  }

 private:
  static constexpr uint64_t kNever = std::numeric_limits<uint64_t>::max();

  void Look(ByteView bytes) {
    const MetadataValue value = ReadValue(bytes);
    decoded_.push_back(value);
    bytes_ += bytes.size();
    if (value.tag == ValueTag::kNull) {
      ++nulls_;
      return;
    }
    if (tag_ == ValueTag::kNull) {
      tag_ = value.tag;
      least_ = greatest_ = value.integer;
    }
    is_mixed_ |= value.tag != tag_;
    least_ = std::min(least_, value.integer);
    greatest_ = std::max(greatest_, value.integer);
  }

  void MakeDictionary() {
    const auto is_less = [](ByteView a, ByteView b) { return std::ranges::lexicographical_compare(a, b); };
    std::vector<uint32_t> order(values_.size());
    std::iota(order.begin(), order.end(), 0);
    std::ranges::sort(order, is_less, [&](uint32_t i) { return values_[i]; });
    codes_.resize(values_.size());
    for (const uint32_t i : order) {
      if (distinct_.empty() || is_less(distinct_.back(), values_[i])) {
        distinct_.push_back(values_[i]);
        distinct_bytes_ += values_[i].size();
      }
      codes_[i] = static_cast<uint32_t>(distinct_.size() - 1);
    }
  }

  uint64_t NullBytes() const { return nulls_ > 0 ? PackedBytes(values_.size(), 1) : 0; }
  uint64_t DictionarySize() const {
    return kDictionaryHead + PackedBytes(values_.size(), CodeBits(distinct_.size())) + kEndSize * distinct_.size() +
           distinct_bytes_;
  }
  uint64_t IntegersSize() const {
    const bool has_integers = tag_ == ValueTag::kInteger || tag_ == ValueTag::kTime;
    return has_integers && !is_mixed_ ? kIntegersHead + NullBytes() + values_.size() * offset_bytes_ : kNever;
  }
  uint64_t FloatsSize() const {
    const bool has_floats = tag_ == ValueTag::kFloat && !is_mixed_;
    return has_floats ? kFloatsHead + NullBytes() + values_.size() * sizeof(double) : kNever;
  }
  uint64_t PlainSize() const { return kEndSize * values_.size() + bytes_; }

  void AppendDictionary(Bytes& out) const {
    const uint8_t bits = CodeBits(distinct_.size());
    Append(out, static_cast<uint32_t>(distinct_.size()));
    Append(out, bits);
    out.insert(out.end(), kDictionaryFiller, 0);
    AppendPacked(out, codes_, bits);
    AppendDivided(out, distinct_, std::identity{});
  }

  void AppendNulls(Bytes& out) const {
    if (nulls_ == 0) return;
    std::vector<uint32_t> nulls(values_.size());
    for (size_t i = 0; i < nulls.size(); ++i) nulls[i] = decoded_[i].tag == ValueTag::kNull ? 1 : 0;
    AppendPacked(out, nulls, 1);
  }

  void AppendIntegers(Bytes& out) const {
    Append(out, static_cast<uint8_t>(tag_));
    Append(out, static_cast<uint8_t>(nulls_ > 0));
    Append(out, offset_bytes_);
    out.insert(out.end(), kIntegersFiller, 0);
    Append(out, least_);
    AppendNulls(out);
    for (const MetadataValue& value : decoded_) {
      const bool is_null = value.tag == ValueTag::kNull;
      const uint64_t offset = is_null ? 0 : static_cast<uint64_t>(value.integer) - static_cast<uint64_t>(least_);
      const auto* bytes = reinterpret_cast<const uint8_t*>(&offset);
      out.insert(out.end(), bytes, bytes + offset_bytes_);
    }
  }

  void AppendFloats(Bytes& out) const {
    Append(out, static_cast<uint8_t>(nulls_ > 0));
    out.insert(out.end(), kFloatsFiller, 0);
    AppendNulls(out);
    for (const MetadataValue& value : decoded_) Append(out, value.number);  // of a NULL it is zero
  }

  std::span<const ByteView> values_;
  std::vector<MetadataValue> decoded_;
  uint64_t bytes_ = 0;
  uint64_t nulls_ = 0;
  ValueTag tag_ = ValueTag::kNull;  // of the first that is not NULL
  bool is_mixed_ = false;           // others have other tags
  int64_t least_ = 0;
  int64_t greatest_ = 0;
  uint8_t offset_bytes_ = 0;
  std::vector<ByteView> distinct_;  // ascending
  uint64_t distinct_bytes_ = 0;
  std::vector<uint32_t> codes_;
};

// Reads one value and nothing else of `bytes`, which lie somewhere before the place where `decoder` stands.
void RequireValue(const Decoder& decoder, ByteView bytes) {
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

void AppendColumnRange(Bytes& out, std::span<const ByteView> values, uint32_t list_id, uint32_t column,
                       const ObjectId& object, uint64_t offset) {
  const size_t start = out.size();
  const ColumnWriter writer(values);
  const ColumnForm form = writer.SmallestForm();
  Append(out, static_cast<uint32_t>(values.size()));
  Append(out, list_id);
  Append(out, static_cast<uint16_t>(column));
  Append(out, static_cast<uint8_t>(form));
  out.insert(out.end(), kFormFiller, 0);
  writer.AppendBody(out, form);
  AppendRangeChecksum(out, object, start, offset);
}

uint64_t MostColumnBytes(uint64_t count, uint64_t value_bytes) {
  return kFrameSize + sizeof(uint16_t) + sizeof(ColumnForm) + kFormFiller + count * kEndSize + value_bytes;
}

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
  for (size_t i = 0; i < count_; ++i) {
    if (code(i) >= distinct_) decoder.Fail("an entry has a value that does not exist");
  }
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
  for (size_t i = 0; i < count_; ++i) {
    const uint64_t number = ReadNumberAt(numbers_, width_, i);
    if (number > room) decoder.Fail("an integer is beyond the greatest");
    if (number != 0 && is_null(i)) decoder.Fail("a NULL is not zero");
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

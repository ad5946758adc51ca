#include <algorithm>
#include <array>
#include <limits>
#include <numeric>
#include <vector>

#include "format/coding.h"
#include "format/column.h"
#include "format/column_body.h"
#include "format/items.h"

namespace s3v {
namespace {

constexpr uint64_t kDictionaryHead = sizeof(uint32_t) + sizeof(uint8_t) + kDictionaryFiller;
constexpr uint64_t kIntegersHead = 3 * sizeof(uint8_t) + kIntegersFiller + sizeof(int64_t);
constexpr uint64_t kFloatsHead = sizeof(uint8_t) + kFloatsFiller;

// Bytes of a number from 0 to `greatest`.
uint8_t OffsetBytes(uint64_t greatest) {
  if (greatest == 0) return 0;
  for (const uint8_t bytes : {1, 2, 4}) {
    if (greatest >> (kBitsPerByte * bytes) == 0) return bytes;
  }
  return 8;
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

}  // namespace s3v

#include "format/summary.h"

#include <algorithm>
#include <cmath>
#include <compare>
#include <span>

#include "base/decimal.h"
#include "base/error.h"

namespace s3v {
namespace {

constexpr size_t kTextHead = sizeof(ValueTag) + sizeof(uint32_t);

// Whether values of the tag can be a range. True and false are two tags, and never too many to be counted.
bool HasOrder(ValueTag tag) {
  return tag == ValueTag::kInteger || tag == ValueTag::kFloat || tag == ValueTag::kDecimal || tag == ValueTag::kText ||
         tag == ValueTag::kTime;
}

// NaN equals itself and stands above every number, as in PostgreSQL's order.
std::weak_ordering CompareFloats(double a, double b) {
  if (std::isnan(a) || std::isnan(b)) return std::isnan(a) <=> std::isnan(b);
  return a < b ? std::weak_ordering::less : a > b ? std::weak_ordering::greater : std::weak_ordering::equivalent;
}

// Two values of one tag that has an order. Throws kCorrupted for decimals that are none.
std::weak_ordering Compare(const MetadataValue& a, const MetadataValue& b) {
  switch (a.tag) {
    case ValueTag::kFloat:
      return CompareFloats(a.number, b.number);
    case ValueTag::kDecimal:
      return CompareDecimalTexts(a.text, b.text);
    case ValueTag::kText:
      return a.text <=> b.text;
    default:
      return a.integer <=> b.integer;
  }
}

// The value, or what a range keeps of it.
void AppendBound(Bytes& out, ByteView value) {
  const bool is_cut = ReadValue(value).tag == ValueTag::kText && value.size() > kTextHead + kMostSummaryTextBytes;
  if (!is_cut) return Append(out, value);
  Append(out, ValueTag::kText);
  Append(out, static_cast<uint32_t>(kMostSummaryTextBytes));
  Append(out, value.subspan(kTextHead, kMostSummaryTextBytes));
}

// Reads a summary of bytes that are not trusted. What is read is what ViewSummary makes of them.
class SummaryReader {
 public:
  SummaryReader(Decoder& decoder, uint32_t entries) : decoder_(decoder), entries_(entries) {}

  void Check() {
    const uint32_t nulls = decoder_.ReadVarint();
    if (nulls > entries_) decoder_.Fail("a column has more NULLs than entries");
    present_ = entries_ - nulls;
    const auto form = static_cast<SummaryForm>(decoder_.ReadNumber(
        static_cast<int>(SummaryForm::kUnknown), static_cast<int>(SummaryForm::kRange), "form of a summary"));
    if (form == SummaryForm::kValues) CheckValues();
    if (form == SummaryForm::kElements) CheckElements();
    if (form == SummaryForm::kRange) CheckRange();
  }

 private:
  MetadataValue TakeValue(size_t most_bytes) {
    const ByteView rest = decoder_.rest();
    try {
      MetadataReader reader(rest.first(std::min(rest.size(), most_bytes)));
      encoded_ = reader.NextEncoded();
    } catch (const Error& error) {
      decoder_.Fail(error.message());
    }
    decoder_.Take(encoded_.size());
    return ReadValue(encoded_);
  }

  // Counted values, ascending as encoded. Answers the sum of their entries.
  uint64_t CheckCounted() {
    const uint32_t counted = decoder_.ReadVarint();
    if (counted > kMostSummaryValues) decoder_.Fail("a summary of " + std::to_string(counted) + " values");
    uint64_t sum = 0;
    ByteView before;
    for (uint32_t i = 0; i < counted; ++i) {
      const MetadataValue value = TakeValue(kMostSummaryValueBytes);
      const bool is_scalar =
          value.tag != ValueTag::kNull && value.tag != ValueTag::kList && value.tag != ValueTag::kJson;
      if (!is_scalar) decoder_.Fail("a summary counts what is no scalar");
      if (i > 0 && !std::ranges::lexicographical_compare(before, encoded_)) {
        decoder_.Fail("the values of a summary are out of order");
      }
      before = encoded_;
      const uint32_t count = decoder_.ReadVarint();
      if (count == 0 || count > present_) decoder_.Fail("a value has other entries than its column");
      sum += count;
    }
    return sum;
  }

  void CheckValues() {
    if (CheckCounted() != present_) decoder_.Fail("the values of a summary do not add up to its entries");
  }

  void CheckElements() {
    RequirePresent();
    CheckCounted();
  }

  void CheckRange() {
    RequirePresent();
    const bool is_cut = decoder_.ReadFlag();
    const MetadataValue least = TakeValue(kMostSummaryValueBytes);
    const MetadataValue greatest = TakeValue(kMostSummaryValueBytes);
    if (least.tag != greatest.tag || !HasOrder(least.tag)) decoder_.Fail("a range of values without an order");
    if (least.tag == ValueTag::kText && std::max(least.text.size(), greatest.text.size()) > kMostSummaryTextBytes) {
      decoder_.Fail("a range of texts that are too long");
    }
    // A text that was cut is a prefix; prefixes of one length are in the order of the texts.
    if (is_cut && (greatest.tag != ValueTag::kText || greatest.text.size() != kMostSummaryTextBytes)) {
      decoder_.Fail("a range is cut where it cannot be");
    }
    if (!IsInOrder(least, greatest)) decoder_.Fail("the least value of a range is above the greatest");
  }

  bool IsInOrder(const MetadataValue& least, const MetadataValue& greatest) const {
    try {
      return Compare(least, greatest) <= 0;
    } catch (const Error& error) {
      decoder_.Fail(error.message());
    }
  }

  void RequirePresent() const {
    if (present_ == 0) decoder_.Fail("a summary of NULLs has values");
  }

  Decoder& decoder_;
  uint32_t entries_;
  uint32_t present_ = 0;  // entries that are not NULL
  ByteView encoded_;      // of the value that was read last
};

// Numbers as ReadVarint reads them, of bytes that it read before.
uint32_t ViewVarint(ByteView& bytes) {
  uint32_t value = 0;
  size_t size = 0;
  for (int shift = 0;; shift += 7) {
    const uint32_t byte = bytes[size++];
    value |= (byte & 0x7f) << shift;
    if (byte < 0x80) break;
  }
  bytes = bytes.subspan(size);
  return value;
}

}  // namespace

ColumnSummary ReadSummary(Decoder& decoder, uint32_t entries) {
  const ByteView bytes = decoder.rest();
  SummaryReader(decoder, entries).Check();
  return ViewSummary(bytes, entries);
}

ColumnSummary ViewSummary(ByteView bytes, uint32_t entries) {
  ColumnSummary summary;
  summary.entries = entries;
  summary.nulls = ViewVarint(bytes);
  summary.form = static_cast<SummaryForm>(bytes[0]);
  bytes = bytes.subspan(1);
  switch (summary.form) {
    case SummaryForm::kUnknown:
      break;
    case SummaryForm::kValues:
    case SummaryForm::kElements:
      summary.counted = ViewVarint(bytes);
      for (uint32_t i = 0; i < summary.counted; ++i) {
        MetadataReader reader(bytes);
        summary.values[i].value = reader.Next();
        bytes = reader.rest();
        summary.values[i].entries = ViewVarint(bytes);
      }
      break;
    case SummaryForm::kRange: {
      summary.greatest_is_cut = bytes[0] != 0;
      MetadataReader reader(bytes.subspan(1));
      summary.least = reader.Next();
      summary.greatest = reader.Next();
      break;
    }
  }
  return summary;
}

void SummaryBuilder::Add(ByteView value) {
  const uint32_t entry = entries_++;
  const MetadataValue decoded = ReadValue(value);
  if (decoded.tag == ValueTag::kNull) {
    ++nulls_;
    return;
  }
  const bool is_list = decoded.tag == ValueTag::kList;
  (is_list ? has_lists_ : has_scalars_) = true;
  is_opaque_ |= decoded.tag == ValueTag::kJson || (has_lists_ && has_scalars_);
  if (is_opaque_) return;
  if (!is_list) {
    if (has_many_) {
      Widen(decoded, value);
    } else {
      Count(value, entry);
    }
    return;
  }
  MetadataReader elements(decoded.list);
  while (!elements.AtEnd() && !has_many_) Count(elements.NextEncoded(), entry);
}

void SummaryBuilder::Count(ByteView scalar, uint32_t entry) {
  const auto found = values_.find(AsText(scalar));
  if (found != values_.end()) {
    Entries& entries = found->second;
    if (entries.last != entry) ++entries.count;
    entries.last = entry;
    return;
  }
  if (scalar.size() <= kMostSummaryValueBytes && values_.size() < kMostSummaryValues) {
    values_.emplace(AsText(scalar), Entries{.count = 1, .last = entry});
    return;
  }
  has_many_ = true;
  if (has_scalars_) {
    for (const auto& [encoded, entries] : values_) Widen(ReadValue(AsBytes(encoded)), AsBytes(encoded));
    Widen(ReadValue(scalar), scalar);
  }
  values_.clear();
}

void SummaryBuilder::Widen(const MetadataValue& value, ByteView encoded) {
  if (is_opaque_) return;
  if (least_.empty()) {
    is_opaque_ = !HasOrder(value.tag);
    least_ = greatest_ = AsText(encoded);
    return;
  }
  const MetadataValue least = ReadValue(AsBytes(least_));
  is_opaque_ = value.tag != least.tag;
  if (is_opaque_) return;
  if (Compare(value, least) < 0) least_ = AsText(encoded);
  if (Compare(value, ReadValue(AsBytes(greatest_))) > 0) greatest_ = AsText(encoded);
}

void SummaryBuilder::AppendTo(Bytes& out) const {
  AppendVarint(out, nulls_);
  const bool is_range = has_many_ && has_scalars_ && !is_opaque_;
  const bool is_text = is_range && ReadValue(AsBytes(least_)).tag == ValueTag::kText;
  const bool is_too_long = !is_text && std::max(least_.size(), greatest_.size()) > kMostSummaryValueBytes;
  if (is_opaque_ || (has_many_ && !is_range) || (is_range && is_too_long)) {
    Append(out, SummaryForm::kUnknown);
    return;
  }
  if (is_range) {
    Append(out, SummaryForm::kRange);
    Append(out, static_cast<uint8_t>(is_text && greatest_.size() > kTextHead + kMostSummaryTextBytes));
    AppendBound(out, AsBytes(least_));
    AppendBound(out, AsBytes(greatest_));
    return;
  }
  Append(out, has_lists_ ? SummaryForm::kElements : SummaryForm::kValues);
  AppendVarint(out, static_cast<uint32_t>(values_.size()));
  for (const auto& [encoded, entries] : values_) {
    Append(out, AsBytes(encoded));
    AppendVarint(out, entries.count);
  }
}

}  // namespace s3v

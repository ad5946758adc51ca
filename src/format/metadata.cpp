#include "format/metadata.h"

#include <string>

#include "base/error.h"

namespace s3v {
namespace {

[[noreturn]] void Corrupted(const std::string& what) { throw Error(Code::kCorrupted, "corrupted metadata: " + what); }

// Apart from Take, so that the building of texts does not keep the compiler from inlining it: rows are read by the
// million.
[[noreturn]] void TooShort(size_t size, size_t left) {
  Corrupted("a value of " + std::to_string(size) + " bytes where " + std::to_string(left) + " are left");
}

[[noreturn]] void UnknownTag(ValueTag tag) { Corrupted("unknown value tag " + std::to_string(static_cast<int>(tag))); }

inline ByteView Take(ByteView& rest, size_t size) {
  if (size > rest.size()) TooShort(size, rest.size());
  const ByteView taken = rest.first(size);
  rest = rest.subspan(size);
  return taken;
}

template <class T>
T TakeFixed(ByteView& rest) {
  T value;
  std::memcpy(&value, Take(rest, sizeof(T)).data(), sizeof(T));
  return value;
}

std::string_view TakeText(ByteView& rest) {
  const auto length = TakeFixed<uint32_t>(rest);
  return AsText(Take(rest, length));
}

// Reads all but lists; a list inside a list would let hostile bytes nest without bound.
void TakeScalar(ByteView& rest, MetadataValue& value) {
  switch (value.tag) {
    case ValueTag::kNull:
    case ValueTag::kFalse:
    case ValueTag::kTrue:
      return;
    case ValueTag::kInteger:
    case ValueTag::kTime:
      value.integer = TakeFixed<int64_t>(rest);
      return;
    case ValueTag::kFloat:
      value.number = TakeFixed<double>(rest);
      return;
    case ValueTag::kDecimal:
    case ValueTag::kText:
    case ValueTag::kJson:
      value.text = TakeText(rest);
      return;
    case ValueTag::kList:
      break;
  }
  UnknownTag(value.tag);
}

void TakeList(ByteView& rest, MetadataValue& value) {
  value.list_count = TakeFixed<uint32_t>(rest);
  const ByteView elements = rest;
  // No check of the count beforehand: each element takes a byte at least, so a lying count ends with the bytes.
  for (uint32_t i = 0; i < value.list_count; ++i) {
    MetadataValue element;
    element.tag = static_cast<ValueTag>(TakeFixed<uint8_t>(rest));
    if (element.tag == ValueTag::kNull || element.tag == ValueTag::kList || element.tag == ValueTag::kJson) {
      Corrupted("list element of tag " + std::to_string(static_cast<int>(element.tag)));
    }
    TakeScalar(rest, element);
  }
  value.list = elements.first(elements.size() - rest.size());
}

}  // namespace

MetadataValue MetadataReader::Next() {
  if (rest_.empty()) Corrupted("the row ends before its last value");
  MetadataValue value;
  value.tag = static_cast<ValueTag>(TakeFixed<uint8_t>(rest_));
  if (value.tag == ValueTag::kList) {
    TakeList(rest_, value);
  } else {
    TakeScalar(rest_, value);
  }
  return value;
}

ByteView MetadataReader::NextEncoded() {
  const ByteView before = rest_;
  Next();
  return before.first(before.size() - rest_.size());
}

MetadataValue ReadValue(ByteView bytes) {
  MetadataReader reader(bytes);
  const MetadataValue value = reader.Next();
  if (!reader.AtEnd()) Corrupted("bytes follow the value");
  return value;
}

}  // namespace s3v

#include "fuzz/seal.h"

#include "base/checksum.h"
#include "format/coding.h"

namespace s3v::fuzz {
namespace {

constexpr size_t kChecksum = sizeof(uint32_t);

}  // namespace

Bytes SealedObject(ByteView input, char kind, const ObjectId& id) {
  Bytes object;
  AppendHeader(object, {.kind = kind, .index = kIndex, .object = id});
  if (input.size() > kHeaderSize) Append(object, input.subspan(kHeaderSize));
  if (object.size() < kHeaderSize + kChecksum) object.resize(kHeaderSize + kChecksum);
  SealRange(object, kHeaderSize, object.size() - kHeaderSize, id);
  return object;
}

Bytes SealedRange(ByteView input, const ObjectId& id, uint64_t offset) {
  Bytes range(input.begin(), input.end());
  if (range.size() < kChecksum) range.resize(kChecksum);
  const ByteView payload = ByteView(range).first(range.size() - kChecksum);
  const uint32_t checksum = RangeChecksum(id, offset, payload);
  std::memcpy(range.data() + payload.size(), &checksum, kChecksum);
  return range;
}

void SealRange(Bytes& object, uint64_t offset, uint64_t length, const ObjectId& id) {
  if (length < kChecksum || offset > object.size() || length > object.size() - offset) return;
  const uint32_t checksum = RangeChecksum(id, offset, ByteView(object).subspan(offset, length - kChecksum));
  std::memcpy(object.data() + offset + length - kChecksum, &checksum, kChecksum);
}

}  // namespace s3v::fuzz

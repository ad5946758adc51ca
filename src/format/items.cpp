#include "format/items.h"

namespace s3v {

Decoder OpenRange(ByteView bytes, uint64_t offset, uint64_t length, const Piece& piece, const SegmentShape& shape,
                  const std::string& key, Trust trust) {
  if (bytes.size() != length) ThrowCorrupted(key, offset, "the range has another length than the piece");
  Decoder decoder(
      trust == Trust::kVerify ? CheckRange(bytes, shape.object, offset, key) : SkipChecksum(bytes, offset, key), key,
      offset);
  if (decoder.Read<uint32_t>() != piece.count) {
    ThrowCorrupted(key, offset, "the range has another count than the piece");
  }
  if (decoder.Read<uint32_t>() != piece.list_id) ThrowCorrupted(key, offset, "the range belongs to another list");
  return decoder;
}

const uint8_t* TakeItems(Decoder& decoder, uint64_t count, uint64_t size) {
  if (size > 0 && count > decoder.left() / size) decoder.Fail("a length leaves the range");
  return decoder.Take(count * size).data();
}

Items TakeDivided(Decoder& decoder, uint64_t count, uint64_t max_item) {
  const uint64_t offset = decoder.offset();
  const uint8_t* ends = TakeItems(decoder, count, kEndSize);
  const ByteView bytes = decoder.Take(decoder.left());
  uint64_t before = 0;
  for (uint64_t i = 0; i < count; ++i) {
    const auto end = ReadAt<uint32_t>(ends, i);
    if (end < before || end > bytes.size() || end - before > max_item) {
      decoder.FailAt(offset + i * kEndSize, "the end of an item lies outside its plane");
    }
    before = end;
  }
  if (before != bytes.size()) decoder.FailAt(offset, "the ends of the items do not cover their plane");
  return {.ends = ends, .bytes = bytes};
}

ByteView ItemAt(const uint8_t* ends, ByteView bytes, size_t i) {
  const size_t begin = i == 0 ? 0 : ReadAt<uint32_t>(ends, i - 1);
  return bytes.subspan(begin, ReadAt<uint32_t>(ends, i) - begin);
}

Items TakeKeys(Decoder& decoder, KeyKind kind, uint64_t count) {
  if (HasEnds(kind)) return TakeDivided(decoder, count, kMaxKeyBytes);
  const size_t width = KeyWidth(kind);
  const uint8_t* keys = TakeItems(decoder, count, width);
  if (decoder.left() != 0) decoder.Fail("bytes follow the last key");
  return {.ends = nullptr, .bytes = {keys, count * width}};
}

}  // namespace s3v

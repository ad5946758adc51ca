#include "engine/key_reading.h"

namespace s3v {

RangeRequest KeyIndexRange(const LiveSegment& segment) {
  const uint64_t length = segment.info.keys.index_length;
  return {segment.key, segment.info.length - length, length};
}

RangeRequest KeyBlockRange(const LiveSegment& segment, const KeyBlockPlace& block) {
  return {segment.key, block.offset, block.length};
}

RangeRequest KeyPlaneRange(const LiveSegment& segment) {
  return {segment.key, segment.info.keys.offset, segment.info.length - segment.info.keys.offset};
}

std::vector<KeyBlockPlace> OpenKeyIndex(const Navigation& navigation, const LiveSegment& segment, ByteView bytes) {
  return DecodeKeyIndex(bytes, navigation.segment_shape(segment), segment.info.keys, segment.info.length,
                        segment.info.entries, segment.key);
}

KeyBlock OpenKeyBlock(const Navigation& navigation, const LiveSegment& segment, const KeyBlockPlace& block,
                      ByteView bytes) {
  return {bytes, block, navigation.segment_shape(segment), segment.info.entries, segment.key};
}

void ReadDecoded(std::span<const RangeRequest> ranges, const ObjectStore::RangeSink& decode, ObjectStore& store,
                 Stop& stop) {
  std::vector<size_t> damaged;
  store.GetRanges(
      ranges,
      [&](size_t i, ByteView bytes) {
        stop.Check();
        try {
          decode(i, bytes);
        } catch (const Error& error) {
          if (error.code() != Code::kCorrupted) throw;
          store.Forget(ranges.subspan(i, 1));
          damaged.push_back(i);
        }
      },
      stop);
  if (damaged.empty()) return;
  // What was damaged on the way, or in a cache, is whole the next time.
  std::vector<RangeRequest> again;
  for (const size_t i : damaged) again.push_back(ranges[i]);
  store.GetRanges(
      again, [&](size_t i, ByteView bytes) { decode(damaged[i], bytes); }, stop);
}

}  // namespace s3v

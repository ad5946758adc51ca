// Reading the key planes of an open version: what look-ups and comparisons share.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "base/stop.h"
#include "engine/snapshot.h"
#include "format/key_plane.h"
#include "store/object_store.h"

namespace s3v {

// One wave ends where it has asked for so much.
inline constexpr uint64_t kKeyWaveBytes = 32u << 20;

// Always the same ranges, so that a local cache knows them again.
RangeRequest KeyIndexRange(const LiveSegment& segment);
RangeRequest KeyBlockRange(const LiveSegment& segment, const KeyBlockPlace& block);
RangeRequest KeyPlaneRange(const LiveSegment& segment);

// Both throw kCorrupted as the decoders do.
std::vector<KeyBlockPlace> OpenKeyIndex(const Navigation& navigation, const LiveSegment& segment, ByteView bytes);
KeyBlock OpenKeyBlock(const Navigation& navigation, const LiveSegment& segment, const KeyBlockPlace& block,
                      ByteView bytes);

// One wave. `decode` throws kCorrupted for bytes that are damaged, before it has taken anything from them: they are
// asked for once more, and kept by no cache, before that is thrown. The others are handed over once.
void ReadDecoded(std::span<const RangeRequest> ranges, const ObjectStore::RangeSink& decode, ObjectStore& store,
                 Stop& stop);

}  // namespace s3v

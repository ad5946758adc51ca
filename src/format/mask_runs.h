// Runs of positions as bytes: two numbers a run, how many positions lie between it and the run before (or the segment's
// begin) and how many it has. Numbers are LEB128: seven bits a byte, the low ones first, the highest bit set in all
// bytes but the last; no longer than they need to be. A scattered entry takes two bytes or three.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "format/navigation.h"

namespace s3v {

// Throws kInternal for runs that no reader would take.
void AppendMaskRuns(Bytes& out, std::span<const MaskRun> runs);

// `bytes` begin at `offset` of the object. Throws kCorrupted unless they are whole runs, ascending, not touching and
// not empty, all below `entries`.
std::vector<MaskRun> DecodeMaskRuns(ByteView bytes, uint64_t offset, uint32_t entries, const std::string& key);

}  // namespace s3v

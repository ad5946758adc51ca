#include "format/mask_runs.h"

#include <algorithm>

#include "format/coding.h"

namespace s3v {
namespace {

bool EndsNumber(uint8_t byte) { return byte < 0x80; }

}  // namespace

void AppendMaskRuns(Bytes& out, std::span<const MaskRun> runs) {
  uint64_t end = 0;
  for (const MaskRun& run : runs) {
    const bool is_behind = &run == runs.data() || run.first > end;
    if (!is_behind || run.count == 0 || run.count > UINT32_MAX - run.first) {
      throw Error(Code::kInternal, "a mask has a run of " + std::to_string(run.count) + " entries at " +
                                       std::to_string(run.first) + " behind one that ends at " + std::to_string(end));
    }
    AppendVarint(out, static_cast<uint32_t>(run.first - end));
    AppendVarint(out, run.count);
    end = uint64_t{run.first} + run.count;
  }
}

std::vector<MaskRun> DecodeMaskRuns(ByteView bytes, uint64_t offset, uint32_t entries, const std::string& key) {
  Decoder decoder(bytes, key, offset);
  std::vector<MaskRun> runs;
  const auto numbers = std::ranges::count_if(bytes, EndsNumber);
  runs.reserve(static_cast<size_t>(numbers) / 2);
  uint64_t end = 0;
  while (decoder.left() > 0) {
    const uint64_t at = decoder.offset();
    const uint32_t gap = decoder.ReadVarint();
    const uint32_t count = decoder.ReadVarint();
    if (count == 0) decoder.FailAt(at, "a run of a mask is empty");
    if (gap == 0 && !runs.empty()) decoder.FailAt(at, "runs of a mask touch each other");
    const uint64_t first = end + gap;
    end = first + count;
    if (end > entries) decoder.FailAt(at, "a run of a mask leaves its segment");
    runs.push_back({.first = static_cast<uint32_t>(first), .count = count});
  }
  return runs;
}

}  // namespace s3v

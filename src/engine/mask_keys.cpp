#include "engine/mask_keys.h"

#include <algorithm>
#include <string>
#include <vector>

#include "engine/key_lookup.h"

namespace s3v {
namespace {

// Of keys in ascending order, each once.
void MaskBatch(const Navigation& navigation, std::span<const std::string> keys, std::span<const uint8_t> flags,
               LiveMap& live, ObjectStore& store, MaskedKeys* masked, Stop& stop) {
  std::vector<uint8_t> skip;
  for (size_t i = 0; i < navigation.segments.size(); ++i) skip.push_back(live.is_dropped(i) ? 1 : 0);
  std::vector<std::vector<MaskRun>> runs(navigation.segments.size());
  std::vector<bool> is_found(keys.size());
  for (const FoundEntry& entry : FindEntries(navigation, keys, skip, store, stop)) {
    runs[entry.segment].push_back({entry.position, 1});
    if (is_found[entry.key]) continue;
    is_found[entry.key] = true;
    ++masked->found;
    masked->found_flagged += flags[entry.key];
  }
  for (size_t i = 0; i < runs.size(); ++i) {
    if (!runs[i].empty()) live.Mask(i, std::move(runs[i]));
  }
  masked->keys += keys.size();
}

}  // namespace

MaskedKeys MaskKeys(const Navigation& navigation, SortedKeys& keys, size_t memory_bytes,
                    const std::function<void(uint64_t)>& progress, LiveMap& live, ObjectStore& store, Stop& stop) {
  constexpr size_t kLeastKeys = 1024;
  MaskedKeys masked;
  std::vector<std::string> batch;
  std::vector<uint8_t> flags;
  SortedKeys::Reader reader(keys);
  for (bool are_left = true; are_left;) {
    batch.clear();
    flags.clear();
    size_t bytes = 0;
    while ((batch.size() < kLeastKeys || bytes < memory_bytes) && (are_left = reader.Next())) {
      batch.emplace_back(AsText(reader.key()));
      flags.push_back(reader.flag() ? 1 : 0);
      bytes += 2 * sizeof(std::string) + reader.key().size();
    }
    MaskBatch(navigation, batch, flags, live, store, &masked, stop);
    progress(masked.keys);
  }
  return masked;
}

}  // namespace s3v

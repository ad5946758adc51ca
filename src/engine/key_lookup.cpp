#include "engine/key_lookup.h"

#include <algorithm>
#include <tuple>

#include "engine/key_reading.h"
#include "engine/live_map.h"
#include "format/coding.h"

namespace s3v {
namespace {

using Keys = std::span<const std::string>;

// A block, and those of the keys that may lie in it: [from, to).
struct Visit {
  uint32_t segment = 0;
  KeyBlockPlace block;
  size_t from = 0;
  size_t to = 0;
};

// In the order of blocks. Walks both sorted lists, jumping over blocks that no key falls into and keys that no block
// can hold.
std::vector<Visit> PlanVisits(uint32_t segment, std::span<const KeyBlockPlace> blocks, Keys keys) {
  std::vector<Visit> visits;
  if (blocks.empty()) return visits;
  auto from = std::ranges::lower_bound(keys, blocks.front().first_key);
  for (size_t block = 0; from != keys.end() && block < blocks.size(); ++block) {
    block = std::max(block, BlocksOf(blocks, AsBytes(*from)).first);
    const bool is_last = block + 1 == blocks.size();
    // The first key of the next block may be this block's last one as well.
    const auto to = is_last ? keys.end() : std::upper_bound(from, keys.end(), blocks[block + 1].first_key);
    visits.push_back(
        {segment, blocks[block], static_cast<size_t>(from - keys.begin()), static_cast<size_t>(to - keys.begin())});
    if (!is_last) from = *std::prev(to) == blocks[block + 1].first_key ? std::prev(to) : to;
  }
  return visits;
}

class Lookup {
 public:
  Lookup(const Navigation& navigation, Keys keys, ObjectStore& store, Stop& stop)
      : navigation_(navigation), keys_(keys), store_(store), stop_(stop) {}

  // Wave one. By segment, then block.
  std::vector<Visit> ReadIndexes(std::span<const uint8_t> skip) {
    std::vector<uint32_t> segments;
    for (uint32_t i = 0; i < navigation_.segments.size(); ++i) {
      if (skip.empty() || skip[i] == 0) segments.push_back(i);
    }
    std::vector<std::vector<Visit>> found(segments.size());
    ReadInWaves(
        segments.size(), [&](size_t i) { return KeyIndexRange(navigation_.segments[segments[i]]); },
        [&](size_t i, ByteView bytes) {
          const auto blocks = OpenKeyIndex(navigation_, navigation_.segments[segments[i]], bytes);
          found[i] = PlanVisits(segments[i], blocks, keys_);
        });
    std::vector<Visit> visits;
    for (std::vector<Visit>& of_segment : found) std::ranges::move(of_segment, std::back_inserter(visits));
    return visits;
  }

  // Wave two.
  std::vector<FoundEntry> ReadBlocks(std::span<const Visit> visits) {
    std::vector<FoundEntry> found;
    ReadInWaves(
        visits.size(),
        [&](size_t i) { return KeyBlockRange(navigation_.segments[visits[i].segment], visits[i].block); },
        [&](size_t i, ByteView bytes) { Find(visits[i], bytes, &found); });
    std::ranges::sort(found, {}, [](const FoundEntry& entry) { return std::tie(entry.segment, entry.position); });
    return found;
  }

 private:
  // As few waves as fit the memory: one, but for very many keys.
  void ReadInWaves(size_t count, const std::function<RangeRequest(size_t)>& range_of,
                   const ObjectStore::RangeSink& decode) {
    for (size_t first = 0; first < count;) {
      std::vector<RangeRequest> wave;
      for (uint64_t bytes = 0; first + wave.size() < count && bytes < kKeyWaveBytes; bytes += wave.back().length)
        wave.push_back(range_of(first + wave.size()));
      ReadDecoded(
          wave, [&](size_t i, ByteView range) { decode(first + i, range); }, store_, stop_);
      first += wave.size();
    }
  }

  // Both sorted, so both are walked once.
  void Find(const Visit& visit, ByteView bytes, std::vector<FoundEntry>* found) const {
    const LiveSegment& segment = navigation_.segments[visit.segment];
    const KeyBlock block = OpenKeyBlock(navigation_, segment, visit.block, bytes);
    size_t key = visit.from;
    for (size_t i = block.LowerBound(AsBytes(keys_[key])); i < block.count(); ++i) {
      const KeyEntry entry = block.entry(i);
      while (key < visit.to && keys_[key] < AsText(entry.key)) ++key;
      if (key == visit.to) return;
      if (keys_[key] == AsText(entry.key) && CountCovered(segment.masked, entry.position, 1) == 0)
        found->push_back({visit.segment, entry.position, static_cast<uint32_t>(key)});
    }
  }

  const Navigation& navigation_;
  const Keys keys_;
  ObjectStore& store_;
  Stop& stop_;
};

}  // namespace

std::vector<FoundEntry> FindEntries(const Navigation& navigation, std::span<const std::string> keys,
                                    std::span<const uint8_t> skip, ObjectStore& store, Stop& stop) {
  if (keys.empty()) return {};
  Lookup lookup(navigation, keys, store, stop);
  return lookup.ReadBlocks(lookup.ReadIndexes(skip));
}

std::vector<uint64_t> ReadContentHashes(const Navigation& navigation, size_t segment, ObjectStore& store, Stop& stop) {
  const LiveSegment& live = navigation.segments[segment];
  const RangeRequest plane = KeyPlaneRange(live);
  std::vector<uint64_t> hashes;
  const auto decode = [&](size_t, ByteView bytes) {
    hashes.assign(live.info.entries, 0);
    std::vector<bool> is_there(live.info.entries);
    for (const KeyBlockPlace& place : OpenKeyIndex(navigation, live, bytes.last(live.info.keys.index_length))) {
      const ByteView range = bytes.subspan(place.offset - plane.offset, place.length);
      const KeyBlock block = OpenKeyBlock(navigation, live, place, range);
      for (size_t i = 0; i < block.count(); ++i) {
        const KeyEntry entry = block.entry(i);
        if (is_there[entry.position])
          ThrowCorrupted(live.key, place.offset, "two keys have position " + std::to_string(entry.position));
        is_there[entry.position] = true;
        hashes[entry.position] = entry.content_hash;
      }
    }
  };
  ReadDecoded({&plane, 1}, decode, store, stop);
  return hashes;
}

}  // namespace s3v

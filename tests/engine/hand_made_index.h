// Versions of several deltas, put together segment by segment, and what they should hold.
#pragma once

#include <algorithm>
#include <map>
#include <memory>
#include <ostream>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "base/random.h"
#include "base/stop.h"
#include "engine/snapshot.h"
#include "format/key_plane.h"
#include "format/manifest.h"
#include "format/names.h"
#include "format/navigation.h"
#include "format/segment.h"
#include "store/memory_store.h"

namespace s3v::testing {

// An entry by what this is about: its code is random.
struct KeyAndHash {
  std::string key;
  uint64_t hash = 0;
  bool operator==(const KeyAndHash&) const = default;
};
inline void PrintTo(const KeyAndHash& entry, std::ostream* out) { *out << entry.key << ":" << entry.hash; }

class HandMadeIndex {
 public:
  static constexpr uint32_t kLists = 3;

  struct Segment {
    SegmentInfo info;
    std::vector<KeyAndHash> entries;  // by position
    std::vector<bool> masked;
  };

  explicit HandMadeIndex(KeyKind kind = KeyKind::kText, bool has_duplicates = false, RawPlane raw = RawPlane::kNone)
      : store(MakeMemoryStore()) {
    shape.dimensions = 64;
    shape.bits = 2;
    shape.key_kind = kind;
    shape.raw = raw;
    shape.metadata_columns = 1;
    shape.has_duplicates = has_duplicates;
    names.index = {7, 7, 7};
    WriteBase();
  }

  // Entries get positions in their order, and lie in the lists one part after the other. Answers the segment's place in
  // `segments`, which is its place in the version unless one before it dies.
  size_t AddSegment(std::vector<KeyAndHash> entries) {
    Segment segment;
    segment.entries = std::move(entries);
    segment.masked.resize(segment.entries.size());
    segment.info.id = RandomId();
    SegmentShape of_segment = navigation_shape();
    of_segment.object = segment.info.id;
    SegmentWriter writer(of_segment);
    const size_t share = segment.entries.size() / kLists + 1;
    for (uint32_t list = 0; list * share < segment.entries.size(); ++list) {
      const size_t first = list * share;
      AddPiece(writer, list,
               std::span(segment.entries).subspan(first, std::min(share, segment.entries.size() - first)));
    }
    WrittenSegment written = writer.Finish();
    segment.info.length = written.object.size();
    segment.info.entries = written.entries;
    segment.info.keys = written.keys;
    segment.info.summaries = written.summaries;
    Put(SegmentKey(names.index, segment.info.id), written.object);
    for (Piece& piece : written.pieces) {
      piece.segment = static_cast<uint32_t>(delta_.segments.size());
      delta_.columns.Append(written.columns, shape.metadata_columns, piece);
      delta_.pieces.push_back(piece);
    }
    delta_.segments.push_back(segment.info);
    segments.push_back(std::move(segment));
    return segments.size() - 1;
  }

  // Told by the next delta.
  void Mask(size_t segment, uint32_t first, uint32_t count) {
    for (uint32_t i = 0; i < count; ++i) segments[segment].masked[first + i] = true;
    masks_[segments[segment].info.id].push_back({first, count});
  }

  void WriteDelta() {
    delta_.shape = shape;
    delta_.state.base = names.base.id;
    delta_.state.rows = delta_.state.entries = live();
    for (const auto& [id, runs] : masks_) delta_.masks.push_back({.segment = id, .runs = runs});
    const ObjectId id = RandomId();
    const Bytes object = EncodeDelta(delta_, names.index, id);
    names.deltas.push_back({id, object.size()});
    Put(NavigationKey(names.index, id), object);
    delta_ = {};
    masks_.clear();
  }

  // After the last delta.
  std::shared_ptr<const Navigation> Open() {
    NeverStop stop;
    return NavigationCache().Open(names, *store, stop);
  }

  Manifest MakeManifest() const {
    Manifest made;
    made.index = names.index;
    made.id = manifest;
    made.metric = Metric::kL2;
    made.dimensions = shape.dimensions;
    made.key_kind = shape.key_kind;
    made.entries = made.rows = live();
    made.lists = kLists;
    made.base = names.base;
    made.deltas = names.deltas;
    for (const Segment& segment : segments) made.segments.push_back({segment.info.id, segment.info.length});
    return made;
  }
  void WriteManifest(const Manifest& made) { Put(ManifestKey(names.index, manifest), EncodeManifest(made)); }
  void WriteManifest() { WriteManifest(MakeManifest()); }

  uint64_t live() const {
    uint64_t count = 0;
    for (const Segment& segment : segments) count += static_cast<uint64_t>(std::ranges::count(segment.masked, false));
    return count;
  }
  // Live entries, by key.
  std::multimap<std::string, uint64_t> Contents() const {
    std::multimap<std::string, uint64_t> contents;
    for (const Segment& segment : segments) {
      for (size_t i = 0; i < segment.entries.size(); ++i) {
        if (!segment.masked[i]) contents.emplace(segment.entries[i].key, segment.entries[i].hash);
      }
    }
    return contents;
  }

  std::string KeyOf(size_t segment) const { return SegmentKey(names.index, segments[segment].info.id); }
  Bytes Get(const std::string& key) {
    NeverStop stop;
    return store->Get(key, UINT64_MAX, stop);
  }
  void Put(const std::string& key, ByteView bytes) {
    NeverStop stop;
    store->Put(key, bytes, ObjectStore::PutMode::kOverwrite, stop);
  }
  void Delete(const std::string& key) {
    NeverStop stop;
    store->Delete({&key, 1}, stop);
  }

  std::unique_ptr<ObjectStore> store;
  IndexShape shape;
  VersionNames names;
  ObjectId manifest = {9, 9};
  std::vector<Segment> segments;

 private:
  SegmentShape navigation_shape() const {
    return {.index = names.index,
            .object = {},
            .codes = {.dimensions = shape.dimensions, .bits = shape.bits},
            .key_kind = shape.key_kind,
            .metadata_columns = shape.metadata_columns,
            .raw = shape.raw};
  }

  void WriteBase() {
    const AssignmentSpace space{.metric = Metric::kL2, .dimensions = shape.dimensions};
    const Rotation rotation(shape.dimensions, 1);
    std::vector<float> centroids;
    for (uint32_t i = 0; i < kLists * shape.dimensions; ++i) centroids.push_back(static_cast<float>(i % 17));
    NavigationBaseParts parts{.space = space,
                              .rotation_seed = 1,
                              .first_list = {0, kLists},
                              .parents = QuantizeCentroids(space, rotation, std::vector<float>(shape.dimensions)),
                              .lists = QuantizeCentroids(space, rotation, centroids),
                              .list_ids = {},
                              .next_list_id = kLists};
    for (uint32_t list = 0; list < kLists; ++list) parts.list_ids.push_back(list);
    names.base.id = RandomId();
    const Bytes base = EncodeBase(parts, names.index, names.base.id);
    names.base.length = base.size();
    Put(NavigationKey(names.index, names.base.id), base);
  }

  void AddPiece(SegmentWriter& writer, uint32_t list, std::span<const KeyAndHash> part) {
    std::vector<uint64_t> words(2 * part.size());
    for (uint64_t& word : words) word = random_.Next();
    const std::vector<float> vector(shape.dimensions, 0.5F);
    std::vector<Entry> entries;
    for (size_t i = 0; i < part.size(); ++i) {
      entries.push_back({.key = AsBytes(part[i].key),
                         .signs = std::span(words).subspan(2 * i, 1),
                         .extension = std::span(words).subspan(2 * i + 1, 1),
                         .sign_factors = {1, 2},
                         .code_factors = {3, 4},
                         .vector = vector,
                         .metadata = AsBytes("\x03________"),
                         .content_hash = part[i].hash});
    }
    writer.AddPiece(list, entries);
  }

  Random random_{1};
  NavigationDelta delta_;                           // the next one
  std::map<ObjectId, std::vector<MaskRun>> masks_;  // of it; runs ascending as long as Mask is called so
};

// Keys with one long beginning, numbers in their ends: "...00017".
inline std::string TextKey(uint64_t number) {
  std::string digits = std::to_string(number);
  return "a common beginning of all keys " + std::string(8 - std::min<size_t>(8, digits.size()), '0') + digits;
}

inline std::vector<KeyAndHash> TextEntries(std::span<const uint64_t> numbers) {
  std::vector<KeyAndHash> entries;
  for (const uint64_t number : numbers) entries.push_back({TextKey(number), number * 7 + 1});
  return entries;
}

// `count` different numbers below `limit`, in random order.
inline std::vector<uint64_t> Numbers(size_t count, uint64_t limit, uint64_t seed) {
  Random random(seed);
  std::vector<uint64_t> all(limit);
  for (uint64_t i = 0; i < limit; ++i) all[i] = i;
  for (size_t i = 0; i < count; ++i) std::swap(all[i], all[i + random.Below(limit - i)]);
  all.resize(count);
  return all;
}

}  // namespace s3v::testing

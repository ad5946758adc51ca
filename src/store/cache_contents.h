// What the local cache holds, as far as this process knows. Processes tell each other through the journal: whoever adds
// a pack appends its directory, whoever evicts writes a new journal. A look at the state file shows whether there is
// news.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "store/cache_directory.h"
#include "store/cache_pack.h"
#include "store/range_index.h"

namespace s3v {

struct KnownPack {
  ObjectId id{};
  uint64_t file_bytes = 0;
  uint64_t disk_bytes = 0;
  bool is_gone = false;     // this process met it missing or damaged
  int64_t touched_ms = -1;  // when this process last said that it is in use; -1: never
};

class CacheContents {
 public:
  // `directory` must outlive this.
  explicit CacheContents(CacheDirectory* directory) : directory_(*directory) {}

  // Learns what is new. False if journal or state are damaged or missing; what could be read is known then.
  bool Refresh();
  void Clear();

  // Nothing if no pack holds exactly this range. Valid, as is pack(), until the next call that changes something.
  IndexedRange* Find(const PackEntry& range);
  KnownPack& pack(uint32_t number) { return packs_[number]; }
  void MarkGone(const ObjectId& pack);

  // What all files occupy, by the journal; that of packs that are gone is counted until the next eviction.
  uint64_t held_bytes() const;
  // What one pack more would add.
  static uint64_t RoomFor(const PackDirectory& directory);

  // Adds a pack that has its name already. REQUIRES (for both): the lock is held, Refresh was called since.
  bool Append(const Fd& lock, const PackDirectory& directory);
  // Evicts what was used least recently until everything, and `needed` bytes more, fit into `max_bytes`; with some to
  // spare, so that it is done rarely. Counts and repairs on the way: packs that the journal does not know are taken in,
  // those that are missing are left out, damaged ones removed. False if there is not enough to remove.
  bool MakeRoom(const Fd& lock, uint64_t needed, uint64_t max_bytes);

 private:
  bool ReadNews(const JournalState& state);
  void Add(const PackDirectory& directory);
  std::vector<PackDirectory> KnownDirectories() const;
  std::optional<PackDirectory> ReadDirectoryOf(const FoundPack& found);
  bool WriteNewJournal(const Fd& lock, const std::vector<PackDirectory>& directories);

  CacheDirectory& directory_;
  JournalState read_;  // how far the journal is known
  std::vector<KnownPack> packs_;
  uint64_t packs_disk_bytes_ = 0;
  RangeIndex index_;
};

}  // namespace s3v

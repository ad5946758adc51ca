// What was read from object stores, kept on the machine's own disk and shared by all backends.
//
// Two kinds of files, both written to a random temporary name, then renamed, then only read; eviction is unlink alone
// (a mapped file must never shrink). *Packs* hold the ranges of one wave, each with its own checksum; they are read
// with pread. *Navigation objects* are single objects, mapped read-only and verified once per process.
// docs/design/cache.md.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/stop.h"
#include "store/object_store.h"

namespace s3v {

struct LocalCacheConfig {
  std::string directory;                // absolute; created (0700) when missing; ours alone, and no symbolic link
  uint64_t max_bytes = 0;               // of all files together, as the file system counts them
  std::string store = {};               // whose objects: what one store gave is never taken for another's
  const Clock* clock = &SystemClock();  // must outlive the cache
};

// Never throws for want of disk, rights or memory: what cannot be kept is not kept, what cannot be read is a miss.
// Used from one thread at a time; any number of processes share a directory.
class LocalCache {
 public:
  explicit LocalCache(const LocalCacheConfig& config);
  ~LocalCache();

  // Part of an object, if some pack holds exactly this range: its bytes in `*bytes` (verified once per process and
  // pack entry).
  bool Read(const RangeRequest& range, Bytes* bytes);
  // Parts of such a range. The first time that this process asks, all of it is read for its checksum.
  bool ReadParts(const RangeRequest& range, std::span<const ObjectStore::Part> parts);
  bool Contains(const RangeRequest& range);
  // Hands the ranges that are there to `sink`; the answer is the others. What the sink throws comes through, as what
  // `stop` does.
  std::vector<size_t> ReadAll(std::span<const RangeRequest> ranges, const ObjectStore::RangeSink& sink, Stop& stop);
  // Between these two (they nest), files that were read from stay open. Otherwise none does, so that an idle process
  // holds no space of files that others evicted.
  void BeginReads();
  void EndReads();
  // Bytes that a caller found damaged: the pack that holds them is removed.
  void Forget(const RangeRequest& range);

  // Collects the ranges of a wave; Commit keeps them, as one pack or, where they are many, some (nothing when empty).
  // Of one wave 32 MiB are kept, or one range. A range of more than a quarter of max_bytes is not. A writer that is
  // destroyed without Commit leaves nothing. It must not outlive the cache.
  class PackWriter {
   public:
    virtual ~PackWriter() = default;
    virtual void Add(const RangeRequest& range, ByteView bytes) = 0;
    // The range is not to be kept, whether it was added or will be.
    virtual void Drop(const RangeRequest& range) = 0;
    virtual void Commit() = 0;
  };
  std::unique_ptr<PackWriter> NewPack();

  // A whole object, mapped. `verify` is called once per process and file before it is handed out, and throws if the
  // bytes are not the object; the file is then removed and the answer is null, as it is when the object is not there.
  // Where the directory is not on a local file system the bytes are read instead of mapped.
  std::shared_ptr<const MappedObject> Map(const ObjectKey& key, uint64_t length,
                                          const std::function<void(ByteView)>& verify);
  // Keeps a whole object for Map, unless it is larger than half of max_bytes.
  void Keep(const ObjectKey& key, ByteView object);

  // Bytes that may still be written before something must go; and what is held, as far as this process knows.
  uint64_t free_bytes();
  uint64_t held_bytes();
  // How often the file system refused to keep something; after each time nothing is tried for a while.
  uint64_t write_failures() const;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace s3v

// How packs come into the local cache: written under a temporary name, given their name under the lock once there is
// room, then told to all.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "base/clock.h"
#include "store/cache_contents.h"
#include "store/cache_directory.h"
#include "store/cache_pack.h"
#include "store/range_index.h"

namespace s3v {

// A pack being written.
struct PackDraft {
  std::unique_ptr<CacheTemporary> file;
  uint64_t payload_bytes = 0;
  PackDirectory directory = {};
};

// After a write failed (a full disk, a directory that refuses), it writes nothing for ten seconds.
class CacheWriter {
 public:
  // All must outlive this.
  CacheWriter(CacheDirectory* directory, CacheContents* contents, const Clock* clock, uint64_t max_bytes)
      : directory_(*directory), contents_(*contents), clock_(*clock), max_bytes_(max_bytes) {}

  // Without a file if none can be made now.
  PackDraft NewDraft();
  bool Write(PackDraft* draft, ByteView bytes);
  // False if it was not kept: no room to be had, or others hold the lock for too long.
  bool Publish(PackDraft* draft);

  CacheContents& contents() { return contents_; }
  uint64_t max_bytes() const { return max_bytes_; }
  uint64_t failures() const { return failures_; }

 private:
  bool Pause();  // false
  bool Fail();   // false; the file system refused

  CacheDirectory& directory_;
  CacheContents& contents_;
  const Clock& clock_;
  uint64_t max_bytes_;
  bool has_swept_ = false;
  int64_t swept_ms_ = 0;
  bool is_paused_ = false;
  int64_t write_again_ms_ = 0;
  uint64_t failures_ = 0;
};

// What one wave brings, or one object.
class WaveDraft {
 public:
  // `writer` must outlive this.
  explicit WaveDraft(CacheWriter* writer) : writer_(*writer) {}

  // `range` says object, offset and length; `bytes` are as many. Passed over: what is known already, or longer than
  // `limit`, or beyond what one wave keeps. May throw std::bad_alloc, as Drop and Commit.
  void Add(PackEntry range, ByteView bytes, uint64_t limit);
  void Drop(const PackEntry& range);
  void Commit();
  void Clear() { packs_.clear(); }

 private:
  bool StartPack();

  CacheWriter& writer_;
  std::vector<PackDraft> packs_;
  uint64_t total_bytes_ = 0;
  RangeIndex seen_;  // added or dropped
  bool has_failed_ = false;
};

}  // namespace s3v

// The local cache's directory: names, the lock, the state that all processes share, temporary files.
//
//   state-1             the lock, and which journal is in force, how far it is written
//   journal-1-<id>      see cache_pack.h
//   pack-1-<id>
//   tmp/<id>            being written, each locked by its writer
//
// The number in a name is the version of the format. Nothing here throws for what a file system refuses.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/random.h"
#include "store/file_tree.h"

namespace s3v {

enum class CacheFile { kPack, kJournal };

std::string CacheFileName(CacheFile kind, const ObjectId& id);

struct JournalState {
  ObjectId journal{};
  uint64_t length = 0;  // bytes of the journal that are written; what follows is not
};

struct FoundPack {
  ObjectId id{};
  uint64_t size = 0;
  uint64_t disk_bytes = 0;
  int64_t used_ns = 0;  // nanoseconds since 1970; see CacheDirectory::Touch
};

uint64_t DiskBytes(const struct stat& info);

// A file that no reader sees before it got its name, and that vanishes otherwise. A process that was killed leaves it
// behind without its lock, by which others know.
class CacheTemporary {
 public:
  CacheTemporary(std::shared_ptr<const Fd> directory, Fd file, std::string name)
      : directory_(std::move(directory)), file_(std::move(file)), name_(std::move(name)) {}
  ~CacheTemporary();
  CacheTemporary(const CacheTemporary&) = delete;
  CacheTemporary& operator=(const CacheTemporary&) = delete;

  // False if someone took the file for abandoned already.
  bool Lock();
  bool Write(ByteView bytes);
  // 0 if the file system does not say.
  uint64_t disk_bytes() const;
  bool RenameTo(const std::string& name);

 private:
  std::shared_ptr<const Fd> directory_;
  Fd file_;
  std::string name_;
  bool has_name_ = false;
};

class CacheDirectory {
 public:
  explicit CacheDirectory(std::string path) : path_(std::move(path)) {}

  // Makes the directory where it is missing (not its parents). False if it cannot be used: not ours, a symbolic link,
  // or others may write there.
  bool Open();
  bool is_open() const { return directory_ != nullptr; }
  bool is_local() const { return is_local_; }

  // Held until the descriptor is closed. Nothing if others hold it for longer than 50 ms, or if it cannot be had.
  std::optional<Fd> Lock();
  // Nothing if there is no sound state. Without the lock, it may also be that it was being written.
  std::optional<JournalState> ReadState();
  // REQUIRES: `lock` is held.
  bool WriteState(const Fd& lock, const JournalState& state);

  Fd OpenToRead(CacheFile kind, const ObjectId& id);
  // The part of a file; empty if it is not all there.
  Bytes ReadPart(CacheFile kind, const ObjectId& id, uint64_t offset, uint64_t length);
  // Writes over what follows the journal's written part. REQUIRES: the lock is held.
  bool WriteJournal(const ObjectId& id, uint64_t offset, ByteView bytes);
  // False if the file is still there.
  bool Unlink(CacheFile kind, const ObjectId& id);
  // Says that a pack is in use.
  void Touch(const ObjectId& pack);

  // Nothing if the directory refuses, or vanished.
  std::unique_ptr<CacheTemporary> NewTemporary();
  // What killed processes left half-written.
  void RemoveAbandoned();

  // All packs. Files of other versions, and journals other than `journal`, are removed on the way; files whose names
  // are not of the cache's making are none of its business. Nothing if the directory cannot be listed. REQUIRES: the
  // lock is held.
  std::optional<std::vector<FoundPack>> ListPacks(const ObjectId& journal);

 private:
  int fd() const { return directory_ ? directory_->get() : -1; }

  std::string path_;
  std::shared_ptr<const Fd> directory_;  // files being written hold it, too
  bool is_local_ = false;
};

// Fills `out` from `offset`; false if the file ends before, or cannot be read.
bool ReadFully(const Fd& file, uint64_t offset, std::span<uint8_t> out);

}  // namespace s3v

// Keys in any order in, ascending and each once out. What does not fit into memory spills.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "base/bytes.h"
#include "base/spill.h"

namespace s3v {

// Add*, then any number of readers.
class SortedKeys {
 public:
  SortedKeys(SpillFactory& spill, size_t memory_bytes) : spill_(spill), memory_bytes_(memory_bytes) {}
  // Copies. Keys may come more than once; a reader's flag says whether any of them was flagged.
  void Add(ByteView key, bool flag);
  bool empty() const { return keys_.empty() && runs_.empty(); }

  class Reader;

 private:
  friend class Reader;
  struct Key {
    size_t offset;  // in bytes_
    uint32_t size;
    bool flag;
  };
  struct Run {
    uint64_t offset;
    uint64_t size;
  };
  ByteView View(const Key& key) const { return ByteView(bytes_).subspan(key.offset, key.size); }
  void Sort();
  void Spill();

  SpillFactory& spill_;
  const size_t memory_bytes_;
  Bytes bytes_;
  std::vector<Key> keys_;
  std::vector<Run> runs_;  // sorted; (size u32, flag u32, key){keys}
  std::unique_ptr<SpillFile> file_;
  uint64_t file_size_ = 0;
};

// Nothing may be added while there is one.
class SortedKeys::Reader {
 public:
  explicit Reader(SortedKeys& keys);
  ~Reader();
  // False at the end. The view lives until the next call.
  bool Next();
  ByteView key() const { return key_; }
  bool flag() const { return flag_; }

 private:
  class Source;
  static bool IsLater(const std::unique_ptr<Source>& a, const std::unique_ptr<Source>& b);

  std::vector<std::unique_ptr<Source>> heap_;  // the least key first
  Bytes key_;
  bool flag_ = false;
};

}  // namespace s3v

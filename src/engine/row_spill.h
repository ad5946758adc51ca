// The rows of a build: appended once, then read front to back as often as needed. What does not fit into memory spills.
#pragma once

#include <cstdint>
#include <memory>
#include <span>

#include "base/bytes.h"
#include "base/spill.h"

namespace s3v {

// Bytes appended and read back by place. Small contents stay in memory and never make a file.
class SpillBuffer {
 public:
  SpillBuffer(SpillFactory& spill, size_t buffer_bytes) : spill_(spill), capacity_(buffer_bytes) {}
  void Append(ByteView bytes);
  // REQUIRES: the range was appended.
  void ReadAt(uint64_t offset, std::span<uint8_t> out);
  uint64_t size() const { return spilled_ + buffer_.size(); }

 private:
  SpillFactory& spill_;
  const size_t capacity_;
  Bytes buffer_;  // the end
  uint64_t spilled_ = 0;
  std::unique_ptr<SpillFile> file_;
};

// Vectors, which most passes need alone, lie apart from keys, metadata and content hashes.
class RowSpill {
 public:
  RowSpill(SpillFactory& spill, size_t dimensions, size_t buffer_bytes);
  void Append(ByteView key, std::span<const float> vector, ByteView metadata);
  uint64_t rows() const { return rows_; }
  // Fills `out` with the vectors of out.size() / dimensions rows from `first` on.
  void ReadVectors(uint64_t first, std::span<float> out);

  // Keys and metadata, front to back.
  class Payloads {
   public:
    explicit Payloads(RowSpill& rows, size_t buffer_bytes = 256 * 1024) : rows_(rows), buffer_bytes_(buffer_bytes) {}
    // The next row's; views until the next call. REQUIRES: called at most rows() times.
    void Next();
    ByteView key() const { return key_; }
    ByteView metadata() const { return metadata_; }
    uint64_t content_hash() const { return content_hash_; }  // of the row (format/content_hash.h)

   private:
    ByteView Take(size_t size);

    RowSpill& rows_;
    const size_t buffer_bytes_;
    Bytes buffer_;
    size_t taken_ = 0;
    uint64_t offset_ = 0;  // behind the buffer
    ByteView key_;
    ByteView metadata_;
    uint64_t content_hash_ = 0;
  };

 private:
  const size_t dimensions_;
  uint64_t rows_ = 0;
  SpillBuffer vectors_;
  SpillBuffer payloads_;  // (key size u32, metadata size u32, content hash u64, key, metadata){rows}
};

}  // namespace s3v

// The bytes of the local cache's packs and of its journal. Pure. docs/design/cache.md has the grammar.
//
// A pack is payloads, then its directory, then a tail that says how long the directory is: so it can be written as the
// ranges arrive. The journal is the directories of all packs, one after the other.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "base/bytes.h"
#include "base/random.h"

namespace s3v {

// The offset of an entry that is a whole object, kept to be mapped. No range has it.
inline constexpr uint64_t kWholeObject = ~uint64_t{0};

// Longer ranges are not kept: positions in a pack have 32 bits.
inline constexpr uint64_t kMaxEntryLength = uint64_t{1} << 31;

// Where a pack holds one range of an object; as it is stored.
struct PackEntry {
  ObjectId object{};      // which object of which store: first half of a SHA-256
  uint64_t offset = 0;    // in the object
  uint32_t length = 0;    // bytes
  uint32_t position = 0;  // in the pack
  uint32_t crc = 0;       // CRC32C of the bytes
  uint32_t unused = 0;    // 0
};
static_assert(sizeof(PackEntry) == 40);

inline bool IsSameRange(const PackEntry& a, const PackEntry& b) {
  return a.offset == b.offset && a.length == b.length && a.object == b.object;
}

struct PackDirectory {
  ObjectId id{};            // also the pack's name
  uint64_t file_bytes = 0;  // the size of the pack
  uint64_t disk_bytes = 0;  // what it occupies; known to the journal only, 0 in the pack itself
  std::vector<PackEntry> entries;
};

inline constexpr size_t kPackTailBytes = 16;

Bytes EncodeDirectory(const PackDirectory& directory);

// The directory at the beginning of `bytes`, and how long it is; nothing if there is no sound one. The entries of a
// sound one lie within the file.
// entries lie within its payload.
struct DecodedDirectory {
  PackDirectory directory;
  size_t length = 0;
};
std::optional<DecodedDirectory> DecodeDirectory(ByteView bytes);

// What follows the payload: directory and tail. Sets directory->file_bytes.
Bytes EncodePackEnd(PackDirectory* directory, uint64_t payload_bytes);

// The length of the directory that lies before a tail; nothing if it is none.
std::optional<size_t> DecodePackTail(ByteView tail);

}  // namespace s3v

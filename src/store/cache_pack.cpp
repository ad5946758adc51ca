#include "store/cache_pack.h"

#include <algorithm>

#include "base/checksum.h"

namespace s3v {
namespace {

constexpr uint64_t kTailMagic = 0x316b636170763373;  // "s3vpack1"

// Before the entries; `crc` is of all that follows it, entries included.
struct DirectoryHeader {
  uint32_t crc = 0;
  uint32_t count = 0;
  ObjectId id{};
  uint64_t file_bytes = 0;
  uint64_t disk_bytes = 0;
};
static_assert(sizeof(DirectoryHeader) == 40);

struct PackTail {
  uint64_t magic = kTailMagic;
  uint32_t directory_bytes = 0;
  uint32_t crc = 0;  // of the fields above
};
static_assert(sizeof(PackTail) == kPackTailBytes);

size_t DirectoryBytes(size_t count) { return sizeof(DirectoryHeader) + count * sizeof(PackEntry); }

uint32_t TailCrc(const PackTail& tail) {
  return Crc32c({reinterpret_cast<const uint8_t*>(&tail), offsetof(PackTail, crc)});
}

bool LiesWithin(const PackEntry& entry, uint64_t file_bytes) {
  return uint64_t{entry.position} + entry.length <= file_bytes;
}

}  // namespace

Bytes EncodeDirectory(const PackDirectory& directory) {
  const DirectoryHeader header{.count = static_cast<uint32_t>(directory.entries.size()),
                               .id = directory.id,
                               .file_bytes = directory.file_bytes,
                               .disk_bytes = directory.disk_bytes};
  Bytes bytes;
  bytes.reserve(DirectoryBytes(header.count));
  Append(bytes, header);
  for (const PackEntry& entry : directory.entries) Append(bytes, entry);
  const uint32_t crc = Crc32c(ByteView(bytes).subspan(sizeof(crc)));
  std::memcpy(bytes.data(), &crc, sizeof(crc));
  return bytes;
}

std::optional<DecodedDirectory> DecodeDirectory(ByteView bytes) {
  DirectoryHeader header;
  if (bytes.size() < sizeof(header)) return std::nullopt;
  std::memcpy(&header, bytes.data(), sizeof(header));
  if (header.count > (bytes.size() - sizeof(header)) / sizeof(PackEntry)) return std::nullopt;
  bytes = bytes.first(DirectoryBytes(header.count));
  if (Crc32c(bytes.subspan(sizeof(header.crc))) != header.crc) return std::nullopt;

  DecodedDirectory decoded{.directory = {.id = header.id,
                                         .file_bytes = header.file_bytes,
                                         .disk_bytes = header.disk_bytes,
                                         .entries = std::vector<PackEntry>(header.count)},
                           .length = bytes.size()};
  std::vector<PackEntry>& entries = decoded.directory.entries;
  // An empty vector has no address to copy to.
  if (!entries.empty()) std::memcpy(entries.data(), bytes.data() + sizeof(header), bytes.size() - sizeof(header));
  const bool all_within = std::all_of(entries.begin(), entries.end(),
                                      [&](const PackEntry& entry) { return LiesWithin(entry, header.file_bytes); });
  return all_within ? std::optional(std::move(decoded)) : std::nullopt;
}

Bytes EncodePackEnd(PackDirectory* directory, uint64_t payload_bytes) {
  PackTail tail{.directory_bytes = static_cast<uint32_t>(DirectoryBytes(directory->entries.size()))};
  tail.crc = TailCrc(tail);
  directory->file_bytes = payload_bytes + tail.directory_bytes + sizeof(tail);
  Bytes bytes = EncodeDirectory(*directory);
  Append(bytes, tail);
  return bytes;
}

std::optional<size_t> DecodePackTail(ByteView bytes) {
  PackTail tail;
  if (bytes.size() != sizeof(tail)) return std::nullopt;
  std::memcpy(&tail, bytes.data(), sizeof(tail));
  if (tail.magic != kTailMagic || tail.crc != TailCrc(tail)) return std::nullopt;
  return tail.directory_bytes;
}

}  // namespace s3v

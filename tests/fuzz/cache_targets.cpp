// What lies in the directory of the local cache: packs, their directories, the journal, the state.
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "base/checksum.h"
#include "fuzz/cache_files.h"
#include "fuzz/target.h"
#include "store/cache_directory.h"
#include "store/cache_pack.h"
#include "store/local_cache.h"

namespace s3v::fuzz {
namespace {

// ---- directories of packs

constexpr size_t kCrc = sizeof(uint32_t);

// With the checksum that a directory of the entries that it says to have must have.
void SealDirectory(std::span<uint8_t> bytes) {
  uint32_t count;
  if (bytes.size() < 40) return;
  std::memcpy(&count, bytes.data() + kCrc, sizeof count);
  count = std::min<uint32_t>(count, static_cast<uint32_t>((bytes.size() - 40) / sizeof(PackEntry)));
  std::memcpy(bytes.data() + kCrc, &count, sizeof count);
  const uint32_t crc = Crc32c(ByteView(bytes).subspan(kCrc, 40 - kCrc + count * sizeof(PackEntry)));
  std::memcpy(bytes.data(), &crc, kCrc);
}

void SealTail(std::span<uint8_t> tail) {
  const uint32_t crc = Crc32c(ByteView(tail).first(kPackTailBytes - kCrc));
  std::memcpy(tail.data() + kPackTailBytes - kCrc, &crc, kCrc);
}

void RunPack(ByteView input) {
  Bytes bytes = Copy(input);
  for (const bool seals : {false, true}) {
    if (seals) SealDirectory(bytes);
    const auto decoded = DecodeDirectory(bytes);
    if (!Takes(decoded.has_value())) continue;
    for (const PackEntry& entry : decoded->directory.entries) {
      Require(uint64_t{entry.position} + entry.length <= decoded->directory.file_bytes, "an entry beyond its file");
    }
    Require(std::ranges::equal(EncodeDirectory(decoded->directory), ByteView(bytes).first(decoded->length)),
            "a directory is another when written again");
  }
  if (bytes.size() < kPackTailBytes) return;
  const auto tail = std::span(bytes).last(kPackTailBytes);
  Takes(DecodePackTail(tail).has_value());
  SealTail(tail);
  DecodePackTail(tail);
}

std::vector<Bytes> PackSeeds() {
  PackDirectory directory{.id = {1, 2},
                          .entries = {{.object = {3}, .offset = 4, .length = 10, .position = 5, .crc = 6},
                                      {.object = {7}, .offset = kWholeObject, .length = 20}}};
  return {EncodePackEnd(&directory, 40), EncodeDirectory({})};
}

// ---- the directory

constexpr const char* kStore = "store";

// Those that the seeds keep, and neighbours.
std::vector<RangeRequest> Ranges() { return {{"a/b", 0, 100}, {"a/b", 100, 50}, {"c", 7, 1}, {"c", 7, 2}}; }

Bytes PayloadOf(const RangeRequest& range) {
  return Bytes(range.length, static_cast<uint8_t>(range.offset + range.key.size()));
}

std::string Directory() {
  static const auto* path = new std::string([] {
    const char* place = std::getenv("TMPDIR");
    std::string name = std::string(place != nullptr ? place : "/tmp") + "/s3v-fuzz-" + std::to_string(getpid());
    std::filesystem::create_directories(name);
    return name;
  }());
  return *path + "/cache";
}

void UseCache() {
  LocalCache cache({.directory = Directory(), .max_bytes = 1 << 20, .store = kStore});
  for (const RangeRequest& range : Ranges()) {
    Bytes bytes;
    if (Takes(cache.Read(range, &bytes))) Require(bytes.size() == range.length, "a range of another length");
    Bytes part(1);
    const ObjectStore::Part parts[] = {{.from = range.length - 1, .out = part}};
    cache.ReadParts(range, parts);
  }
  for (const uint64_t length : {uint64_t{64}, uint64_t{5000}}) {
    const auto object = cache.Map("nav", length, [](ByteView bytes) {
      if (bytes[0] != 'n') throw Error(Code::kCorrupted, "another object");
    });
    if (Takes(object != nullptr))
      Require(object->bytes().size() == length && object->bytes()[0] == 'n', "another object");
  }
  // What was damaged is kept anew, and is there.
  const auto pack = cache.NewPack();
  const RangeRequest added{"new", 5, 9};
  pack->Add(added, PayloadOf(added));
  pack->Commit();
  Bytes bytes;
  if (Takes(cache.Read(added, &bytes))) Require(bytes == PayloadOf(added), "other bytes than were kept");
  cache.held_bytes();
}

// Parts: state, journal, pack, pack. Under the names that they claim.
void RunCache(ByteView input) {
  std::vector<Bytes> parts;
  for (const ByteView part : PartsOf(input, 4)) parts.push_back(Copy(part));
  parts.resize(4);
  for (const bool seals : {false, true}) {
    if (seals) {
      SealCacheState(parts[0]);
      SealDirectory(parts[1]);
      for (size_t i = 2; i < 4; ++i) {
        if (parts[i].size() < kPackTailBytes) continue;
        SealTail(std::span(parts[i]).last(kPackTailBytes));
        const auto length = DecodePackTail(ByteView(parts[i]).last(kPackTailBytes));
        const size_t before = parts[i].size() - kPackTailBytes;
        if (length && *length <= before) SealDirectory(std::span(parts[i]).subspan(before - *length, *length));
      }
    }
    std::filesystem::remove_all(Directory());
    WriteCache(Directory(), parts);
    UseCache();
  }
}

std::vector<Bytes> CacheSeeds() {
  std::filesystem::remove_all(Directory());
  {
    LocalCache cache({.directory = Directory(), .max_bytes = 1 << 20, .store = kStore});
    const auto pack = cache.NewPack();
    for (const RangeRequest& range : Ranges()) pack->Add(range, PayloadOf(range));
    pack->Commit();
    cache.Keep("nav", Bytes(64, 'n'));
  }
  return {Joined(ReadCache(Directory()))};
}

}  // namespace

std::vector<Target> CacheTargets() {
  return {{.name = "pack", .run = RunPack, .seeds = PackSeeds},
          {.name = "cache", .run = RunCache, .seeds = CacheSeeds, .memory = 4 << 20}};
}

}  // namespace s3v::fuzz

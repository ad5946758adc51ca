#include "fuzz/cache_files.h"

#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <iterator>

#include "base/checksum.h"
#include "store/cache_directory.h"
#include "store/cache_pack.h"

namespace s3v::fuzz {
namespace {

// docs/design/cache.md: magic u64, journal 16, length u64, crc u32, 0 u32.
constexpr size_t kStateSize = 40;
constexpr size_t kJournalAt = 8;
constexpr size_t kStateCrcAt = 32;

Bytes ReadFile(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

void WriteFile(const std::string& path, ByteView bytes) { std::ofstream(path, std::ios::binary) << AsText(bytes); }

}  // namespace

void WriteCache(const std::string& directory, const std::vector<Bytes>& parts) {
  mkdir(directory.c_str(), 0700);
  WriteFile(directory + "/state-1", parts[0]);
  if (parts[0].size() >= kStateSize) {
    ObjectId journal;
    std::memcpy(journal.data(), parts[0].data() + kJournalAt, journal.size());
    WriteFile(directory + "/" + CacheFileName(CacheFile::kJournal, journal), parts[1]);
  }
  ByteView rest = parts[1];
  for (size_t i = 2; i < parts.size(); ++i) {
    const auto named = DecodeDirectory(rest);
    if (!named) return;
    rest = rest.subspan(named->length);
    WriteFile(directory + "/" + CacheFileName(CacheFile::kPack, named->directory.id), parts[i]);
  }
}

std::vector<Bytes> ReadCache(const std::string& directory) {
  std::vector<Bytes> parts{ReadFile(directory + "/state-1"), {}};
  for (const auto& entry : std::filesystem::directory_iterator(directory)) {
    if (entry.path().filename().string().starts_with("journal-")) parts[1] = ReadFile(entry.path());
  }
  ByteView rest = parts[1];
  while (const auto named = DecodeDirectory(rest)) {
    rest = rest.subspan(named->length);
    parts.push_back(ReadFile(directory + "/" + CacheFileName(CacheFile::kPack, named->directory.id)));
  }
  return parts;
}

void SealCacheState(Bytes& state) {
  if (state.size() < kStateSize) return;
  const uint32_t crc = Crc32c(ByteView(state).first(kStateCrcAt));
  std::memcpy(state.data() + kStateCrcAt, &crc, sizeof crc);
}

}  // namespace s3v::fuzz

// A directory for a local cache, and what tests ask of it.
#pragma once

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "base/random.h"
#include "store/local_cache.h"

namespace s3v::testing {

inline constexpr uint64_t kKiB = 1024;
inline constexpr uint64_t kMiB = 1024 * 1024;

class ManualClock final : public Clock {
 public:
  int64_t WallSeconds() const override { return now_ms / 1000; }
  int64_t SteadyMillis() const override { return now_ms; }
  int64_t now_ms = 0;
};

// The same bytes for the same range, so that whoever reads can tell them.
inline Bytes PayloadOf(const RangeRequest& range) {
  Random random(std::hash<std::string>()(range.key) + range.offset * 7919 + range.length);
  Bytes bytes;
  while (bytes.size() < range.length) Append(bytes, random.Next());
  bytes.resize(range.length);
  return bytes;
}

class CacheDirectoryForTest {
 public:
  ~CacheDirectoryForTest() { std::filesystem::remove_all(path); }

  std::vector<std::filesystem::path> Files(const std::string& prefix = "") const {
    std::vector<std::filesystem::path> files;
    if (!std::filesystem::exists(path)) return files;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(path)) {
      const std::string name = entry.path().lexically_relative(path).string();
      if (entry.is_regular_file() && name.starts_with(prefix)) files.push_back(entry.path());
    }
    return files;
  }
  std::vector<std::filesystem::path> Packs() const { return Files("pack-"); }

  // As du counts.
  uint64_t DiskBytes() const {
    uint64_t total = 0;
    for (const auto& file : Files()) {
      struct stat info;
      if (stat(file.c_str(), &info) == 0) total += static_cast<uint64_t>(info.st_blocks) * 512;
    }
    return total;
  }

  const std::string path = ::testing::TempDir() + "s3v-cache-" + IdText(RandomId());
};

inline void WriteFile(const std::filesystem::path& path, std::string_view content) {
  std::ofstream(path, std::ios::binary) << content;
}

// Changes one byte in place, as a dying disk does.
inline void FlipByte(const std::filesystem::path& path, int64_t at) {
  std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
  file.seekg(at);
  const int byte = file.get();
  file.seekp(at);
  file.put(static_cast<char>(byte ^ 0x40));
}

// Caches over one directory. Each stands for a process of its own.
class LocalCacheTest : public ::testing::Test {
 protected:
  std::unique_ptr<LocalCache> Open(uint64_t max_bytes = 64 * kMiB, const std::string& store = "store") {
    return std::make_unique<LocalCache>(
        LocalCacheConfig{.directory = directory_.path, .max_bytes = max_bytes, .store = store, .clock = &clock_});
  }

  static void Keep(LocalCache* cache, const std::vector<RangeRequest>& ranges) {
    const auto pack = cache->NewPack();
    for (const RangeRequest& range : ranges) pack->Add(range, PayloadOf(range));
    pack->Commit();
  }

  // Whether the range is there; fails the test if it is there with other bytes.
  static bool Has(LocalCache* cache, const RangeRequest& range) {
    Bytes bytes;
    if (!cache->Read(range, &bytes)) return false;
    EXPECT_TRUE(bytes == PayloadOf(range)) << range.key << " " << range.offset;
    return true;
  }

  void Wait(int64_t milliseconds) { clock_.now_ms += milliseconds; }
  void WaitForNews() { Wait(20); }

  CacheDirectoryForTest directory_;
  ManualClock clock_;
};

}  // namespace s3v::testing

// Damaged files, full disks, directories that vanish or refuse: a miss, never an error, never wrong bytes.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <functional>

#include "store/cache_fixture.h"

namespace s3v {
namespace {

namespace fs = std::filesystem;
using testing::FlipByte;
using ::testing::IsEmpty;
using testing::kMiB;
using testing::LocalCacheTest;
using testing::PayloadOf;
using testing::WriteFile;

const RangeRequest kRange{"a/segment/1", 4096, 30'000};
const RangeRequest kOther{"a/segment/2", 0, 500};

class LocalCacheFaults : public LocalCacheTest {};

// --- damage ---

TEST_F(LocalCacheFaults, ADamagedRangeIsAMissAndItsPackIsRemoved) {
  Keep(Open().get(), {kRange, kOther});
  FlipByte(directory_.Packs()[0], 12'345);
  const auto cache = Open();
  EXPECT_TRUE(Has(cache.get(), kOther));  // not the one that is damaged
  EXPECT_FALSE(Has(cache.get(), kRange));
  EXPECT_FALSE(Has(cache.get(), kOther));
  EXPECT_THAT(directory_.Packs(), IsEmpty());
  Keep(cache.get(), {kRange});
  EXPECT_TRUE(Has(cache.get(), kRange));
}

TEST_F(LocalCacheFaults, AShortenedOrEmptyOrForeignPackIsAMiss) {
  const std::vector<std::function<void(const fs::path&)>> kinds_of_damage = {
      [](const fs::path& pack) { fs::resize_file(pack, 20'000); },
      [](const fs::path& pack) { fs::resize_file(pack, 0); },
      [](const fs::path& pack) { WriteFile(pack, std::string(31'000, 'x')); },
      [](const fs::path& pack) { fs::remove(pack); },
      [](const fs::path& pack) { fs::remove(pack), fs::create_directory(pack); },
      [](const fs::path& pack) { fs::remove(pack), fs::create_symlink("/etc/passwd", pack); },
      [](const fs::path& pack) { fs::remove(pack), mkfifo(pack.c_str(), 0600); },
  };
  for (size_t i = 0; i < kinds_of_damage.size(); ++i) {
    SCOPED_TRACE(i);
    const auto cache = Open();
    Keep(cache.get(), {kRange});
    kinds_of_damage[i](directory_.Packs()[0]);
    EXPECT_FALSE(Has(Open().get(), kRange));
    EXPECT_FALSE(Has(cache.get(), kRange));
    Keep(cache.get(), {kRange});
    fs::remove_all(directory_.path);
  }
}

TEST_F(LocalCacheFaults, WhatACallerFoundDamagedIsForgottenByAll) {
  const auto cache = Open();
  const auto other = Open();
  Keep(cache.get(), {kRange});
  EXPECT_TRUE(Has(other.get(), kRange));
  cache->Forget(kRange);
  EXPECT_FALSE(Has(cache.get(), kRange));
  EXPECT_FALSE(Has(other.get(), kRange));
  cache->Forget(kRange);
}

// --- disks and directories that refuse ---

TEST_F(LocalCacheFaults, AFullDiskKeepsNothingForAWhile) {
  // A limit on file sizes fails like a full disk: a short write, then an error.
  std::signal(SIGXFSZ, SIG_IGN);
  const auto cache = Open();
  Keep(cache.get(), {kOther});
  rlimit before;
  getrlimit(RLIMIT_FSIZE, &before);
  const rlimit tight{.rlim_cur = 20'000, .rlim_max = before.rlim_max};
  setrlimit(RLIMIT_FSIZE, &tight);
  Keep(cache.get(), {kRange});
  setrlimit(RLIMIT_FSIZE, &before);
  EXPECT_EQ(cache->write_failures(), 1u);
  EXPECT_FALSE(Has(cache.get(), kRange));
  EXPECT_TRUE(Has(cache.get(), kOther));
  EXPECT_THAT(directory_.Files("tmp/"), IsEmpty());
  Wait(9'999);
  Keep(cache.get(), {kRange});
  EXPECT_FALSE(Has(cache.get(), kRange));
  Wait(1);
  Keep(cache.get(), {kRange});
  EXPECT_TRUE(Has(cache.get(), kRange));
  EXPECT_EQ(cache->write_failures(), 1u);
}

TEST_F(LocalCacheFaults, AJournalThatCannotGrowLosesNothing) {
  std::signal(SIGXFSZ, SIG_IGN);
  const auto cache = Open();
  for (uint64_t i = 0; i < 100; ++i) Keep(cache.get(), {{"a", i, 10}});
  rlimit before;
  getrlimit(RLIMIT_FSIZE, &before);
  const rlimit tight{.rlim_cur = 100 * 80 + 30, .rlim_max = before.rlim_max};  // within the next record
  setrlimit(RLIMIT_FSIZE, &tight);
  Keep(cache.get(), {kOther});
  setrlimit(RLIMIT_FSIZE, &before);
  EXPECT_FALSE(Has(cache.get(), kOther));
  EXPECT_EQ(directory_.Packs().size(), 100u);
  Wait(10'000);
  Keep(cache.get(), {kOther});
  const auto reader = Open();
  EXPECT_TRUE(Has(reader.get(), kOther));
  for (uint64_t i = 0; i < 100; ++i) EXPECT_TRUE(Has(reader.get(), {"a", i, 10}));
}

TEST_F(LocalCacheFaults, ADirectoryThatVanishesIsMadeAgain) {
  const auto cache = Open();
  Keep(cache.get(), {kRange});
  fs::remove_all(directory_.path);
  WaitForNews();
  EXPECT_FALSE(Has(cache.get(), kRange));
  Keep(cache.get(), {kRange});
  EXPECT_TRUE(Has(cache.get(), kRange));
  EXPECT_TRUE(Has(Open().get(), kRange));
  // While a wave is under way.
  const auto pack = cache->NewPack();
  pack->Add(kOther, PayloadOf(kOther));
  fs::remove_all(directory_.path);
  pack->Commit();
  EXPECT_FALSE(Has(cache.get(), kOther));
  Wait(10'000);
  Keep(cache.get(), {kOther});
  EXPECT_TRUE(Has(cache.get(), kOther));
}

TEST_F(LocalCacheFaults, ADirectoryThatIsNotThereYetIsFoundLater) {
  const LocalCacheConfig config{.directory = directory_.path + "/deep/er", .max_bytes = kMiB, .clock = &clock_};
  LocalCache cache(config);
  Keep(&cache, {kRange});
  EXPECT_FALSE(Has(&cache, kRange));
  EXPECT_EQ(cache.held_bytes(), 0u);
  EXPECT_EQ(cache.Map("nav", 10, [](ByteView) {}), nullptr);
  fs::create_directories(directory_.path + "/deep");
  Wait(10'000);
  Keep(&cache, {kRange});
  EXPECT_TRUE(Has(&cache, kRange));
}

// What another user can do to a directory, and what cannot be done in one of another user. In a process of its own.
TEST_F(LocalCacheFaults, ADirectoryThatRefusesIsRead) {
  if (geteuid() != 0) GTEST_SKIP() << "SKIPPED: only the superuser can become somebody else";
  constexpr uid_t kNobody = 65534;
  fs::create_directory(directory_.path);
  ASSERT_EQ(chown(directory_.path.c_str(), kNobody, kNobody), 0);
  const pid_t child = fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    if (setresgid(kNobody, kNobody, kNobody) != 0 || setresuid(kNobody, kNobody, kNobody) != 0) _exit(10);
    Keep(Open().get(), {kRange});
    if (!Has(Open().get(), kRange)) _exit(11);
    chmod(directory_.path.c_str(), 0500);
    chmod((directory_.path + "/tmp").c_str(), 0500);
    const auto cache = Open();
    Keep(cache.get(), {kOther});
    if (Has(cache.get(), kOther)) _exit(12);
    WaitForNews();
    if (!Has(cache.get(), kRange)) _exit(13);
    _exit(0);
  }
  int status = -1;
  waitpid(child, &status, 0);
  EXPECT_EQ(status, 0) << WEXITSTATUS(status);
  // Ours is neither what belongs to somebody else, although we could read it.
  EXPECT_FALSE(Has(Open().get(), kRange));
}

}  // namespace
}  // namespace s3v

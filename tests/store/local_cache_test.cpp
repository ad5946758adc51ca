#include "store/local_cache.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <functional>

#include "base/error.h"
#include "store/cache_fixture.h"

namespace s3v {
namespace {

namespace fs = std::filesystem;
using ::testing::ElementsAre;
using testing::FlipByte;
using ::testing::IsEmpty;
using testing::kKiB;
using testing::kMiB;
using testing::LocalCacheTest;
using testing::PayloadOf;
using testing::WriteFile;

const RangeRequest kRange{"a/segment/1", 4096, 30'000};
const RangeRequest kOther{"a/segment/2", 0, 500};

int OpenFiles() {
  int count = 0;
  for ([[maybe_unused]] const auto& entry : fs::directory_iterator("/proc/self/fd")) ++count;
  return count;
}

// --- ranges ---

TEST_F(LocalCacheTest, HasWhatWasKeptAndOnlyThat) {
  const auto cache = Open();
  EXPECT_FALSE(Has(cache.get(), kRange));
  Keep(cache.get(), {kRange, kOther});
  EXPECT_TRUE(Has(cache.get(), kRange));
  EXPECT_TRUE(Has(cache.get(), kOther));
  EXPECT_TRUE(cache->Contains(kRange));
  for (const RangeRequest& near :
       {RangeRequest{"a/segment/1", 4096, 29'999}, RangeRequest{"a/segment/1", 4095, 30'000},
        RangeRequest{"a/segment/3", 4096, 30'000}, RangeRequest{"a/segment/1", 4096, 30'000 + (uint64_t{1} << 32)},
        RangeRequest{"a/segment/1", 4096, 0}}) {
    EXPECT_FALSE(Has(cache.get(), near)) << near.key << near.offset;
    EXPECT_FALSE(cache->Contains(near));
  }
}

TEST_F(LocalCacheTest, OneWaveIsOneFileOfMode0600InADirectoryOfMode0700) {
  Keep(Open().get(), {kRange, kOther});
  ASSERT_EQ(directory_.Packs().size(), 1u);
  for (const auto& file : directory_.Files()) {
    struct stat info;
    ASSERT_EQ(stat(file.c_str(), &info), 0);
    EXPECT_EQ(info.st_mode & 0777, 0600u) << file;
  }
  struct stat info;
  ASSERT_EQ(stat(directory_.path.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0700u);
}

TEST_F(LocalCacheTest, OtherProcessesSeeItOnceTheyLookAgain) {
  const auto writer = Open();
  const auto reader = Open();
  EXPECT_FALSE(Has(reader.get(), kRange));
  Keep(writer.get(), {kRange});
  EXPECT_FALSE(Has(reader.get(), kRange));
  WaitForNews();
  EXPECT_TRUE(Has(reader.get(), kRange));
  EXPECT_TRUE(Has(Open().get(), kRange));
}

TEST_F(LocalCacheTest, ObjectsOfOtherStoresAreOthers) {
  Keep(Open().get(), {kRange});
  EXPECT_FALSE(Has(Open(64 * kMiB, "another store").get(), kRange));
  Open()->Keep("nav", PayloadOf({"nav", 0, 100}));
  EXPECT_EQ(Open(64 * kMiB, "another store")->Map("nav", 100, [](ByteView) {}), nullptr);
}

TEST_F(LocalCacheTest, AWriterWithoutCommitLeavesNothing) {
  const auto cache = Open();
  {
    const auto pack = cache->NewPack();
    pack->Add(kRange, PayloadOf(kRange));
    EXPECT_THAT(directory_.Files("tmp/"), ::testing::SizeIs(1));
  }
  cache->NewPack()->Commit();
  EXPECT_THAT(directory_.Files(), IsEmpty());
  EXPECT_FALSE(Has(cache.get(), kRange));
}

TEST_F(LocalCacheTest, WhatIsDroppedIsNotKeptBeforeOrAfterItWasAdded) {
  const auto cache = Open();
  const RangeRequest third{"a/segment/3", 0, 700};
  const auto pack = cache->NewPack();
  pack->Add(kRange, PayloadOf(kRange));
  pack->Add(third, PayloadOf(third));
  pack->Drop(kRange);
  pack->Drop(kOther);
  pack->Add(kOther, PayloadOf(kOther));
  pack->Commit();
  EXPECT_FALSE(Has(cache.get(), kRange));
  EXPECT_FALSE(Has(cache.get(), kOther));
  EXPECT_TRUE(Has(cache.get(), third));
}

TEST_F(LocalCacheTest, AWaveThatAnotherProcessKeptMeanwhileIsNotKeptTwice) {
  const auto one = Open();
  const auto two = Open();
  const auto slow = one->NewPack();
  slow->Add(kRange, PayloadOf(kRange));
  slow->Add(kRange, PayloadOf(kRange));
  Keep(two.get(), {kRange, kOther});
  slow->Commit();
  EXPECT_EQ(directory_.Packs().size(), 1u);
  EXPECT_TRUE(Has(one.get(), kRange));
  // Where only a part is known, the rest counts.
  const RangeRequest third{"a/segment/3", 0, 10};
  Keep(Open().get(), {kRange, third});
  EXPECT_EQ(directory_.Packs().size(), 2u);
  WaitForNews();
  EXPECT_TRUE(Has(two.get(), third));
}

TEST_F(LocalCacheTest, LargeWavesAreSplit) {
  const auto cache = Open(256 * kMiB);
  std::vector<RangeRequest> ranges;
  for (uint64_t i = 0; i < 10; ++i) ranges.push_back({"big", i * 4 * kMiB, 4 * kMiB});
  Keep(cache.get(), ranges);
  // 32 MiB are kept, in packs of 16 MiB.
  ASSERT_EQ(directory_.Packs().size(), 2u);
  for (const auto& pack : directory_.Packs()) EXPECT_NEAR(fs::file_size(pack), 16 * kMiB, kKiB);
  for (size_t i = 0; i < ranges.size(); ++i) EXPECT_EQ(Has(cache.get(), ranges[i]), i < 8) << i;
}

TEST_F(LocalCacheTest, ARangeOfMoreThanAQuarterIsNotKept) {
  const auto cache = Open(4 * kMiB);
  const RangeRequest quarter{"a", 0, kMiB};
  const RangeRequest more{"a", kMiB, kMiB + 1};
  Keep(cache.get(), {more, quarter});
  EXPECT_TRUE(Has(cache.get(), quarter));
  EXPECT_FALSE(Has(cache.get(), more));
  cache->Keep("half", PayloadOf({"half", 0, 2 * kMiB}));
  cache->Keep("more", PayloadOf({"more", 0, 2 * kMiB + 1}));
  EXPECT_NE(cache->Map("half", 2 * kMiB, [](ByteView) {}), nullptr);
  EXPECT_EQ(cache->Map("more", 2 * kMiB + 1, [](ByteView) {}), nullptr);
}

TEST_F(LocalCacheTest, ReadAllHandsOutWhatIsThereAndNamesTheRest) {
  const auto cache = Open();
  Keep(cache.get(), {kRange, kOther});
  const std::vector<RangeRequest> ranges = {kOther, {"x", 0, 1}, kRange, {"y", 0, 0}};
  std::vector<size_t> seen;
  NeverStop never;
  const std::vector<size_t> missing = cache->ReadAll(
      ranges,
      [&](size_t index, ByteView bytes) {
        seen.push_back(index);
        const Bytes expected = PayloadOf(ranges[index]);
        EXPECT_TRUE(std::equal(bytes.begin(), bytes.end(), expected.begin(), expected.end()));
        // A sink may ask for more.
        EXPECT_TRUE(Has(cache.get(), kRange));
      },
      never);
  EXPECT_THAT(seen, ElementsAre(0, 2));
  EXPECT_THAT(missing, ElementsAre(1, 3));
  struct Mine {};
  const int before = OpenFiles();
  EXPECT_THROW(cache->ReadAll(
                   ranges, [](size_t, ByteView) { throw Mine(); }, never),
               Mine);
  EXPECT_EQ(OpenFiles(), before);
}

TEST_F(LocalCacheTest, FilesStayOpenBetweenBeginAndEndOnly) {
  const auto cache = Open();
  std::vector<RangeRequest> ranges;
  for (uint64_t i = 0; i < 40; ++i) {
    ranges.push_back({"a", i * 100, 100});
    Keep(cache.get(), {ranges.back()});
  }
  const int before = OpenFiles();
  for (const RangeRequest& range : ranges) EXPECT_TRUE(Has(cache.get(), range));
  EXPECT_EQ(OpenFiles(), before);
  cache->BeginReads();
  for (const RangeRequest& range : ranges) EXPECT_TRUE(Has(cache.get(), range));
  EXPECT_EQ(OpenFiles(), before + 16);
  cache->EndReads();
  EXPECT_EQ(OpenFiles(), before);
}

// --- damage ---

TEST_F(LocalCacheTest, ADamagedRangeIsAMissAndItsPackIsRemoved) {
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

TEST_F(LocalCacheTest, AShortenedOrEmptyOrForeignPackIsAMiss) {
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

TEST_F(LocalCacheTest, WhatACallerFoundDamagedIsForgottenByAll) {
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

TEST_F(LocalCacheTest, AFullDiskKeepsNothingForAWhile) {
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
  EXPECT_FALSE(Has(cache.get(), kRange));
  EXPECT_TRUE(Has(cache.get(), kOther));
  EXPECT_THAT(directory_.Files("tmp/"), IsEmpty());
  Wait(9'999);
  Keep(cache.get(), {kRange});
  EXPECT_FALSE(Has(cache.get(), kRange));
  Wait(1);
  Keep(cache.get(), {kRange});
  EXPECT_TRUE(Has(cache.get(), kRange));
}

TEST_F(LocalCacheTest, AJournalThatCannotGrowLosesNothing) {
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

TEST_F(LocalCacheTest, ADirectoryThatVanishesIsMadeAgain) {
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

TEST_F(LocalCacheTest, ADirectoryThatIsNotThereYetIsFoundLater) {
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
TEST_F(LocalCacheTest, ADirectoryThatRefusesIsRead) {
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

// --- objects ---

TEST_F(LocalCacheTest, AnObjectIsMappedAndVerifiedOnce) {
  const RangeRequest object{"nav/1", 0, 10'000};
  const auto cache = Open();
  int verified = 0;
  const auto verify = [&](ByteView bytes) {
    ++verified;
    EXPECT_TRUE(std::equal(bytes.begin(), bytes.end(), PayloadOf(object).begin()));
  };
  EXPECT_EQ(cache->Map(object.key, object.length, verify), nullptr);
  cache->Keep(object.key, PayloadOf(object));
  auto first = cache->Map(object.key, object.length, verify);
  ASSERT_NE(first, nullptr);
  EXPECT_EQ(first->bytes().size(), object.length);
  EXPECT_EQ(cache->Map(object.key, object.length, verify), first);
  first = nullptr;
  WaitForNews();
  EXPECT_NE(cache->Map(object.key, object.length, verify), nullptr);
  EXPECT_EQ(verified, 1);
  EXPECT_EQ(cache->Map(object.key, object.length - 1, verify), nullptr);
  EXPECT_FALSE(Has(cache.get(), object));  // objects are no ranges
  EXPECT_NE(Open()->Map(object.key, object.length, verify), nullptr);
  EXPECT_EQ(verified, 2);
}

TEST_F(LocalCacheTest, AMappingOutlivesItsFile) {
  const RangeRequest object{"nav/1", 0, 100'000};
  auto cache = Open();
  cache->Keep(object.key, PayloadOf(object));
  const auto mapped = cache->Map(object.key, object.length, [](ByteView) {});
  fs::remove_all(directory_.path);
  cache = nullptr;
  EXPECT_TRUE(std::ranges::equal(mapped->bytes(), PayloadOf(object)));
}

TEST_F(LocalCacheTest, AnObjectThatIsNotTheOneIsRemoved) {
  const auto cache = Open();
  cache->Keep("nav/1", Bytes(1000));
  const auto refuse = [](ByteView) { throw Error(Code::kCorrupted, "not the object"); };
  EXPECT_EQ(cache->Map("nav/1", 1000, refuse), nullptr);
  EXPECT_THAT(directory_.Packs(), IsEmpty());
  EXPECT_EQ(cache->Map("nav/1", 1000, [](ByteView) {}), nullptr);
  // Another error is the caller's own.
  cache->Keep("nav/1", Bytes(1000));
  EXPECT_THROW(cache->Map("nav/1", 1000, [](ByteView) { throw Error(Code::kNotSupported, "newer"); }), Error);
  EXPECT_NE(cache->Map("nav/1", 1000, [](ByteView) {}), nullptr);
}

TEST_F(LocalCacheTest, AShortenedObjectIsNeverMapped) {
  const auto cache = Open();
  cache->Keep("nav/1", Bytes(100'000));
  fs::resize_file(directory_.Packs()[0], 50'000);
  EXPECT_EQ(cache->Map("nav/1", 100'000, [](ByteView) {}), nullptr);
}

// --- eviction ---

// Packs of about a MiB, each used a minute after the one before.
class EvictionTest : public LocalCacheTest {
 protected:
  static RangeRequest Nth(uint64_t n) { return {"a/segment", n * kMiB, kMiB - 8 * kKiB}; }

  void KeepNth(LocalCache* cache, uint64_t n) {
    Keep(cache, {Nth(n)});
    Date(cache, n);
  }
  // Dates the file that is newest, for the kernel's clock is too coarse.
  void Date(LocalCache*, uint64_t n) {
    fs::path newest = directory_.Packs().at(0);
    for (const auto& pack : directory_.Packs()) {
      if (fs::last_write_time(pack) > fs::last_write_time(newest)) newest = pack;
    }
    const timespec used{.tv_sec = 1'000'000'000 + static_cast<time_t>(n) * 60, .tv_nsec = 0};
    const timespec times[2] = {used, used};
    utimensat(AT_FDCWD, newest.c_str(), times, 0);
  }
};

TEST_F(EvictionTest, WhatWasUsedLeastRecentlyGoesFirstAndTheBoundHolds) {
  const auto cache = Open(8 * kMiB);
  for (uint64_t n = 0; n < 40; ++n) {
    KeepNth(cache.get(), n);
    EXPECT_LE(directory_.DiskBytes(), 8 * kMiB);
    EXPECT_LE(directory_.DiskBytes(), cache->held_bytes());
    EXPECT_EQ(cache->free_bytes(), 8 * kMiB - cache->held_bytes());
  }
  EXPECT_GE(cache->held_bytes(), 6 * kMiB);
  for (uint64_t n = 0; n < 40; ++n) EXPECT_EQ(Has(cache.get(), Nth(n)), n >= 40 - directory_.Packs().size()) << n;
  EXPECT_THAT(directory_.Files("tmp/"), IsEmpty());
  EXPECT_THAT(directory_.Files("journal-"), ::testing::SizeIs(1));
}

TEST_F(EvictionTest, UseIsNotedOnceAMinute) {
  const auto cache = Open(8 * kMiB);
  for (uint64_t n = 0; n < 7; ++n) KeepNth(cache.get(), n);
  EXPECT_TRUE(Has(cache.get(), Nth(0)));  // now the newest
  KeepNth(cache.get(), 7);
  KeepNth(cache.get(), 8);
  EXPECT_TRUE(Has(cache.get(), Nth(0)));
  EXPECT_FALSE(Has(cache.get(), Nth(1)));

  const auto pack = directory_.Packs()[0];
  const auto set_old = [&] {
    for (const auto& file : directory_.Packs())
      fs::last_write_time(file, fs::file_time_type::clock::now() - std::chrono::hours(1));
  };
  const auto any_new = [&] {
    for (const auto& file : directory_.Packs()) {
      if (fs::last_write_time(file) > fs::file_time_type::clock::now() - std::chrono::minutes(1)) return true;
    }
    return false;
  };
  set_old();
  Wait(59'000);
  EXPECT_TRUE(Has(cache.get(), Nth(0)));
  EXPECT_FALSE(any_new());
  Wait(1'000);
  EXPECT_TRUE(Has(cache.get(), Nth(0)));
  EXPECT_TRUE(any_new());
}

TEST_F(EvictionTest, ObjectsStayADayLonger) {
  const auto cache = Open(8 * kMiB);
  cache->Keep("nav", PayloadOf({"nav", 0, kMiB}));
  Date(cache.get(), 0);
  for (uint64_t n = 1; n < 20; ++n) KeepNth(cache.get(), n);
  EXPECT_NE(Open(8 * kMiB)->Map("nav", kMiB, [](ByteView) {}), nullptr);
  // Packs that were used two days later are worth more.
  for (const auto& pack : directory_.Packs()) {
    if (fs::file_size(pack) < kMiB) continue;
    const timespec used{.tv_sec = 1'000'000'000, .tv_nsec = 0};
    const timespec times[2] = {used, used};
    utimensat(AT_FDCWD, pack.c_str(), times, 0);
  }
  for (uint64_t n = 3000; n < 3010; ++n) KeepNth(cache.get(), n);
  EXPECT_EQ(Open(8 * kMiB)->Map("nav", kMiB, [](ByteView) {}), nullptr);
}

TEST_F(EvictionTest, AMappingInUseIsNotedWithoutBeingAskedForAgain) {
  const auto cache = Open(8 * kMiB);
  cache->Keep("nav", Bytes(1000));
  const auto mapped = cache->Map("nav", 1000, [](ByteView) {});
  const auto pack = directory_.Packs().at(0);
  const auto long_ago = fs::file_time_type::clock::now() - std::chrono::hours(100);
  fs::last_write_time(pack, long_ago);
  Wait(60'000);
  cache->Contains(kRange);
  EXPECT_GT(fs::last_write_time(pack), long_ago + std::chrono::hours(1));
}

TEST_F(EvictionTest, AnotherProcessFindsOutWhatIsGone) {
  const auto one = Open(8 * kMiB);
  const auto two = Open(8 * kMiB);
  for (uint64_t n = 0; n < 5; ++n) KeepNth(one.get(), n);
  EXPECT_TRUE(Has(two.get(), Nth(0)));
  for (const auto& pack : directory_.Packs()) {
    fs::last_write_time(pack, fs::file_time_type::clock::now() - std::chrono::hours(100));
  }
  for (uint64_t n = 5; n < 15; ++n) Keep(one.get(), {Nth(n)});
  EXPECT_TRUE(two->Contains(Nth(0)));
  EXPECT_FALSE(Has(two.get(), Nth(0)));  // before it looked, it meets the file missing
  EXPECT_FALSE(two->Contains(Nth(0)));
  WaitForNews();
  EXPECT_FALSE(two->Contains(Nth(1)));
  EXPECT_TRUE(Has(two.get(), Nth(14)));
  EXPECT_EQ(two->held_bytes(), one->held_bytes());
}

TEST_F(EvictionTest, ASmallerLimitHoldsFromTheNextPackOn) {
  {
    const auto cache = Open(32 * kMiB);
    for (uint64_t n = 0; n < 20; ++n) KeepNth(cache.get(), n);
  }
  const auto cache = Open(5 * kMiB);
  EXPECT_EQ(cache->free_bytes(), 0u);
  KeepNth(cache.get(), 20);
  EXPECT_LE(directory_.DiskBytes(), 5 * kMiB);
  EXPECT_TRUE(Has(cache.get(), Nth(20)));
}

TEST_F(EvictionTest, PacksThatNewerOnesReplaceGoFirst) {
  const auto cache = Open(8 * kMiB);
  // Kept by two processes that did not know of each other, with one range more: both files stay for now.
  const RangeRequest more{"b", 0, 100};
  const auto slow = cache->NewPack();
  slow->Add(Nth(0), PayloadOf(Nth(0)));
  slow->Add(more, PayloadOf(more));
  KeepNth(Open(8 * kMiB).get(), 0);
  slow->Commit();
  EXPECT_EQ(directory_.Packs().size(), 2u);
  for (uint64_t n = 1; n < 7; ++n) KeepNth(cache.get(), n);
  EXPECT_TRUE(Has(cache.get(), Nth(0)));
  EXPECT_TRUE(Has(cache.get(), Nth(1)));
}

}  // namespace
}  // namespace s3v

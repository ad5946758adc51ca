// What goes when there is no room, and that the bound holds.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include "store/cache_fixture.h"

namespace s3v {
namespace {

namespace fs = std::filesystem;
using ::testing::IsEmpty;
using testing::kKiB;
using testing::kMiB;
using testing::LocalCacheTest;
using testing::PayloadOf;

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
  cache->Contains(Nth(0));
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
  Keep(Open(8 * kMiB).get(), {Nth(0)});
  slow->Commit();
  EXPECT_EQ(directory_.Packs().size(), 2u);
  for (uint64_t n = 1; n < 8; ++n) KeepNth(cache.get(), n);
  // Two had to go: the one without use, and the oldest.
  EXPECT_TRUE(Has(cache.get(), Nth(0)));
  EXPECT_FALSE(Has(cache.get(), Nth(1)));
  EXPECT_TRUE(Has(cache.get(), Nth(2)));
}

}  // namespace
}  // namespace s3v

// How processes that share a cache directory agree on what it holds, also after damage.
#include "store/cache_contents.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "store/cache_fixture.h"

namespace s3v {
namespace {

namespace fs = std::filesystem;
using testing::kKiB;
using testing::LocalCacheTest;
using ::testing::SizeIs;
using testing::WriteFile;

class JournalTest : public LocalCacheTest {
 protected:
  void SetUp() override {
    for (uint64_t i = 0; i < 10; ++i) Keep(Open().get(), {Nth(i)});
  }
  static RangeRequest Nth(uint64_t n) { return {"a/segment", n * 10'000, 9'000}; }
  fs::path Journal() const { return directory_.Files("journal-").at(0); }
  fs::path State() const { return directory_.path + "/state-1"; }

  // The next one to keep something finds all packs again, and nobody ever got wrong bytes.
  void ExpectRepair() {
    const auto before = Open();
    for (uint64_t i = 0; i < 10; ++i) Has(before.get(), Nth(i));
    Keep(before.get(), {Nth(10)});
    const auto after = Open();
    for (uint64_t i = 0; i < 11; ++i) {
      EXPECT_TRUE(Has(before.get(), Nth(i))) << i;
      EXPECT_TRUE(Has(after.get(), Nth(i))) << i;
    }
    EXPECT_THAT(directory_.Files("journal-"), SizeIs(1));
    EXPECT_GE(after->held_bytes(), directory_.DiskBytes());
    EXPECT_LE(after->held_bytes(), directory_.DiskBytes() + 16 * kKiB);
  }
};

TEST_F(JournalTest, IsAppendedTo) {
  EXPECT_THAT(directory_.Files("journal-"), SizeIs(1));
  EXPECT_EQ(fs::file_size(Journal()), 10 * 80u);
  ExpectRepair();
}

TEST_F(JournalTest, ADamagedRecordIsRepairedFromThePacks) {
  testing::FlipByte(Journal(), 5 * 80 + 30);
  // What comes before the damage is known.
  EXPECT_TRUE(Has(Open().get(), Nth(4)));
  EXPECT_FALSE(Has(Open().get(), Nth(5)));
  ExpectRepair();
}

TEST_F(JournalTest, AMissingOrShortenedJournalIsRepaired) {
  fs::resize_file(Journal(), 4 * 80 + 7);
  ExpectRepair();
  fs::resize_file(Journal(), 0);
  ExpectRepair();
  fs::remove(Journal());
  ExpectRepair();
}

TEST_F(JournalTest, WhatFollowsTheWrittenPartIsNotRead) {
  fs::resize_file(Journal(), 10 * 80 + 1000);
  EXPECT_TRUE(Has(Open().get(), Nth(9)));
  ExpectRepair();
}

TEST_F(JournalTest, AMissingOrDamagedStateIsRepaired) {
  fs::remove(State());
  ExpectRepair();
  testing::FlipByte(State(), 20);
  ExpectRepair();
  WriteFile(State(), "");
  ExpectRepair();
  WriteFile(State(), std::string(4000, 'x'));
  ExpectRepair();
}

TEST_F(JournalTest, PacksThatAreGarbageAreRemovedOnRepair) {
  for (const std::string& content : {std::string(), std::string(10, 'x'), std::string(9'000, 'x')}) {
    WriteFile(directory_.path + "/" + CacheFileName(CacheFile::kPack, RandomId()), content);
  }
  // A pack under another's name.
  fs::copy_file(directory_.Packs()[0], directory_.path + "/" + CacheFileName(CacheFile::kPack, RandomId()));
  fs::remove(State());
  ExpectRepair();
  EXPECT_THAT(directory_.Packs(), SizeIs(11));
}

TEST_F(JournalTest, APackThatNobodyWasToldOfIsCountedAndTakenIn) {
  // As when a process is killed between giving the name and telling the others.
  const auto saved_journal = directory_.path + "-journal";
  const auto saved_state = directory_.path + "-state";
  fs::copy_file(Journal(), saved_journal);
  fs::copy_file(State(), saved_state);
  Keep(Open().get(), {{"untold", 0, 5'000}});
  fs::rename(saved_journal, Journal());
  fs::rename(saved_state, State());
  EXPECT_FALSE(Has(Open().get(), {"untold", 0, 5'000}));
  const uint64_t limit = Open()->held_bytes() + 8 * kKiB;  // too little for one more
  Keep(Open(limit).get(), {Nth(20)});
  EXPECT_LE(directory_.DiskBytes(), limit);
  EXPECT_TRUE(Has(Open().get(), {"untold", 0, 5'000}));
  EXPECT_TRUE(Has(Open().get(), Nth(20)));
}

TEST_F(JournalTest, MissingPacksAreForgottenWhenRoomIsMade) {
  for (const auto& pack : directory_.Packs()) fs::remove(pack);
  const uint64_t before = Open()->held_bytes();
  EXPECT_GE(before, 10 * 12 * kKiB);
  Keep(Open(before).get(), {Nth(50)});
  EXPECT_LE(Open()->held_bytes(), 28 * kKiB);
  EXPECT_TRUE(Has(Open().get(), Nth(50)));
}

TEST_F(JournalTest, ShortenedPacksAreRemovedWhenRoomIsMade) {
  const fs::path shortened = directory_.Packs()[0];
  fs::resize_file(shortened, 5'000);  // and so the one used last
  Keep(Open(Open()->held_bytes()).get(), {Nth(50)});
  EXPECT_FALSE(fs::exists(shortened));
  EXPECT_TRUE(Has(Open().get(), Nth(50)));
}

TEST_F(JournalTest, NothingIsKeptWhileAnotherHoldsTheLock) {
  CacheDirectory other(directory_.path);
  ASSERT_TRUE(other.Open());
  const auto lock = other.Lock();
  const auto cache = Open();
  Keep(cache.get(), {Nth(20)});
  EXPECT_FALSE(Has(cache.get(), Nth(20)));
  EXPECT_TRUE(Has(cache.get(), Nth(9)));
  EXPECT_THAT(directory_.Files("tmp/"), SizeIs(0));
}

}  // namespace
}  // namespace s3v

#include "store/cache_directory.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "store/cache_fixture.h"

namespace s3v {
namespace {

namespace fs = std::filesystem;
using ::testing::SizeIs;
using testing::WriteFile;

class CacheDirectoryTest : public ::testing::Test {
 protected:
  std::string Path(const std::string& name) const { return place_.path + "/" + name; }

  testing::CacheDirectoryForTest place_;
  CacheDirectory directory_{place_.path};
};

TEST_F(CacheDirectoryTest, IsMadeButNotItsParents) {
  EXPECT_FALSE(CacheDirectory(place_.path + "/a").Open());
  EXPECT_FALSE(fs::exists(place_.path));
  EXPECT_TRUE(directory_.Open());
  EXPECT_TRUE(directory_.Open());
  EXPECT_TRUE(directory_.is_local());
  EXPECT_TRUE(fs::exists(Path("tmp")));
}

TEST_F(CacheDirectoryTest, IsNotUsedWhereOthersMayWriteOrThroughALink) {
  fs::create_directory(place_.path);
  for (const mode_t mode : {0770, 0702}) {
    ASSERT_EQ(chmod(place_.path.c_str(), mode), 0);
    EXPECT_FALSE(directory_.Open()) << mode;
  }
  ASSERT_EQ(chmod(place_.path.c_str(), 0755), 0);
  EXPECT_TRUE(directory_.Open());
  const std::string link = place_.path + "-link";
  fs::create_directory_symlink(place_.path, link);
  EXPECT_FALSE(CacheDirectory(link).Open());
  fs::remove(link);
  WriteFile(link, "a file");
  EXPECT_FALSE(CacheDirectory(link).Open());
  fs::remove(link);
}

TEST_F(CacheDirectoryTest, TheLockIsOneProcesssAndIsNotWaitedForLong) {
  ASSERT_TRUE(directory_.Open());
  {
    const auto lock = directory_.Lock();
    ASSERT_TRUE(lock);
    const int64_t before = SystemClock().SteadyMillis();
    EXPECT_FALSE(directory_.Lock());
    EXPECT_GE(SystemClock().SteadyMillis() - before, 50);
  }
  EXPECT_TRUE(directory_.Lock());
}

TEST_F(CacheDirectoryTest, TheStateReadsBackAndDamageIsNoState) {
  ASSERT_TRUE(directory_.Open());
  EXPECT_FALSE(directory_.ReadState());
  const JournalState state{.journal = RandomId(), .length = 12'345};
  {
    const auto lock = directory_.Lock();
    EXPECT_FALSE(directory_.ReadState());
    ASSERT_TRUE(directory_.WriteState(*lock, state));
  }
  ASSERT_TRUE(directory_.ReadState());
  EXPECT_EQ(directory_.ReadState()->journal, state.journal);
  EXPECT_EQ(directory_.ReadState()->length, 12'345u);
  for (int64_t at = 0; at < 36; ++at) {
    testing::FlipByte(Path("state-1"), at);
    EXPECT_FALSE(directory_.ReadState()) << at;
    testing::FlipByte(Path("state-1"), at);
  }
  EXPECT_TRUE(directory_.ReadState());
  fs::resize_file(Path("state-1"), 35);
  EXPECT_FALSE(directory_.ReadState());
}

TEST_F(CacheDirectoryTest, ATemporaryFileVanishesUnlessItIsRenamed) {
  ASSERT_TRUE(directory_.Open());
  const ObjectId id = RandomId();
  {
    const auto dropped = directory_.NewTemporary();
    const auto kept = directory_.NewTemporary();
    ASSERT_TRUE(kept->Write(Bytes(5'000, 1)));
    EXPECT_GE(kept->disk_bytes(), 8'192u);
    EXPECT_THAT(place_.Files("tmp/"), SizeIs(2));
    ASSERT_TRUE(kept->RenameTo(CacheFileName(CacheFile::kPack, id)));
  }
  EXPECT_THAT(place_.Files(), SizeIs(1));
  EXPECT_EQ(directory_.ReadPart(CacheFile::kPack, id, 4'990, 10), Bytes(10, 1));
  EXPECT_EQ(directory_.ReadPart(CacheFile::kPack, id, 4'991, 10), Bytes());
  EXPECT_EQ(directory_.ReadPart(CacheFile::kPack, id, ~uint64_t{0}, 10), Bytes());
  EXPECT_EQ(directory_.ReadPart(CacheFile::kPack, id, 10, ~uint64_t{0}), Bytes());
}

TEST_F(CacheDirectoryTest, WhatNobodyWritesAnyMoreIsAbandoned) {
  ASSERT_TRUE(directory_.Open());
  const auto being_written = directory_.NewTemporary();
  WriteFile(Path("tmp/" + IdText(RandomId())), "left by a process that was killed");
  WriteFile(Path("tmp/somebody else's"), "x");
  directory_.RemoveAbandoned();
  EXPECT_THAT(place_.Files("tmp/"), SizeIs(2));
  EXPECT_TRUE(fs::exists(Path("tmp/somebody else's")));
  EXPECT_TRUE(being_written->RenameTo(CacheFileName(CacheFile::kPack, RandomId())));
}

TEST_F(CacheDirectoryTest, AFileTakenForAbandonedIsDoneWithout) {
  ASSERT_TRUE(directory_.Open());
  const auto file = directory_.NewTemporary();
  fs::remove(place_.Files("tmp/").at(0));
  EXPECT_TRUE(file->Write(Bytes(10)));
  EXPECT_FALSE(file->RenameTo(CacheFileName(CacheFile::kPack, RandomId())));
}

TEST_F(CacheDirectoryTest, ListingRemovesOtherVersionsAndTouchesNothingElse) {
  ASSERT_TRUE(directory_.Open());
  const std::string id = IdText(RandomId());
  const ObjectId journal = RandomId();
  const std::vector<std::string> removed = {"pack-2-" + id, "pack-0-" + id, "pack-77-" + id, "journal-2-" + id,
                                            "journal-1-" + id};
  const std::vector<std::string> left = {"pack-1-" + id,
                                         CacheFileName(CacheFile::kJournal, journal),
                                         "pack-1-" + id + ".bak",
                                         "pack-2-" + id.substr(1),
                                         "pack--" + id,
                                         "pack-x-" + id,
                                         "pack-",
                                         "pack-2",
                                         "state-2",
                                         "precious.txt",
                                         "PG_VERSION"};
  for (const auto& name : removed) WriteFile(Path(name), "x");
  for (const auto& name : left) WriteFile(Path(name), "x");
  const auto packs = directory_.ListPacks(journal);
  ASSERT_TRUE(packs);
  ASSERT_THAT(*packs, SizeIs(1));
  EXPECT_EQ(IdText(packs->at(0).id), id);
  EXPECT_EQ(packs->at(0).size, 1u);
  for (const auto& name : removed) EXPECT_FALSE(fs::exists(Path(name))) << name;
  for (const auto& name : left) EXPECT_TRUE(fs::exists(Path(name))) << name;
}

TEST_F(CacheDirectoryTest, TouchingMakesAPackTheNewest) {
  ASSERT_TRUE(directory_.Open());
  const ObjectId id = RandomId();
  const std::string path = Path(CacheFileName(CacheFile::kPack, id));
  WriteFile(path, "x");
  fs::last_write_time(path, fs::file_time_type::clock::now() - std::chrono::hours(5));
  directory_.Touch(id);
  EXPECT_GT(fs::last_write_time(path), fs::file_time_type::clock::now() - std::chrono::minutes(1));
  directory_.Touch(RandomId());
}

TEST_F(CacheDirectoryTest, ADirectoryThatWasNeverOpenedHasNothing) {
  EXPECT_FALSE(directory_.Lock());
  EXPECT_FALSE(directory_.ReadState());
  EXPECT_EQ(directory_.NewTemporary(), nullptr);
  EXPECT_FALSE(directory_.ListPacks(RandomId()));
  directory_.RemoveAbandoned();
}

}  // namespace
}  // namespace s3v

#include "store/local_cache.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

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

TEST_F(LocalCacheTest, PartsOfARangeAreReadIntoTheirPlaces) {
  Keep(Open().get(), {kOther, kRange});
  const Bytes expected = PayloadOf(kRange);
  const auto cache = Open();
  const int before = OpenFiles();
  // The first time the whole range is read and verified, after that the parts alone.
  for (int round = 0; round < 3; ++round) {
    Bytes bytes(200);
    const std::span<uint8_t> out = bytes;
    const std::vector<ObjectStore::Part> parts = {{29'900, out.first(100)}, {5, out.last(100)}, {30'000, {}}};
    ASSERT_TRUE(cache->ReadParts(kRange, parts));
    EXPECT_TRUE(std::ranges::equal(out.first(100), ByteView(expected).last(100)));
    EXPECT_TRUE(std::ranges::equal(out.last(100), ByteView(expected).subspan(5, 100)));
    EXPECT_EQ(OpenFiles(), before);
  }
  Bytes bytes(10);
  const auto read = [&](const RangeRequest& range, uint64_t from) {
    const ObjectStore::Part part{from, bytes};
    return cache->ReadParts(range, {&part, 1});
  };
  EXPECT_TRUE(read(kRange, 29'990));
  EXPECT_FALSE(read(kRange, 29'991));
  EXPECT_FALSE(read(kRange, ~uint64_t{0}));
  EXPECT_FALSE(read({"a/segment/9", 0, 100}, 0));
  fs::resize_file(directory_.Packs().at(0), 20'000);
  EXPECT_FALSE(read(kRange, 29'000));
  EXPECT_THAT(directory_.Packs(), IsEmpty());
}

TEST_F(LocalCacheTest, PartsOfADamagedRangeAreAMiss) {
  Keep(Open().get(), {kRange});
  FlipByte(directory_.Packs().at(0), 29'000);
  Bytes bytes(10);
  const ObjectStore::Part part{5, bytes};
  EXPECT_FALSE(Open()->ReadParts(kRange, {&part, 1}));
  EXPECT_THAT(directory_.Packs(), IsEmpty());
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

}  // namespace
}  // namespace s3v

#include "store/cached_store.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.h"
#include "store/cache_fixture.h"
#include "store/memory_store.h"
#include "support/faulty_store.h"

namespace s3v {
namespace {

using ::testing::ElementsAre;
using testing::FaultyStore;
using ::testing::IsEmpty;
using testing::kKiB;
using testing::kMiB;
using testing::PayloadOf;
using ::testing::SizeIs;

class CachedStoreTest : public ::testing::Test {
 protected:
  static constexpr uint64_t kObjectBytes = 1'000'000;

  CachedStoreTest() : inner_(new FaultyStore(MakeMemoryStore())), store_(Wrap(inner_, true)) {
    for (const char* key : {"a", "b"}) {
      inner_->Put(key, Object(key), ObjectStore::PutMode::kOverwrite, never_);
    }
  }

  static Bytes Object(const std::string& key) { return PayloadOf({key, 0, kObjectBytes}); }
  std::unique_ptr<ObjectStore> Wrap(FaultyStore* inner, bool keep_ranges) {
    return MakeCachedStore(std::unique_ptr<ObjectStore>(inner),
                           {.directory = directory_.path, .max_bytes = 64 * kMiB, .store = "test", .clock = &clock_},
                           keep_ranges);
  }

  // The order in which ranges arrived. Fails the test for wrong bytes.
  std::vector<size_t> Fetch(const std::vector<RangeRequest>& ranges) {
    std::vector<size_t> order;
    store_->GetRanges(
        ranges,
        [&](size_t index, ByteView bytes) {
          order.push_back(index);
          const Bytes object = Object(ranges[index].key);
          EXPECT_TRUE(std::ranges::equal(bytes, ByteView(object).subspan(ranges[index].offset, ranges[index].length)));
        },
        never_);
    return order;
  }

  testing::CacheDirectoryForTest directory_;
  testing::ManualClock clock_;
  NeverStop never_;
  FaultyStore* inner_;
  std::unique_ptr<ObjectStore> store_;
};

TEST_F(CachedStoreTest, TheSecondTimeNothingIsSent) {
  const std::vector<RangeRequest> ranges = {{"a", 0, 1'000}, {"b", 500'000, 30'000}};
  Fetch(ranges);
  EXPECT_EQ(store_->counters().waves, 1u);
  EXPECT_EQ(store_->counters().get_requests, 2u);
  EXPECT_EQ(store_->counters().cache_hits, 0u);
  EXPECT_THAT(Fetch(ranges), ElementsAre(0, 1));
  EXPECT_EQ(store_->counters().waves, 1u);
  EXPECT_EQ(store_->counters().get_requests, 2u);
  EXPECT_EQ(store_->counters().cache_hits, 2u);
}

TEST_F(CachedStoreTest, WhatIsThereComesFirstAndTheRestInOneWave) {
  Fetch({{"a", 300'000, 1'000}, {"b", 0, 1'000}});
  EXPECT_THAT(Fetch({{"a", 0, 10}, {"b", 0, 1'000}, {"a", 600'000, 10}, {"a", 300'000, 1'000}, {"b", 7, 0}}),
              ElementsAre(1, 3, 4, 0, 2));
  EXPECT_EQ(store_->counters().waves, 2u);
  EXPECT_EQ(store_->counters().cache_hits, 2u);
  EXPECT_THAT(directory_.Packs(), SizeIs(2));
  EXPECT_THAT(Fetch({{"b", 7, 0}}), ElementsAre(0));
  EXPECT_EQ(store_->counters().waves, 2u);
}

TEST_F(CachedStoreTest, OneRangeTwiceInAWaveIsKeptOnce) {
  Fetch({{"a", 0, 50'000}, {"a", 0, 50'000}});
  ASSERT_THAT(directory_.Packs(), SizeIs(1));
  EXPECT_LT(std::filesystem::file_size(directory_.Packs()[0]), 60'000u);
}

TEST_F(CachedStoreTest, GetLocalSendsNothing) {
  Bytes bytes;
  EXPECT_FALSE(store_->GetLocal({"a", 0, 1'000}, &bytes));
  EXPECT_EQ(store_->counters().get_requests, 0u);
  Fetch({{"a", 0, 1'000}});
  EXPECT_TRUE(store_->GetLocal({"a", 0, 1'000}, &bytes));
  EXPECT_TRUE(std::ranges::equal(bytes, ByteView(Object("a")).first(1'000)));
  EXPECT_FALSE(store_->GetLocal({"a", 1, 999}, &bytes));
  EXPECT_EQ(store_->counters().cache_hits, 1u);
}

TEST_F(CachedStoreTest, GetLocalPartsSendsNothing) {
  Bytes bytes(20);
  const ObjectStore::Part part{500, bytes};
  const RangeRequest range{"a", 1'000, 2'000};
  EXPECT_TRUE(store_->KeepsRanges());
  EXPECT_FALSE(store_->GetLocalParts(range, {&part, 1}));
  Fetch({range});
  EXPECT_TRUE(store_->GetLocalParts(range, {&part, 1}));
  EXPECT_TRUE(std::ranges::equal(bytes, ByteView(Object("a")).subspan(1'500, 20)));
  EXPECT_EQ(store_->counters().cache_hits, 1u);
  EXPECT_EQ(store_->counters().get_requests, 1u);
}

TEST_F(CachedStoreTest, AFailedWaveKeepsNothing) {
  const std::vector<RangeRequest> ranges = {{"a", 0, 1'000}, {"a", 500'000, 1'000}};
  struct Mine {};
  const auto refuse_second = [](size_t index, ByteView) {
    if (index == 1) throw Mine();
  };
  EXPECT_THROW(store_->GetRanges(ranges, refuse_second, never_), Mine);
  EXPECT_THAT(directory_.Files(), IsEmpty());
  EXPECT_THROW(Fetch({{"a", 0, 1'000}, {"none", 0, 1}}), Error);
  inner_->FailingAt(inner_->calls(), FaultyStore::When::kAfter);
  EXPECT_THROW(Fetch(ranges), Error);
  EXPECT_THAT(directory_.Files(), IsEmpty());
  EXPECT_THAT(Fetch(ranges), ElementsAre(0, 1));
  EXPECT_THAT(directory_.Packs(), SizeIs(1));
}

TEST_F(CachedStoreTest, WhatASinkForgetsIsNotKept) {
  const std::vector<RangeRequest> ranges = {{"a", 0, 1'000}, {"a", 300'000, 1'000}, {"a", 600'000, 1'000}};
  store_->GetRanges(
      ranges,
      [&](size_t index, ByteView) {
        // The second shows that the first is damaged, too.
        if (index == 1) store_->Forget(std::span(ranges).first(2));
      },
      never_);
  Bytes bytes;
  EXPECT_FALSE(store_->GetLocal(ranges[0], &bytes));
  EXPECT_FALSE(store_->GetLocal(ranges[1], &bytes));
  EXPECT_TRUE(store_->GetLocal(ranges[2], &bytes));
  // And may be kept the next time.
  Fetch(ranges);
  EXPECT_TRUE(store_->GetLocal(ranges[0], &bytes));
}

TEST_F(CachedStoreTest, WhatIsForgottenLaterIsAskedForAgain) {
  const std::vector<RangeRequest> ranges = {{"a", 0, 1'000}};
  Fetch(ranges);
  store_->Forget(ranges);
  Fetch(ranges);
  EXPECT_EQ(store_->counters().get_requests, 2u);
  Fetch(ranges);
  EXPECT_EQ(store_->counters().get_requests, 2u);
}

TEST_F(CachedStoreTest, CachedBytesComeWhileTheStoreIsDown) {
  const std::vector<RangeRequest> ranges = {{"a", 0, 1'000}};
  Fetch(ranges);
  inner_->FailingAt(inner_->calls());
  Fetch(ranges);
  EXPECT_THROW(Fetch({{"a", 0, 2'000}}), Error);
}

TEST_F(CachedStoreTest, StopsBetweenRangesThatAreThere) {
  const std::vector<RangeRequest> ranges = {{"a", 0, 10}, {"a", 300'000, 10}, {"a", 600'000, 10}};
  Fetch(ranges);
  class StopLater final : public Stop {
   public:
    bool Requested() override { return ++looks_ > 2; }

   private:
    int looks_ = 0;
  } stop;
  size_t arrived = 0;
  EXPECT_THROW(store_->GetRanges(
                   ranges, [&](size_t, ByteView) { ++arrived; }, stop),
               Error);
  EXPECT_EQ(arrived, 1u);
}

TEST_F(CachedStoreTest, ObjectsAreMappedAndSentForOnce) {
  const std::vector<RangeRequest> objects = {{"a", 0, kObjectBytes}, {"b", 0, kObjectBytes}};
  const auto none = [](size_t, ByteView) {};
  const auto first = store_->GetMapped({{objects[0]}}, none, never_);
  const auto both = store_->GetMapped(objects, none, never_);
  EXPECT_EQ(both[0], first[0]);
  EXPECT_TRUE(std::ranges::equal(both[1]->bytes(), Object("b")));
  EXPECT_EQ(store_->counters().waves, 2u);
  EXPECT_EQ(store_->counters().cache_hits, 1u);
  store_->GetMapped(objects, none, never_);
  EXPECT_EQ(store_->counters().waves, 2u);
  EXPECT_EQ(store_->counters().cache_hits, 3u);
}

TEST_F(CachedStoreTest, AnObjectDamagedInTheCacheIsFetchedAgain) {
  const std::vector<RangeRequest> objects = {{"a", 0, kObjectBytes}};
  const auto verify = [](size_t, ByteView bytes) {
    if (!std::ranges::equal(bytes, Object("a"))) throw Error(Code::kCorrupted, "damaged");
  };
  store_->GetMapped(objects, verify, never_);
  testing::FlipByte(directory_.Packs().at(0), 1'234);
  inner_ = new FaultyStore(MakeMemoryStore());
  inner_->Put("a", Object("a"), ObjectStore::PutMode::kOverwrite, never_);
  store_ = Wrap(inner_, true);
  EXPECT_TRUE(std::ranges::equal(store_->GetMapped(objects, verify, never_)[0]->bytes(), Object("a")));
  EXPECT_EQ(store_->counters().get_requests, 1u);
  EXPECT_EQ(store_->counters().cache_hits, 0u);
}

TEST_F(CachedStoreTest, WhereNothingCanBeKeptAllIsServedFromMemory) {
  std::filesystem::remove_all(directory_.path);
  testing::WriteFile(directory_.path, "not a directory");
  inner_ = new FaultyStore(MakeMemoryStore());
  inner_->Put("a", Object("a"), ObjectStore::PutMode::kOverwrite, never_);
  store_ = Wrap(inner_, true);
  for (int round = 0; round < 2; ++round) {
    Fetch({{"a", 0, 1'000}});
    const auto mapped = store_->GetMapped(
        {{{"a", 0, kObjectBytes}}}, [](size_t, ByteView) {}, never_);
    EXPECT_TRUE(std::ranges::equal(mapped[0]->bytes(), Object("a")));
  }
  EXPECT_EQ(store_->counters().waves, 4u);
  EXPECT_EQ(store_->counters().cache_hits, 0u);
}

TEST_F(CachedStoreTest, WithoutRangesOnlyObjectsAreKept) {
  inner_ = new FaultyStore(MakeMemoryStore());
  inner_->Put("a", Object("a"), ObjectStore::PutMode::kOverwrite, never_);
  store_ = Wrap(inner_, false);
  Bytes bytes;
  for (int round = 0; round < 2; ++round) {
    Fetch({{"a", 0, 1'000}});
    EXPECT_FALSE(store_->GetLocal({"a", 0, 1'000}, &bytes));
    EXPECT_FALSE(store_->GetLocalParts({"a", 0, 1'000}, {}));
    EXPECT_FALSE(store_->KeepsRanges());
    store_->GetMapped(
        {{{"a", 0, kObjectBytes}}}, [](size_t, ByteView) {}, never_);
  }
  EXPECT_EQ(store_->counters().waves, 3u);
  EXPECT_EQ(store_->counters().cache_hits, 1u);
}

TEST_F(CachedStoreTest, TheGapIsPassedOn) {
  store_->coalesce_gap = 0;
  Fetch({{"a", 0, 10}, {"a", 20, 10}});
  EXPECT_EQ(store_->counters().get_requests, 2u);
  store_->coalesce_gap = 64 * kKiB;
  Fetch({{"a", 100, 10}, {"a", 120, 10}});
  EXPECT_EQ(store_->counters().get_requests, 3u);
}

}  // namespace
}  // namespace s3v

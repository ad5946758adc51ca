// What an object store is. Every store passes this suite; the one over S3 runs against a real server, named by
// S3V_TEST_S3_ENDPOINT, _BUCKET, _ACCESS_KEY and _SECRET_KEY (see tests/integration/radosgw.sh).
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <map>
#include <thread>

#include "base/error.h"
#include "base/random.h"
#include "store/store_makers.h"

namespace s3v {
namespace {

using ::testing::ElementsAre;
using testing::Environment;
using ::testing::IsEmpty;
using testing::IsOverS3;
using testing::MakerOf;
using testing::StoreKind;
using testing::StoreMaker;
using PutMode = ObjectStore::PutMode;
using PutOutcome = ObjectStore::PutOutcome;

constexpr uint64_t kMiB = 1024 * 1024;

Bytes Text(std::string_view text) {
  const ByteView view = AsBytes(text);
  return {view.begin(), view.end()};
}

Bytes RandomBytes(size_t size, uint64_t seed) {
  Random random(seed);
  Bytes bytes;
  bytes.reserve(size + 8);
  while (bytes.size() < size) Append(bytes, random.Next());
  bytes.resize(size);
  return bytes;
}

class StoreConformance : public ::testing::TestWithParam<StoreKind> {
 protected:
  void SetUp() override {
    if (IsOverS3(GetParam()) && Environment("S3V_TEST_S3_ENDPOINT").empty()) {
      if (Environment("S3V_TEST_S3_REQUIRED") == "1") FAIL() << "S3V_TEST_S3_ENDPOINT is not set";
      GTEST_SKIP() << "SKIPPED: S3V_TEST_S3_ENDPOINT is not set, no S3 server is tested";
    }
    maker_ = MakerOf(GetParam());
    store_ = maker_->Make();
  }

  PutOutcome Put(const ObjectKey& key, ByteView data, PutMode mode = PutMode::kOverwrite) {
    return store_->Put(key, data, mode, never_);
  }
  // By several threads, because a disk syncs many files as fast as one.
  void PutAll(const std::vector<ObjectKey>& keys) {
    constexpr size_t kThreads = 16;
    std::vector<std::thread> threads;
    std::atomic<size_t> stored{0};
    for (size_t first = 0; first < kThreads; ++first) {
      threads.emplace_back([&, first] {
        const std::unique_ptr<ObjectStore> store = maker_->Make();
        NeverStop never;
        for (size_t i = first; i < keys.size(); i += kThreads) {
          stored += store->Put(keys[i], AsBytes("x"), PutMode::kCreateOnly, never) == PutOutcome::kStored;
        }
      });
    }
    for (std::thread& thread : threads) thread.join();
    ASSERT_EQ(stored, keys.size());
  }
  Bytes Get(const ObjectKey& key, uint64_t max_size = 100 * kMiB) { return store_->Get(key, max_size, never_); }
  std::vector<std::string> ListKeys(const std::string& prefix) {
    std::vector<std::string> keys;
    for (const ObjectInfo& object : store_->List(prefix, never_)) keys.push_back(object.key);
    return keys;
  }
  void Delete(const std::vector<ObjectKey>& keys) { store_->Delete(keys, never_); }

  // The ranges in the caller's order, however they arrived.
  std::vector<Bytes> GetRanges(const std::vector<RangeRequest>& ranges) {
    std::map<size_t, Bytes> arrived;
    store_->GetRanges(
        ranges,
        [&](size_t index, ByteView bytes) {
          EXPECT_FALSE(arrived.contains(index)) << index;
          arrived[index] = Bytes(bytes.begin(), bytes.end());
        },
        never_);
    EXPECT_EQ(arrived.size(), ranges.size());
    std::vector<Bytes> in_order;
    for (auto& [index, bytes] : arrived) in_order.push_back(std::move(bytes));
    return in_order;
  }

  static Code CodeOf(const std::function<void()>& work) {
    try {
      work();
    } catch (const Error& error) {
      return error.code();
    }
    return Code::kOk;
  }

  std::unique_ptr<StoreMaker> maker_;
  std::unique_ptr<ObjectStore> store_;
  NeverStop never_;
};

TEST_P(StoreConformance, PutGetOverwrite) {
  EXPECT_EQ(Put("a/b", Text("first")), PutOutcome::kStored);
  EXPECT_EQ(Get("a/b"), Text("first"));
  EXPECT_EQ(Put("a/b", Text("the second one")), PutOutcome::kStored);
  EXPECT_EQ(Get("a/b"), Text("the second one"));
  EXPECT_EQ(maker_->Make()->Get("a/b", 100, never_), Text("the second one"));
}

TEST_P(StoreConformance, EmptyObject) {
  EXPECT_EQ(Put("empty", {}), PutOutcome::kStored);
  EXPECT_EQ(Get("empty"), Bytes());
  EXPECT_EQ(Put("empty", {}, PutMode::kCreateOnly), PutOutcome::kAlreadyExists);
  ASSERT_EQ(store_->List("empty", never_).size(), 1u);
  EXPECT_EQ(store_->List("empty", never_)[0].size, 0u);
  EXPECT_THAT(GetRanges({{"empty", 0, 0}}), ElementsAre(IsEmpty()));
  EXPECT_EQ(CodeOf([&] { GetRanges({{"empty", 0, 1}}); }), Code::kCorrupted);
}

TEST_P(StoreConformance, CreateOnlyKeepsWhatIsThere) {
  EXPECT_EQ(Put("name", Text("mine"), PutMode::kCreateOnly), PutOutcome::kStored);
  EXPECT_EQ(Put("name", Text("yours"), PutMode::kCreateOnly), PutOutcome::kAlreadyExists);
  EXPECT_EQ(Put("name", Text("mine"), PutMode::kCreateOnly), PutOutcome::kAlreadyExists);
  EXPECT_EQ(Get("name"), Text("mine"));
}

TEST_P(StoreConformance, OfThirtyTwoCreatorsExactlyOneWins) {
  constexpr int kWriters = 32;
  for (int round = 0; round < 3; ++round) {
    const std::string key = "race/" + std::to_string(round) + "/owner";
    std::atomic<int> ready{0};
    std::vector<PutOutcome> outcomes(kWriters, PutOutcome::kAlreadyExists);
    std::vector<std::string> failures(kWriters);
    std::vector<std::thread> writers;
    for (int i = 0; i < kWriters; ++i) {
      writers.emplace_back([&, i] {
        try {
          const std::unique_ptr<ObjectStore> store = maker_->Make();
          NeverStop never;
          ++ready;
          while (ready < kWriters) std::this_thread::yield();
          outcomes[i] = store->Put(key, Text("writer " + std::to_string(i)), PutMode::kCreateOnly, never);
        } catch (const Error& error) {
          failures[i] = error.message() + error.detail();
          ++ready;
        }
      });
    }
    for (std::thread& writer : writers) writer.join();
    EXPECT_THAT(failures, ::testing::Each(""));
    ASSERT_EQ(std::count(outcomes.begin(), outcomes.end(), PutOutcome::kStored), 1);
    const auto winner = std::find(outcomes.begin(), outcomes.end(), PutOutcome::kStored) - outcomes.begin();
    EXPECT_EQ(Get(key), Text("writer " + std::to_string(winner)));
  }
}

TEST_P(StoreConformance, RangesOfSeveralObjects) {
  const Bytes a = RandomBytes(300'000, 1);
  const Bytes b = RandomBytes(5'000, 2);
  Put("seg/a", a);
  Put("seg/b", b);
  const std::vector<RangeRequest> ranges = {
      {"seg/a", 200'000, 100'000},  // to the end
      {"seg/b", 0, 5'000},          // whole
      {"seg/a", 0, 1},              // first byte
      {"seg/a", 299'999, 1},        // last byte
      {"seg/a", 10, 90},            // neighbour of the first
      {"seg/a", 100, 50},           // adjacent
      {"seg/a", 50, 100},           // overlapping both
      {"seg/b", 17, 0},             // empty
      {"seg/a", 50, 100},           // the same again
  };
  for (const uint64_t gap : {uint64_t{0}, uint64_t{64 * 1024}, uint64_t{1} << 40}) {
    store_->coalesce_gap = gap;
    const std::vector<Bytes> got = GetRanges(ranges);
    ASSERT_EQ(got.size(), ranges.size());
    for (size_t i = 0; i < ranges.size(); ++i) {
      const Bytes& object = ranges[i].key == "seg/a" ? a : b;
      const ByteView expected = ByteView(object).subspan(ranges[i].offset, ranges[i].length);
      EXPECT_TRUE(std::equal(got[i].begin(), got[i].end(), expected.begin(), expected.end())) << gap << " " << i;
    }
  }
}

TEST_P(StoreConformance, HundredsOfRangesInOneWave) {
  const Bytes data = RandomBytes(4 * kMiB, 3);
  Put("many", data);
  store_->coalesce_gap = 0;
  std::vector<RangeRequest> ranges;
  for (uint64_t i = 0; i < 300; ++i) ranges.push_back({"many", (i * 7919 % 300) * 13'000, 1'000 + i});
  const StoreCounters before = store_->counters();
  const std::vector<Bytes> got = GetRanges(ranges);
  for (size_t i = 0; i < ranges.size(); ++i) {
    const ByteView expected = ByteView(data).subspan(ranges[i].offset, ranges[i].length);
    ASSERT_TRUE(std::equal(got[i].begin(), got[i].end(), expected.begin(), expected.end())) << i;
  }
  EXPECT_EQ(store_->counters().waves - before.waves, 1u);
  EXPECT_EQ(store_->counters().get_requests - before.get_requests, 300u);
}

TEST_P(StoreConformance, RangesBeyondTheEndAreAnError) {
  Put("short", RandomBytes(100, 4));
  EXPECT_EQ(CodeOf([&] { GetRanges({{"short", 100, 1}}); }), Code::kCorrupted);
  EXPECT_EQ(CodeOf([&] { GetRanges({{"short", 50, 51}}); }), Code::kCorrupted);
  EXPECT_EQ(CodeOf([&] { GetRanges({{"short", 1 << 30, 10}}); }), Code::kCorrupted);
  EXPECT_EQ(CodeOf([&] { GetRanges({{"short", ~uint64_t{0}, 10}}); }), Code::kInvalidArgument);
  EXPECT_EQ(GetRanges({{"short", 99, 1}})[0].size(), 1u);  // and the store goes on
}

TEST_P(StoreConformance, WhatIsNotThere) {
  Put("a/b", Text("x"));
  for (const char* key : {"nothing", "no/such/folder/nothing", "a", "a/b/c"}) {
    EXPECT_EQ(CodeOf([&] { Get(key); }), Code::kObjectMissing) << key;
    EXPECT_EQ(CodeOf([&] { GetRanges({{"a/b", 0, 1}, {key, 0, 1}}); }), Code::kObjectMissing) << key;
  }
  EXPECT_THAT(ListKeys("nothing"), IsEmpty());
  EXPECT_THAT(ListKeys("no/such/"), IsEmpty());
}

TEST_P(StoreConformance, AStoreNeverWrittenToIsEmpty) {
  EXPECT_THAT(ListKeys(""), IsEmpty());
  EXPECT_EQ(CodeOf([&] { Get("x"); }), Code::kObjectMissing);
  Delete({"x"});
  EXPECT_THAT(ListKeys(""), IsEmpty());
}

TEST_P(StoreConformance, ObjectsLargerThanAllowedAreRefused) {
  Put("big", RandomBytes(1000, 5));
  EXPECT_EQ(CodeOf([&] { Get("big", 999); }), Code::kLimitExceeded);
  EXPECT_EQ(Get("big", 1000).size(), 1000u);
}

TEST_P(StoreConformance, ListIsSortedByBytesAndTellsSizeAndTime) {
  for (const char* key : {"b", "a/2", "a/10", "a-", "a/\xc3\xa9", "A", "a0", "a/1/x"}) Put(key, Text(key));
  EXPECT_THAT(ListKeys(""), ElementsAre("A", "a-", "a/1/x", "a/10", "a/2", "a/\xc3\xa9", "a0", "b"));
  EXPECT_THAT(ListKeys("a/"), ElementsAre("a/1/x", "a/10", "a/2", "a/\xc3\xa9"));
  EXPECT_THAT(ListKeys("a/1"), ElementsAre("a/1/x", "a/10"));
  EXPECT_THAT(ListKeys("a"), ElementsAre("a-", "a/1/x", "a/10", "a/2", "a/\xc3\xa9", "a0"));
  const ObjectInfo info = store_->List("a/10", never_).at(0);
  EXPECT_EQ(info.size, 4u);
  EXPECT_NEAR(static_cast<double>(info.modified), static_cast<double>(SystemClock().WallSeconds()), 120);
}

TEST_P(StoreConformance, ListHasAllPagesAndDeleteTakesThemAll) {
  std::vector<ObjectKey> keys;
  for (int i = 0; i < 1050; ++i) {
    char name[32];
    std::snprintf(name, sizeof(name), "page/%04d", i);
    keys.push_back(name);
  }
  PutAll(keys);
  EXPECT_EQ(ListKeys("page/"), keys);
  EXPECT_EQ(ListKeys("page/00").size(), 100u);
  keys.push_back("page/never-was");
  const uint64_t before = store_->counters().delete_requests;
  Delete(keys);
  EXPECT_EQ(store_->counters().delete_requests - before, 2u);
  EXPECT_THAT(ListKeys("page/"), IsEmpty());
}

TEST_P(StoreConformance, DeleteOfTheAbsentSucceeds) {
  Put("kept", Text("x"));
  Delete({"absent", "no/such/folder/absent"});
  Delete({"kept"});
  Delete({"kept"});
  Delete({});
  EXPECT_EQ(CodeOf([&] { Get("kept"); }), Code::kObjectMissing);
}

TEST_P(StoreConformance, AnObjectOfSixtyFourMebibytes) {
  const Bytes data = RandomBytes(64 * kMiB, 6);
  EXPECT_EQ(Put("segment/64", data, PutMode::kCreateOnly), PutOutcome::kStored);
  EXPECT_TRUE(Get("segment/64") == data);
  const std::vector<Bytes> got = GetRanges({{"segment/64", 64 * kMiB - 5, 5}, {"segment/64", 10 * kMiB, 20 * kMiB}});
  EXPECT_TRUE(std::equal(got[0].begin(), got[0].end(), data.end() - 5));
  EXPECT_TRUE(std::equal(got[1].begin(), got[1].end(), data.begin() + 10 * kMiB));
  EXPECT_EQ(store_->List("segment/", never_).at(0).size, 64 * kMiB);
}

TEST_P(StoreConformance, AwkwardKeys) {
  const std::vector<ObjectKey> keys = {"with blank",
                                       " leading",
                                       "trailing ",
                                       "a+b",
                                       "100%",
                                       "%20",
                                       "%2e%2e/x",
                                       "a&b",
                                       "<tag>&amp;",
                                       "\"quoted\"",
                                       "it's",
                                       "q?x=1",
                                       "h#x",
                                       "semi;colon",
                                       "a=b",
                                       "a:b",
                                       "a@b",
                                       "a,b",
                                       "$x",
                                       "!x",
                                       "(x)",
                                       "[x]",
                                       "{x}",
                                       "x|y",
                                       "x^y",
                                       "x`y",
                                       "back\\slash",
                                       "*",
                                       "~tilde",
                                       "-",
                                       "_",
                                       "...",
                                       ".hidden",
                                       "dir/ /x",
                                       "\xc3\xa9t\xc3\xa9",
                                       "\xe1\x88\xb4",
                                       "\xf0\x9f\x90\x98/elephant",
                                       std::string(200, 'k')};
  for (const ObjectKey& key : keys) {
    ASSERT_EQ(Put(key, AsBytes(key), PutMode::kCreateOnly), PutOutcome::kStored) << key;
  }
  for (const ObjectKey& key : keys) EXPECT_EQ(Get(key), Text(key)) << key;
  std::vector<ObjectKey> sorted = keys;
  std::sort(sorted.begin(), sorted.end());
  EXPECT_EQ(ListKeys(""), sorted);
  for (const ObjectKey& key : keys) EXPECT_THAT(ListKeys(key), ::testing::Contains(key));
  Delete(keys);
  EXPECT_THAT(ListKeys(""), IsEmpty());
}

TEST_P(StoreConformance, InvalidKeysAreRefusedByEveryCall) {
  for (const std::string& key :
       {std::string(""), std::string("/a"), std::string("a/"), std::string("a//b"), std::string("."), std::string(".."),
        std::string("a/../b"), std::string("../a"), std::string("a/."), std::string("a\nb"), std::string("a\rb"),
        std::string("a\0b", 3), std::string("a\x7f"), std::string("\xff"), std::string("\xc3"),
        std::string("\xed\xa0\x80"), std::string(901, 'x')}) {
    EXPECT_EQ(CodeOf([&] { Put(key, {}); }), Code::kInvalidArgument) << key;
    EXPECT_EQ(CodeOf([&] { Get(key); }), Code::kInvalidArgument) << key;
    EXPECT_EQ(CodeOf([&] { GetRanges({{key, 0, 1}}); }), Code::kInvalidArgument) << key;
    EXPECT_EQ(CodeOf([&] { Delete({"fine", key}); }), Code::kInvalidArgument) << key;
  }
  const StoreCounters& counters = store_->counters();
  EXPECT_EQ(counters.get_requests + counters.put_requests + counters.delete_requests + counters.waves, 0u);
}

TEST_P(StoreConformance, CountersCountRequests) {
  const Bytes data = RandomBytes(200'000, 7);
  Put("counted", data);
  Put("counted", data, PutMode::kCreateOnly);
  Get("counted");
  // Two neighbours in one request, and one far away.
  GetRanges({{"counted", 0, 100}, {"counted", 200, 100}, {"counted", 190'000, 100}});
  GetRanges({{"counted", 5, 0}});
  ListKeys("counted");
  Delete({"counted"});
  const StoreCounters& counters = store_->counters();
  EXPECT_EQ(counters.waves, 2u);
  EXPECT_EQ(counters.get_requests, 3u);
  EXPECT_EQ(counters.put_requests, 3u);
  EXPECT_EQ(counters.delete_requests, 1u);
  EXPECT_EQ(counters.bytes_written, 200'000u);
  EXPECT_EQ(counters.bytes_read, 200'000u + 300 + 100);
  EXPECT_EQ(counters.retries, 0u);
}

TEST_P(StoreConformance, WhatIsAskedForAgainIsTheSame) {
  const Bytes data = RandomBytes(100'000, 9);
  Put("again", data);
  const std::vector<RangeRequest> ranges = {{"again", 10, 50'000}, {"again", 70'000, 30'000}, {"again", 5, 0}};
  const std::vector<Bytes> first = GetRanges(ranges);
  EXPECT_EQ(GetRanges(ranges), first);
  store_->Forget(ranges);
  EXPECT_EQ(GetRanges(ranges), first);
  Bytes bytes;
  const LocalReads reads(store_.get());
  const bool is_local = store_->GetLocal(ranges[0], &bytes);
  EXPECT_EQ(store_->counters().cache_hits > 0, is_local);
  if (is_local) {
    EXPECT_EQ(bytes, first[0]);
  }
  EXPECT_FALSE(store_->GetLocal({"again", 11, 50'000}, &bytes));
}

TEST_P(StoreConformance, WholeObjectsInOneWave) {
  const Bytes a = RandomBytes(50'000, 10);
  const Bytes b = RandomBytes(70, 11);
  Put("nav/a", a);
  Put("nav/b", b);
  Put("nav/c", {});
  const std::vector<RangeRequest> objects = {{"nav/a", 0, a.size()}, {"nav/b", 0, b.size()}, {"nav/c", 0, 0}};
  std::vector<int> verified(3);
  const auto verify = [&](size_t index, ByteView bytes) {
    ++verified[index];
    EXPECT_EQ(bytes.size(), objects[index].length);
  };
  const auto mapped = store_->GetMapped(objects, verify, never_);
  ASSERT_EQ(mapped.size(), 3u);
  EXPECT_TRUE(std::ranges::equal(mapped[0]->bytes(), a));
  EXPECT_TRUE(std::ranges::equal(mapped[1]->bytes(), b));
  EXPECT_TRUE(mapped[2]->bytes().empty());
  EXPECT_THAT(verified, ::testing::Each(::testing::Ge(1)));
  EXPECT_EQ(store_->counters().waves, 1u);
  EXPECT_TRUE(store_->GetMapped({}, verify, never_).empty());
  const std::vector<RangeRequest> missing = {{"nav/a", 0, a.size()}, {"nav/none", 0, 5}};
  EXPECT_EQ(CodeOf([&] {
              store_->GetMapped(
                  missing, [](size_t, ByteView) {}, never_);
            }),
            Code::kObjectMissing);
  const std::vector<RangeRequest> invalid = {{"nav//a", 0, 1}};
  EXPECT_EQ(CodeOf([&] {
              store_->GetMapped(
                  invalid, [](size_t, ByteView) {}, never_);
            }),
            Code::kInvalidArgument);
}

TEST_P(StoreConformance, AnObjectThatIsRefusedIsAskedForOnceMore) {
  Put("nav/a", RandomBytes(1000, 12));
  Put("nav/b", RandomBytes(1000, 13));
  const std::vector<RangeRequest> objects = {{"nav/a", 0, 1000}, {"nav/b", 0, 1000}};
  int looks = 0;
  const auto once = [&](size_t index, ByteView) {
    if (index == 1 && looks++ == 0) throw Error(Code::kCorrupted, "on the way");
  };
  EXPECT_NE(store_->GetMapped(objects, once, never_).at(1), nullptr);
  EXPECT_EQ(store_->counters().get_requests, 3u);
  const auto always = [](size_t, ByteView) { throw Error(Code::kCorrupted, "at rest"); };
  Put("nav/c", RandomBytes(1000, 14));
  const std::vector<RangeRequest> damaged = {{"nav/c", 0, 1000}};
  EXPECT_EQ(CodeOf([&] { store_->GetMapped(damaged, always, never_); }), Code::kCorrupted);
  EXPECT_EQ(store_->counters().get_requests, 5u);
  const auto newer = [](size_t, ByteView) { throw Error(Code::kNotSupported, "newer"); };
  EXPECT_EQ(CodeOf([&] { store_->GetMapped(damaged, newer, never_); }), Code::kNotSupported);
  EXPECT_EQ(store_->counters().get_requests, 6u);
}

TEST_P(StoreConformance, WhatASinkThrowsReachesTheCaller) {
  Put("x", RandomBytes(1000, 8));
  struct Mine {};
  EXPECT_THROW(store_->GetRanges(
                   std::vector<RangeRequest>{{"x", 0, 10}}, [](size_t, ByteView) { throw Mine(); }, never_),
               Mine);
  EXPECT_EQ(GetRanges({{"x", 0, 10}})[0].size(), 10u);
}

TEST_P(StoreConformance, StopsWhenAsked) {
  class Stopped final : public Stop {
    bool Requested() override { return true; }
  } stopped;
  Put("x", Text("x"));
  EXPECT_EQ(CodeOf([&] { store_->Get("x", 10, stopped); }), Code::kCancelled);
  EXPECT_EQ(CodeOf([&] { store_->Put("y", Text("y"), PutMode::kOverwrite, stopped); }), Code::kCancelled);
  EXPECT_EQ(CodeOf([&] { store_->List("", stopped); }), Code::kCancelled);
  EXPECT_EQ(CodeOf([&] { store_->Delete(std::vector<ObjectKey>{"x"}, stopped); }), Code::kCancelled);
  const std::vector<RangeRequest> range = {{"x", 0, 1}};
  EXPECT_EQ(CodeOf([&] {
              store_->GetRanges(
                  range, [](size_t, ByteView) {}, stopped);
            }),
            Code::kCancelled);
  EXPECT_THAT(ListKeys(""), ElementsAre("x"));
}

std::string NameOf(StoreKind kind) {
  switch (kind) {
    case StoreKind::kMemory:
      return "Memory";
    case StoreKind::kFile:
      return "File";
    case StoreKind::kCachedMemory:
      return "CachedMemory";
    case StoreKind::kCachedFile:
      return "CachedFile";
    case StoreKind::kS3:
      return "S3";
    case StoreKind::kCachedS3:
      return "CachedS3";
  }
  return {};
}

INSTANTIATE_TEST_SUITE_P(Stores, StoreConformance,
                         ::testing::Values(StoreKind::kMemory, StoreKind::kFile, StoreKind::kCachedMemory,
                                           StoreKind::kCachedFile, StoreKind::kS3, StoreKind::kCachedS3),
                         [](const auto& param) { return NameOf(param.param); });

}  // namespace
}  // namespace s3v

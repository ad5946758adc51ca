#include "engine/ownership.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "format/names.h"
#include "store/memory_store.h"
#include "support/faulty_store.h"

namespace s3v {
namespace {

using testing::FaultyStore;

const ObjectId kIndex = {7};

OwnerMarker Identity(uint8_t token, uint64_t system = 1, uint32_t database = 2, uint32_t timeline = 3) {
  OwnerMarker marker{.system_identifier = system, .database = database, .timeline = timeline};
  marker.token = {token};
  return marker;
}

class Ownership : public ::testing::Test {
 protected:
  uint64_t Claim(uint64_t recorded, const std::vector<uint8_t>& tokens, const OwnerMarker& mine, bool adopt = false) {
    std::vector<ObjectId> known;
    for (const uint8_t token : tokens) known.push_back({token});
    return ClaimOwnership(*store_, kIndex, recorded, known, mine, adopt, stop_);
  }
  Code ClaimCode(uint64_t recorded, const std::vector<uint8_t>& tokens, const OwnerMarker& mine, bool adopt = false) {
    try {
      Claim(recorded, tokens, mine, adopt);
    } catch (const Error& error) {
      EXPECT_FALSE(error.code() == Code::kConflict && error.hint().empty());
      return error.code();
    }
    return Code::kOk;
  }
  Code VerifyCode(uint64_t number) {
    try {
      VerifyOwnership(*store_, kIndex, number, stop_);
    } catch (const Error& error) {
      return error.code();
    }
    return Code::kOk;
  }

  NeverStop stop_;
  std::unique_ptr<ObjectStore> store_ = MakeMemoryStore();
};

TEST_F(Ownership, ChainGrowsByOneWithEverySync) {
  EXPECT_EQ(Claim(0, {}, Identity(1)), 1U);
  EXPECT_EQ(VerifyCode(1), Code::kOk);
  EXPECT_EQ(Claim(1, {1}, Identity(2)), 2U);
  EXPECT_EQ(VerifyCode(2), Code::kOk);
  EXPECT_EQ(VerifyCode(1), Code::kConflict) << "no longer the head";
  EXPECT_EQ(Claim(2, {}, Identity(3)), 3U) << "the file with the token may be lost";
}

TEST_F(Ownership, OwnAbortedAttemptIsPassedOver) {
  Claim(0, {}, Identity(1));
  EXPECT_EQ(Claim(1, {1}, Identity(2)), 2U);
  // 2 aborted: the version row still says 1, the token file 2.
  EXPECT_EQ(Claim(1, {2}, Identity(3)), 3U);
  EXPECT_EQ(Claim(1, {3}, Identity(4)), 4U);
  EXPECT_EQ(Claim(1, {1, 4, 9}, Identity(5)), 5U) << "one of several known attempts";
  // A first build that aborted: nothing recorded at all.
  EXPECT_EQ(Claim(0, {5}, Identity(6)), 6U);
}

TEST_F(Ownership, UnknownAttemptConflicts) {
  Claim(0, {}, Identity(1));
  Claim(1, {1}, Identity(2));
  EXPECT_EQ(ClaimCode(1, {}, Identity(3)), Code::kConflict);
  EXPECT_EQ(ClaimCode(1, {1}, Identity(3)), Code::kConflict);
  EXPECT_EQ(ClaimCode(0, {}, Identity(3)), Code::kConflict);
  EXPECT_EQ(ClaimCode(3, {1}, Identity(3)), Code::kConflict) << "markers have vanished";
  EXPECT_EQ(VerifyCode(2), Code::kOk) << "refusing leaves no trace";
}

TEST_F(Ownership, AnotherIdentityConflictsWhateverIsRecorded) {
  Claim(0, {}, Identity(1));
  for (const OwnerMarker& other : {Identity(2, 9, 2, 3), Identity(2, 1, 9, 3), Identity(2, 1, 2, 9)}) {
    EXPECT_EQ(ClaimCode(1, {1}, other), Code::kConflict);
    EXPECT_EQ(ClaimCode(0, {}, other), Code::kConflict);
  }
}

// A byte-for-byte clone: same identity, same recorded number, same token file. The first to sync wins, the other stops.
TEST_F(Ownership, CloneAndOriginalFenceEachOther) {
  Claim(0, {}, Identity(1));
  EXPECT_EQ(Claim(1, {1}, Identity(10)), 2U);
  EXPECT_EQ(ClaimCode(1, {1}, Identity(20)), Code::kConflict);
  EXPECT_EQ(VerifyCode(2), Code::kOk);
}

TEST_F(Ownership, AdoptTakesTheNextNumberWhateverTheHead) {
  Claim(0, {}, Identity(1));
  EXPECT_EQ(Claim(0, {}, Identity(2, 9, 9, 9), true), 2U);
  EXPECT_EQ(VerifyCode(1), Code::kConflict);
  EXPECT_EQ(ClaimCode(1, {1}, Identity(3)), Code::kConflict) << "the former owner is fenced";
  const Bytes garbage(100, 0);
  store_->Put(OwnerKey(kIndex, 3), garbage, ObjectStore::PutMode::kCreateOnly, stop_);
  EXPECT_EQ(ClaimCode(2, {2}, Identity(4, 9, 9, 9)), Code::kCorrupted);
  EXPECT_EQ(Claim(2, {2}, Identity(4, 9, 9, 9), true), 4U);
}

TEST_F(Ownership, EmptiedBucketStartsBehindWhatWasRecorded) { EXPECT_EQ(Claim(41, {5}, Identity(1)), 42U); }

TEST_F(Ownership, VanishedMarkerIsNotOurs) {
  Claim(0, {}, Identity(1));
  const ObjectKey key = OwnerKey(kIndex, 1);
  store_->Delete({&key, 1}, stop_);
  EXPECT_EQ(VerifyCode(1), Code::kConflict);
}

// Between the listing and the claim somebody takes the number.
TEST_F(Ownership, LosingTheRaceConflicts) {
  class Racing final : public ObjectStore {
   public:
    explicit Racing(ObjectStore& inner) : inner_(inner) {}
    void GetRanges(std::span<const RangeRequest> r, const RangeSink& s, Stop& stop) override {
      inner_.GetRanges(r, s, stop);
    }
    Bytes Get(const ObjectKey& key, uint64_t max_size, Stop& stop) override { return inner_.Get(key, max_size, stop); }
    PutOutcome Put(const ObjectKey& key, ByteView data, PutMode mode, Stop& stop) override {
      inner_.Put(key, Bytes(1), PutMode::kCreateOnly, stop);
      return inner_.Put(key, data, mode, stop);
    }
    std::vector<ObjectInfo> List(const std::string& prefix, Stop& stop) override { return inner_.List(prefix, stop); }
    void Delete(std::span<const ObjectKey> keys, Stop& stop) override { inner_.Delete(keys, stop); }
    const StoreCounters& counters() const override { return inner_.counters(); }

   private:
    ObjectStore& inner_;
  };
  Racing racing(*store_);
  try {
    ClaimOwnership(racing, kIndex, 0, {}, Identity(1), false, stop_);
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), Code::kConflict);
  }
}

TEST_F(Ownership, OtherNamesInTheFolderDoNotCount) {
  const Bytes bytes(1);
  for (const std::string name : {"00000000000000000000", "99999999999999999999", "5", "x"}) {
    store_->Put(OwnerPrefix(kIndex) + name, bytes, ObjectStore::PutMode::kOverwrite, stop_);
  }
  EXPECT_EQ(Claim(0, {}, Identity(1)), 1U);
}

TEST_F(Ownership, WhoIsRefusedOrCutOffBeforeWritingHearsNoNumber) {
  std::vector<uint64_t> heard;
  const auto claim = [&](ObjectStore& store, const OwnerMarker& mine) {
    ClaimOwnership(store, kIndex, 0, {}, mine, false, stop_, [&](uint64_t number) { heard.push_back(number); });
  };
  FaultyStore faulty(MakeMemoryStore());
  faulty.FailingAt(0, FaultyStore::When::kBefore);  // the listing
  EXPECT_THROW(claim(faulty, Identity(1)), Error);
  EXPECT_THAT(heard, ::testing::IsEmpty());
  claim(*store_, Identity(1));
  EXPECT_THAT(heard, ::testing::ElementsAre(1U));
  EXPECT_THROW(claim(*store_, Identity(2)), Error);
  EXPECT_THAT(heard, ::testing::ElementsAre(1U));
}

TEST_F(Ownership, FailureAtEveryCallNeverClaimsTwice) {
  const std::vector<ObjectId> first = {{1}};
  const std::vector<ObjectId> both = {{1}, {2}};
  for (const auto when : {FaultyStore::When::kBefore, FaultyStore::When::kAfter}) {
    for (int n = 0;; ++n) {
      FaultyStore faulty(MakeMemoryStore());
      ClaimOwnership(faulty, kIndex, 0, {}, Identity(1), false, stop_);
      faulty.FailingAt(faulty.calls() + n, when);
      try {
        ClaimOwnership(faulty, kIndex, 1, first, Identity(2), false, stop_);
        VerifyOwnership(faulty, kIndex, 2, stop_);
        EXPECT_FALSE(faulty.has_failed());
        EXPECT_GE(n, when == FaultyStore::When::kBefore ? 5 : 3);
        break;
      } catch (const Error& error) {
        ASSERT_EQ(error.code(), Code::kUnavailable);
      }
      // The same server tries again: its token file names its last attempt, whether that arrived or not.
      const bool arrived = faulty.inner().List(OwnerPrefix(kIndex), stop_).size() == 2;
      EXPECT_EQ(ClaimOwnership(faulty, kIndex, 1, both, Identity(3), false, stop_), arrived ? 3U : 2U);
    }
  }
}

}  // namespace
}  // namespace s3v

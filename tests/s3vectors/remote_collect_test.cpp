#include "s3vectors/remote_collect.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "engine/ownership.h"
#include "s3vectors/index_service.h"
#include "s3vectors/names.h"
#include "s3vectors/remote_objects.h"

namespace s3v {
namespace {

using testing::Answer;
using ::testing::ElementsAre;
using testing::ErrorFrom;
using ::testing::HasSubstr;
using testing::IndexFixture;
using testing::IndexService;
using ::testing::IsSupersetOf;
using testing::ServedAnswer;

const ObjectId kIndex = {7};
const ObjectId kOther = {8};
constexpr int64_t kDay = 86400;
const std::vector<ObjectId> kOwnTokens = {{}};

const std::string kOld = GenerationName(kIndex, 0x10);
const std::string kNew = GenerationName(kIndex, 0x20);
const std::string kOrphan = GenerationName(kIndex, 0x90);

// An index of two versions, an orphan, another index, and names that are not ours.
class RemoteCollecting : public ::testing::Test {
 protected:
  void SetUp() override { Fill(); }

  void Fill() {
    for (const std::string& name : {kOld, kNew, kOrphan}) service_.Add(name);
    foreign_ = {RemotePrefix(kIndex) + "-notes", RemotePrefix(kIndex) + "o7", RemotePrefix(kIndex)};
    elsewhere_ = {GenerationName(kOther, 0x90), "unrelated"};
    for (const std::string& name : foreign_) service_.Add(name);
    for (const std::string& name : elsewhere_) service_.Add(name);
    Claim();
    service_.now += 30 * kDay;
  }

  uint64_t Claim() { return ClaimOwnership(*store_, kIndex, 0, kOwnTokens, {}, false, stop_); }

  std::set<std::string> Names() {
    const std::vector<std::string> names = service_.Names();
    return {names.begin(), names.end()};
  }
  uint64_t Markers() {
    return static_cast<uint64_t>(std::ranges::count_if(Names(), [](const std::string& text) {
      RemoteName name;
      return ParseRemoteName(text, &name) && name.is_owner && name.index == kIndex;
    }));
  }

  CollectResult Run(const std::vector<std::string>& retained, int64_t keep = 7 * kDay) {
    return Run(retained.empty() ? IndexState::kDropped : IndexState::kLiving, retained, keep);
  }
  CollectResult Run(IndexState state, const std::vector<std::string>& retained, int64_t keep) {
    const uint64_t number = Claim();
    return CollectRemote(
        fixture_.client, kIndex, state, retained, keep, number,
        [&] { VerifyOwnership(*store_, kIndex, number, stop_); }, stop_);
  }

  NeverStop stop_;
  IndexFixture fixture_;
  IndexService& service_ = fixture_.service;
  std::unique_ptr<ObjectStore> store_ = MakeRemoteObjects(&fixture_.client);
  std::set<std::string> foreign_, elsewhere_;
};

TEST_F(RemoteCollecting, ClaimsRetireOldMarkers) {
  for (int i = 0; i < 100; ++i) Claim();  // with the one of long ago: 101
  RetireMarkers(fixture_.client, kIndex, 101, stop_);
  EXPECT_EQ(Markers(), 100u) << "the others are of this very moment";
  service_.now += kMarkerAgeSeconds;
  const uint64_t head = Claim();
  const std::set<std::string> before = Names();
  RetireMarkers(fixture_.client, kIndex, head, stop_);
  EXPECT_EQ(Markers(), 101u - 64) << "a few at a time";
  RetireMarkers(fixture_.client, kIndex, head, stop_);
  EXPECT_EQ(Markers(), 2u) << "the head, and the one before it";
  EXPECT_TRUE(Names().contains(OwnerName(kIndex, head)));
  EXPECT_TRUE(Names().contains(OwnerName(kIndex, head - 1)));
  for (const std::string& name : before) {
    RemoteName parsed;
    const bool is_marker = ParseRemoteName(name, &parsed) && parsed.is_owner;
    EXPECT_TRUE(is_marker || Names().contains(name)) << name;
  }
  EXPECT_NO_THROW(VerifyOwnership(*store_, kIndex, head, stop_));
  EXPECT_EQ(Claim(), head + 1);
}

TEST_F(RemoteCollecting, KeepsAllThatRetainedVersionsName) {
  const CollectResult result = Run({kOld, kNew});
  EXPECT_EQ(result.deleted, 1U);
  EXPECT_EQ(result.bytes, 0U);
  EXPECT_EQ(result.kept, 2U + 2U) << "both generations, two markers";
  EXPECT_EQ(result.foreign_objects, 3U);
  const auto names = Names();
  EXPECT_THAT(names, IsSupersetOf({kOld, kNew}));
  EXPECT_THAT(names, IsSupersetOf(foreign_));
  EXPECT_THAT(names, IsSupersetOf(elsewhere_));
  EXPECT_FALSE(names.contains(kOrphan));
}

TEST_F(RemoteCollecting, DeletesTheOldVersionAndThenNothingMore) {
  EXPECT_EQ(Run({kNew}).deleted, 2U);
  EXPECT_FALSE(Names().contains(kOld));
  EXPECT_EQ(Run({kNew}).deleted, 1U) << "of three markers the one before the last two";
  EXPECT_EQ(Run({kNew}).deleted, 0U) << "all markers are young now";
}

TEST_F(RemoteCollecting, YoungGenerationsStay) {
  const std::string young = GenerationName(kIndex, 0x99);
  service_.Add(young);
  service_.now += 7 * kDay - 1;
  Run({kNew});
  EXPECT_TRUE(Names().contains(young));
  service_.now += 1;
  Run({kNew});
  EXPECT_FALSE(Names().contains(young));
}

TEST_F(RemoteCollecting, KeepNothingDeletesWhatIsNewToo) {
  service_.Add(GenerationName(kIndex, 0x99));
  EXPECT_EQ(Run({kNew}, 0).deleted, 3U);
  EXPECT_TRUE(Names().contains(kNew));
}

// Without a time nobody can say that something is old.
TEST_F(RemoteCollecting, WithoutTimesNothingCountsAsOld) {
  service_.times = IndexService::Times::kMissing;
  EXPECT_EQ(Run({kNew}).deleted, 0U);
  EXPECT_EQ(Run({kNew}, 0).deleted, 3U) << "two generations, one marker";
}

TEST_F(RemoteCollecting, OneWithoutATimeCountsAsNew) {
  service_.buckets["vectors"].indexes[kOld].created = 0;
  Run({kNew});
  EXPECT_TRUE(Names().contains(kOld));
  EXPECT_FALSE(Names().contains(kOrphan));
}

TEST_F(RemoteCollecting, MissingRetainedGenerationDeletesNothing) {
  const auto before = Names();
  const Error error = ErrorFrom([&] { Run({kNew, GenerationName(kIndex, 0x77)}, 0); });
  EXPECT_EQ(error.code(), Code::kObjectMissing);
  EXPECT_THAT(error.message(), HasSubstr(GenerationName(kIndex, 0x77)));
  EXPECT_EQ(Names().size(), before.size() + 1) << "the marker just claimed";
  for (const std::string& name : {GenerationName(kOther, 0x90), OwnerName(kIndex, 1), std::string("unrelated")}) {
    EXPECT_EQ(ErrorFrom([&] { Run({kNew, name}, 0); }).code(), Code::kInvalidArgument) << name;
  }
  EXPECT_EQ(service_.Count("DeleteIndex"), 0);
}

TEST_F(RemoteCollecting, MissingMarkerDeletesNothing) {
  const auto before = Names();
  const Error error = ErrorFrom([&] {
    CollectRemote(
        fixture_.client, kIndex, IndexState::kLiving, {kNew}, 0, 55, [] {}, stop_);
  });
  EXPECT_EQ(error.code(), Code::kConflict);
  EXPECT_EQ(Names(), before);
}

TEST_F(RemoteCollecting, DroppedIndexGoesItsOwnMarkerLast) {
  std::string last;
  service_.intercept = [&](const IndexService::Request& request) -> std::optional<ServedAnswer> {
    if (request.operation == "DeleteIndex") last = request.body.at("indexName");
    return std::nullopt;
  };
  Claim();
  service_.now += 30 * kDay;
  const CollectResult result = Run({});
  EXPECT_EQ(result.deleted, 3U + 3U);
  EXPECT_EQ(result.kept, 0U);
  EXPECT_EQ(result.foreign_objects, 3U);
  EXPECT_EQ(last, OwnerName(kIndex, 3));
  std::set<std::string> left = foreign_;
  left.insert(elsewhere_.begin(), elsewhere_.end());
  EXPECT_EQ(Names(), left);
}

TEST_F(RemoteCollecting, DroppedIndexThatRetainsVersionsIsAMistake) {
  EXPECT_EQ(ErrorFrom([&] { Run(IndexState::kDropped, {kNew}, 0); }).code(), Code::kInternal);
}

TEST_F(RemoteCollecting, LivingIndexWithoutVersionsKeepsItsMarkers) {
  EXPECT_EQ(Run(IndexState::kLiving, {}, 0).deleted, 3U);
  EXPECT_EQ(Markers(), 2U);
}

TEST_F(RemoteCollecting, DroppedIndexWithYoungGenerationsKeepsItsMarkers) {
  service_.Add(GenerationName(kIndex, 0x99));
  EXPECT_EQ(Run({}).kept, 3U) << "the young one, two markers";
  EXPECT_EQ(Markers(), 2U);
}

TEST_F(RemoteCollecting, OldMarkersGoButForTheHeadAndTheOneBefore) {
  for (int i = 0; i < 40; ++i) Claim();
  Run({kNew});
  EXPECT_EQ(Markers(), 41U) << "the very first is old, the others a slow rival may still count on";
  service_.now += 7 * kDay;
  Run({kNew});
  EXPECT_EQ(Markers(), 2U);
  EXPECT_NO_THROW(Claim());
}

TEST_F(RemoteCollecting, FenceIsLookedAtBeforeEveryBatch) {
  for (uint32_t i = 0; i < 200; ++i) service_.Add(GenerationName(kIndex, 0x1000 + i));
  service_.now += 30 * kDay;
  const uint64_t number = Claim();
  int looks = 0;
  const auto fenced_at_the_third = [&] {
    if (++looks == 3) throw Error(Code::kConflict, "fenced");
  };
  EXPECT_THROW(
      CollectRemote(fixture_.client, kIndex, IndexState::kLiving, {kNew}, 0, number, fenced_at_the_third, stop_),
      Error);
  EXPECT_EQ(looks, 3);
  EXPECT_EQ(service_.Count("DeleteIndex"), 128) << "two batches of 64, no more";
  EXPECT_TRUE(Names().contains(kNew));
}

// Every request of the clean-up in turn is refused for good, or happens without its answer arriving.
TEST_F(RemoteCollecting, FailureAtEveryRequestDeletesNothingRetainedAndARepeatCompletes) {
  for (const bool loses : {false, true}) {
    for (size_t n = 0;; ++n) {
      service_.buckets["vectors"].indexes.clear();
      Fill();
      size_t seen = 0;
      std::string struck;
      service_.intercept = [&](const IndexService::Request& request) -> std::optional<ServedAnswer> {
        if (seen++ != n) return std::nullopt;
        struck = request.operation;
        if (!loses) return Answer(403, R"({"message":"no"})");
        ++service_.lost_answers[struck];
        return std::nullopt;
      };
      bool refused = false;
      try {
        Run({kNew});
      } catch (const Error& error) {
        ASSERT_EQ(error.code(), Code::kPermissionDenied);
        refused = true;
      }
      // Whether a bucket is there is a question that may stay open; a lost answer is asked for again.
      EXPECT_EQ(refused, !loses && !struck.empty() && struck != "GetVectorBucket") << struck;
      const bool finished = struck.empty();
      service_.intercept = nullptr;
      EXPECT_TRUE(Names().contains(kNew));
      EXPECT_THAT(Names(), IsSupersetOf(elsewhere_));
      Run({kNew});
      EXPECT_FALSE(Names().contains(kOld));
      EXPECT_TRUE(Names().contains(kNew));
      if (finished) break;
      ASSERT_LT(n, 30U);
    }
  }
}

TEST_F(RemoteCollecting, FindRemoteIndexesNamesEveryUuidThatHasSomething) {
  service_.Add(RemotePrefix({9}) + "-picture");
  service_.page_size = 2;
  const StoredIndexes found = FindRemoteIndexes(fixture_.client, stop_);
  EXPECT_THAT(found.indexes, ElementsAre(kIndex, kOther));
  EXPECT_EQ(found.foreign_objects, 2U) << "one that is nobody's, one that begins as an index which is none";
}

}  // namespace
}  // namespace s3v

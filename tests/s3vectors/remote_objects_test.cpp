// The adapter, and the fence (engine/ownership) over it: the cases of tests/engine/ownership_test.cpp.
#include "s3vectors/remote_objects.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <numeric>

#include "engine/ownership.h"
#include "format/names.h"
#include "s3vectors/index_service.h"
#include "s3vectors/names.h"
#include "support/faulty_store.h"

namespace s3v {
namespace {

using nlohmann::json;
using testing::Answer;
using ::testing::ElementsAre;
using testing::ErrorFrom;
using testing::FaultyStore;
using ::testing::HasSubstr;
using testing::IndexFixture;
using testing::IndexService;
using testing::ServedAnswer;
using ::testing::SizeIs;
using PutMode = ObjectStore::PutMode;
using PutOutcome = ObjectStore::PutOutcome;

const ObjectId kIndex = {7};
const ObjectId kOther = {8};
constexpr uint64_t kAnySize = 1 << 20;

Bytes SomeBytes(size_t size) {
  Bytes bytes(size);
  std::iota(bytes.begin(), bytes.end(), static_cast<uint8_t>(size * 37));
  return bytes;
}

std::string GenerationKey(const ObjectId& index, const std::string& digits) {
  return IndexPrefix(index) + "generation/" + digits;
}

class RemoteObjectsTest : public ::testing::Test {
 protected:
  PutOutcome Put(uint64_t number, const Bytes& bytes) {
    return store_->Put(OwnerKey(kIndex, number), bytes, PutMode::kCreateOnly, stop_);
  }
  Bytes Get(uint64_t number) { return store_->Get(OwnerKey(kIndex, number), kAnySize, stop_); }
  std::vector<std::string> Listed(const std::string& prefix) {
    std::vector<std::string> keys;
    for (const ObjectInfo& object : store_->List(prefix, stop_)) keys.push_back(object.key);
    return keys;
  }

  IndexFixture fixture_;
  IndexService& service_ = fixture_.service;
  NeverStop stop_;
  std::unique_ptr<ObjectStore> store_ = MakeRemoteObjects(&fixture_.client);
};

TEST_F(RemoteObjectsTest, MarkerIsAnEmptyIndexThatHoldsItsBytes) {
  const Bytes bytes = SomeBytes(200);
  EXPECT_EQ(Put(12, bytes), PutOutcome::kStored);
  ASSERT_THAT(service_.Names(), ElementsAre(OwnerName(kIndex, 12)));
  const json& index = service_.buckets["vectors"].indexes.begin()->second.description;
  EXPECT_EQ(index.at("dimension"), 1);
  EXPECT_EQ(index.at("distanceMetric"), "euclidean");
  EXPECT_EQ(index.at("metadataConfiguration").at("nonFilterableMetadataKeys").size(), 5U);
  EXPECT_EQ(Get(12), bytes);
  EXPECT_EQ(store_->Get(OwnerKey(kIndex, 12), 200, stop_), bytes);
  EXPECT_EQ(ErrorFrom([&] { store_->Get(OwnerKey(kIndex, 12), 199, stop_); }).code(), Code::kLimitExceeded);
}

// The service itself checks, too, that keys are distinct in place and at most 63 characters long.
TEST_F(RemoteObjectsTest, BytesOfEverySizeComeBackInWhateverOrder) {
  for (uint64_t size = 0; size <= 465; ++size) {
    service_.reverses_keys = size % 2 == 1;
    const Bytes bytes = SomeBytes(size);
    ASSERT_EQ(Put(size + 1, bytes), PutOutcome::kStored);
    ASSERT_EQ(Get(size + 1), bytes) << size;
  }
  EXPECT_EQ(ErrorFrom([&] { Put(1000, SomeBytes(466)); }).code(), Code::kInternal);
}

TEST_F(RemoteObjectsTest, OwnerMarkersFit) {
  const OwnerMarker greatest{.number = kMaxOwnerNumber,
                             .system_identifier = UINT64_MAX,
                             .database = UINT32_MAX,
                             .timeline = UINT32_MAX,
                             .token = {255}};
  const Bytes bytes = EncodeOwner(greatest, kIndex);
  EXPECT_EQ(Put(kMaxOwnerNumber, bytes), PutOutcome::kStored);
  const OwnerMarker back = DecodeOwner(Get(kMaxOwnerNumber), kIndex, kMaxOwnerNumber, "key");
  EXPECT_EQ(back.system_identifier, UINT64_MAX);
  EXPECT_EQ(back.token, greatest.token);
}

TEST_F(RemoteObjectsTest, SecondCreateLosesAndChangesNothing) {
  EXPECT_EQ(Put(1, SomeBytes(10)), PutOutcome::kStored);
  EXPECT_EQ(Put(1, SomeBytes(10)), PutOutcome::kAlreadyExists) << "the same bytes, but nothing was lost";
  EXPECT_EQ(Put(1, SomeBytes(11)), PutOutcome::kAlreadyExists);
  EXPECT_EQ(Get(1), SomeBytes(10));
}

TEST_F(RemoteObjectsTest, CreateWithALostAnswerIsReadBack) {
  service_.lost_answers["CreateIndex"] = 1;
  EXPECT_EQ(Put(1, SomeBytes(10)), PutOutcome::kStored);
  EXPECT_EQ(service_.Count("CreateIndex"), 2);

  // The first try got lost on its way, and somebody else was faster.
  bool lost = false;
  service_.intercept = [&](const IndexService::Request& request) -> std::optional<ServedAnswer> {
    if (request.operation != "CreateIndex" || lost) return std::nullopt;
    lost = true;
    service_.Add(OwnerName(kIndex, 2), {{"metadataConfiguration", {{"nonFilterableMetadataKeys", {"aAAAA"}}}}});
    return ServedAnswer{.bytes = "", .then = ServedAnswer::Then::kReset};
  };
  EXPECT_EQ(Put(2, SomeBytes(10)), PutOutcome::kAlreadyExists);
  EXPECT_EQ(Get(2), Bytes(3));
}

TEST_F(RemoteObjectsTest, MissingMarkerAndMissingBucketDiffer) {
  const Error missing = ErrorFrom([&] { Get(3); });
  EXPECT_EQ(missing.code(), Code::kObjectMissing);
  EXPECT_THAT(missing.message(), HasSubstr(OwnerKey(kIndex, 3)));
  service_.buckets.clear();
  EXPECT_EQ(ErrorFrom([&] { Get(3); }).code(), Code::kStoreMissing);
  EXPECT_EQ(ErrorFrom([&] { Put(3, SomeBytes(3)); }).code(), Code::kStoreMissing);
  EXPECT_EQ(ErrorFrom([&] { Listed(""); }).code(), Code::kStoreMissing);
}

TEST_F(RemoteObjectsTest, NumbersBeyondAllNamesAreMissingAndCannotBePut) {
  EXPECT_EQ(ErrorFrom([&] { Get(kMaxOwnerNumber + 1); }).code(), Code::kObjectMissing);
  EXPECT_EQ(ErrorFrom([&] { Put(kMaxOwnerNumber + 1, SomeBytes(3)); }).code(), Code::kLimitExceeded);
  const ObjectKey key = OwnerKey(kIndex, kMaxOwnerNumber + 1);
  store_->Delete({&key, 1}, stop_);
  EXPECT_THAT(service_.requests, SizeIs(0));
}

TEST_F(RemoteObjectsTest, ForeignKeysOfAMarkerAreNoBytes) {
  uint64_t number = 0;
  for (const json& keys :
       {json({"aAAAA", "bAAAA", "dAAAA"}), json({"bAAAA"}), json({"aAA AA"}), json({""}), json({"price", "colour"})}) {
    service_.Add(OwnerName(kIndex, ++number), {{"metadataConfiguration", {{"nonFilterableMetadataKeys", keys}}}});
    EXPECT_EQ(Get(number), Bytes()) << keys;
  }
}

TEST_F(RemoteObjectsTest, ListsMarkersGenerationsAndForeignNames) {
  for (const std::string& name : {OwnerName(kIndex, 2), OwnerName(kIndex, 10), GenerationName(kIndex, 0xbeef),
                                  GenerationName(kOther, 1), std::string("docs"), RemotePrefix(kIndex) + "-other"}) {
    service_.Add(name);
  }
  service_.now += 100;
  const std::string generation = GenerationKey(kIndex, "0000beef");
  EXPECT_THAT(Listed(""), ElementsAre(generation, OwnerKey(kIndex, 2), OwnerKey(kIndex, 10),
                                      GenerationKey(kOther, "00000001"), "docs", RemotePrefix(kIndex) + "-other"));
  EXPECT_THAT(Listed(IndexPrefix(kIndex)), ElementsAre(generation, OwnerKey(kIndex, 2), OwnerKey(kIndex, 10)));
  EXPECT_THAT(Listed(OwnerPrefix(kIndex)), ElementsAre(OwnerKey(kIndex, 2), OwnerKey(kIndex, 10)));
  EXPECT_THAT(Listed(OwnerPrefix(kIndex) + "00000000000000000002"), ElementsAre(OwnerKey(kIndex, 2)));
  EXPECT_THAT(Listed(IndexPrefix(kIndex) + "generation/"), ElementsAre(generation));
  EXPECT_THAT(Listed("doc"), ElementsAre("docs"));
  EXPECT_THAT(Listed(UuidText(kIndex).substr(0, 30)), SizeIs(3));
  EXPECT_EQ(service_.requests.at(1).body.at("prefix"), RemotePrefix(kIndex));
  EXPECT_EQ(service_.requests.at(2).body.at("prefix"), RemotePrefix(kIndex) + "o");
  EXPECT_EQ(service_.requests.at(4).body.at("prefix"), RemotePrefix(kIndex) + "-");
  const ObjectInfo info = store_->List(OwnerPrefix(kIndex), stop_).at(0);
  EXPECT_EQ(info.size, 0U);
  EXPECT_EQ(info.modified, 1795273899);
}

TEST_F(RemoteObjectsTest, DeletesBothKindsAndWhatIsNotThere) {
  service_.Add(OwnerName(kIndex, 2));
  service_.Add(GenerationName(kIndex, 0xbeef));
  service_.Add(GenerationName(kIndex, 0xdead));
  const std::vector<ObjectKey> keys = {OwnerKey(kIndex, 2), OwnerKey(kIndex, 3), GenerationKey(kIndex, "0000beef")};
  store_->Delete(keys, stop_);
  EXPECT_THAT(service_.Names(), ElementsAre(GenerationName(kIndex, 0xdead)));
}

TEST_F(RemoteObjectsTest, EverythingElseIsInternal) {
  const auto refuses = [](const std::function<void()>& work) { return ErrorFrom(work).code() == Code::kInternal; };
  const std::string owner = OwnerKey(kIndex, 1);
  const std::string generation = GenerationKey(kIndex, "0000beef");
  EXPECT_TRUE(refuses([&] { store_->Put(owner, Bytes(3), PutMode::kOverwrite, stop_); }));
  EXPECT_TRUE(refuses([&] { store_->Put(generation, Bytes(3), PutMode::kCreateOnly, stop_); }));
  EXPECT_TRUE(refuses([&] { store_->Get(generation, kAnySize, stop_); }));
  const std::vector<RangeRequest> ranges = {{owner, 0, 1}};
  EXPECT_TRUE(refuses([&] {
    store_->GetRanges(
        ranges, [](size_t, ByteView) {}, stop_);
  }));
  for (const std::string& key : {std::string(), std::string("docs"), RemotePrefix(kIndex) + "-0000beef",
                                 IndexPrefix(kIndex), ManifestKey(kIndex, {1}), GenerationKey(kIndex, ""),
                                 GenerationKey(kIndex, "0000BEEF"), GenerationKey(kIndex, "0000beef/"),
                                 OwnerPrefix(kIndex) + "7", UuidText(kIndex) + "-owner/" + owner.substr(43)}) {
    EXPECT_TRUE(refuses([&] { store_->Delete({&key, 1}, stop_); })) << key;
    EXPECT_TRUE(refuses([&] { store_->Put(key, Bytes(3), PutMode::kCreateOnly, stop_); })) << key;
  }
  EXPECT_THAT(service_.requests, SizeIs(0));
}

TEST_F(RemoteObjectsTest, CountersAreThoseOfTheService) {
  Put(1, SomeBytes(10));
  Listed("");
  store_->Delete(std::vector<ObjectKey>{OwnerKey(kIndex, 1)}, stop_);
  EXPECT_EQ(&store_->counters(), &fixture_.client.counters());
  EXPECT_EQ(store_->counters().put_requests, 1U);
  EXPECT_EQ(store_->counters().get_requests, 1U);
  EXPECT_EQ(store_->counters().delete_requests, 1U);
}

OwnerMarker Identity(uint8_t token, uint64_t system = 1, uint32_t database = 2, uint32_t timeline = 3) {
  OwnerMarker marker{.system_identifier = system, .database = database, .timeline = timeline};
  marker.token = {token};
  return marker;
}

// --- the fence ---

class RemoteOwnership : public ::testing::Test {
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
  IndexFixture fixture_;
  IndexService& service_ = fixture_.service;
  std::unique_ptr<ObjectStore> store_ = MakeRemoteObjects(&fixture_.client);
};

TEST_F(RemoteOwnership, ChainGrowsByOneWithEverySync) {
  EXPECT_EQ(Claim(0, {}, Identity(1)), 1U);
  EXPECT_EQ(VerifyCode(1), Code::kOk);
  EXPECT_EQ(Claim(1, {1}, Identity(2)), 2U);
  EXPECT_EQ(VerifyCode(2), Code::kOk);
  EXPECT_EQ(VerifyCode(1), Code::kConflict) << "no longer the head";
  EXPECT_EQ(Claim(2, {}, Identity(3)), 3U) << "the file with the token may be lost";
}

TEST_F(RemoteOwnership, OwnAbortedAttemptIsPassedOver) {
  Claim(0, {}, Identity(1));
  EXPECT_EQ(Claim(1, {1}, Identity(2)), 2U);
  // 2 aborted: the version row still says 1, the token file 2.
  EXPECT_EQ(Claim(1, {2}, Identity(3)), 3U);
  EXPECT_EQ(Claim(1, {3}, Identity(4)), 4U);
  EXPECT_EQ(Claim(1, {1, 4, 9}, Identity(5)), 5U) << "one of several known attempts";
  // A first build that aborted: nothing recorded at all.
  EXPECT_EQ(Claim(0, {5}, Identity(6)), 6U);
}

TEST_F(RemoteOwnership, UnknownAttemptConflicts) {
  Claim(0, {}, Identity(1));
  Claim(1, {1}, Identity(2));
  EXPECT_EQ(ClaimCode(1, {}, Identity(3)), Code::kConflict);
  EXPECT_EQ(ClaimCode(1, {1}, Identity(3)), Code::kConflict);
  EXPECT_EQ(ClaimCode(0, {}, Identity(3)), Code::kConflict);
  EXPECT_EQ(ClaimCode(3, {1}, Identity(3)), Code::kConflict) << "markers have vanished";
  EXPECT_EQ(VerifyCode(2), Code::kOk) << "refusing leaves no trace";
}

TEST_F(RemoteOwnership, AnotherIdentityConflictsWhateverIsRecorded) {
  Claim(0, {}, Identity(1));
  for (const OwnerMarker& other : {Identity(2, 9, 2, 3), Identity(2, 1, 9, 3), Identity(2, 1, 2, 9)}) {
    EXPECT_EQ(ClaimCode(1, {1}, other), Code::kConflict);
    EXPECT_EQ(ClaimCode(0, {}, other), Code::kConflict);
  }
}

// A byte-for-byte clone: same identity, same recorded number, same token file. The first to sync wins, the other stops.
TEST_F(RemoteOwnership, CloneAndOriginalFenceEachOther) {
  Claim(0, {}, Identity(1));
  EXPECT_EQ(Claim(1, {1}, Identity(10)), 2U);
  EXPECT_EQ(ClaimCode(1, {1}, Identity(20)), Code::kConflict);
  EXPECT_EQ(VerifyCode(2), Code::kOk);
}

TEST_F(RemoteOwnership, AdoptTakesTheNextNumberWhateverTheHead) {
  Claim(0, {}, Identity(1));
  EXPECT_EQ(Claim(0, {}, Identity(2, 9, 9, 9), true), 2U);
  EXPECT_EQ(VerifyCode(1), Code::kConflict);
  EXPECT_EQ(ClaimCode(1, {1}, Identity(3)), Code::kConflict) << "the former owner is fenced";
  const Bytes garbage(100, 0);
  store_->Put(OwnerKey(kIndex, 3), garbage, ObjectStore::PutMode::kCreateOnly, stop_);
  EXPECT_EQ(ClaimCode(2, {2}, Identity(4, 9, 9, 9)), Code::kCorrupted);
  EXPECT_EQ(Claim(2, {2}, Identity(4, 9, 9, 9), true), 4U);
}

TEST_F(RemoteOwnership, EmptiedBucketStartsBehindWhatWasRecorded) { EXPECT_EQ(Claim(41, {5}, Identity(1)), 42U); }

TEST_F(RemoteOwnership, VanishedMarkerIsNotOurs) {
  Claim(0, {}, Identity(1));
  const ObjectKey key = OwnerKey(kIndex, 1);
  store_->Delete({&key, 1}, stop_);
  EXPECT_EQ(VerifyCode(1), Code::kConflict);
}

// Between the listing and the claim somebody takes the number.
TEST_F(RemoteOwnership, LosingTheRaceConflicts) {
  service_.intercept = [&](const IndexService::Request& request) -> std::optional<ServedAnswer> {
    if (request.operation == "CreateIndex") service_.Add(OwnerName(kIndex, 1));
    return std::nullopt;
  };
  EXPECT_EQ(ClaimCode(0, {}, Identity(1)), Code::kConflict);
  EXPECT_EQ(service_.Count("CreateIndex"), 1);
}

// Two claims of one server differ in their tokens: a number that the rival took while our answer was lost is not ours.
TEST_F(RemoteOwnership, LostAnswersNeverMakeTwoWinners) {
  service_.lost_answers["CreateIndex"] = 1;
  EXPECT_EQ(Claim(0, {}, Identity(1)), 1U);
  EXPECT_EQ(VerifyCode(1), Code::kOk);
  bool lost = false;
  service_.intercept = [&](const IndexService::Request& request) -> std::optional<ServedAnswer> {
    if (request.operation != "CreateIndex" || lost) return std::nullopt;
    lost = true;
    return ServedAnswer{.bytes = "", .then = ServedAnswer::Then::kReset};
  };
  EXPECT_EQ(Claim(1, {1}, Identity(2)), 2U) << "lost before it arrived";
  lost = false;
  service_.intercept = [&](const IndexService::Request& request) -> std::optional<ServedAnswer> {
    if (request.operation != "CreateIndex" || lost) return std::nullopt;
    lost = true;
    IndexFixture rival;
    const auto rival_store = MakeRemoteObjects(&rival.client);
    OwnerMarker marker = Identity(9);
    marker.number = 3;
    rival_store->Put(OwnerKey(kIndex, 3), EncodeOwner(marker, kIndex), PutMode::kCreateOnly, stop_);
    service_.buckets["vectors"].indexes.merge(rival.service.buckets["vectors"].indexes);
    return ServedAnswer{.bytes = "", .then = ServedAnswer::Then::kReset};
  };
  EXPECT_EQ(ClaimCode(2, {2}, Identity(3)), Code::kConflict);
}

TEST_F(RemoteOwnership, OtherNamesInTheFolderDoNotCount) {
  for (const char* name : {"o00000000", "o5", "ox", "o000000001", "-99999999"}) {
    service_.Add(RemotePrefix(kIndex) + name);
  }
  service_.Add(OwnerName(kOther, 41));
  EXPECT_EQ(Claim(0, {}, Identity(1)), 1U);
}

TEST_F(RemoteOwnership, FailureAtEveryCallNeverClaimsTwice) {
  const std::vector<ObjectId> first = {{1}};
  const std::vector<ObjectId> both = {{1}, {2}};
  for (const auto when : {FaultyStore::When::kBefore, FaultyStore::When::kAfter}) {
    for (int n = 0;; ++n) {
      service_.buckets["vectors"].indexes.clear();
      FaultyStore faulty(store_.get());
      ClaimOwnership(faulty, kIndex, 0, {}, Identity(1), false, stop_);
      faulty.FailingAt(faulty.calls() + n, when);
      try {
        ClaimOwnership(faulty, kIndex, 1, first, Identity(2), false, stop_);
        VerifyOwnership(faulty, kIndex, 2, stop_);
        EXPECT_FALSE(faulty.has_failed());
        // List, Get, Put and two looks; the first of these ends in "missing" before the fault can come after it.
        EXPECT_GE(n, when == FaultyStore::When::kBefore ? 5 : 3);
        break;
      } catch (const Error& error) {
        ASSERT_EQ(error.code(), Code::kUnavailable);
      }
      const bool arrived = store_->List(OwnerPrefix(kIndex), stop_).size() == 2;
      EXPECT_EQ(ClaimOwnership(faulty, kIndex, 1, both, Identity(3), false, stop_), arrived ? 3U : 2U);
    }
  }
}

TEST_F(RemoteOwnership, LimitOfNumbersIsAnError) {
  EXPECT_EQ(Claim(kMaxOwnerNumber - 1, {}, Identity(1)), kMaxOwnerNumber);
  EXPECT_EQ(VerifyCode(kMaxOwnerNumber), Code::kOk);
  EXPECT_EQ(ErrorFrom([&] { Claim(kMaxOwnerNumber, {1}, Identity(2)); }).code(), Code::kLimitExceeded);
}

}  // namespace
}  // namespace s3v

#include "engine/snapshot.h"

#include <gtest/gtest.h>

#include "engine/small_index.h"
#include "format/names.h"
#include "support/faulty_store.h"

namespace s3v {
namespace {

using testing::Clustered;
using testing::NamesOf;
using testing::SmallIndex;
using testing::SmallOptions;

SmallIndex MakeIndex() {
  const testing::Table table = Clustered(300, 8, 4, 1);
  return {table, SmallOptions(table, Metric::kL2, 6)};
}

ObjectName PutDelta(SmallIndex& index, const NavigationDelta& delta) {
  const ObjectId id = RandomId();
  const ObjectId& of = index.built.manifest.index;
  const Bytes bytes = EncodeDelta(delta, of, id);
  index.store->Put(NavigationKey(of, id), bytes, ObjectStore::PutMode::kOverwrite, index.stop);
  return {id, bytes.size()};
}

// A second version over the same base that says the same in one delta.
VersionNames WriteSameVersion(SmallIndex& index) {
  VersionNames names = NamesOf(index.built.manifest);
  names.deltas = {PutDelta(index, *index.navigation->deltas[0])};
  return names;
}

// One more delta, as a sync writes it: the first `masked` entries of the only segment are gone.
VersionNames WriteNextVersion(SmallIndex& index, uint32_t masked) {
  const NavigationDelta& first = *index.navigation->deltas[0];
  NavigationDelta next{
      .shape = first.shape, .state = first.state, .segments = {}, .pieces = {}, .columns = {}, .masks = {}};
  next.state.rows -= masked;
  next.state.entries -= masked;
  next.masks = {{.segment = first.segments[0].id, .whole = false, .runs = {{0, masked}}}};
  VersionNames names = NamesOf(index.built.manifest);
  names.deltas.push_back(PutDelta(index, next));
  return names;
}

TEST(NavigationCache, OneWaveThenNone) {
  SmallIndex index = MakeIndex();
  const StoreCounters before = index.store->counters();
  NavigationCache cache;
  const auto first = cache.Open(NamesOf(index.built.manifest), *index.store, index.stop);
  EXPECT_EQ(index.store->counters().waves - before.waves, 1U);
  EXPECT_EQ(index.store->counters().get_requests - before.get_requests, 2U);
  EXPECT_EQ(cache.hits(), 0U);
  EXPECT_EQ(cache.Open(NamesOf(index.built.manifest), *index.store, index.stop), first);
  EXPECT_EQ(index.store->counters().waves - before.waves, 1U);
  EXPECT_EQ(cache.hits(), 2U);
}

TEST(NavigationCache, DirectoryCountsEveryList) {
  SmallIndex index = MakeIndex();
  const Navigation& navigation = *index.navigation;
  ASSERT_EQ(navigation.first_piece.size(), 7U);
  uint64_t rows = 0;
  for (uint32_t list = 0; list < 6; ++list) {
    uint64_t entries = 0;
    for (uint32_t p = navigation.first_piece[list]; p < navigation.first_piece[list + 1]; ++p) {
      EXPECT_EQ(navigation.pieces[p].list, list);
      entries += navigation.pieces[p].count;
    }
    EXPECT_EQ(entries, navigation.list_sizes[list]);
    rows += entries;
  }
  EXPECT_EQ(rows, 300U);
}

TEST(NavigationCache, VersionsShareTheirBase) {
  SmallIndex index = MakeIndex();
  NavigationCache cache;
  const auto first = cache.Open(NamesOf(index.built.manifest), *index.store, index.stop);
  const VersionNames next = WriteSameVersion(index);
  const uint64_t before = index.store->counters().get_requests;
  const auto second = cache.Open(next, *index.store, index.stop);
  EXPECT_EQ(index.store->counters().get_requests - before, 1U);
  EXPECT_NE(second, first);
  EXPECT_EQ(second->base, first->base);
  EXPECT_EQ(cache.hits(), 1U);
}

TEST(NavigationCache, VersionsShareTheirDeltas) {
  SmallIndex index = MakeIndex();
  NavigationCache cache;
  const auto first = cache.Open(NamesOf(index.built.manifest), *index.store, index.stop);
  const VersionNames next = WriteNextVersion(index, 7);
  const StoreCounters before = index.store->counters();
  const auto second = cache.Open(next, *index.store, index.stop);
  EXPECT_EQ(index.store->counters().get_requests - before.get_requests, 1U);
  EXPECT_EQ(cache.hits(), 2U) << "base and the first delta";
  ASSERT_EQ(second->deltas.size(), 2U);
  EXPECT_EQ(second->deltas[0], first->deltas[0]);
  EXPECT_EQ(second->state.entries, 293U);
  EXPECT_EQ(second->segments[0].live, 293U);
  EXPECT_EQ(first->segments[0].live, 300U);
  EXPECT_EQ(cache.Open(next, *index.store, index.stop), second);
  EXPECT_EQ(cache.hits(), 2U + 3U);
}

TEST(NavigationCache, SeveralDeltasComeInOneWave) {
  SmallIndex index = MakeIndex();
  const VersionNames next = WriteNextVersion(index, 300);
  const StoreCounters before = index.store->counters();
  const auto navigation = NavigationCache().Open(next, *index.store, index.stop);
  EXPECT_EQ(index.store->counters().waves - before.waves, 1U);
  EXPECT_EQ(index.store->counters().get_requests - before.get_requests, 3U);
  EXPECT_TRUE(navigation->segments.empty()) << "everything is masked";
  EXPECT_TRUE(navigation->pieces.empty());
}

TEST(NavigationCache, LeastRecentlyUsedGoesFirst) {
  SmallIndex index = MakeIndex();
  std::vector<VersionNames> versions;
  for (int i = 0; i < 3; ++i) versions.push_back(WriteSameVersion(index));
  const LiveSegment& segment = index.navigation->segments[0];
  const uint64_t one = 2 * versions[0].deltas[0].length + 2 * 6 * sizeof(uint32_t) +
                       index.navigation->pieces.size() * sizeof(Piece) + sizeof segment + segment.key.size();
  NavigationCache cache(versions[0].base.length + 2 * one);  // two deltas over one base
  const auto requests_of = [&](size_t version) {
    const uint64_t before = index.store->counters().get_requests;
    cache.Open(versions[version], *index.store, index.stop);
    return index.store->counters().get_requests - before;
  };
  EXPECT_EQ(requests_of(0), 2U);
  EXPECT_EQ(requests_of(1), 1U);
  EXPECT_EQ(requests_of(0), 0U);
  EXPECT_EQ(requests_of(2), 1U);
  EXPECT_EQ(requests_of(0), 0U) << "used after 1";
  EXPECT_EQ(requests_of(1), 1U) << "was the oldest";

  NavigationCache none(0);
  EXPECT_NE(none.Open(versions[0], *index.store, index.stop), nullptr) << "the one in use stays";
}

TEST(NavigationCache, MissingObjectIsSaidAndNothingIsKept) {
  SmallIndex index = MakeIndex();
  NavigationCache cache;
  VersionNames names = NamesOf(index.built.manifest);
  names.deltas[0].id = RandomId();
  try {
    cache.Open(names, *index.store, index.stop);
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), Code::kObjectMissing);
  }
  EXPECT_NE(cache.Open(NamesOf(index.built.manifest), *index.store, index.stop), nullptr);
}

TEST(NavigationCache, WrongPairsAreCorruption) {
  SmallIndex index = MakeIndex();
  const auto code = [&](const VersionNames& names) {
    try {
      NavigationCache().Open(names, *index.store, index.stop);
    } catch (const Error& error) {
      return error.code();
    }
    return Code::kOk;
  };
  const VersionNames names = NamesOf(index.built.manifest);
  ASSERT_EQ(code(names), Code::kOk);
  VersionNames swapped = names;
  std::swap(swapped.base, swapped.deltas[0]);
  EXPECT_EQ(code(swapped), Code::kCorrupted);
  VersionNames shorter = names;
  shorter.deltas[0].length -= 1;
  EXPECT_EQ(code(shorter), Code::kCorrupted);
  VersionNames longer = names;
  longer.base.length += 1;
  EXPECT_EQ(code(longer), Code::kCorrupted);
  VersionNames without = names;
  without.deltas.clear();
  EXPECT_EQ(code(without), Code::kInvalidArgument);
  VersionNames twice = names;
  twice.deltas.push_back(names.deltas[0]);
  EXPECT_EQ(code(twice), Code::kCorrupted);

  // The delta of another base.
  VersionNames other = names;
  other.base.id = RandomId();
  const Rotation rotation(8, 1);
  const AssignmentSpace space{.metric = Metric::kL2, .dimensions = 8};
  const OwnedCentroidTable origin = QuantizeCentroids(space, rotation, std::vector<float>(8));
  const NavigationBaseParts parts{.space = space,
                                  .rotation_seed = 1,
                                  .first_list = {0, 1},
                                  .parents = origin,
                                  .lists = origin,
                                  .list_ids = {0},
                                  .next_list_id = 1};
  const Bytes base = EncodeBase(parts, names.index, other.base.id);
  other.base.length = base.size();
  index.store->Put(NavigationKey(names.index, other.base.id), base, ObjectStore::PutMode::kOverwrite, index.stop);
  EXPECT_EQ(code(other), Code::kCorrupted);
}

TEST(NavigationCache, CancelAndFailureKeepTheCacheUsable) {
  SmallIndex index = MakeIndex();
  NavigationCache cache;
  testing::FaultyStore store(index.store.get());
  store.FailingAt(0);
  EXPECT_THROW(cache.Open(NamesOf(index.built.manifest), store, index.stop), Error);
  testing::StopAtPoll stop(0);
  EXPECT_THROW(cache.Open(NamesOf(index.built.manifest), store, stop), Error);
  EXPECT_NE(cache.Open(NamesOf(index.built.manifest), store, index.stop), nullptr);
}

}  // namespace
}  // namespace s3v

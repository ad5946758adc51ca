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

// A second version over the same base, as a sync writes it.
VersionNames WriteNextVersion(SmallIndex& index) {
  VersionNames names = NamesOf(index.built.manifest);
  names.delta = RandomId();
  const Bytes delta = EncodeDelta(index.navigation->delta, names.index, names.delta);
  names.delta_length = delta.size();
  index.store->Put(NavigationKey(names.index, names.delta), delta, ObjectStore::PutMode::kOverwrite, index.stop);
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
      EXPECT_EQ(navigation.delta.pieces[p].list, list);
      entries += navigation.delta.pieces[p].count;
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
  const VersionNames next = WriteNextVersion(index);
  const uint64_t before = index.store->counters().get_requests;
  const auto second = cache.Open(next, *index.store, index.stop);
  EXPECT_EQ(index.store->counters().get_requests - before, 1U);
  EXPECT_NE(second, first);
  EXPECT_EQ(second->base, first->base);
  EXPECT_EQ(cache.hits(), 1U);
}

TEST(NavigationCache, LeastRecentlyUsedGoesFirst) {
  SmallIndex index = MakeIndex();
  std::vector<VersionNames> versions;
  for (int i = 0; i < 3; ++i) versions.push_back(WriteNextVersion(index));
  const uint64_t one = 2 * versions[0].delta_length + 2 * 6 * sizeof(uint32_t);
  NavigationCache cache(versions[0].base_length + 2 * one);  // two deltas over one base
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
  names.delta = RandomId();
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
  std::swap(swapped.base, swapped.delta);
  std::swap(swapped.base_length, swapped.delta_length);
  EXPECT_EQ(code(swapped), Code::kCorrupted);
  VersionNames shorter = names;
  shorter.delta_length -= 1;
  EXPECT_EQ(code(shorter), Code::kCorrupted);
  VersionNames longer = names;
  longer.base_length += 1;
  EXPECT_EQ(code(longer), Code::kCorrupted);

  // The delta of another base.
  VersionNames other = names;
  other.base = RandomId();
  const Rotation rotation(8, 1);
  const AssignmentSpace space{.metric = Metric::kL2, .dimensions = 8};
  const OwnedCentroidTable origin = QuantizeCentroids(space, rotation, std::vector<float>(8));
  const NavigationBaseParts parts{
      .space = space, .rotation_seed = 1, .first_list = {0, 1}, .parents = origin, .lists = origin};
  const Bytes base = EncodeBase(parts, names.index, other.base);
  other.base_length = base.size();
  index.store->Put(NavigationKey(names.index, other.base), base, ObjectStore::PutMode::kOverwrite, index.stop);
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

#include "engine/raw_vectors.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <set>

#include "engine/changing_store.h"
#include "engine/small_index.h"
#include "engine/warm.h"
#include "format/half.h"
#include "ivf/distance.h"
#include "store/cached_store.h"
#include "support/faulty_store.h"

namespace s3v {
namespace {

using testing::ChangingStore;
using testing::Clustered;
using ::testing::ElementsAreArray;
using testing::SmallIndex;
using testing::SmallOptions;
using testing::Table;

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr size_t kDimensions = 32;

std::vector<float> Rounded(std::span<const float> vector) {
  std::vector<float> rounded;
  for (const float value : vector) rounded.push_back(FromHalf(ToHalf(value)));
  return rounded;
}

TEST(LowerBoundOfRounded, HoldsAndIsNear) {
  Random random(7);
  for (const Metric metric : {Metric::kCosine, Metric::kL2, Metric::kInnerProduct}) {
    for (const double size : {1e-7, 1e-5, 1e-3, 1.0, 100.0, 6e4}) {
      for (int round = 0; round < 200; ++round) {
        std::vector<float> query(24), vector(24);
        for (size_t i = 0; i < query.size(); ++i) {
          vector[i] = static_cast<float>(size * (2 * random.Unit() - 1));
          // Near it, half the times.
          query[i] = round % 2 == 0 ? static_cast<float>(size * (2 * random.Unit() - 1))
                                    : static_cast<float>(vector[i] * (1 + 1e-4 * random.Unit()));
        }
        const double exact = ExactDistance(metric, query, vector);
        const double bound = LowerBoundOfRounded(metric, query, Rounded(vector));
        ASSERT_LE(bound, exact) << size;
        if (size < 1e-3) continue;  // mostly rounding
        const double scale = metric == Metric::kCosine ? 1
                             : metric == Metric::kL2   ? Norm(vector)
                                                       : Norm(vector) * Norm(query);
        EXPECT_GE(bound, exact - 0.0015 * scale) << size;
      }
    }
  }
}

TEST(LowerBoundOfRounded, NothingIsKnownOfWhatWasCutDownOrVanished) {
  const std::vector<float> query = {1, 2}, huge = {1e30F, 1}, tiny = {1e-12F, -1e-12F};
  for (const Metric metric : {Metric::kCosine, Metric::kL2, Metric::kInnerProduct})
    EXPECT_EQ(LowerBoundOfRounded(metric, query, Rounded(huge)), -kInfinity);
  EXPECT_EQ(LowerBoundOfRounded(Metric::kCosine, query, Rounded(tiny)), -kInfinity);
  EXPECT_LE(LowerBoundOfRounded(Metric::kL2, query, Rounded(tiny)), Norm(query));
}

struct Case {
  Metric metric;
  RawPlane raw;
  Duplicates duplicates;
};

// An index with raw vectors, and a store with a cache of its own directory before it.
class RawSearch : public ::testing::TestWithParam<Case> {
 protected:
  RawSearch() : index_(Clustered(3000, kDimensions, 30, 1), Options()) {
    std::string name = std::filesystem::temp_directory_path() / "s3v_raw_XXXXXX";
    directory_ = mkdtemp(name.data());
  }
  ~RawSearch() override { std::filesystem::remove_all(directory_); }

  static BuildOptions Options() {
    BuildOptions options = SmallOptions(Clustered(1, kDimensions, 30, 1), GetParam().metric, 30);
    options.raw = GetParam().raw;
    options.duplicates = GetParam().duplicates;
    return options;
  }
  std::unique_ptr<ObjectStore> OpenCached() {
    return MakeCachedStore(std::make_unique<testing::FaultyStore>(index_.store.get()),
                           {.directory = directory_, .max_bytes = 64u << 20}, true);
  }
  double Exact(std::span<const float> query, const std::string& key) const {
    return ExactDistance(GetParam().metric, query, index_.table.row(SmallIndex::RowOf(key)));
  }

  struct Reranked {
    std::vector<std::string> hits;
    size_t rows = 0;  // that the caller looked at
  };
  // As the caller does it that finds source rows by key, one at a time.
  Reranked Rerank(ObjectStore& store, std::span<const float> query, const SearchOptions& options) {
    Search search(index_.navigation, query, options, store);
    Reranked reranked;
    std::vector<std::pair<double, std::string>> hits;
    for (;;) {
      const auto worst = [&] { return hits.size() < options.k ? kInfinity : hits[options.k - 1].first; };
      const auto found = search.Next(0, options.k + 4, worst(), index_.stop);
      if (found.empty()) break;
      for (const Candidate& candidate : found) {
        if (candidate.lower_bound > worst()) continue;
        ++reranked.rows;
        hits.emplace_back(Exact(query, candidate.key), candidate.key);
        std::ranges::sort(hits);
      }
    }
    for (size_t i = 0; i < std::min(options.k, hits.size()); ++i) reranked.hits.push_back(hits[i].second);
    return reranked;
  }

  void ExpectNoWorse(std::span<const float> query, const std::vector<std::string>& hits,
                     const std::vector<std::string>& than) const {
    ASSERT_EQ(hits.size(), than.size());
    for (size_t i = 0; i < hits.size(); ++i) EXPECT_LE(Exact(query, hits[i]), Exact(query, than[i]));
  }

  // What a candidate says whose raw vector was read.
  void ExpectMeasured(std::span<const float> query, const Candidate& candidate) {
    const double exact = Exact(query, candidate.key);
    if (GetParam().raw == RawPlane::kFloat32) {
      EXPECT_EQ(candidate.estimate, exact);
      EXPECT_EQ(candidate.lower_bound, exact);
      return;
    }
    EXPECT_EQ(candidate.estimate,
              ExactDistance(GetParam().metric, query, Rounded(index_.table.row(SmallIndex::RowOf(candidate.key)))));
    EXPECT_LE(candidate.lower_bound, exact);
    EXPECT_LT(candidate.lower_bound, candidate.estimate);
  }

  SmallIndex index_;
  const Table queries_ = Clustered(50, kDimensions, 30, 2);
  std::string directory_;
};

INSTANTIATE_TEST_SUITE_P(All, RawSearch,
                         ::testing::Values(Case{Metric::kL2, RawPlane::kFloat32, Duplicates::kOff},
                                           Case{Metric::kCosine, RawPlane::kFloat32, Duplicates::kOn},
                                           Case{Metric::kInnerProduct, RawPlane::kFloat32, Duplicates::kOff},
                                           Case{Metric::kL2, RawPlane::kFloat16, Duplicates::kOn},
                                           Case{Metric::kCosine, RawPlane::kFloat16, Duplicates::kOff},
                                           Case{Metric::kInnerProduct, RawPlane::kFloat16, Duplicates::kOff}));

TEST_P(RawSearch, WarmVectorsSpareSourceRowsAndLoseNoHit) {
  size_t rows_without = 0, rows_with = 0;
  const SearchOptions options{.k = 10};
  const auto store = OpenCached();
  Warm(*index_.navigation, 64u << 20, *store, index_.stop);
  size_t better = 0;
  for (size_t q = 0; q < queries_.rows(); ++q) {
    const auto query = queries_.row(q);
    const Reranked without = Rerank(*index_.store, query, options);
    const uint64_t before = index_.store->counters().get_requests;
    const Reranked with = Rerank(*store, query, options);
    EXPECT_EQ(index_.store->counters().get_requests, before);
    ExpectNoWorse(query, with.hits, without.hits);
    better += with.hits != without.hits ? 1 : 0;
    rows_without += without.rows;
    rows_with += with.rows;
  }
  EXPECT_LE(better, 5U) << "more are measured than rows are looked at without";
  EXPECT_GT(rows_without, 50 * 11U);
  EXPECT_LE(rows_with, GetParam().raw == RawPlane::kFloat32 ? 50 * 10U + 5 : 50 * 11U);
}

TEST_P(RawSearch, WarmVectorsGiveDistancesInOrderEachKeyOnce) {
  const auto store = OpenCached();
  Warm(*index_.navigation, 64u << 20, *store, index_.stop);
  const auto query = queries_.row(5);
  Search search(index_.navigation, query, {.k = 10, .probes = 30}, *store);
  std::set<std::string> keys;
  double last = -kInfinity;
  for (;;) {
    const auto found = search.Next(7, index_.stop);
    if (found.empty()) break;
    for (const Candidate& candidate : found) {
      ExpectMeasured(query, candidate);
      EXPECT_TRUE(keys.insert(candidate.key).second);
      // What was dropped for want of room comes later, and may lie below.
      if (keys.size() <= 10) {
        EXPECT_GE(candidate.lower_bound, last);
      }
      last = candidate.lower_bound;
    }
  }
  EXPECT_EQ(keys.size(), 3000U);
}

// Scanned from the cache, but raw vectors never came there.
TEST_P(RawSearch, VectorsThatAreNotAtHandAreNotAskedFor) {
  const auto store = OpenCached();
  const auto query = queries_.row(5);
  const Reranked cold = Rerank(*store, query, {.k = 10});
  const uint64_t before = index_.store->counters().get_requests;
  EXPECT_THAT(Rerank(*store, query, {.k = 10}).hits, ElementsAreArray(cold.hits));
  EXPECT_EQ(index_.store->counters().get_requests, before);
}

TEST_P(RawSearch, FromTheStoreInOneMoreWave) {
  ChangingStore store(*index_.store, nullptr);
  for (size_t q = 0; q < 20; ++q) {
    const auto query = queries_.row(q);
    const Reranked without = Rerank(*index_.store, query, {.k = 10});
    Search search(index_.navigation, query, {.k = 10, .raw_from_store = true}, store);
    store.waves = 0;
    const auto found = search.Next(10, index_.stop);
    EXPECT_EQ(store.waves, 2);
    ASSERT_EQ(found.size(), 10U);
    for (const Candidate& candidate : found) ExpectMeasured(query, candidate);
    if (GetParam().raw == RawPlane::kFloat32) ExpectNoWorse(query, testing::KeysOf(found), without.hits);
    ExpectNoWorse(query, Rerank(store, query, {.k = 10, .raw_from_store = true}).hits, without.hits);
  }
}

TEST_P(RawSearch, FromTheStoreOnlyWhatTheCacheLacks) {
  const auto query = queries_.row(3);
  const auto store = OpenCached();
  Search first(index_.navigation, query, {.k = 10, .raw_from_store = true}, *store);
  const auto cold = first.Next(10, index_.stop);
  const uint64_t before = index_.store->counters().get_requests;
  Search second(index_.navigation, query, {.k = 10, .raw_from_store = true}, *store);
  EXPECT_EQ(testing::KeysOf(second.Next(10, index_.stop)), testing::KeysOf(cold));
  EXPECT_EQ(index_.store->counters().get_requests, before) << "vectors that were read are kept";
}

TEST_P(RawSearch, AllCandidatesFromTheStore) {
  const auto query = queries_.row(3);
  Search search(index_.navigation, query, {.k = 10, .probes = 30, .in_flight_bytes = 4000, .raw_from_store = true},
                *index_.store);
  const auto found = search.Next(5000, index_.stop);
  EXPECT_EQ(found.size(), 3000U);
  for (const Candidate& candidate : found) ExpectMeasured(query, candidate);
}

TEST_P(RawSearch, TheBudgetHoldsForVectorsToo) {
  const auto query = queries_.row(3);
  uint64_t bytes = 0;
  for (const Piece& piece : index_.navigation->pieces) bytes += piece.scan_length + piece.extension_length;
  Search search(index_.navigation, query, {.k = 10, .probes = 30, .max_bytes = bytes + 100, .raw_from_store = true},
                *index_.store);
  const auto found = search.Next(0, 14, kInfinity, index_.stop);
  ASSERT_EQ(found.size(), 14U);
  EXPECT_TRUE(search.stats().budget_reached);
  double last = -kInfinity;
  for (const Candidate& candidate : found) {
    EXPECT_GE(candidate.lower_bound, last);
    last = candidate.lower_bound;
    EXPECT_GT(candidate.estimate, candidate.lower_bound) << "by its code";
  }
}

// Bytes of raw vectors alone.
std::function<void(Bytes&)> DamageVectors(size_t bytes, int times) {
  return [bytes, left = times](Bytes& range) mutable {
    if (range.size() == bytes && left-- > 0) range[bytes / 2] ^= 1;
  };
}

TEST_P(RawSearch, DamageInTransitHealsLastingDamageIsAnError) {
  const auto query = queries_.row(3);
  const size_t bytes = RawBytes(GetParam().raw, kDimensions);
  const auto right = testing::KeysOf(
      Search(index_.navigation, query, {.k = 10, .raw_from_store = true}, *index_.store).Next(10, index_.stop));
  for (const int times : {1, 5}) {
    ChangingStore store(*index_.store, DamageVectors(bytes, times));
    Search search(index_.navigation, query, {.k = 10, .raw_from_store = true}, store);
    EXPECT_EQ(testing::KeysOf(search.Next(10, index_.stop)), right);
    EXPECT_EQ(store.waves, 3);
  }
  ChangingStore store(*index_.store, DamageVectors(bytes, 1000000));
  Search search(index_.navigation, query, {.k = 10, .raw_from_store = true}, store);
  try {
    search.Next(10, index_.stop);
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), Code::kCorrupted);
    EXPECT_NE(error.message().find("/segment/"), std::string::npos) << error.message();
  }
}

// Vectors that arrive damaged while the cache is filled are not kept: they would be taken for checked.
TEST_P(RawSearch, WarmKeepsNoDamagedVector) {
  {
    int ranges = 0;
    const auto damage = [&](Bytes& range) {
      // Planes of raw vectors come last.
      if (++ranges > static_cast<int>(3 * index_.navigation->pieces.size())) range[range.size() - 6] ^= 1;
    };
    const auto store = MakeCachedStore(std::make_unique<ChangingStore>(*index_.store, damage),
                                       {.directory = directory_, .max_bytes = 64u << 20}, true);
    Warm(*index_.navigation, 64u << 20, *store, index_.stop);
    EXPECT_EQ(ranges, static_cast<int>(4 * index_.navigation->pieces.size()));
  }
  const auto query = queries_.row(3);
  const auto store = OpenCached();
  EXPECT_THAT(Rerank(*store, query, {.k = 10}).hits, ElementsAreArray(Rerank(*index_.store, query, {.k = 10}).hits));
  Search search(index_.navigation, query, {.k = 10}, *store);
  const auto nearest = search.Next(1, index_.stop);
  ASSERT_EQ(nearest.size(), 1U);
  EXPECT_NE(nearest[0].lower_bound, nearest[0].estimate) << "by its code";
}

}  // namespace
}  // namespace s3v

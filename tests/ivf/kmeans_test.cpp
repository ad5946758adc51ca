#include "ivf/kmeans.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <set>
#include <vector>

#include "base/error.h"
#include "ivf/test_vectors.h"

namespace s3v {
namespace {

using testing::Blobs;
using testing::NormalVector;
using testing::Row;
using testing::SquaredDistance;

class StopAfter final : public Stop {
 public:
  explicit StopAfter(int polls) : left_(polls) {}
  bool Requested() override { return left_-- <= 0; }

 private:
  int left_;
};

Centroids Trained(std::span<const float> sample, size_t width, TrainOptions options) {
  NeverStop stop;
  return Train(sample, width, options, stop);
}

struct Assigned {
  std::vector<uint32_t> lists;
  std::vector<float> distances;
};

Assigned AssignAll(const Centroids& centroids, std::span<const float> rows,
                   AssignOptions options = {.parents_tried = 1000}) {
  NeverStop stop;
  const size_t count = rows.size() / centroids.width;
  Assigned assigned{std::vector<uint32_t>(count), std::vector<float>(count)};
  Assign(centroids, rows, options, assigned.lists, assigned.distances, stop);
  return assigned;
}

double MeanSquaredDistance(const Centroids& centroids, std::span<const float> rows) {
  const std::vector<float> distances = AssignAll(centroids, rows).distances;
  return std::accumulate(distances.begin(), distances.end(), 0.0) / static_cast<double>(distances.size());
}

// What every training result promises, whatever the sample.
void ExpectWellFormed(const Centroids& centroids, size_t width) {
  ASSERT_EQ(centroids.width, width);
  ASSERT_GE(centroids.list_count(), 1u);
  ASSERT_GE(centroids.parent_count(), 1u);
  EXPECT_EQ(centroids.first_list.front(), 0u);
  EXPECT_TRUE(std::is_sorted(centroids.first_list.begin(), centroids.first_list.end(), std::less_equal<>()))
      << "a parent without lists";
  EXPECT_EQ(centroids.lists.size(), centroids.list_count() * width);
  EXPECT_EQ(centroids.parents.size(), centroids.parent_count() * width);
  for (const float value : centroids.lists) ASSERT_TRUE(std::isfinite(value));
  for (const float value : centroids.parents) ASSERT_TRUE(std::isfinite(value));
}

TEST(Train, FindsWellSeparatedBlobs) {
  constexpr size_t kWidth = 16;
  Random random(1);
  const std::vector<float> sample = Blobs(random, 3000, kWidth, 20, 30);
  const Centroids centroids = Trained(sample, kWidth, {.lists = 60});
  ExpectWellFormed(centroids, kWidth);
  EXPECT_EQ(centroids.list_count(), 60u);
  EXPECT_EQ(centroids.parent_count(), 8u);
  // Rows lie 16 from their blob on average; a blob that shares its list with another would cost thousands.
  EXPECT_LT(MeanSquaredDistance(centroids, sample), 16.5);
}

TEST(Train, GivesAsManyListsAsWantedWhenRowsAreDistinct) {
  Random random(2);
  for (const size_t count : {1, 2, 3, 10, 100, 1000}) {
    const std::vector<float> sample = NormalVector(random, count * 5);
    for (const size_t lists : {1, 2, 3, 7, 50, 100, 333}) {
      const Centroids centroids = Trained(sample, 5, {.lists = lists});
      ExpectWellFormed(centroids, 5);
      EXPECT_EQ(centroids.list_count(), std::min(lists, count)) << count << " rows";
    }
  }
}

TEST(Train, GivesBigParentsManyLists) {
  constexpr size_t kWidth = 4;
  Random random(3);
  std::vector<float> sample(1000 * kWidth);
  for (size_t i = 0; i < sample.size(); ++i) sample[i] = testing::Normal(random) + (i < 900 * kWidth ? 0.0f : 1000.0f);
  const Centroids centroids = Trained(sample, kWidth, {.lists = 100});
  EXPECT_EQ(centroids.list_count(), 100u);
  size_t near_small = 0;
  for (size_t list = 0; list < 100; ++list) near_small += centroids.lists[list * kWidth] > 500;
  EXPECT_NEAR(static_cast<double>(near_small), 10.0, 4.0);  // a tenth of the rows
}

TEST(Train, OfNothingIsOneListAtTheOrigin) {
  const Centroids centroids = Trained({}, 3, {.lists = 10});
  ExpectWellFormed(centroids, 3);
  EXPECT_EQ(centroids.list_count(), 1u);
  EXPECT_EQ(centroids.lists, std::vector<float>(3, 0.0f));
}

TEST(Train, TakesNoMoreListsThanDistinctRows) {
  constexpr size_t kWidth = 6;
  Random random(4);
  for (const size_t distinct : {1, 2, 17}) {
    const std::vector<float> values = NormalVector(random, distinct * kWidth);
    std::vector<float> sample;
    for (size_t i = 0; i < 400; ++i) {
      const auto row = Row(values, kWidth, random.Below(distinct));
      sample.insert(sample.end(), row.begin(), row.end());
    }
    const Centroids centroids = Trained(sample, kWidth, {.lists = 40});
    ExpectWellFormed(centroids, kWidth);
    EXPECT_EQ(centroids.list_count(), distinct);
    EXPECT_LT(MeanSquaredDistance(centroids, sample), 1e-10);
  }
}

TEST(Train, GivesListsThatDuplicatesCannotUseToTheOthers) {
  constexpr size_t kWidth = 6;
  Random random(5);
  std::vector<float> sample(500 * kWidth, 100.0f);  // half of the rows are one and the same
  const std::vector<float> distinct = NormalVector(random, 500 * kWidth);
  sample.insert(sample.end(), distinct.begin(), distinct.end());
  const Centroids centroids = Trained(sample, kWidth, {.lists = 64});
  ExpectWellFormed(centroids, kWidth);
  EXPECT_EQ(centroids.list_count(), 64u);
}

TEST(Train, StandsOutliersAndHugeValues) {
  constexpr size_t kWidth = 8;
  Random random(6);
  for (const float far : {1e6f, 1e15f, 1e20f, 3e38f}) {
    std::vector<float> sample = NormalVector(random, 500 * kWidth);
    std::fill_n(sample.begin(), kWidth, far);
    std::fill_n(sample.begin() + kWidth, kWidth, -far);
    const Centroids centroids = Trained(sample, kWidth, {.lists = 20});
    ExpectWellFormed(centroids, kWidth);
    for (const uint32_t list : AssignAll(centroids, sample).lists) EXPECT_LT(list, centroids.list_count());
  }
}

// Neither by the origin that is taken off all rows, nor by the mean of a list.
TEST(Train, OneRowFarAwayCostsTheOthersNothing) {
  constexpr size_t kWidth = 16;
  Random random(11);
  const std::vector<float> sample = Blobs(random, 2000, kWidth, 30, 3);
  const double alone = MeanSquaredDistance(Trained(sample, kWidth, {.lists = 40}), sample);
  for (const float far : {1e5f, 1e10f, 1e15f, 1e20f, 3e38f}) {
    std::vector<float> with = sample;
    for (size_t i = 0; i < kWidth; ++i) with.push_back(i % 3 == 0 ? -far : far);
    EXPECT_LT(MeanSquaredDistance(Trained(with, kWidth, {.lists = 40}), sample), 1.25 * alone) << far;
  }
}

// Rows far from the origin: |c|^2 - 2 x.c would drown their differences.
TEST(Train, LosesNothingToAnOffset) {
  constexpr size_t kWidth = 32;
  Random random(7);
  const std::vector<float> sample = Blobs(random, 2000, kWidth, 30, 3);
  std::vector<float> moved = sample;
  for (float& value : moved) value += 4096.0f;
  const double here = MeanSquaredDistance(Trained(sample, kWidth, {.lists = 40}), sample);
  const double there = MeanSquaredDistance(Trained(moved, kWidth, {.lists = 40}), moved);
  EXPECT_NEAR(there, here, 0.03 * here);
}

TEST(Train, IsTheSameForAnyNumberOfThreads) {
  constexpr size_t kWidth = 48;
  Random random(8);
  const std::vector<float> sample = Blobs(random, 5000, kWidth, 40, 2);
  const Centroids one = Trained(sample, kWidth, {.lists = 100, .iterations = 4, .seed = 5, .threads = 1});
  for (const int threads : {2, 3, 7}) {
    const Centroids many = Trained(sample, kWidth, {.lists = 100, .iterations = 4, .seed = 5, .threads = threads});
    EXPECT_EQ(many.first_list, one.first_list);
    EXPECT_EQ(many.parents, one.parents);
    EXPECT_EQ(many.lists, one.lists);
  }
  EXPECT_NE(Trained(sample, kWidth, {.lists = 100, .iterations = 4, .seed = 6}).lists, one.lists);
}

TEST(Train, LaysNearListsNearEachOther) {
  constexpr size_t kWidth = 2;
  Random random(9);
  std::vector<float> sample(8000 * kWidth);
  for (float& value : sample) value = static_cast<float>(random.Unit());
  const Centroids centroids = Trained(sample, kWidth, {.lists = 256});
  const auto mean_distance = [&](size_t begin, size_t end, size_t step_limit) {
    double sum = 0;
    size_t pairs = 0;
    for (size_t i = begin; i < end; ++i) {
      for (size_t j = i + 1; j < std::min(end, i + 1 + step_limit); ++j, ++pairs) {
        sum += std::sqrt(SquaredDistance(Row(centroids.lists, kWidth, i), Row(centroids.lists, kWidth, j)));
      }
    }
    return sum / static_cast<double>(pairs);
  };
  // Within a parent, and over all: neighbours in the order against any two.
  double next = 0, any = 0;
  for (size_t p = 0; p < centroids.parent_count(); ++p) {
    if (centroids.first_list[p + 1] - centroids.first_list[p] < 4) continue;
    next += mean_distance(centroids.first_list[p], centroids.first_list[p + 1], 1);
    any += mean_distance(centroids.first_list[p], centroids.first_list[p + 1], 256);
  }
  EXPECT_LT(next, 0.75 * any);
  EXPECT_LT(mean_distance(0, 256, 1), 0.25 * mean_distance(0, 256, 256));
}

TEST(Train, EndsWhenAskedToWhereverItIs) {
  Random random(10);
  const std::vector<float> sample = Blobs(random, 2000, 16, 10, 3);
  int polls = 0;
  for (;; polls += 7) {
    StopAfter stop(polls);
    try {
      Train(sample, 16, {.lists = 50}, stop);
      break;
    } catch (const Error& error) {
      ASSERT_EQ(error.code(), Code::kCancelled);
    }
  }
  EXPECT_GT(polls, 50);  // it had many chances
}

TEST(Assign, TriesAllParentsExactly) {
  constexpr size_t kWidth = 24;
  Random random(11);
  const std::vector<float> rows = Blobs(random, 1500, kWidth, 60, 2);
  const Centroids centroids = Trained(rows, kWidth, {.lists = 80});
  const Assigned assigned = AssignAll(centroids, rows);
  for (size_t i = 0; i < 1500; ++i) {
    double nearest = 1e300;
    for (size_t list = 0; list < 80; ++list) {
      nearest = std::min(nearest, SquaredDistance(Row(rows, kWidth, i), Row(centroids.lists, kWidth, list)));
    }
    const double found = SquaredDistance(Row(rows, kWidth, i), Row(centroids.lists, kWidth, assigned.lists[i]));
    EXPECT_LE(found, nearest * 1.00001) << i;
    EXPECT_NEAR(assigned.distances[i], found, 1e-4 * found) << i;
  }
}

// |c|^2 leaves float's range there, and 2 <row, c> with it.
TEST(Assign, GreatCentroidsTakeNoRowsFromOthers) {
  const Centroids centroids{.width = 2,
                            .parents = {0, 0},
                            .first_list = {0, 3},
                            .lists = {3e38f, 0, 2, 0, -5, 0}};
  const Assigned assigned = AssignAll(centroids, std::vector<float>{2, 0, -4, 0, 3e38f, 1});
  EXPECT_EQ(assigned.lists, (std::vector<uint32_t>{1, 2, 0}));
}

TEST(Assign, KeepsItsDigitsFarFromZero) {
  constexpr size_t kWidth = 16;
  Random random(21);
  std::vector<float> rows = Blobs(random, 1000, kWidth, 40, 1);
  for (float& value : rows) value = value * 8 + 1e6f;
  const Centroids centroids = Trained(rows, kWidth, {.lists = 50});
  const Assigned assigned = AssignAll(centroids, rows);
  for (size_t i = 0; i < 1000; ++i) {
    double nearest = 1e300;
    for (size_t list = 0; list < centroids.list_count(); ++list)
      nearest = std::min(nearest, SquaredDistance(Row(rows, kWidth, i), Row(centroids.lists, kWidth, list)));
    EXPECT_LE(SquaredDistance(Row(rows, kWidth, i), Row(centroids.lists, kWidth, assigned.lists[i])), nearest * 1.00001);
  }
}

TEST(Assign, ThroughAFewParentsIsNearlyAsGood) {
  constexpr size_t kWidth = 24;
  Random random(12);
  const std::vector<float> rows = Blobs(random, 3000, kWidth, 200, 1);
  const Centroids centroids = Trained(rows, kWidth, {.lists = 225});
  ASSERT_EQ(centroids.parent_count(), 15u);
  const Assigned exact = AssignAll(centroids, rows);
  size_t previous = 0;
  for (const size_t tried : {1, 3, 8, 15}) {
    const Assigned assigned = AssignAll(centroids, rows, {.parents_tried = tried});
    size_t same = 0;
    for (size_t i = 0; i < 3000; ++i) same += assigned.lists[i] == exact.lists[i];
    EXPECT_GE(same, previous) << tried;
    previous = same;
    if (tried == 8) {
      EXPECT_GT(same, 2950u);
    }
  }
  EXPECT_EQ(previous, 3000u);
  EXPECT_EQ(AssignAll(centroids, rows, {.parents_tried = 0}).lists,
            AssignAll(centroids, rows, {.parents_tried = 1}).lists);
}

TEST(Assign, DoesNotDependOnThreadsOrBlocks) {
  constexpr size_t kWidth = 24;
  Random random(13);
  const std::vector<float> rows = Blobs(random, 2500, kWidth, 60, 1);
  const Centroids centroids = Trained(rows, kWidth, {.lists = 80});
  const Assigned whole = AssignAll(centroids, rows, {.parents_tried = 3, .threads = 4});
  for (size_t begin = 0; begin < 2500; begin += 333) {
    const size_t count = std::min<size_t>(333, 2500 - begin);
    const Assigned part =
        AssignAll(centroids, std::span(rows).subspan(begin * kWidth, count * kWidth), {.parents_tried = 3});
    EXPECT_TRUE(std::equal(part.lists.begin(), part.lists.end(), whole.lists.begin() + static_cast<ptrdiff_t>(begin)));
  }
}

TEST(Assign, NeedsNoDistances) {
  Random random(14);
  const std::vector<float> rows = NormalVector(random, 300);
  const Centroids centroids = Trained(rows, 3, {.lists = 9});
  NeverStop stop;
  std::vector<uint32_t> lists(100);
  Assign(centroids, rows, {}, lists, {}, stop);
  EXPECT_EQ(lists, AssignAll(centroids, rows).lists);
  Assign(centroids, {}, {}, {}, {}, stop);  // no rows: nothing to do
}

struct AssignedTwice {
  std::vector<uint32_t> first;
  std::vector<uint32_t> second;
};

AssignedTwice AssignAllTwice(const Centroids& centroids, std::span<const float> rows,
                             AssignOptions options = {.parents_tried = 1000}) {
  NeverStop stop;
  const size_t count = rows.size() / centroids.width;
  AssignedTwice assigned{std::vector<uint32_t>(count), std::vector<uint32_t>(count, 4711)};
  AssignTwice(centroids, rows, options, assigned.first, assigned.second, stop);
  return assigned;
}

// |r'|^2 + <r', r / |r|>^2, in double.
double SoarLoss(std::span<const float> row, std::span<const float> first, std::span<const float> second) {
  double along = 0;
  for (size_t k = 0; k < row.size(); ++k) along += (double{row[k]} - first[k]) * (double{row[k]} - second[k]);
  const double square = SquaredDistance(row, first);
  return SquaredDistance(row, second) + (square > 0 ? along * along / square : 0);
}

TEST(AssignTwice, TakesTheSecondListOfLeastLoss) {
  constexpr size_t kWidth = 24, kLists = 80;
  for (const float offset : {0.0f, 300.0f}) {
    Random random(16);
    std::vector<float> rows = Blobs(random, 1500, kWidth, 60, 2);
    for (float& value : rows) value += offset;
    const Centroids centroids = Trained(rows, kWidth, {.lists = kLists});
    const AssignedTwice assigned = AssignAllTwice(centroids, rows);
    EXPECT_EQ(assigned.first, AssignAll(centroids, rows).lists);
    size_t not_second_nearest = 0;
    for (size_t i = 0; i < 1500; ++i) {
      const auto row = Row(rows, kWidth, i);
      const auto first = Row(centroids.lists, kWidth, assigned.first[i]);
      double least = 1e300, second_nearest = 1e300;
      for (uint32_t list = 0; list < kLists; ++list) {
        if (list == assigned.first[i]) continue;
        least = std::min(least, SoarLoss(row, first, Row(centroids.lists, kWidth, list)));
        second_nearest = std::min(second_nearest, SquaredDistance(row, Row(centroids.lists, kWidth, list)));
      }
      ASSERT_NE(assigned.second[i], assigned.first[i]);
      const auto second = Row(centroids.lists, kWidth, assigned.second[i]);
      EXPECT_LE(SoarLoss(row, first, second), least * (1 + 1e-3)) << i;
      not_second_nearest += SquaredDistance(row, second) > second_nearest * (1 + 1e-3);
    }
    EXPECT_GT(not_second_nearest, 150u);  // the loss is another than the distance
  }
}

TEST(AssignTwice, TakesTheListOnTheOtherSide) {
  // The row at 0 is nearest to list 0. List 1 is nearer to it than list 2, but behind list 0.
  const Centroids centroids{.width = 2, .parents = {0, 0}, .first_list = {0, 3}, .lists = {1, 0, 1.5f, 0, 0, 1.75f}};
  const AssignedTwice assigned = AssignAllTwice(centroids, std::vector<float>{0, 0});
  EXPECT_EQ(assigned.first, std::vector<uint32_t>{0});
  EXPECT_EQ(assigned.second, std::vector<uint32_t>{2});
}

TEST(AssignTwice, ThroughAFewParentsIsNearlyAsGood) {
  constexpr size_t kWidth = 24;
  Random random(17);
  const std::vector<float> rows = Blobs(random, 3000, kWidth, 200, 1);
  const Centroids centroids = Trained(rows, kWidth, {.lists = 225});
  const AssignedTwice exact = AssignAllTwice(centroids, rows);
  const AssignedTwice through = AssignAllTwice(centroids, rows, {.parents_tried = 8});
  EXPECT_EQ(through.first, AssignAll(centroids, rows, {.parents_tried = 8}).lists);
  size_t same = 0;
  for (size_t i = 0; i < 3000; ++i) same += through.second[i] == exact.second[i];
  EXPECT_GT(same, 2850u);
}

TEST(AssignTwice, DoesNotDependOnThreadsOrBlocks) {
  constexpr size_t kWidth = 24;
  Random random(18);
  const std::vector<float> rows = Blobs(random, 2500, kWidth, 60, 1);
  const Centroids centroids = Trained(rows, kWidth, {.lists = 80});
  const AssignedTwice whole = AssignAllTwice(centroids, rows, {.parents_tried = 3, .threads = 4});
  for (size_t begin = 0; begin < 2500; begin += 333) {
    const size_t count = std::min<size_t>(333, 2500 - begin);
    const AssignedTwice part =
        AssignAllTwice(centroids, std::span(rows).subspan(begin * kWidth, count * kWidth), {.parents_tried = 3});
    const auto offset = static_cast<ptrdiff_t>(begin);
    EXPECT_TRUE(std::equal(part.first.begin(), part.first.end(), whole.first.begin() + offset));
    EXPECT_TRUE(std::equal(part.second.begin(), part.second.end(), whole.second.begin() + offset));
  }
}

TEST(AssignTwice, TakesTheFirstListAgainWhereThereIsNoOther) {
  Random random(19);
  const std::vector<float> rows = NormalVector(random, 30);
  const AssignedTwice one = AssignAllTwice(Trained({}, 3, {.lists = 1}), rows);
  EXPECT_EQ(one.first, std::vector<uint32_t>(10, 0));
  EXPECT_EQ(one.second, one.first);

  // Each parent has one list: the one parent that is tried has no other.
  const Centroids centroids{.width = 1, .parents = {-1, 1}, .first_list = {0, 1, 2}, .lists = {-1, 1}};
  const AssignedTwice two = AssignAllTwice(centroids, std::vector<float>{-2, 2}, {.parents_tried = 1});
  EXPECT_EQ(two.first, (std::vector<uint32_t>{0, 1}));
  EXPECT_EQ(two.second, two.first);
}

TEST(AssignTwice, StandsRowsOnTheirCentroidAndHugeValues) {
  const Centroids centroids{.width = 1, .parents = {0}, .first_list = {0, 3}, .lists = {0, 5, 7}};
  EXPECT_EQ(AssignAllTwice(centroids, std::vector<float>{5}).second, std::vector<uint32_t>{2});
  for (const float far : {1e15f, 1e19f, 3e38f}) {
    const AssignedTwice assigned = AssignAllTwice(centroids, std::vector<float>{far, -far});
    for (size_t i = 0; i < 2; ++i) {
      EXPECT_LT(assigned.first[i], 3u) << far;
      EXPECT_LT(assigned.second[i], 3u) << far;
    }
  }
}

TEST(AssignTwice, EndsWhenAskedTo) {
  Random random(20);
  const std::vector<float> rows = Blobs(random, 2000, 16, 10, 3);
  const Centroids centroids = Trained(rows, 16, {.lists = 50});
  std::vector<uint32_t> first(2000), second(2000);
  StopAfter stop(1);
  EXPECT_THROW(AssignTwice(centroids, rows, {}, first, second, stop), Error);
}

TEST(Refinement, MovesListsAndParentsToTheMeansOfTheirRows) {
  Centroids centroids{.width = 2, .parents = {9, 9, 8, 8}, .first_list = {0, 2, 3}, .lists = {0, 0, 5, 5, 7, 7}};
  Refinement refinement(centroids);
  refinement.Add(std::vector<float>{1, 2, 3, 4}, std::vector<uint32_t>{0, 0});
  refinement.Add(std::vector<float>{8, 0}, std::vector<uint32_t>{0});
  refinement.Apply(&centroids);
  EXPECT_EQ(centroids.lists, (std::vector<float>{4, 2, 5, 5, 7, 7}));  // empty lists stay
  EXPECT_EQ(centroids.parents, (std::vector<float>{4, 2, 8, 8}));      // a parent without rows too
}

TEST(Refinement, LowersTheMeanDistance) {
  constexpr size_t kWidth = 16;
  Random random(15);
  const std::vector<float> rows = Blobs(random, 4000, kWidth, 100, 1);
  Centroids centroids = Trained(std::span(rows).first(800 * kWidth), kWidth, {.lists = 50, .iterations = 2});
  const double before = MeanSquaredDistance(centroids, rows);
  Refinement refinement(centroids);
  refinement.Add(rows, AssignAll(centroids, rows).lists);
  refinement.Apply(&centroids);
  EXPECT_LT(MeanSquaredDistance(centroids, rows), before);
}

}  // namespace
}  // namespace s3v

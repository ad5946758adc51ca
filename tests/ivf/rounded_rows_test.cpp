#include "ivf/rounded_rows.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <numeric>
#include <vector>

#include "ivf/each_target.h"
#include "ivf/test_vectors.h"

namespace s3v {
namespace {

using testing::ForEachTarget;
using testing::NormalVector;

TEST(RoundedRows, AreOffByNoMoreThanTheySay) {
  ForEachTarget([] {
    Random random(1);
    for (const size_t width : {1, 2, 63, 64, 65, 768, 1025}) {
      std::vector<float> rows = NormalVector(random, 20 * width);
      rows[3 * width] = 1e6f;  // one element above all others
      std::fill_n(rows.begin() + static_cast<ptrdiff_t>(4 * width), width, 0.0f);
      for (size_t j = 0; j < width; ++j) {
        rows[5 * width + j] *= 1e-30f;
        rows[6 * width + j] *= 1e-42f;  // denormal
        rows[7 * width + j] *= 1e30f;
      }
      const RoundedRows rounded(rows, width);
      ASSERT_EQ(rounded.count(), 20u);
      ASSERT_EQ(rounded.stride() % 64, 0u);
      for (size_t i = 0; i < 20; ++i) {
        double squares = 0;
        for (size_t j = 0; j < width; ++j) {
          const double off = rows[i * width + j] - static_cast<double>(rounded.scales()[i]) * rounded.row(i)[j];
          squares += off * off;
        }
        EXPECT_LE(std::sqrt(squares), rounded.error(i)) << width << ", row " << i;
        for (size_t j = width; j < rounded.stride(); ++j) ASSERT_EQ(rounded.row(i)[j], 0);
      }
      EXPECT_EQ(rounded.error(4), 0.0f);
      EXPECT_LT(rounded.error(0), 0.1 * rounded.norm(0) + 1e-6);
    }
  });
}

struct Problem {
  size_t width;
  std::vector<float> rows, centroids, lengths;

  size_t row_count() const { return rows.size() / width; }
  size_t centroid_count() const { return lengths.size(); }

  float Score(size_t row, size_t c) const {
    float product = 0;
    kernels::DotRows(rows.data() + row * width, centroids.data() + c * width, 1, width, &product);
    return lengths[c] - 2 * product;
  }

  uint32_t Nearest(size_t row) const {
    uint32_t nearest = 0;
    for (uint32_t c = 1; c < centroid_count(); ++c) {
      if (Score(row, c) < Score(row, nearest)) nearest = c;
    }
    return nearest;
  }
};

Problem MakeProblem(size_t width, std::vector<float> rows, std::vector<float> centroids) {
  std::vector<float> lengths(centroids.size() / width);
  for (size_t c = 0; c < lengths.size(); ++c)
    kernels::DotRows(centroids.data() + c * width, centroids.data() + c * width, 1, width, &lengths[c]);
  return {width, std::move(rows), std::move(centroids), std::move(lengths)};
}

void ExpectExact(const Problem& problem) {
  const RoundedRows rows(problem.rows, problem.width), centroids(problem.centroids, problem.width);
  const auto score = [&](size_t row, size_t c) { return problem.Score(row, c); };
  const size_t begin = problem.row_count() / 3;
  NearestByTwoLooks at_once(rows, begin, problem.row_count(), centroids, problem.lengths);
  at_once.LookAtAll();
  std::vector<uint32_t> nearest(problem.row_count() - begin);
  at_once.Settle([&](uint32_t row, uint32_t c) { return score(begin + row, c); }, nearest);
  for (size_t i = 0; i < nearest.size(); ++i) ASSERT_EQ(nearest[i], problem.Nearest(begin + i)) << "row " << begin + i;

  // Group by group, each with the odd rows only.
  std::vector<uint32_t> odd;
  for (uint32_t row = 1; row < problem.row_count(); row += 2) odd.push_back(row);
  NearestByTwoLooks by_group(rows, 0, problem.row_count(), centroids, problem.lengths);
  for (size_t first = 0; first < problem.centroid_count(); first += 7) {
    by_group.Look(odd, first, std::min<size_t>(7, problem.centroid_count() - first));
  }
  nearest.assign(problem.row_count(), 12345);
  by_group.Settle(score, nearest);
  for (size_t row = 0; row < nearest.size(); ++row) {
    ASSERT_EQ(nearest[row], row % 2 == 1 ? problem.Nearest(row) : 12345) << "row " << row;
  }
}

// Most centroids lie nearer to each other than rounding can tell.
TEST(NearestByTwoLooks, IsWhatFloatsSay) {
  ForEachTarget([] {
    Random random(2);
    for (const size_t width : {1, 3, 64, 100, 257}) {
      const std::vector<float> middle = NormalVector(random, width);
      std::vector<float> centroids;
      for (const float spread : {1.0f, 0.1f, 0.01f, 1e-4f, 0.0f}) {
        for (int i = 0; i < 8; ++i) {
          const std::vector<float> off = NormalVector(random, width);
          for (size_t j = 0; j < width; ++j) centroids.push_back(middle[j] + spread * off[j]);
        }
      }
      ExpectExact(MakeProblem(width, NormalVector(random, 60 * width), centroids));
    }
  });
}

TEST(NearestByTwoLooks, IsWhatFloatsSayOfOddRows) {
  ForEachTarget([] {
    Random random(3);
    constexpr size_t kWidth = 70;
    std::vector<float> rows = NormalVector(random, 30 * kWidth), centroids = NormalVector(random, 40 * kWidth);
    for (size_t j = 0; j < kWidth; ++j) {
      rows[1 * kWidth + j] = 0;
      rows[3 * kWidth + j] *= 1e-42f;
      rows[5 * kWidth + j] *= 1e12f;
      centroids[2 * kWidth + j] = 0;
      centroids[20 * kWidth + j] *= 1e12f;
      centroids[21 * kWidth + j] *= 1e-42f;
    }
    rows[7 * kWidth + 3] = 3e9f;
    centroids[30 * kWidth + 3] = 3e9f;
    ExpectExact(MakeProblem(kWidth, rows, centroids));
  });
}

// One centroid far away, or with one element above all others, leaves the rest as certain as they are.
TEST(NearestByTwoLooks, DoubtsFewWhereOneCentroidIsUnlikeTheOthers) {
  constexpr size_t kWidth = 256, kRows = 100, kCentroids = 64;
  Random random(4);
  std::vector<float> centroids = NormalVector(random, kCentroids * kWidth);
  centroids[5 * kWidth + 3] = 1e4f;
  const Problem problem = MakeProblem(kWidth, NormalVector(random, kRows * kWidth), centroids);
  const RoundedRows rows(problem.rows, kWidth), rounded(centroids, kWidth);
  NearestByTwoLooks looks(rows, 0, kRows, rounded, problem.lengths);
  looks.LookAtAll();
  size_t asked = 0;
  std::vector<uint32_t> nearest(kRows);
  looks.Settle([&](uint32_t row, uint32_t c) { return ++asked, problem.Score(row, c); }, nearest);
  EXPECT_LT(asked, kRows * kCentroids / 4);
  for (size_t i = 0; i < kRows; ++i) ASSERT_EQ(nearest[i], problem.Nearest(i)) << i;
}

TEST(NearestByTwoLooks, LeavesWhatWasComparedWithNothing) {
  const std::vector<float> row = {1, 2};
  const RoundedRows rows(row, 2), none(std::span<const float>(), 2);
  NearestByTwoLooks looks(rows, 0, 1, none, {});
  looks.LookAtAll();
  std::vector<uint32_t> nearest = {9};
  looks.Settle([](uint32_t, uint32_t) { return 0.0f; }, nearest);
  EXPECT_EQ(nearest[0], 9u);
}

}  // namespace
}  // namespace s3v

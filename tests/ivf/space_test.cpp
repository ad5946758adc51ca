#include "ivf/space.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "ivf/test_vectors.h"

namespace s3v {
namespace {

using testing::NormalVector;
using testing::Row;

std::vector<float> Placed(const AssignmentSpace& space, std::span<const float> vector, bool is_query) {
  std::vector<float> out(space.width(), -1.0f);
  is_query ? space.PlaceQuery(vector, out) : space.PlaceRow(vector, out);
  return out;
}

TEST(AssignmentSpace, LeavesL2AsItIs) {
  const AssignmentSpace space{Metric::kL2, 3};
  const std::vector<float> vector = {1, -2, 3};
  EXPECT_EQ(space.width(), 3u);
  EXPECT_EQ(Placed(space, vector, false), vector);
  EXPECT_EQ(Placed(space, vector, true), vector);
}

TEST(AssignmentSpace, PutsCosineAtUnitLength) {
  const AssignmentSpace space{Metric::kCosine, 2};
  const std::vector<float> unit = {0.6f, 0.8f};
  for (const float scale : {1e-40f, 1e-3f, 1.0f, 1e37f}) {
    const std::vector<float> vector = {3 * scale, 4 * scale};
    for (const bool is_query : {false, true}) {
      const std::vector<float> placed = Placed(space, vector, is_query);
      EXPECT_NEAR(placed[0], unit[0], 1e-4) << scale;  // 1e-40 is a coarse float
      EXPECT_NEAR(placed[1], unit[1], 1e-4) << scale;
    }
  }
  EXPECT_EQ(Placed(space, std::vector<float>{0, 0}, false), (std::vector<float>{0, 0}));
}

TEST(AssignmentSpace, TurnsTheLargestInnerProductIntoTheNearestNeighbour) {
  constexpr size_t kDim = 20, kRows = 200;
  Random random(1);
  std::vector<float> rows = NormalVector(random, kDim * kRows);
  AssignmentSpace space{Metric::kInnerProduct, kDim};
  for (size_t i = 0; i < kRows; ++i) {
    const double scale = 0.1 + 10 * random.Unit();
    for (size_t j = 0; j < kDim; ++j) rows[i * kDim + j] *= static_cast<float>(scale);
    space.norm_limit = std::max(space.norm_limit, Norm(Row(rows, kDim, i)));
  }
  EXPECT_EQ(space.width(), kDim + 1);
  for (int q = 0; q < 20; ++q) {
    const std::vector<float> query = NormalVector(random, kDim, q < 10 ? 0.01 : 100);
    const std::vector<float> placed_query = Placed(space, query, true);
    size_t best_product = 0, best_distance = 0;
    for (size_t i = 1; i < kRows; ++i) {
      if (ExactDistance(Metric::kInnerProduct, query, Row(rows, kDim, i)) <
          ExactDistance(Metric::kInnerProduct, query, Row(rows, kDim, best_product))) {
        best_product = i;
      }
      if (testing::SquaredDistance(placed_query, Placed(space, Row(rows, kDim, i), false)) <
          testing::SquaredDistance(placed_query, Placed(space, Row(rows, kDim, best_distance), false))) {
        best_distance = i;
      }
    }
    EXPECT_EQ(best_distance, best_product);
  }
}

TEST(AssignmentSpace, PutsRowsAndQueriesOfInnerProductsOnOneSphere) {
  Random random(2);
  const AssignmentSpace space{Metric::kInnerProduct, 10, 5.0};
  for (const double scale : {0.01, 1.0, 100.0}) {
    const std::vector<float> vector = NormalVector(random, 10, scale);
    EXPECT_NEAR(Norm(Placed(space, vector, false)), 5.0, 1e-5) << scale;  // rows beyond the limit are cut to it
    EXPECT_NEAR(Norm(Placed(space, vector, true)), 5.0, 1e-5) << scale;
    EXPECT_EQ(Placed(space, vector, true).back(), 0.0f);
  }
  const std::vector<float> zero(10, 0.0f);
  EXPECT_EQ(Placed(space, zero, false).back(), 5.0f);
  EXPECT_EQ(Placed(space, zero, true), std::vector<float>(11, 0.0f));
}

TEST(AssignmentSpace, TurnsScoresIntoItsDistances) {
  Random random(4);
  for (const Metric metric : {Metric::kCosine, Metric::kL2, Metric::kInnerProduct}) {
    const AssignmentSpace space{metric, 12, 9.0};
    for (int repeat = 0; repeat < 20; ++repeat) {
      const std::vector<float> query = NormalVector(random, 12, 1 + repeat % 3);
      const std::vector<float> row = NormalVector(random, 12, 1.5);
      const double distance = ExactDistance(metric, query, row);
      const double score = metric == Metric::kL2 ? distance * distance : distance;
      const double placed = std::sqrt(testing::SquaredDistance(Placed(space, query, true), Placed(space, row, false)));
      EXPECT_NEAR(space.DistanceOfScore(score, Norm(query)), placed, 1e-4 * (1 + placed));
    }
  }
  EXPECT_EQ((AssignmentSpace{Metric::kInnerProduct, 2, 5.0}.DistanceOfScore(0, 0)), 5);
}

}  // namespace
}  // namespace s3v

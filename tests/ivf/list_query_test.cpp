#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <vector>

#include "ivf/coded_list.h"
#include "ivf/codes.h"
#include "ivf/each_target.h"
#include "ivf/test_vectors.h"

namespace s3v {
namespace {

using testing::CodedList;
using testing::ExactScore;
using testing::Experiment;
using testing::NormalVector;

constexpr float kInfinity = std::numeric_limits<float>::infinity();

TEST(ListQuery, ScoresAResidualOfNothingExactly) {
  for (const size_t d : {1, 5, 100}) {
    const CodeShape shape{d, 4};
    CodedList list(shape);
    list.Add(std::vector<float>(d));
    ListQuery query(shape, Metric::kL2, 8);
    const std::vector<float> q(d, 0.5f), centroid(d, 0.25f);
    query.Set(q, centroid);
    const double exact = testing::SquaredDistance(q, centroid);
    const CodedList::Scores scores = list.Score(query, 3);
    EXPECT_NEAR(scores.lower[0], exact, 1e-4 * exact);
    EXPECT_NEAR(scores.estimates[0].score, exact, 1e-6 * exact);
    EXPECT_NEAR(scores.estimates[0].upper_bound, exact, 1e-4 * exact);
    query.Set(centroid, centroid);
    EXPECT_NEAR(list.Score(query, 3).estimates[0].score, 0, 1e-6);
    EXPECT_LE(list.Score(query, 3).lower[0], 0);
  }
}

// Bounds either hold or are infinite; nothing is ever NaN.
TEST(ListQuery, HoldsItsBoundsForLengthsAtTheEdgesOfFloat) {
  const double lengths[] = {1e-42, 1e-37, 1e-25, 1e-19, 1e-10, 1, 1e10, 1e17, 1e19, 1e30, 1e37};
  for (const size_t d : {1, 2, 3, 100}) {
    for (const int bits : {1, 4, 8}) {
      const CodeShape shape{d, bits};
      for (const Metric metric : {Metric::kL2, Metric::kInnerProduct}) {
        for (const double row_length : lengths) {
          for (const double query_length : lengths) {
            Random random(d);
            const double root = std::sqrt(static_cast<double>(d));
            const std::vector<float> row = NormalVector(random, d, row_length / root);
            const std::vector<float> q = NormalVector(random, d, query_length / root);
            CodedList list(shape);
            list.Add(row);
            ListQuery query(shape, metric, 8);
            query.Set(q, std::vector<float>(d));
            const double exact = ExactScore(metric, q, row);
            const CodedList::Scores scores = list.Score(query, 12);
            SCOPED_TRACE(::testing::Message()
                         << d << " dimensions, " << bits << " bits, row " << row_length << ", query " << query_length);
            ASSERT_LE(scores.lower[0], exact);
            ASSERT_GE(scores.upper[0], exact);
            if (bits == 1) continue;
            const ListQuery::Estimate& estimate = scores.estimates[0];
            ASSERT_TRUE(std::isfinite(estimate.score));
            ASSERT_LE(estimate.lower_bound, estimate.score);
            ASSERT_LE(estimate.score, estimate.upper_bound);
            ASSERT_LE(estimate.lower_bound, exact);
            ASSERT_GE(estimate.upper_bound, exact);
          }
        }
      }
    }
  }
}

TEST(ListQuery, NeverDropsWhatIsNoNumber) {
  const CodeShape shape{40, 4};
  std::vector<float> centroid(40), fine(40, 0.5f);
  for (const float bad : {kInfinity, -kInfinity, std::nanf("")}) {
    std::vector<float> broken = fine;
    broken[7] = bad;
    CodedList list(shape);
    list.Add(broken);
    list.Add(fine);
    ListQuery query(shape, Metric::kL2, 8);
    query.Set(fine, centroid);
    CodedList::Scores scores = list.Score(query, 3);
    EXPECT_EQ(scores.lower[0], -kInfinity);
    EXPECT_EQ(scores.estimates[0].lower_bound, -kInfinity);
    EXPECT_GT(scores.lower[1], -kInfinity);
    query.Set(broken, centroid);
    scores = list.Score(query, 3);
    EXPECT_EQ(scores.lower[1], -kInfinity);
    EXPECT_EQ(scores.estimates[1].lower_bound, -kInfinity);
    EXPECT_TRUE(std::isfinite(scores.estimates[1].score));
  }
}

// Whether estimates lie around the exact scores: their mean error must be within what its deviation allows. One sign
// plane's estimate is the middle of its bounds.
void CheckUnbiased(const CodeShape& shape, Metric metric, int query_bits) {
  double sum = 0, squares = 0, count = 0;
  for (uint64_t seed = 0; seed < 30; ++seed) {
    const Experiment experiment(shape, metric, 1 + seed, 30);
    const CodedList::Scores scores = experiment.Score(query_bits, 2);
    for (size_t i = 0; i < experiment.exact.size(); ++i) {
      const double score =
          shape.bits == 1 ? (double{scores.lower[i]} + scores.upper[i]) / 2 : scores.estimates[i].score;
      const double error = score - experiment.exact[i];
      sum += error;
      squares += error * error;
      ++count;
    }
  }
  const double deviation = std::sqrt(squares / count);
  EXPECT_LT(std::abs(sum / count), 4 * deviation / std::sqrt(count))
      << shape.dimensions << " dimensions, " << shape.bits << " bits, metric " << static_cast<int>(metric);
}

TEST(ListQuery, EstimatesWithoutBias) {
  for (const Metric metric : {Metric::kL2, Metric::kCosine, Metric::kInnerProduct}) {
    for (const size_t d : {17, 100, 300}) {
      for (const int bits : {1, 2, 4}) CheckUnbiased({d, bits}, metric, 8);
      CheckUnbiased({d, 8}, metric, 14);
    }
  }
}

// Of how many rows a bound is allowed to be wrong: those that a normal error would exceed it for, and what chance adds.
double Allowed(double sigmas, double count) {
  const double share = 0.5 * std::erfc(sigmas / std::sqrt(2.0));
  return share * count + 4 * std::sqrt(share * count) + 2;
}

struct Violations {
  double below = 0, above = 0, code_below = 0, code_above = 0, count = 0;
  double tightness = 0;  // mean of |error| / (half the width between the bounds of the code)
};

Violations CountViolations(const CodeShape& shape, Metric metric, int query_bits, double sigmas, size_t lists,
                           size_t rows, double centroid_length = 1) {
  Violations violations;
  for (uint64_t seed = 0; seed < lists; ++seed) {
    const Experiment experiment(shape, metric, 100 + seed, rows, centroid_length);
    const CodedList::Scores scores = experiment.Score(query_bits, sigmas);
    for (size_t i = 0; i < rows; ++i) {
      const double exact = experiment.exact[i];
      violations.below += exact < scores.lower[i] ? 1 : 0;
      violations.above += exact > scores.upper[i] ? 1 : 0;
      ++violations.count;
      if (shape.bits == 1) continue;
      const ListQuery::Estimate& estimate = scores.estimates[i];
      EXPECT_LE(estimate.lower_bound, estimate.score);
      EXPECT_LE(estimate.score, estimate.upper_bound);
      violations.code_below += exact < estimate.lower_bound ? 1 : 0;
      violations.code_above += exact > estimate.upper_bound ? 1 : 0;
      const double half_width = (double{estimate.upper_bound} - estimate.lower_bound) / 2;
      violations.tightness += std::abs(estimate.score - exact) / half_width;
    }
  }
  violations.tightness /= violations.count;
  return violations;
}

void CheckBounds(const CodeShape& shape, Metric metric, int query_bits, size_t lists, size_t rows,
                 double centroid_length = 1) {
  for (const double sigmas : {1.9, 3.0}) {
    const Violations violations = CountViolations(shape, metric, query_bits, sigmas, lists, rows, centroid_length);
    const double allowed = Allowed(sigmas, violations.count);
    SCOPED_TRACE(::testing::Message() << shape.dimensions << " dimensions, " << shape.bits << " bits, metric "
                                      << static_cast<int>(metric) << ", " << sigmas << " sigmas");
    EXPECT_LE(violations.below, allowed);
    EXPECT_LE(violations.above, allowed);
    EXPECT_LE(violations.code_below, allowed);
    EXPECT_LE(violations.code_above, allowed);
  }
}

TEST(ListQuery, HoldsItsBoundsAtTheirProbability) {
  for (const size_t d : {1, 2, 3, 17, 64, 100, 128, 768, 784, 1000}) {
    const size_t lists = d < 200 ? 20 : 8;
    for (const int bits : {1, 2, 4, 8}) CheckBounds({d, bits}, Metric::kL2, bits == 8 ? 14 : 8, lists, 25);
  }
  for (const Metric metric : {Metric::kCosine, Metric::kInnerProduct}) {
    for (const size_t d : {3, 100, 300}) {
      for (const int bits : {1, 2, 4, 8}) CheckBounds({d, bits}, metric, bits == 8 ? 14 : 8, 12, 25);
    }
  }
}

TEST(ListQuery, HoldsItsBoundsForSixteenThousandDimensions) {
  CheckBounds({16000, 4}, Metric::kL2, 8, 2, 8);
  CheckBounds({16000, 8}, Metric::kCosine, 16, 2, 8);
}

TEST(ListQuery, HoldsItsBoundsForCoarseQueries) {
  for (const size_t d : {2, 17, 300}) {
    for (const int bits : {1, 4, 8}) CheckBounds({d, bits}, Metric::kL2, 4, 20, 25);
  }
}

// Rotations then lose more than codes of many bits do.
TEST(ListQuery, HoldsItsBoundsFarFromZero) {
  for (const size_t d : {3, 100, 300}) {
    for (const double length : {1e3, 1e6}) CheckBounds({d, 8}, Metric::kL2, 14, 10, 25, length);
  }
}

// Bounds that always hold are easy; these are no wider than their probability asks for. The mean of a normal number's
// absolute value is 0.8; v has a part along r, which has no error.
TEST(ListQuery, BoundsAreNotWiderThanNeeded) {
  for (const int bits : {2, 4, 8}) {
    const Violations violations = CountViolations({300, bits}, Metric::kL2, 14, 1, 10, 50);
    EXPECT_GT(violations.tightness, 0.6) << bits;
    EXPECT_LT(violations.tightness, 0.9) << bits;
  }
}

double MeanAbsoluteError(const CodeShape& shape, int query_bits) {
  double sum = 0, count = 0;
  for (uint64_t seed = 0; seed < 10; ++seed) {
    const Experiment experiment(shape, Metric::kL2, 500 + seed, 40);
    const CodedList::Scores scores = experiment.Score(query_bits, 2);
    for (size_t i = 0; i < experiment.exact.size(); ++i) {
      sum += std::abs(scores.estimates[i].score - experiment.exact[i]);
      ++count;
    }
  }
  return sum / count;
}

TEST(ListQuery, EstimatesBetterWithMoreBits) {
  for (const size_t d : {64, 128, 768}) {
    double last = std::numeric_limits<double>::infinity();
    for (int bits = 2; bits <= 8; ++bits) {
      const double error = MeanAbsoluteError({d, bits}, 14);
      EXPECT_LT(error, 0.7 * last) << d << ", " << bits;
      last = error;
    }
    EXPECT_LT(MeanAbsoluteError({d, 8}, 14), 0.7 * MeanAbsoluteError({d, 8}, 8)) << d;
  }
}

TEST(ListQuery, ScoresTheSameOnEveryInstructionSet) {
  std::vector<float> scores, lower;
  testing::ForEachTarget([&] {
    std::vector<float> these, lower_bounds;
    for (const size_t d : {2, 100, 200}) {
      const Experiment experiment({d, 4}, Metric::kL2, 3, 19);
      const CodedList::Scores result = experiment.Score(8, 2);
      for (const ListQuery::Estimate& estimate : result.estimates) these.push_back(estimate.score);
      lower_bounds.insert(lower_bounds.end(), result.lower.begin(), result.lower.end());
    }
    if (scores.empty()) {
      scores = these;
      lower = lower_bounds;
    }
    // A code may round an element to the other side.
    for (size_t i = 0; i < scores.size(); ++i) {
      ASSERT_NEAR(these[i], scores[i], 1e-3) << i;
      ASSERT_NEAR(lower_bounds[i], lower[i], 1e-3) << i;
    }
  });
}

TEST(ListQuery, ForgetsTheListBefore) {
  const Experiment first({100, 4}, Metric::kL2, 1, 10), second({100, 4}, Metric::kL2, 2, 10);
  ListQuery query({100, 4}, Metric::kL2, 8);
  std::vector<float> rotated(100);
  for (const Experiment* experiment : {&first, &second, &first}) {
    experiment->rotation.Apply(experiment->query, rotated);
    query.Set(rotated, experiment->rotated_centroid);
    EXPECT_EQ(experiment->list.Score(query, 2).lower, experiment->Score(8, 2).lower);
  }
  query.Set(std::vector<float>(100, 1e30f), first.rotated_centroid);
  first.rotation.Apply(first.query, rotated);
  query.Set(rotated, first.rotated_centroid);
  EXPECT_EQ(first.list.Score(query, 2).lower, first.Score(8, 2).lower);
}

TEST(ListQuery, TakesAnEmptyList) {
  const CodeShape shape{100, 4};
  ListQuery query(shape, Metric::kL2, 8);
  query.Set(std::vector<float>(100, 1.0f), std::vector<float>(100));
  const CodedList::Scores scores = CodedList(shape).Score(query, 2);
  EXPECT_TRUE(scores.lower.empty());
}

}  // namespace
}  // namespace s3v

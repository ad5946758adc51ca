#include <gtest/gtest.h>

#include <limits>
#include <vector>

#include "base/random.h"
#include "ivf/each_target.h"
#include "ivf/kernels/kernels.h"

namespace s3v {
namespace {

using testing::ForEachTarget;

constexpr float kInfinity = std::numeric_limits<float>::infinity();

struct Selection {
  std::vector<uint32_t> numbers;
  float least_rest = kInfinity;
  bool operator==(const Selection&) const = default;
};

Selection Plain(const std::vector<float>& values, float limit) {
  Selection selection;
  for (uint32_t i = 0; i < values.size(); ++i) {
    if (values[i] > limit) {
      selection.least_rest = std::min(selection.least_rest, values[i]);
    } else {
      selection.numbers.push_back(i);
    }
  }
  return selection;
}

Selection ByKernel(const std::vector<float>& values, float limit) {
  Selection selection;
  selection.numbers.resize(values.size());
  selection.numbers.resize(
      kernels::SelectAtMost(values.data(), values.size(), limit, selection.numbers.data(), &selection.least_rest));
  return selection;
}

TEST(SelectAtMost, EqualsThePlainLoop) {
  ForEachTarget([] {
    Random random(7);
    for (size_t count = 0; count < 130; ++count) {
      std::vector<float> values(count);
      for (float& value : values) value = static_cast<float>(random.Below(20));
      for (const float limit : {-1.0F, 0.0F, 3.0F, 25.0F, kInfinity, -kInfinity}) {
        ASSERT_EQ(ByKernel(values, limit), Plain(values, limit)) << count << " " << limit;
      }
    }
  });
}

TEST(SelectAtMost, TakesWhatCannotBeCompared) {
  ForEachTarget([] {
    for (const size_t count : {1U, 5U, 16U, 33U}) {
      std::vector<float> values(count, 9.0F);
      values[count / 2] = std::numeric_limits<float>::quiet_NaN();
      const Selection selection = ByKernel(values, 1.0F);
      EXPECT_EQ(selection.numbers, std::vector<uint32_t>{static_cast<uint32_t>(count / 2)});
    }
  });
}

}  // namespace
}  // namespace s3v

#include "format/half.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <limits>
#include <vector>

namespace s3v {
namespace {

constexpr uint16_t kInfinity = 0x7c00;
constexpr uint16_t kLargest = 0x7bff;

// What the standard says the bits mean.
double Meaning(uint16_t half) {
  const int exponent = half >> 10 & 0x1f;
  const int fraction = half & 0x3ff;
  const double magnitude = exponent == 0 ? std::ldexp(fraction, -24) : std::ldexp(1024 + fraction, exponent - 25);
  return half & 0x8000 ? -magnitude : magnitude;
}

TEST(Half, Table) {
  const struct {
    float value;
    uint16_t half;
  } kTable[] = {
      {0.0F, 0x0000},
      {-0.0F, 0x8000},
      {1.0F, 0x3c00},
      {-2.0F, 0xc000},
      {0.5F, 0x3800},
      {0.333333343F, 0x3555},
      {3.14159274F, 0x4248},
      {0x1p-14F, 0x0400},         // the smallest that is not subnormal
      {0x1.ff8p-15F, 0x03ff},     // the largest subnormal
      {0x1.ffcp-15F, 0x0400},     // half way above it: to even
      {0x1p-24F, 0x0001},         // the smallest
      {0x1p-25F, 0x0000},         // half way below it: to even, which is zero
      {0x1.000002p-25F, 0x0001},  // a little more
      {0x1.8p-24F, 0x0002},       // half way above it: to even
      {-0x1p-24F, 0x8001},
      {1e-30F, 0x0000},
      {0x1p-149F, 0x0000},  // the smallest float
      {2049.0F, 0x6800},    // half way: to even
      {2051.0F, 0x6802},
      {65504.0F, kLargest},
      {65519.996F, kLargest},
      {65520.0F, kLargest},  // would round to infinity
      {-65536.0F, 0xfbff},
      {3e38F, kLargest},
      {std::numeric_limits<float>::infinity(), kLargest},
      {-std::numeric_limits<float>::infinity(), 0xfbff},
  };
  for (const auto& [value, half] : kTable) EXPECT_EQ(ToHalf(value), half) << value;
  EXPECT_TRUE(std::isnan(FromHalf(ToHalf(std::numeric_limits<float>::quiet_NaN()))));
}

TEST(Half, EveryHalfIsExactAsFloatAndComesBack) {
  for (uint32_t bits = 0; bits < 0x10000; ++bits) {
    const auto half = static_cast<uint16_t>(bits);
    const float value = FromHalf(half);
    if ((half & 0x7fff) < kInfinity) {
      ASSERT_EQ(static_cast<double>(value), Meaning(half)) << bits;
      ASSERT_EQ(std::signbit(value), (half & 0x8000) != 0) << bits;
      ASSERT_EQ(ToHalf(value), half);
    } else if ((half & 0x7fff) == kInfinity) {
      ASSERT_TRUE(std::isinf(value)) << bits;
    } else {
      ASSERT_TRUE(std::isnan(value)) << bits;
    }
  }
}

TEST(Half, ManyAtAnyAddress) {
  for (const size_t count : {0, 1, 7, 8, 9, 31}) {
    std::vector<uint8_t> bytes(1 + 2 * count);
    for (size_t i = 0; i < count; ++i) {
      const auto half = static_cast<uint16_t>(i * 977);  // subnormal ones among them
      std::memcpy(bytes.data() + 1 + 2 * i, &half, sizeof half);
    }
    std::vector<float> values(count);
    FromHalves(bytes.data() + 1, values);
    for (size_t i = 0; i < count; ++i) EXPECT_EQ(values[i], Meaning(static_cast<uint16_t>(i * 977))) << i;
  }
}

// Rounding never goes back, so that it is right between two halves if it is right at their middle and beside it.
TEST(Half, RoundsToTheNearestAndTiesToEven) {
  for (uint16_t half = 0; half < kLargest; ++half) {
    const auto next = static_cast<uint16_t>(half + 1);
    const auto middle = static_cast<float>((Meaning(half) + Meaning(next)) / 2);
    ASSERT_EQ(ToHalf(middle), half % 2 == 0 ? half : next) << half;
    ASSERT_EQ(ToHalf(std::nextafter(middle, 0.0F)), half) << half;
    ASSERT_EQ(ToHalf(std::nextafter(middle, 1e9F)), next) << half;
    ASSERT_EQ(ToHalf(-middle), 0x8000 | ToHalf(middle)) << half;
  }
}

}  // namespace
}  // namespace s3v

// Random numbers by SplitMix64: one stream for each purpose and row, so that rows can be drawn in any order.
#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace s3v::bench {

using Floats = std::vector<float>;

inline uint64_t Mix(uint64_t x) {
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ull;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebull;
  return x ^ (x >> 31);
}

enum class Stream : uint64_t { kStructure = 1, kBase = 2, kQuery = 3 };

class Random {
 public:
  Random(uint64_t seed, Stream stream, uint64_t row)
      : state_(Mix(Mix(Mix(seed) + static_cast<uint64_t>(stream)) + 0x9e3779b97f4a7c15ull * (row + 1))) {}

  uint64_t Next() { return Mix(state_ += 0x9e3779b97f4a7c15ull); }
  double Uniform() { return static_cast<double>(Next() >> 11) * 0x1p-53; }
  size_t Below(size_t n) { return static_cast<size_t>(Uniform() * static_cast<double>(n)); }

  // Box and Muller, two at a time.
  void Normal(float* out, size_t count) {
    for (size_t i = 0; i < count; i += 2) {
      const uint64_t bits = Next();
      const float u = (static_cast<float>(bits >> 40) + 0.5f) * 0x1p-24f;
      const float angle = static_cast<float>(bits & 0xffffff) * 0x1p-24f * 6.283185307f;
      const float radius = std::sqrt(-2 * std::log(u));
      out[i] = radius * std::cos(angle);
      if (i + 1 < count) out[i + 1] = radius * std::sin(angle);
    }
  }
  Floats Normal(size_t count) {
    Floats out(count);
    Normal(out.data(), count);
    return out;
  }

 private:
  uint64_t state_;
};

}  // namespace s3v::bench

// Randomness, in two kinds that must not be mixed: names nobody can guess or repeat, and seeded streams that repeat.
#pragma once

#include <array>
#include <cstdint>
#include <string>

namespace s3v {

// 128 random bits from the operating system. Names of objects are made of these and never reused.
using ObjectId = std::array<uint8_t, 16>;
ObjectId RandomId();

// 32 lower-case hexadecimal digits, and back. ParseId answers false for anything else.
std::string IdText(const ObjectId& id);
bool ParseId(const std::string& text, ObjectId* id);

// A small seeded generator (splitmix64): the same seed gives the same training on every platform.
class Random {
 public:
  explicit Random(uint64_t seed) : state_(seed) {}
  uint64_t Next() {
    uint64_t z = (state_ += 0x9e3779b97f4a7c15ULL);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
    return z ^ (z >> 31);
  }
  // Uniform in [0, bound). REQUIRES: bound > 0.
  uint64_t Below(uint64_t bound) {
    return static_cast<uint64_t>((static_cast<unsigned __int128>(Next()) * bound) >> 64);
  }
  // Uniform in [0, 1).
  double Unit() { return static_cast<double>(Next() >> 11) * 0x1.0p-53; }

 private:
  uint64_t state_;
};

}  // namespace s3v

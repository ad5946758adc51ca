// Numbers that a build settles before it begins.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "base/random.h"

namespace s3v {

// Lists of sqrt(rows) entries, within bounds that make a list worth its request: 250 to 500 entries at 128 dimensions,
// 250 at 768 and more (docs/design/probing.md).
size_t ChooseLists(uint64_t rows, size_t dimensions);

// `count` of the numbers below `total`, ascending, each as likely as any other (Knuth's algorithm S).
std::vector<uint64_t> SampleNumbers(uint64_t total, uint64_t count, Random& random);

}  // namespace s3v

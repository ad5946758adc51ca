#include "engine/build_plan.h"

#include <algorithm>
#include <cmath>

#include "format/segment.h"

namespace s3v {

size_t ChooseLists(uint64_t rows, size_t dimensions) {
  const double most = std::clamp(192000.0 / static_cast<double>(dimensions), 250.0, 500.0);
  const double entries = std::clamp(std::sqrt(static_cast<double>(rows)), 250.0, most);
  const auto lists = static_cast<uint64_t>(std::llround(static_cast<double>(rows) / entries));
  return std::clamp<uint64_t>(lists, 1, kMaxLists);
}

std::vector<uint64_t> SampleNumbers(uint64_t total, uint64_t count, Random& random) {
  std::vector<uint64_t> numbers;
  numbers.reserve(count);
  for (uint64_t i = 0; numbers.size() < count; ++i) {
    if (random.Below(total - i) < count - numbers.size()) numbers.push_back(i);
  }
  return numbers;
}

}  // namespace s3v

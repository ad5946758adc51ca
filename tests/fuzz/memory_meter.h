// What the program holds on the heap, as far as C++ asks for it: replaces operator new, or listens to the sanitizer's.
#pragma once

#include <cstddef>
#include <cstdint>

namespace s3v::fuzz {

// For the length of a scope, on one thread.
class MemoryMeter {
 public:
  MemoryMeter();
  size_t peak() const;  // the most that was held at once since, beyond what was held then

 private:
  int64_t before_;
};

}  // namespace s3v::fuzz

// The allocations of this program, counted, and made to fail. Linking failing_new.cpp replaces operator new for all of
// it.
#pragma once

#include <cstdint>

namespace s3v::testing {

enum class Shortage {
  kOnce,       // one allocation fails, whatever comes then succeeds
  kFromThere,  // all fail from that one on: not even an error can be put into a string
};

// From now on until EndShortage the n-th allocation (from 0), of whatever thread, fails.
void BeginShortage(uint64_t n, Shortage how);
// Allocations asked for since it began.
uint64_t EndShortage();

// Allocations that were not freed yet.
int64_t LiveAllocations();

// On this thread nothing fails and nothing is counted as asked for while one of these lives: for callbacks, which are
// not the core's.
class NoShortage {
 public:
  NoShortage();
  ~NoShortage();
  NoShortage(const NoShortage&) = delete;
  NoShortage& operator=(const NoShortage&) = delete;
};

}  // namespace s3v::testing

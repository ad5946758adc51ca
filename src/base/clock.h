// Time as an argument, so that tests can move it.
#pragma once

#include <cstdint>
#include <functional>

namespace s3v {

class Clock {
 public:
  virtual ~Clock() = default;
  // Seconds since 1970-01-01 UTC: for signatures and for ages that the store reports.
  virtual int64_t WallSeconds() const = 0;
  // Milliseconds that never go backwards: for deadlines and durations.
  virtual int64_t SteadyMillis() const = 0;
};

// The machine's own clocks. Has no state.
const Clock& SystemClock();

}  // namespace s3v

// How long work learns that its caller wants it to end. Polled, never pushed: nothing unwinds from inside Requested().
#pragma once

#include "base/error.h"

namespace s3v {

// Used from the calling thread only; worker threads see a flag that the calling thread sets (base/parallel.h).
class Stop {
 public:
  virtual ~Stop() = default;
  virtual bool Requested() = 0;

  // Throws kCancelled once asked to stop. REQUIRES: called at least every 50 ms of work or waiting.
  void Check() {
    if (Requested()) throw Error(Code::kCancelled, "canceled");
  }
};

class NeverStop final : public Stop {
 public:
  bool Requested() override { return false; }
};

}  // namespace s3v

#include "base/clock.h"

#include <chrono>

namespace s3v {
namespace {

class RealClock final : public Clock {
 public:
  int64_t WallSeconds() const override {
    using namespace std::chrono;
    return duration_cast<seconds>(system_clock::now().time_since_epoch()).count();
  }
  int64_t SteadyMillis() const override {
    using namespace std::chrono;
    return duration_cast<milliseconds>(steady_clock::now().time_since_epoch()).count();
  }
};

constinit const RealClock kRealClock;

}  // namespace

const Clock& SystemClock() { return kRealClock; }

}  // namespace s3v

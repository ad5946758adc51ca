#include "s3vectors/pacing.h"

#include <algorithm>
#include <cmath>

namespace s3v {
namespace {

constexpr int64_t kOneRefusalMs = 200;
constexpr double kAfterRefusal = 0.8;
constexpr double kEachSecond = 1.05;
// A pause proves nothing: whatever its length, a rise is at most a doubling.
constexpr int64_t kMostSecondsAtOnce = 14;
// Nobody writes faster; and from a rate without bounds it would be long until refusals tell.
constexpr double kHighest = 100;

constexpr double kLeastRequests = 1;
constexpr double kLeastVectors = 10;

}  // namespace

Pacing::Pacing(int64_t now_ms, double requests_per_second, double vectors_per_second)
    : requests_{.rate = requests_per_second, .tokens = requests_per_second},
      vectors_{.rate = vectors_per_second, .tokens = vectors_per_second},
      refilled_ms_(now_ms),
      changed_ms_(now_ms),
      refused_ms_(now_ms - kOneRefusalMs) {}

int64_t Pacing::WaitFor(uint64_t vectors, int64_t now_ms) {
  Refill(now_ms);
  const auto wait = [](const Bucket& bucket, double amount) {
    const double missing = std::min(amount, bucket.rate) - bucket.tokens;
    return missing <= 0 ? 0 : static_cast<int64_t>(std::ceil(missing / bucket.rate * 1000));
  };
  return std::max(wait(requests_, 1), wait(vectors_, static_cast<double>(vectors)));
}

void Pacing::Take(uint64_t vectors, int64_t now_ms) {
  Refill(now_ms);
  // Below zero for a batch larger than its bucket: the next one waits for it.
  requests_.tokens -= 1;
  vectors_.tokens -= static_cast<double>(vectors);
}

void Pacing::Refused(int64_t now_ms) {
  if (now_ms - refused_ms_ < kOneRefusalMs) return;
  Refill(now_ms);
  refused_ms_ = changed_ms_ = now_ms;
  requests_.rate = std::max(kLeastRequests, requests_.rate * kAfterRefusal);
  vectors_.rate = std::max(kLeastVectors, vectors_.rate * kAfterRefusal);
  requests_.tokens = std::min(requests_.tokens, requests_.rate);
  vectors_.tokens = std::min(vectors_.tokens, vectors_.rate);
}

void Pacing::Accepted(int64_t now_ms) {
  const int64_t seconds = (now_ms - changed_ms_) / 1000;
  if (seconds < 1) return;
  Refill(now_ms);
  changed_ms_ += seconds * 1000;
  const double rise = std::pow(kEachSecond, static_cast<double>(std::min(seconds, kMostSecondsAtOnce)));
  requests_.rate = std::min(requests_.rate * rise, kRequestsPerSecond * kHighest);
  vectors_.rate = std::min(vectors_.rate * rise, kVectorsPerSecond * kHighest);
}

void Pacing::Refill(int64_t now_ms) {
  const double seconds = static_cast<double>(std::max<int64_t>(0, now_ms - refilled_ms_)) / 1000;
  refilled_ms_ = std::max(refilled_ms_, now_ms);
  for (Bucket* bucket : {&requests_, &vectors_}) {
    bucket->tokens = std::min(bucket->rate, bucket->tokens + seconds * bucket->rate);
  }
}

}  // namespace s3v

// How fast one index may be written: two token buckets, requests and vectors a second, that learn from refusals.
// Pure: the time is an argument.
#pragma once

#include <cstdint>

namespace s3v {

class Pacing {
 public:
  // The documented limits of one index.
  static constexpr double kRequestsPerSecond = 1000;
  static constexpr double kVectorsPerSecond = 2500;

  explicit Pacing(int64_t now_ms, double requests_per_second = kRequestsPerSecond,
                  double vectors_per_second = kVectorsPerSecond);

  // Milliseconds to wait until a request with so many vectors may go out; 0: now. Each bucket holds one second's worth,
  // so a first batch goes at once; a batch larger than a bucket goes when the bucket is full.
  int64_t WaitFor(uint64_t vectors, int64_t now_ms);
  // It went out.
  void Take(uint64_t vectors, int64_t now_ms);
  // 429 or 503: both rates go down by a fifth, once for all answers of the same 200 ms; not below 1 request and 10
  // vectors a second.
  void Refused(int64_t now_ms);
  // An answer without refusal: both rates go up by a twentieth for each second since the last refusal or rise.
  void Accepted(int64_t now_ms);

  double requests_per_second() const { return requests_.rate; }
  double vectors_per_second() const { return vectors_.rate; }

 private:
  struct Bucket {
    double rate = 0;
    double tokens = 0;
  };
  void Refill(int64_t now_ms);

  Bucket requests_;
  Bucket vectors_;
  int64_t refilled_ms_;
  int64_t changed_ms_;
  int64_t refused_ms_;
};

}  // namespace s3v

#include "base/parallel.h"

#include <gtest/gtest.h>
#include <pthread.h>
#include <signal.h>

#include <atomic>
#include <chrono>
#include <stdexcept>
#include <thread>
#include <utility>
#include <vector>

#include "base/error.h"

namespace s3v {
namespace {

class StopWhen final : public Stop {
 public:
  explicit StopWhen(const std::atomic<bool>& flag) : flag_(flag) {}
  bool Requested() override {
    EXPECT_EQ(std::this_thread::get_id(), caller_);
    ++polls_;
    return flag_;
  }
  int polls() const { return polls_; }

 private:
  const std::atomic<bool>& flag_;
  const std::thread::id caller_ = std::this_thread::get_id();
  int polls_ = 0;
};

TEST(ParallelFor, VisitsEveryIndexOnceInChunksOfAtMostTheGivenSize) {
  NeverStop stop;
  for (const int threads : {-1, 0, 1, 2, 3, 8}) {
    for (const size_t count : {0, 1, 6, 7, 8, 100}) {
      for (const size_t chunk : {0, 1, 7, 1000}) {
        std::vector<std::atomic<int>> visits(count);
        ParallelFor(count, chunk, threads, stop, [&](size_t begin, size_t end) {
          EXPECT_LT(begin, end);
          EXPECT_LE(end - begin, std::max<size_t>(chunk, 1));
          for (size_t i = begin; i < end; ++i) ++visits[i];
        });
        for (const auto& visit : visits) EXPECT_EQ(visit, 1) << threads << " threads, " << count << " by " << chunk;
      }
    }
  }
}

TEST(ParallelFor, StaysOnTheCallersThreadWithOneThread) {
  NeverStop stop;
  const std::thread::id caller = std::this_thread::get_id();
  ParallelFor(10, 1, 1, stop, [&](size_t, size_t) { EXPECT_EQ(std::this_thread::get_id(), caller); });
}

TEST(ParallelFor, WorksOnSeveralThreadsAtOnce) {
  NeverStop stop;
  std::atomic<int> arrived = 0;
  ParallelFor(2, 1, 2, stop, [&](size_t, size_t) {
    ++arrived;
    while (arrived < 2) std::this_thread::yield();  // ends only if both bodies run at the same time
  });
  EXPECT_EQ(arrived, 2);
}

TEST(ParallelFor, BlocksAllSignalsInItsThreadsAndRestoresTheCallersMask) {
  NeverStop stop;
  sigset_t before, after;
  pthread_sigmask(SIG_SETMASK, nullptr, &before);
  ParallelFor(2, 1, 2, stop, [&](size_t, size_t) {
    sigset_t inside;
    pthread_sigmask(SIG_SETMASK, nullptr, &inside);
    for (const int signal : {SIGINT, SIGTERM, SIGUSR1, SIGALRM}) EXPECT_TRUE(sigismember(&inside, signal));
  });
  pthread_sigmask(SIG_SETMASK, nullptr, &after);
  for (const int signal : {SIGINT, SIGTERM, SIGUSR1, SIGALRM}) {
    EXPECT_EQ(sigismember(&before, signal), sigismember(&after, signal));
  }
}

TEST(ParallelFor, ThrowsWhatABodyThrewAndStartsNoMoreChunks) {
  NeverStop stop;
  for (const int threads : {1, 2, 4}) {
    std::atomic<int> started = 0;
    try {
      ParallelFor(100000, 1, threads, stop, [&](size_t, size_t) {
        ++started;
        throw Error(Code::kCorrupted, "bad chunk");
      });
      FAIL() << "no exception";
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), Code::kCorrupted);
    }
    EXPECT_LE(started, threads);
  }
}

TEST(ParallelFor, CarriesExceptionsThatAreNotErrors) {
  NeverStop stop;
  EXPECT_THROW(ParallelFor(4, 1, 2, stop, [](size_t, size_t) { throw std::runtime_error("other"); }),
               std::runtime_error);
}

TEST(ParallelFor, EndsSoonAfterStopIsRequested) {
  for (const int threads : {1, 2}) {
    std::atomic<bool> flag = false;
    StopWhen stop(flag);
    std::atomic<int> started = 0;
    try {
      ParallelFor(1000000, 1, threads, stop, [&](size_t, size_t) {
        if (++started == 3) flag = true;
        std::this_thread::sleep_for(std::chrono::milliseconds(1));
      });
      FAIL() << "not cancelled";
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), Code::kCancelled);
    }
    EXPECT_LT(started, 1000);
    EXPECT_GT(stop.polls(), 0);
  }
}

TEST(ParallelFor, DoesNothingWhenStoppedBeforeItBegins) {
  std::atomic<bool> flag = true;
  StopWhen stop(flag);
  int started = 0;
  EXPECT_THROW(ParallelFor(10, 1, 1, stop, [&](size_t, size_t) { ++started; }), Error);
  EXPECT_EQ(started, 0);
}

TEST(ParallelFor, PollsWhileBodiesRun) {
  std::atomic<bool> flag = false;
  StopWhen stop(flag);
  ParallelFor(2, 1, 2, stop, [](size_t, size_t) { std::this_thread::sleep_for(std::chrono::milliseconds(200)); });
  EXPECT_GE(stop.polls(), 3);  // at least every 50 ms
}

}  // namespace
}  // namespace s3v

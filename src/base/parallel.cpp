#include "base/parallel.h"

#include <pthread.h>
#include <signal.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <exception>
#include <mutex>
#include <thread>
#include <vector>

namespace s3v {
namespace {

// A server's signal handlers must run on its main thread only; new threads inherit this mask.
class BlockSignals {
 public:
  BlockSignals() {
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before_);
  }
  ~BlockSignals() { pthread_sigmask(SIG_SETMASK, &before_, nullptr); }
  BlockSignals(const BlockSignals&) = delete;
  BlockSignals& operator=(const BlockSignals&) = delete;

 private:
  sigset_t before_;
};

// The chunks of one ParallelFor, handed out in order.
struct Work {
  size_t count;
  size_t chunk;
  const std::function<void(size_t, size_t)>& body;
  std::atomic<size_t> next{0};
  std::atomic<bool> halt{false};
  std::mutex mutex{};
  std::condition_variable finished{};
  size_t running = 0;
  std::exception_ptr failure{};

  bool RunOne() {
    if (halt.load(std::memory_order_relaxed)) return false;
    const size_t begin = next.fetch_add(chunk);
    if (begin >= count) return false;
    body(begin, std::min(begin + chunk, count));
    return true;
  }

  void RunAll() noexcept {
    try {
      while (RunOne()) {
      }
    } catch (...) {
      const std::lock_guard lock(mutex);
      if (!failure) failure = std::current_exception();
      halt = true;
    }
    const std::lock_guard lock(mutex);
    --running;
    finished.notify_all();
  }
};

}  // namespace

void ParallelFor(size_t count, size_t chunk, int threads, Stop& stop, const std::function<void(size_t, size_t)>& body) {
  if (count == 0) return;
  chunk = std::max<size_t>(chunk, 1);
  const size_t useful = std::min<size_t>(static_cast<size_t>(std::max(threads, 1)), (count + chunk - 1) / chunk);
  Work work{.count = count, .chunk = chunk, .body = body};
  if (useful <= 1) {
    do {
      stop.Check();
    } while (work.RunOne());
    return;
  }

  std::vector<std::thread> workers;
  workers.reserve(useful);
  {
    const BlockSignals blocked;
    for (size_t i = 0; i < useful; ++i) {
      {
        const std::lock_guard lock(work.mutex);
        ++work.running;
      }
      try {
        workers.emplace_back(&Work::RunAll, &work);
      } catch (const std::exception&) {
        // No more threads to be had, or no memory for one: those that started do the work. Nothing may leave from here
        // before they are joined.
        const std::lock_guard lock(work.mutex);
        --work.running;
        break;
      }
    }
  }
  bool cancelled = false;
  if (workers.empty()) {
    do {
      cancelled = stop.Requested();
    } while (!cancelled && work.RunOne());
  } else {
    std::unique_lock lock(work.mutex);
    while (work.running > 0) {
      work.finished.wait_for(lock, std::chrono::milliseconds(20));
      lock.unlock();
      if (!cancelled && stop.Requested()) {
        cancelled = true;
        work.halt = true;
      }
      lock.lock();
    }
  }
  for (std::thread& worker : workers) worker.join();
  if (work.failure) std::rethrow_exception(work.failure);
  if (cancelled) throw Error(Code::kCancelled, "canceled");
}

}  // namespace s3v

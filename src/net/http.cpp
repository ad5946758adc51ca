#include "net/http.h"

#include <curl/curl.h>
#include <pthread.h>
#include <signal.h>

#include <algorithm>
#include <atomic>
#include <deque>
#include <limits>
#include <new>
#include <utility>

#include "net/transfer.h"

namespace s3v {
namespace {

// CURLMOPT_QUICK_EXIT: curl_multi_cleanup joins no thread that still looks up a name, which would hold up the end of a
// session. By number: headers before libcurl 8.20 lack it, and libraries before it, which do not join them here, refuse
// it.
constexpr auto kQuickExit = static_cast<CURLMoption>(CURLOPTTYPE_LONG + 21);

constexpr int64_t kSliceMs = 50;

// libcurl starts threads for name look-ups; they inherit this mask, so that the server's signal handlers run on its
// main thread only. A SIGPIPE that TLS raised meanwhile is taken away again.
class BlockSignals {
 public:
  BlockSignals() {
    sigset_t pending;
    sigpending(&pending);
    had_sigpipe_ = sigismember(&pending, SIGPIPE) == 1;
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before_);
  }
  ~BlockSignals() {
    sigset_t pending;
    sigpending(&pending);
    if (!had_sigpipe_ && sigismember(&pending, SIGPIPE) == 1) {
      sigset_t only_sigpipe;
      sigemptyset(&only_sigpipe);
      sigaddset(&only_sigpipe, SIGPIPE);
      const timespec at_once{};
      sigtimedwait(&only_sigpipe, nullptr, &at_once);
    }
    pthread_sigmask(SIG_SETMASK, &before_, nullptr);
  }
  BlockSignals(const BlockSignals&) = delete;
  BlockSignals& operator=(const BlockSignals&) = delete;

 private:
  sigset_t before_;
  bool had_sigpipe_ = false;
};

// libcurl counts who initialised it; other users of the process must keep theirs.
constinit std::atomic<bool> holds_libcurl = false;

void InitialiseLibcurlOnce() {
  static const CURLcode result = curl_global_init(CURL_GLOBAL_DEFAULT);
  if (result != CURLE_OK) throw Error(Code::kInternal, "could not initialise libcurl", curl_easy_strerror(result));
  holds_libcurl = true;
}

void Check(CURLMcode result) {
  if (result == CURLM_OUT_OF_MEMORY) throw std::bad_alloc();
  if (result != CURLM_OK) throw Error(Code::kInternal, "libcurl failed", curl_multi_strerror(result));
}

}  // namespace

void ReleaseLibcurl() {
  if (holds_libcurl.exchange(false)) curl_global_cleanup();
}

struct HttpClient::Impl {
  Impl(HttpOptions options_in, const Clock& clock_in) : options(std::move(options_in)), clock(clock_in) {
    InitialiseLibcurlOnce();
    multi = curl_multi_init();
    if (multi == nullptr) throw std::bad_alloc();
    curl_multi_setopt(multi, CURLMOPT_MAXCONNECTS, static_cast<long>(options.max_parallel));
    curl_multi_setopt(multi, CURLMOPT_PIPELINING, static_cast<long>(CURLPIPE_NOTHING));
    curl_multi_setopt(multi, kQuickExit, 1L);
  }
  ~Impl() {
    idle.clear();
    curl_multi_cleanup(multi);
  }

  HttpOptions options;
  const Clock& clock;
  CURLM* multi;
  std::vector<std::unique_ptr<Transfer>> idle;  // to be used again
  bool is_busy = false;
};

namespace {

// One call of Perform. What is still under way when it ends is cut off.
class Batch {
 public:
  Batch(CURLM* multi, const HttpOptions& options, std::vector<std::unique_ptr<Transfer>>* idle, const Clock& clock,
        std::span<HttpExchange* const> exchanges)
      : multi_(multi), options_(options), idle_(*idle), clock_(clock), exchanges_(exchanges) {
    for (size_t i = 0; i < exchanges.size(); ++i) ready_.push_back({.exchange = i});
  }
  ~Batch() {
    const BlockSignals blocked;
    for (const auto& transfer : active_) curl_multi_remove_handle(multi_, transfer->handle());
    active_.clear();
  }
  Batch(const Batch&) = delete;
  Batch& operator=(const Batch&) = delete;

  void Run(int64_t deadline_ms, Stop& stop) {
    while (!ready_.empty() || !waiting_.empty() || !active_.empty()) {
      stop.Check();
      const int64_t now = clock_.SteadyMillis();
      if (now >= deadline_ms) return GiveUp();
      WakeWaiting(now);
      StartReady();
      Advance();
      if (!FinishSome(stop)) Wait(std::min(deadline_ms, NextWake()) - now);
    }
  }

 private:
  struct Pending {
    size_t exchange;
    bool on_new_connection = false;
    int64_t not_before_ms = 0;
  };

  void WakeWaiting(int64_t now) {
    const auto awake = std::stable_partition(waiting_.begin(), waiting_.end(),
                                             [&](const Pending& pending) { return pending.not_before_ms > now; });
    ready_.insert(ready_.begin(), awake, waiting_.end());
    waiting_.erase(awake, waiting_.end());
  }

  int64_t NextWake() const {
    int64_t next = std::numeric_limits<int64_t>::max();
    for (const Pending& pending : waiting_) next = std::min(next, pending.not_before_ms);
    return next;
  }

  void StartReady() {
    while (!ready_.empty() && active_.size() < static_cast<size_t>(options_.max_parallel)) {
      const Pending next = ready_.front();
      const uint64_t expected = exchanges_[next.exchange]->expected_bytes();
      const bool fits = bytes_in_flight_ + expected <= options_.max_bytes_in_flight;
      if (!fits && !active_.empty()) return;
      ready_.pop_front();
      Start(next);
      bytes_in_flight_ += expected;
    }
  }

  void Start(const Pending& pending) {
    HttpExchange& exchange = *exchanges_[pending.exchange];
    std::unique_ptr<Transfer> transfer = TakeIdle();
    transfer->Begin(pending.exchange, &exchange, exchange.Prepare(), pending.on_new_connection);
    active_.reserve(active_.size() + 1);
    const BlockSignals blocked;
    Check(curl_multi_add_handle(multi_, transfer->handle()));
    active_.push_back(std::move(transfer));
  }

  std::unique_ptr<Transfer> TakeIdle() {
    if (idle_.empty()) return std::make_unique<Transfer>(options_);
    std::unique_ptr<Transfer> transfer = std::move(idle_.back());
    idle_.pop_back();
    return transfer;
  }

  void Advance() {
    const BlockSignals blocked;
    int running = 0;
    Check(curl_multi_perform(multi_, &running));
  }

  // Returns whether anything came to its end.
  bool FinishSome(Stop& stop) {
    bool any = false;
    int left = 0;
    while (const CURLMsg* message = curl_multi_info_read(multi_, &left)) {
      if (message->msg != CURLMSG_DONE) continue;
      if (any) stop.Check();  // handing over an answer may have taken a while
      any = true;
      Finish(message->easy_handle, message->data.result);
    }
    return any;
  }

  void Finish(CURL* handle, CURLcode result) {
    const auto place = std::find_if(active_.begin(), active_.end(),
                                    [&](const auto& transfer) { return transfer->handle() == handle; });
    std::unique_ptr<Transfer> transfer = std::move(*place);
    active_.erase(place);
    curl_multi_remove_handle(multi_, handle);
    const size_t index = transfer->index();
    bytes_in_flight_ -= exchanges_[index]->expected_bytes();
    HttpResponse response = transfer->TakeResponse(result);
    // libcurl does not take all options again on a handle whose transfer failed.
    if (result == CURLE_OK) idle_.push_back(std::move(transfer));

    const std::optional<Resend> again = exchanges_[index]->Finish(response);
    if (!again) return;
    waiting_.push_back({.exchange = index,
                        .on_new_connection = again->on_new_connection,
                        .not_before_ms = clock_.SteadyMillis() + again->delay_ms});
  }

  // Every exchange that is not over hears that its time is up.
  void GiveUp() {
    std::vector<size_t> left;
    left.reserve(active_.size() + waiting_.size() + ready_.size());
    for (const auto& transfer : active_) left.push_back(transfer->index());
    for (const Pending& pending : waiting_) left.push_back(pending.exchange);
    for (const Pending& pending : ready_) left.push_back(pending.exchange);
    std::sort(left.begin(), left.end());
    for (const size_t index : left) {
      HttpResponse response;
      response.transport = Transport::kDeadline;
      response.transport_error = "no answer in time";
      exchanges_[index]->Finish(response);
    }
  }

  void Wait(int64_t until_next_ms) {
    const auto slice = static_cast<int>(std::clamp<int64_t>(until_next_ms, 0, kSliceMs));
    Check(curl_multi_poll(multi_, nullptr, 0, slice, nullptr));
  }

  CURLM* multi_;
  const HttpOptions& options_;
  std::vector<std::unique_ptr<Transfer>>& idle_;
  const Clock& clock_;
  std::span<HttpExchange* const> exchanges_;
  std::deque<Pending> ready_;
  std::vector<Pending> waiting_;  // for their next try
  std::vector<std::unique_ptr<Transfer>> active_;
  uint64_t bytes_in_flight_ = 0;
};

// Notices a sink or an exchange that calls back into its own client.
class BusyMark {
 public:
  explicit BusyMark(bool* is_busy) : is_busy_(is_busy) {
    if (*is_busy) throw Error(Code::kInternal, "a store was called from inside its own call");
    *is_busy = true;
  }
  ~BusyMark() { *is_busy_ = false; }
  BusyMark(const BusyMark&) = delete;
  BusyMark& operator=(const BusyMark&) = delete;

 private:
  bool* is_busy_;
};

}  // namespace

HttpClient::HttpClient(HttpOptions options, const Clock& clock)
    : impl_(std::make_unique<Impl>(std::move(options), clock)) {}

HttpClient::~HttpClient() = default;

void HttpClient::Perform(std::span<HttpExchange* const> exchanges, int64_t deadline_ms, Stop& stop) {
  const BusyMark busy(&impl_->is_busy);
  Batch(impl_->multi, impl_->options, &impl_->idle, impl_->clock, exchanges).Run(deadline_ms, stop);
}

}  // namespace s3v

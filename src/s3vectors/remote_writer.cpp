#include "s3vectors/remote_writer.h"

#include <algorithm>
#include <chrono>
#include <deque>
#include <thread>
#include <utility>
#include <vector>

#include "base/error.h"
#include "base/random.h"
#include "s3vectors/pacing.h"
#include "s3vectors/write_batch.h"
#include "store/connection.h"

namespace s3v {
namespace {

constexpr int kMostAtOnce = 8;
constexpr size_t kMostBytesAtOnce = 32 * 1024 * 1024;

// How long to wait after refusals, at most: doubled for each further round without progress. Who was too fast has to
// wait longer than who asked for too much at once.
constexpr int64_t kThrottledDelayMs = 1000;
constexpr int64_t kOverloadedDelayMs = 200;
constexpr int64_t kLongestDelayMs = 20000;

void Pause(int64_t milliseconds, const Clock& clock, Stop& stop) {
  constexpr int64_t kSliceMs = 20;
  const int64_t end = clock.SteadyMillis() + milliseconds;
  for (int64_t left = milliseconds; left > 0; left = end - clock.SteadyMillis()) {
    stop.Check();
    std::this_thread::sleep_for(std::chrono::milliseconds(std::min(left, kSliceMs)));
  }
}

std::string Head(const ServiceClient& service, const std::string& name, std::string_view list) {
  std::string head = "{\"vectorBucketName\":";
  AppendString(service.bucket(), &head);
  head += ",\"indexName\":";
  AppendString(name, &head);
  head += ",\"";
  head += list;
  return head + "\":[";
}

}  // namespace

class RemoteWriter::Impl {
 public:
  Impl(ServiceClient& service, std::string name, const RemoteSchema& schema)
      : service_(service),
        name_(std::move(name)),
        schema_(schema),
        at_once_(static_cast<size_t>(std::clamp(service.config().max_parallel_requests, 1, kMostAtOnce))),
        pacing_(service.clock().SteadyMillis()),
        random_(JitterSeed()),
        puts_(NewBatch(Operation::kPutVectors)),
        removals_(NewBatch(Operation::kDeleteVectors)) {}

  void Put(ByteView key, std::span<const float> vector, ByteView row, Stop& stop) {
    const std::string text = KeyText(schema_.key_kind, key);
    item_ = "{\"key\":";
    AppendString(text, &item_);
    item_ += ",\"data\":{\"float32\":";
    AppendVector(vector, &item_);
    item_ += '}';
    metadata_.clear();
    AppendMetadata(schema_, row, &metadata_);
    const bool has_metadata = metadata_ != "{}";
    if (has_metadata) item_ += ",\"metadata\":" + metadata_;
    item_ += '}';
    Add(puts_, vector.size_bytes() + text.size() + (has_metadata ? metadata_.size() : 0), stop);
  }

  void Remove(ByteView key, Stop& stop) { RemoveText(KeyText(schema_.key_kind, key), stop); }

  void RemoveText(const std::string& key, Stop& stop) {
    item_.clear();
    AppendString(key, &item_);
    Add(removals_, 0, stop);
  }

  RemoteWritten Finish(Stop& stop) {
    Close(puts_);
    Close(removals_);
    Send(stop);
    return written_;
  }

 private:
  WriteBatch NewBatch(Operation operation) const {
    return {operation, Head(service_, name_, operation == Operation::kPutVectors ? "vectors" : "keys")};
  }

  // `item_` into the batch that it belongs to; sends when that would be too much at once.
  void Add(WriteBatch& batch, uint64_t logical_bytes, Stop& stop) {
    if (!batch.Fits(item_)) Close(batch);
    const bool is_full = closed_bytes_ + puts_.bytes() + removals_.bytes() + item_.size() > kMostBytesAtOnce;
    if (is_full) {
      Close(puts_);
      Close(removals_);
    }
    if (is_full || closed_.size() >= at_once_) Send(stop);
    batch.Add(item_, logical_bytes);
  }

  void Close(WriteBatch& batch) {
    if (batch.empty()) return;
    batch.Close();
    closed_bytes_ += batch.bytes();
    closed_.push_back(std::exchange(batch, NewBatch(batch.operation())));
  }

  struct Round {
    size_t done = 0;
    size_t overloaded = 0;
    size_t throttled = 0;
  };

  // Everything that is closed, until all of it is written.
  void Send(Stop& stop) {
    int64_t progress_ms = Now();
    int fruitless = 0;  // rounds since then
    while (!closed_.empty()) {
      const Round round = Exchange(TakePermitted(stop), stop);
      if (round.done > 0) {
        progress_ms = Now();
        fruitless = 0;
      }
      if (round.overloaded + round.throttled > 0) WaitAfter(round, progress_ms, fruitless++, stop);
    }
    closed_bytes_ = 0;
  }

  // As many as may go out now, one at least: for the first one it waits.
  std::vector<WriteBatch> TakePermitted(Stop& stop) {
    Pause(pacing_.WaitFor(closed_.front().size(), Now()), service_.clock(), stop);
    std::vector<WriteBatch> batches;
    do {
      pacing_.Take(closed_.front().size(), Now());
      batches.push_back(std::move(closed_.front()));
      closed_.pop_front();
    } while (!closed_.empty() && batches.size() < at_once_ && pacing_.WaitFor(closed_.front().size(), Now()) == 0);
    return batches;
  }

  // What was refused is closed_ again.
  Round Exchange(std::vector<WriteBatch> batches, Stop& stop) {
    std::vector<ServiceCall> calls;
    for (WriteBatch& batch : batches) {
      calls.push_back({.operation = batch.operation(),
                       .body = batch.TakeBody(),
                       .subject = name_,
                       .wanted = {Outcome::kThrottled, Outcome::kOverloaded}});
    }
    const uint64_t before = RequestsSent();
    service_.Run(calls, stop);
    written_.requests += RequestsSent() - before;
    Round round;
    for (size_t i = 0; i < calls.size(); ++i) {
      batches[i].ReturnBody(std::move(calls[i].body));
      if (calls[i].outcome == Outcome::kDone) {
        ++round.done;
        Count(batches[i]);
        pacing_.Accepted(Now());
        continue;
      }
      ++(calls[i].outcome == Outcome::kThrottled ? round.throttled : round.overloaded);
      ++written_.refusals;
      refusal_ = calls[i].error_message;
      pacing_.Refused(Now());
      PutBack(std::move(batches[i]), calls[i].outcome);
    }
    return round;
  }

  void Count(const WriteBatch& batch) {
    (batch.operation() == Operation::kPutVectors ? written_.put : written_.removed) += batch.size();
    written_.logical_bytes += batch.logical_bytes();
  }

  void PutBack(WriteBatch batch, Outcome outcome) {
    if (outcome == Outcome::kOverloaded && batch.size() > 1) {
      auto [first, second] = batch.Halves();
      closed_.push_back(std::move(first));
      closed_.push_back(std::move(second));
    } else {
      closed_.push_back(std::move(batch));
    }
  }

  void WaitAfter(const Round& round, int64_t progress_ms, int fruitless, Stop& stop) {
    const int64_t left = progress_ms + service_.config().request_timeout_ms - Now();
    if (left <= 0) {
      throw Error(Code::kUnavailable, "could not use " + service_.Where(),
                  "Remote index \"" + name_ + "\" took none of " + std::to_string(closed_.size()) +
                      " write requests for " + std::to_string(service_.config().request_timeout_ms) + " ms." +
                      (refusal_.empty() ? "" : " The service says: " + refusal_ + "."),
                  "Write less at a time, or raise the setting s3v.request_timeout.");
    }
    const int64_t first = round.throttled > 0 ? kThrottledDelayMs : kOverloadedDelayMs;
    const int64_t most = std::min(kLongestDelayMs, first << std::min(fruitless, 10));
    const auto delay = static_cast<int64_t>(random_.Below(static_cast<uint64_t>(most)));
    Pause(std::min(left, delay), service_.clock(), stop);
  }

  uint64_t RequestsSent() const { return service_.counters().put_requests + service_.counters().delete_requests; }
  int64_t Now() const { return service_.clock().SteadyMillis(); }

  ServiceClient& service_;
  const std::string name_;
  const RemoteSchema& schema_;
  const size_t at_once_;
  Pacing pacing_;
  Random random_;
  WriteBatch puts_;
  WriteBatch removals_;
  std::deque<WriteBatch> closed_;  // to be sent
  size_t closed_bytes_ = 0;        // of those that wait until all are sent
  std::string item_;               // the next one
  std::string metadata_;           // of it
  std::string refusal_;            // what the service said last
  RemoteWritten written_;
};

RemoteWriter::RemoteWriter(ServiceClient& service, std::string name, const RemoteSchema& schema)
    : impl_(std::make_unique<Impl>(service, std::move(name), schema)) {}
RemoteWriter::~RemoteWriter() = default;

void RemoteWriter::Put(ByteView key, std::span<const float> vector, ByteView row, Stop& stop) {
  impl_->Put(key, vector, row, stop);
}
void RemoteWriter::Remove(ByteView key, Stop& stop) { impl_->Remove(key, stop); }
void RemoteWriter::RemoveText(std::string key, Stop& stop) { impl_->RemoveText(key, stop); }
RemoteWritten RemoteWriter::Finish(Stop& stop) { return impl_->Finish(stop); }

}  // namespace s3v

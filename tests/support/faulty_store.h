// A store that fails when told to, around one that works.
#pragma once

#include <memory>

#include "base/error.h"
#include "store/object_store.h"

namespace s3v::testing {

// Counts calls of GetRanges, Get, Put, List and Delete together, from 0. Tests walk FailingAt(0), FailingAt(1), ...
// until what they test gets by without meeting the failure.
class FaultyStore final : public ObjectStore {
 public:
  enum class When {
    kBefore,  // nothing happened
    kAfter,   // it happened, and nobody heard of it
  };

  // `inner` must outlive this.
  explicit FaultyStore(ObjectStore* inner) : inner_(*inner) {}
  // As the first, and owns it.
  explicit FaultyStore(std::unique_ptr<ObjectStore> inner) : owned_(std::move(inner)), inner_(*owned_) {}

  // The n-th call fails, once, with `code`. Negative: none does.
  FaultyStore& FailingAt(int n, When when = When::kBefore, Code code = Code::kUnavailable);

  int calls() const { return calls_; }
  bool has_failed() const { return has_failed_; }
  ObjectStore& inner() { return inner_; }

  void GetRanges(std::span<const RangeRequest> ranges, const RangeSink& sink, Stop& stop) override;
  Bytes Get(const ObjectKey& key, uint64_t max_size, Stop& stop) override;
  PutOutcome Put(const ObjectKey& key, ByteView data, PutMode mode, Stop& stop) override;
  std::vector<ObjectInfo> List(const std::string& prefix, Stop& stop) override;
  void Delete(std::span<const ObjectKey> keys, Stop& stop) override;
  const StoreCounters& counters() const override { return inner_.counters(); }

 private:
  template <class Call>
  auto Around(Call&& call);

  std::unique_ptr<ObjectStore> owned_;
  ObjectStore& inner_;
  int calls_ = 0;
  int fail_at_ = -1;
  When when_ = When::kBefore;
  Code code_ = Code::kUnavailable;
  bool has_failed_ = false;
};

}  // namespace s3v::testing

#include "support/faulty_store.h"

#include <type_traits>

namespace s3v::testing {

FaultyStore& FaultyStore::FailingAt(int n, When when, Code code) {
  fail_at_ = n;
  when_ = when;
  code_ = code;
  return *this;
}

template <class Call>
auto FaultyStore::Around(Call&& call) {
  const bool fails = calls_++ == fail_at_;
  const auto fail = [&] {
    has_failed_ = true;
    throw Error(code_, "failure of call " + std::to_string(fail_at_) + " on purpose");
  };
  if (fails && when_ == When::kBefore) fail();
  inner_.coalesce_gap = coalesce_gap;
  if constexpr (std::is_void_v<decltype(call())>) {
    call();
    if (fails) fail();
  } else {
    auto result = call();
    if (fails) fail();
    return result;
  }
}

void FaultyStore::GetRanges(std::span<const RangeRequest> ranges, const RangeSink& sink, Stop& stop) {
  Around([&] { inner_.GetRanges(ranges, sink, stop); });
}

Bytes FaultyStore::Get(const ObjectKey& key, uint64_t max_size, Stop& stop) {
  return Around([&] { return inner_.Get(key, max_size, stop); });
}

ObjectStore::PutOutcome FaultyStore::Put(const ObjectKey& key, ByteView data, PutMode mode, Stop& stop) {
  return Around([&] { return inner_.Put(key, data, mode, stop); });
}

std::vector<ObjectInfo> FaultyStore::List(const std::string& prefix, Stop& stop) {
  return Around([&] { return inner_.List(prefix, stop); });
}

void FaultyStore::Delete(std::span<const ObjectKey> keys, Stop& stop) {
  Around([&] { inner_.Delete(keys, stop); });
}

}  // namespace s3v::testing

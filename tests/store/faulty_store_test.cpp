#include "support/faulty_store.h"

#include <gtest/gtest.h>

#include "store/memory_store.h"

namespace s3v {
namespace {

using testing::FaultyStore;
using PutMode = ObjectStore::PutMode;

bool Fails(const std::function<void()>& work) {
  try {
    work();
  } catch (const Error& error) {
    return error.code() == Code::kUnavailable;
  }
  return false;
}

TEST(FaultyStore, FailsTheNthCallBeforeOrAfterItsEffect) {
  NeverStop never;
  for (const auto when : {FaultyStore::When::kBefore, FaultyStore::When::kAfter}) {
    FaultyStore store(MakeMemoryStore());
    store.FailingAt(1, when);
    const auto put = [&](const char* key) { store.Put(key, AsBytes("x"), PutMode::kOverwrite, never); };
    EXPECT_FALSE(Fails([&] { put("a"); }));
    EXPECT_TRUE(Fails([&] { put("b"); }));
    EXPECT_FALSE(Fails([&] { put("c"); }));
    EXPECT_EQ(store.inner().List("b", never).size(), when == FaultyStore::When::kAfter ? 1u : 0u);
    EXPECT_EQ(store.calls(), 3);
    EXPECT_TRUE(store.has_failed());
  }
}

TEST(FaultyStore, CountsEveryKindOfCall) {
  NeverStop never;
  for (int n = 0; n < 5; ++n) {
    FaultyStore store(MakeMemoryStore());
    store.inner().Put("k", AsBytes("value"), PutMode::kOverwrite, never);
    store.FailingAt(n);
    const std::vector<RangeRequest> ranges = {{"k", 1, 2}};
    const std::vector<ObjectKey> keys = {"k"};
    int failures = 0;
    failures += Fails([&] { store.Put("l", {}, PutMode::kOverwrite, never); });
    failures += Fails([&] { store.Get("k", 10, never); });
    failures += Fails([&] {
      store.GetRanges(
          ranges, [](size_t, ByteView) {}, never);
    });
    failures += Fails([&] { store.List("", never); });
    failures += Fails([&] { store.Delete(keys, never); });
    EXPECT_EQ(failures, 1) << n;
  }
}

}  // namespace
}  // namespace s3v

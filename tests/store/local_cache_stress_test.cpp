// Many processes over one cache directory, killed at any moment: nobody ever reads a wrong byte, the bound holds, and
// what the dead left behind goes away.
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>

#include "base/error.h"
#include "store/cache_fixture.h"

namespace s3v {
namespace {

using testing::kKiB;
using testing::kMiB;
using testing::PayloadOf;

constexpr uint64_t kLimit = 6 * kMiB;
constexpr uint64_t kLargestWave = 8 * 90 * kKiB;
constexpr int kProcesses = 4;

RangeRequest AnyRange(Random* random) {
  const uint64_t n = random->Below(300);
  return {"index/segment/" + std::to_string(n % 7), n * kMiB, 20 * kKiB + n % 70 * kKiB};
}

// Exits with 1 if it ever reads wrong bytes; runs until it is killed.
[[noreturn]] void ReadAndWrite(const std::string& directory, uint64_t seed) {
  Random random(seed);
  const RangeRequest object{"index/nav", 0, 200 * kKiB};
  while (true) {
    LocalCache cache({.directory = directory, .max_bytes = kLimit});
    for (int query = 0; query < 20; ++query) {
      const auto pack = cache.NewPack();
      for (int i = 0; i < 8; ++i) {
        const RangeRequest range = AnyRange(&random);
        Bytes bytes;
        if (!cache.Read(range, &bytes)) {
          pack->Add(range, PayloadOf(range));
        } else if (bytes != PayloadOf(range)) {
          _exit(1);
        }
      }
      pack->Commit();
      const auto mapped = cache.Map(object.key, object.length, [&](ByteView bytes) {
        if (!std::ranges::equal(bytes, PayloadOf(object))) throw Error(Code::kCorrupted, "damaged");
      });
      if (mapped && !std::ranges::equal(mapped->bytes(), PayloadOf(object))) _exit(1);
      if (!mapped) cache.Keep(object.key, PayloadOf(object));
      if (random.Below(50) == 0) cache.Forget(AnyRange(&random));
    }
  }
}

class LocalCacheStress : public ::testing::Test {
 protected:
  ~LocalCacheStress() override {
    for (const pid_t child : children_) {
      kill(child, SIGKILL);
      waitpid(child, nullptr, 0);
    }
  }

  void Start() {
    const uint64_t seed = ++started_;
    const pid_t child = fork();
    ASSERT_GE(child, 0);
    if (child == 0) ReadAndWrite(directory_.path, seed);
    children_.push_back(child);
  }

  void Kill(size_t which) {
    const pid_t child = children_[which];
    children_.erase(children_.begin() + static_cast<ptrdiff_t>(which));
    kill(child, SIGKILL);
    int status = 0;
    ASSERT_EQ(waitpid(child, &status, 0), child);
    EXPECT_TRUE(WIFSIGNALED(status)) << "it ended by itself with " << WEXITSTATUS(status);
  }

  testing::CacheDirectoryForTest directory_;
  std::vector<pid_t> children_;
  uint64_t started_ = 0;
};

TEST_F(LocalCacheStress, ProcessesThatAreKilledHarmNobody) {
  Random random(42);
  for (int i = 0; i < kProcesses; ++i) Start();
  for (int round = 0; round < 60; ++round) {
    usleep(static_cast<useconds_t>(2'000 + random.Below(25'000)));
    // What is being written, by the living and by those killed since somebody last swept, is not counted; nor is a
    // second journal while it replaces the first.
    EXPECT_LE(directory_.DiskBytes(), kLimit + (kProcesses + 4) * kLargestWave);
    ASSERT_NO_FATAL_FAILURE(Kill(random.Below(children_.size())));
    ASSERT_NO_FATAL_FAILURE(Start());
  }
  while (!children_.empty()) ASSERT_NO_FATAL_FAILURE(Kill(0));

  // One that comes after them finds all in order.
  LocalCache cache({.directory = directory_.path, .max_bytes = kLimit});
  for (uint64_t n = 0; n < 20; ++n) {
    const RangeRequest range{"afterwards", n * kMiB, 400 * kKiB};
    const auto pack = cache.NewPack();
    pack->Add(range, PayloadOf(range));
    pack->Commit();
    Bytes bytes;
    EXPECT_TRUE(cache.Read(range, &bytes)) << n;
    EXPECT_EQ(bytes, PayloadOf(range)) << n;
  }
  EXPECT_LE(directory_.DiskBytes(), kLimit);
  EXPECT_LE(directory_.DiskBytes(), cache.held_bytes());
  EXPECT_TRUE(directory_.Files("tmp/").empty());
  EXPECT_EQ(directory_.Files("journal-").size(), 1u);
}

TEST_F(LocalCacheStress, WritersAtTheSameTimeOverwriteNobodysNews) {
  constexpr uint64_t kEach = 60;
  const LocalCacheConfig config{.directory = directory_.path, .max_bytes = 64 * kMiB};
  const auto nth = [](uint64_t n) { return RangeRequest{"index/segment", n * 10'000, 5'000}; };
  for (uint64_t writer = 0; writer < kProcesses; ++writer) {
    const pid_t child = fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
      LocalCache cache(config);
      for (uint64_t n = writer * kEach; n < (writer + 1) * kEach; ++n) {
        const auto pack = cache.NewPack();
        pack->Add(nth(n), PayloadOf(nth(n)));
        pack->Commit();
      }
      _exit(0);
    }
    children_.push_back(child);
  }
  for (const pid_t child : children_) waitpid(child, nullptr, 0);
  children_.clear();
  // A writer that could not have the lock in time keeps nothing; but what is there is known.
  LocalCache cache(config);
  uint64_t known = 0;
  for (uint64_t n = 0; n < kProcesses * kEach; ++n) known += cache.Contains(nth(n));
  EXPECT_EQ(known, directory_.Packs().size());
  EXPECT_GT(known, kEach);
  EXPECT_EQ(std::filesystem::file_size(directory_.Files("journal-").at(0)), known * 80);
}

}  // namespace
}  // namespace s3v

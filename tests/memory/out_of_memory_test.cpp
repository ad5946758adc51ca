// Whatever allocation fails in whatever call through the wall: the answer is S3V_OUT_OF_MEMORY or the right one,
// nothing leaks, and the next call on the same store works. S3V_EVERY_ALLOCATION=1: all of them, in place of some two
// hundred for each kind of call.
#include <gtest/gtest.h>
#include <stdlib.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "api/journey.h"
#include "memory/failing_new.h"

namespace {

using s3v::testing::BeginShortage;
using s3v::testing::EndShortage;
using s3v::testing::Journey;
using s3v::testing::kNoBound;
using s3v::testing::kUuid;
using s3v::testing::LiveAllocations;
using s3v::testing::NoShortage;
using s3v::testing::Server;
using s3v::testing::Shortage;

class OutOfMemory : public Journey {
 protected:
  // Files, so that all that a call leaves in memory is the store's own.
  void SetUp() override {
    std::string directory =
        std::filesystem::is_directory("/dev/shm") ? "/dev/shm/s3v-oom-XXXXXX" : "/tmp/s3v-oom-XXXXXX";
    ASSERT_NE(mkdtemp(directory.data()), nullptr);
    directory_ = directory;
    url_ = "file://" + directory_ + "/store";
    cache_ = directory_ + "/cache";
    Reopen();
    GiveCallbacks();
    tokens_.reserve(100000);
    ASSERT_EQ(Build(kRows), S3V_OK) << err_.message;
  }
  void TearDown() override {
    Journey::TearDown();
    std::filesystem::remove_all(directory_);
  }

  void Reopen() {
    s3v_store_close(store_);
    store_ = nullptr;
    ASSERT_EQ(Open(&store_, &err_), S3V_OK) << err_.message;
  }

  s3v_code Open(s3v_store** store, s3v_error* err) {
    s3v_store_config config{};
    config.url = url_.c_str();
    config.cache_directory = cache_.c_str();
    config.cache_bytes = 1 << 20;
    return s3v_store_open(&config, store, err);
  }

  // The server's, which cannot fail here.
  void GiveCallbacks() {
    static s3v_env plain;
    plain = server_.env;
    server_.env.stop_requested = nullptr;
    server_.env.spill_create = [](void* arg) {
      const NoShortage none;
      return plain.spill_create(arg);
    };
    server_.env.spill_append = [](void* arg, int handle, uint64_t offset, const void* data, size_t size) {
      const NoShortage none;
      return plain.spill_append(arg, handle, offset, data, size);
    };
    server_.env.spill_close = [](void* arg, int handle) {
      plain.spill_close(arg, handle);
      static_cast<Server*>(arg)->files.erase(handle);
    };
    server_.env.progress = nullptr;
  }

  static std::string Row(int row) {
    std::string metadata(1, S3V_TAG_INTEGER);
    const int64_t value = row;
    metadata.append(reinterpret_cast<const char*>(&value), sizeof value);
    return metadata;
  }

  // ---- calls, ended by the first code that is not S3V_OK; all that they opened is freed

  s3v_code TryBuild(uint64_t* rows) {
    const s3v_build_options options = Options();
    s3v_build* build = nullptr;
    s3v_version version{};
    s3v_code code = s3v_build_open(&server_.env, store_, &options, &build, &err_);
    for (int row = 0; row < kRows && code == S3V_OK; ++row) {
      code = s3v_build_add(build, keys_[row].data(), 8, vectors_[row].data(), metadata_[row].data(),
                           metadata_[row].size(), &err_);
    }
    if (code == S3V_OK) code = s3v_build_finish(build, &version, &err_);
    s3v_build_free(build);
    *rows = version.rows;
    return code;
  }

  s3v_code TryUpdate(int optimize, uint64_t* rows) {
    const s3v_version_names names = Names();
    const s3v_build_options options = Options();
    s3v_update* update = nullptr;
    s3v_update_result result{};
    s3v_code code = s3v_update_open(&server_.env, store_, &names, &options, optimize, &update, &err_);
    const auto put = [&](int row) {
      return s3v_update_put(update, keys_[row].data(), 8, vectors_[row].data(), metadata_[row].data(),
                            metadata_[row].size(), &err_);
    };
    for (int row = 0; row < 20 && code == S3V_OK; ++row) code = s3v_update_remove(update, keys_[row].data(), 8, &err_);
    for (int row = kRows; row < kRows + 60 && code == S3V_OK; ++row) code = put(row);
    if (code == S3V_OK) code = s3v_update_plan(update, &err_);
    while (code == S3V_OK) {
      const void* key = nullptr;
      size_t size = 0;
      code = s3v_update_take(update, &key, &size, &err_);
      if (code != S3V_OK || key == nullptr) break;
      const auto* bytes = static_cast<const uint8_t*>(key);
      code = put(bytes[6] << 8 | bytes[7]);
    }
    if (code == S3V_OK) code = s3v_update_finish(update, &result, &err_);
    s3v_update_free(update);
    *rows = result.version.rows;
    return code;
  }

  // Sum over the rows found: each counts with its number.
  s3v_code TrySearch(const char* filter_text, uint64_t* sum) {
    const s3v_version_names names = Names();
    const s3v_column column = {"n", S3V_COLUMN_NUMBER};
    const float query[] = {17.3F, 1};
    s3v_search_options options{};
    s3v_filter* filter = nullptr;
    s3v_search* search = nullptr;
    s3v_code code = S3V_OK;
    if (filter_text != nullptr) code = s3v_filter_compile(filter_text, &column, 1, nullptr, nullptr, &filter, &err_);
    options.k = 5;
    options.filter = filter;
    if (code == S3V_OK) {
      code = s3v_search_open(&server_.env, store_, &names, query, 1, 2, &options, &search, &err_);
    }
    *sum = 0;
    for (int more = 1; code == S3V_OK && more != 0;) {
      const s3v_candidate* candidates = nullptr;
      size_t found = 0;
      code = s3v_search_next(&server_.env, search, 0, 10, kNoBound, &candidates, &found, &err_);
      for (size_t i = 0; code == S3V_OK && i < found; ++i) {
        const auto* key = static_cast<const uint8_t*>(candidates[i].key);
        *sum += static_cast<uint64_t>(key[6] << 8 | key[7]);
      }
      if (code == S3V_OK && found > 0) {
        std::array<s3v_place, 10> places;
        for (size_t i = 0; i < found; ++i) places[i] = candidates[i].place;
        const s3v_bytes* rows = nullptr;
        code = s3v_search_metadata(&server_.env, search, places.data(), found, &rows, &err_);
      }
      if (code == S3V_OK && found == 0) code = s3v_search_widen(&server_.env, search, 0, &more, &err_);
    }
    s3v_search_free(search);
    s3v_filter_free(filter);
    return code;
  }

  s3v_code TryCheck(uint64_t* rows) {
    const s3v_version_names names = Names();
    s3v_contents* contents = nullptr;
    s3v_damage damage{};
    s3v_code code = s3v_contents_open(&server_.env, store_, &names, version_.manifest, &contents, &damage, &err_);
    *rows = 0;
    while (code == S3V_OK) {
      const void* key = nullptr;
      size_t size = 0;
      uint64_t hash = 0;
      code = s3v_contents_next(contents, &key, &size, &hash, &err_);
      if (code != S3V_OK || key == nullptr) break;
      ++*rows;
    }
    s3v_contents_free(contents);
    *rows += 1000000 * (damage.objects + static_cast<uint64_t>(damage.unusable));
    return code;
  }

  s3v_code TryCollect(uint64_t* kept) {
    constexpr size_t kMostKnown = 20;
    const s3v_identity identity = {1, 2, 3};
    const char* const manifest = version_.manifest;
    uint64_t number = 0;
    s3v_collected collected{};
    std::array<char, 33> token;
    s3v_code code = s3v_random_id(token.data(), &err_);
    std::array<const char*, kMostKnown> known{};
    const size_t count = std::min(kMostKnown, tokens_.size());
    for (size_t i = 0; i < count; ++i) known[i] = tokens_[tokens_.size() - 1 - i].data();
    if (code == S3V_OK) {
      tokens_.push_back(token);
      code = s3v_owner_claim(&server_.env, store_, kUuid, 0, known.data(), count, &identity, token.data(), 0, &number,
                             &err_);
    }
    if (code == S3V_OK) {
      code = s3v_collect(&server_.env, store_, kUuid, 0, &manifest, 1, 0, number, &collected, &err_);
    }
    if (code == S3V_OK) code = s3v_owner_verify(&server_.env, store_, kUuid, number, &err_);
    // Beside it there are as many markers as attempts.
    *kept = collected.kept > 0 ? 1 : 0;
    return code;
  }

  s3v_code TryOpen(uint64_t* opened) {
    s3v_store* store = nullptr;
    const s3v_code code = Open(&store, &err_);
    *opened = code == S3V_OK ? 1 : 0;
    s3v_store_close(store);
    return code;
  }

  // ---- the walk

  void Walk(const char* what, const std::function<s3v_code(uint64_t* answer)>& call) {
    uint64_t right = 0;
    // What a store keeps for its next call it keeps from the first.
    for (int i = 0; i < 3; ++i) ASSERT_EQ(call(&right), S3V_OK) << err_.message;
    const int64_t live = LiveAllocations();
    BeginShortage(UINT64_MAX - 1, Shortage::kOnce);
    ASSERT_EQ(call(&right), S3V_OK);
    const uint64_t asked = EndShortage();
    const bool all = getenv("S3V_EVERY_ALLOCATION") != nullptr;
    uint64_t tried = 0, refused = 0;
    for (const Shortage how : {Shortage::kOnce, Shortage::kFromThere}) {
      // Densely where each allocation is another kind of thing, then by ever larger steps.
      for (uint64_t n = 0; n < asked; n += all ? 1 : 1 + n / 12) {
        uint64_t answer = 0;
        BeginShortage(n, how);
        const s3v_code code = call(&answer);
        EndShortage();
        ++tried;
        if (code == S3V_OUT_OF_MEMORY) {
          ++refused;
        } else {
          ASSERT_EQ(code, S3V_OK) << what << ", allocation " << n << ": " << err_.message;
          ASSERT_EQ(answer, right) << what << ", allocation " << n;
        }
        ASSERT_EQ(call(&answer), S3V_OK) << what << " after allocation " << n << ": " << err_.message;
        ASSERT_EQ(answer, right) << what << " after allocation " << n;
        ASSERT_EQ(LiveAllocations(), live) << what << ", allocation " << n << " leaks";
        ASSERT_EQ(server_.open_files, 0) << what << ", allocation " << n;
      }
    }
    std::printf("%s: %llu allocations, %llu shortages, %llu refused\n", what, static_cast<unsigned long long>(asked),
                static_cast<unsigned long long>(tried), static_cast<unsigned long long>(refused));
    EXPECT_GT(refused, tried / 2) << "an allocation that fails is rarely harmless";
  }

  static constexpr int kRows = 200;
  std::string directory_, cache_;
  std::vector<std::array<char, 33>> tokens_;
  std::vector<std::string> keys_ = Made<std::string>([](int row) { return Key(row); });
  std::vector<std::vector<float>> vectors_ = Made<std::vector<float>>([](int row) { return Vector(row); });
  std::vector<std::string> metadata_ = Made<std::string>([](int row) { return Row(row); });

 private:
  template <class T, class Make>
  static std::vector<T> Made(Make make) {
    std::vector<T> all;
    for (int row = 0; row < kRows + 60; ++row) all.push_back(make(row));
    return all;
  }
};

TEST_F(OutOfMemory, Store) {
  Walk("store", [&](uint64_t* answer) { return TryOpen(answer); });
}

TEST_F(OutOfMemory, Search) {
  Walk("search", [&](uint64_t* answer) { return TrySearch(nullptr, answer); });
}

TEST_F(OutOfMemory, FilteredSearch) {
  Walk("filtered search", [&](uint64_t* answer) { return TrySearch(R"({"n": {"$in": [1, 2, 3, 50, 60]}})", answer); });
}

TEST_F(OutOfMemory, ColdSearch) {
  Walk("cold search", [&](uint64_t* answer) {
    {
      const NoShortage none;
      Reopen();
      std::filesystem::remove_all(cache_);
    }
    return TrySearch(nullptr, answer);
  });
}

TEST_F(OutOfMemory, Build) {
  Walk("build", [&](uint64_t* answer) { return TryBuild(answer); });
}

TEST_F(OutOfMemory, Update) {
  Walk("update", [&](uint64_t* answer) { return TryUpdate(0, answer); });
}

TEST_F(OutOfMemory, Optimize) {
  Walk("optimize", [&](uint64_t* answer) { return TryUpdate(1, answer); });
}

TEST_F(OutOfMemory, Collect) {
  Walk("collect", [&](uint64_t* answer) { return TryCollect(answer); });
}

TEST_F(OutOfMemory, Check) {
  Walk("check", [&](uint64_t* answer) { return TryCheck(answer); });
}

}  // namespace

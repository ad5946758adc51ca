// What tests of the wall share: callbacks that a server gives, and an index of points on a line.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <limits>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "api/s3v_c.h"

namespace s3v::testing {

inline constexpr const char* kUuid = "01020304-0506-0708-090a-0b0c0d0e0f10";

// A server as the core sees it; every callback can be told to fail.
struct Server {
  int polls_until_stop = -1;
  bool spill_fails = false;
  int open_files = 0;
  int handles = 0;
  std::map<int, std::string> files;
  std::set<std::string> phases;
  s3v_env env{};

  Server() {
    env.arg = this;
    env.stop_requested = [](void* arg) { return static_cast<Server*>(arg)->Poll(); };
    env.spill_create = [](void* arg) { return static_cast<Server*>(arg)->Create(); };
    env.spill_append = [](void* arg, int handle, uint64_t offset, const void* data, size_t size) {
      auto* server = static_cast<Server*>(arg);
      std::string& file = server->files[handle];
      EXPECT_EQ(file.size(), offset);
      file.append(static_cast<const char*>(data), size);
      return server->spill_fails ? 1 : 0;
    };
    env.spill_read = [](void* arg, int handle, uint64_t offset, void* data, size_t size) {
      const std::string& file = static_cast<Server*>(arg)->files[handle];
      EXPECT_LE(offset + size, file.size());
      std::memcpy(data, file.data() + offset, size);
      return 0;
    };
    env.spill_close = [](void* arg, int) { --static_cast<Server*>(arg)->open_files; };
    env.progress = [](void* arg, const char* phase, uint64_t, uint64_t) {
      static_cast<Server*>(arg)->phases.insert(phase);
    };
  }
  int Poll() {
    if (polls_until_stop < 0) return 0;
    return polls_until_stop-- == 0 ? (polls_until_stop = 0, 1) : 0;
  }
  int Create() {
    ++open_files;
    return handles++;
  }
};

inline constexpr double kNoBound = std::numeric_limits<double>::infinity();

class Journey : public ::testing::Test {
 protected:
  void SetUp() override {
    static int number = 0;
    url_ = "memory://journey" + std::to_string(++number);
    s3v_store_config config{};
    config.url = url_.c_str();
    ASSERT_EQ(s3v_store_open(&config, &store_, &err_), S3V_OK) << err_.message;
  }
  void TearDown() override {
    s3v_store_close(store_);
    EXPECT_EQ(server_.open_files, 0);
  }

  static std::string Key(int row) {
    std::string key(8, '\0');
    key[0] = static_cast<char>(0x80);
    key[6] = static_cast<char>(row >> 8);
    key[7] = static_cast<char>(row);
    return key;
  }
  static std::vector<float> Vector(int row) { return {static_cast<float>(row), 1}; }

  s3v_raw raw_ = S3V_RAW_NONE;  // of the next build

  s3v_build_options Options() const {
    static const char* kColumns[] = {"n"};
    s3v_build_options options{};
    options.index_uuid = kUuid;
    options.metric = S3V_L2;
    options.dimensions = 2;
    options.key_kind = S3V_KEY_INTEGER;
    options.metadata_columns = kColumns;
    options.metadata_column_count = 1;
    options.lists = 4;
    options.recall = 0.95;
    options.bits = 4;
    options.raw = raw_;
    options.memory_bytes = 1 << 20;
    options.threads = 2;
    return options;
  }

  s3v_build* OpenBuild() {
    const s3v_build_options options = Options();
    s3v_build* build = nullptr;
    EXPECT_EQ(s3v_build_open(&server_.env, store_, &options, &build, &err_), S3V_OK) << err_.message;
    return build;
  }

  s3v_code Build(int rows) {
    s3v_build* build = OpenBuild();
    s3v_code code = S3V_OK;
    for (int row = 0; row < rows && code == S3V_OK; ++row) {
      const std::string key = Key(row);
      const std::vector<float> vector = Vector(row);
      std::string metadata(1, S3V_TAG_INTEGER);
      const int64_t value = row;
      metadata.append(reinterpret_cast<const char*>(&value), sizeof value);
      code = s3v_build_add(build, key.data(), key.size(), vector.data(), metadata.data(), metadata.size(), &err_);
    }
    if (code == S3V_OK) code = s3v_build_finish(build, &version_, &err_);
    s3v_build_free(build);
    return code;
  }

  s3v_version_names Names() const {
    s3v_version_names names{};
    names.index_uuid = kUuid;
    names.base = version_.base;
    std::copy_n(version_.deltas, version_.delta_count, names.deltas);
    names.delta_count = version_.delta_count;
    return names;
  }

  std::vector<int> Search(float x, s3v_search_options options, size_t want) {
    const s3v_version_names names = Names();
    const float query[] = {x, 1};
    s3v_search* search = nullptr;
    EXPECT_EQ(s3v_search_open(&server_.env, store_, &names, query, 1, 2, &options, &search, &err_), S3V_OK)
        << err_.message;
    // As a caller with the source ranks them.
    std::vector<std::pair<double, int>> hits;
    for (size_t found = 1; found > 0;) {
      const s3v_candidate* candidates = nullptr;
      const double worst = hits.size() < want ? kNoBound : hits[want - 1].first;
      EXPECT_EQ(s3v_search_next(&server_.env, search, 0, want + 4, worst, &candidates, &found, &err_), S3V_OK)
          << err_.message;
      for (size_t i = 0; i < found; ++i) {
        const auto* key = static_cast<const uint8_t*>(candidates[i].key);
        EXPECT_EQ(candidates[i].key_size, 8U);
        const int row = key[6] << 8 | key[7];
        hits.emplace_back(s3v_distance(S3V_L2, query, Vector(row).data(), 2), row);
      }
      std::ranges::sort(hits);
    }
    hits.resize(std::min(hits.size(), want));
    std::vector<int> rows;
    for (const auto& [distance, row] : hits) rows.push_back(row);
    s3v_search_stats_get(search, &stats_);
    s3v_search_free(search);
    return rows;
  }

  std::string url_;
  Server server_;
  s3v_store* store_ = nullptr;
  s3v_version version_{};
  s3v_search_stats stats_{};
  s3v_error err_{};
};

}  // namespace s3v::testing

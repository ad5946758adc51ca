// A small table of clustered vectors, its index in a memory store, and the exact answers.
#pragma once

#include <algorithm>
#include <cstdint>
#include <functional>
#include <iterator>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/random.h"
#include "base/stop.h"
#include "engine/build.h"
#include "engine/read_manifest.h"
#include "engine/search.h"
#include "engine/snapshot.h"
#include "store/memory_store.h"
#include "support/metadata_rows.h"
#include "support/temp_spill.h"

namespace s3v::testing {

// int64 as keys have it: the sign bit flipped, big-endian.
inline std::string IntegerKey(int64_t value) {
  const uint64_t flipped = static_cast<uint64_t>(value) ^ (1ULL << 63);
  std::string key(8, '\0');
  for (int i = 0; i < 8; ++i) key[static_cast<size_t>(i)] = static_cast<char>(flipped >> (56 - 8 * i));
  return key;
}

// Requested() answers true at its n-th call, and from then on.
class StopAtPoll final : public Stop {
 public:
  explicit StopAtPoll(int n) : left_(n) {}
  bool Requested() override { return left_-- <= 0; }
  bool was_reached() const { return left_ < 0; }

 private:
  int left_;
};

struct Table {
  size_t dimensions = 0;
  std::vector<float> vectors;
  size_t rows() const { return dimensions == 0 ? 0 : vectors.size() / dimensions; }
  std::span<const float> row(size_t i) const { return std::span(vectors).subspan(i * dimensions, dimensions); }
};

// Rows around `clusters` centres; the same for the same seed.
inline Table Clustered(size_t rows, size_t dimensions, size_t clusters, uint64_t seed) {
  Random centre_random(1234);
  Random random(seed);
  const auto normal = [](Random& r) { return static_cast<float>(r.Unit() + r.Unit() + r.Unit() + r.Unit() - 2.0); };
  std::vector<float> centres(clusters * dimensions);
  for (float& value : centres) value = 3 * normal(centre_random);
  Table table{dimensions, std::vector<float>(rows * dimensions)};
  for (size_t i = 0; i < rows; ++i) {
    const size_t centre = random.Below(clusters);
    for (size_t j = 0; j < dimensions; ++j) {
      table.vectors[i * dimensions + j] = centres[centre * dimensions + j] + normal(random);
    }
  }
  return table;
}

// One metadata column "n": the row's number; every seventh row has none.
inline Bytes MetadataOf(size_t row) {
  MetadataWriter writer;
  return row % 7 == 0 ? writer.Null().row() : writer.Integer(static_cast<int64_t>(row)).row();
}

inline BuildOptions SmallOptions(const Table& table, Metric metric, size_t lists) {
  BuildOptions options;
  options.index = {1, 2, 3};
  options.metric = metric;
  options.dimensions = table.dimensions;
  options.key_kind = KeyKind::kInteger;
  options.metadata_columns = {"n"};
  options.lists = lists;
  return options;
}

using MetadataMaker = std::function<Bytes(size_t row)>;

inline BuildResult BuildInto(ObjectStore& store, const Table& table, const BuildOptions& options, Stop& stop,
                             const MetadataMaker& metadata_of = MetadataOf) {
  TempSpillFactory spill;
  IndexBuild build(options, store, spill, nullptr);
  for (size_t i = 0; i < table.rows(); ++i) {
    const Bytes metadata = options.metadata_columns.empty() ? Bytes() : metadata_of(i);
    build.Add(AsBytes(IntegerKey(static_cast<int64_t>(i))), table.row(i), metadata, stop);
  }
  return build.Finish(stop);
}

using s3v::NamesOf;

struct SmallIndex {
  Table table;
  Metric metric = Metric::kL2;
  std::unique_ptr<ObjectStore> store = MakeMemoryStore();
  BuildResult built;
  std::shared_ptr<const Navigation> navigation;
  NeverStop stop;

  SmallIndex(Table rows, const BuildOptions& options, const MetadataMaker& metadata_of = MetadataOf)
      : table(std::move(rows)), metric(options.metric) {
    built = BuildInto(*store, table, options, stop, metadata_of);
    navigation = NavigationCache().Open(NamesOf(built.manifest), *store, stop);
  }

  Search Open(std::span<const float> query, const SearchOptions& options) {
    opened.assign(query.begin(), query.end());
    return Search(navigation, query, options, *store);
  }

  static size_t RowOf(const std::string& key) {
    size_t row = 0;
    for (const char c : key.substr(1)) row = row << 8 | static_cast<uint8_t>(c);
    return row;
  }

  // What a caller with the source makes of the search that was opened last (query number `number` of it): candidates
  // ranked by exact distance until no other can be among the k nearest, wider while there are too few.
  std::vector<std::string> Answer(Search& search, size_t k, bool may_widen = true, size_t number = 0) {
    const auto query = std::span(opened).subspan(number * table.dimensions, table.dimensions);
    std::vector<std::pair<double, std::string>> hits;
    for (;;) {
      const double worst = hits.size() < k ? std::numeric_limits<double>::infinity() : hits[k - 1].first;
      const auto found = search.Next(number, 16, worst, stop);
      if (found.empty() && (hits.size() >= k || !may_widen || !search.Widen(number, stop))) break;
      for (const Candidate& candidate : found)
        hits.emplace_back(ExactDistance(metric, query, table.row(RowOf(candidate.key))), candidate.key);
      std::sort(hits.begin(), hits.end());
    }
    std::vector<std::string> keys;
    for (size_t i = 0; i < std::min(k, hits.size()); ++i) keys.push_back(hits[i].second);
    return keys;
  }
  std::vector<float> opened;  // the queries

  // Keys of the k nearest rows that pass, nearest first, ties by key.
  std::vector<std::string> Nearest(
      std::span<const float> query, size_t k,
      const std::function<bool(size_t)>& passes = [](size_t) { return true; }) const {
    std::vector<std::pair<double, std::string>> all;
    for (size_t i = 0; i < table.rows(); ++i) {
      if (passes(i)) all.emplace_back(ExactDistance(metric, query, table.row(i)), IntegerKey(static_cast<int64_t>(i)));
    }
    std::sort(all.begin(), all.end());
    std::vector<std::string> keys;
    for (size_t i = 0; i < std::min(k, all.size()); ++i) keys.push_back(all[i].second);
    return keys;
  }
};

inline std::vector<std::string> KeysOf(const std::vector<Candidate>& candidates) {
  std::vector<std::string> keys;
  for (const Candidate& candidate : candidates) keys.push_back(candidate.key);
  return keys;
}

inline double Overlap(std::vector<std::string> found, std::vector<std::string> truth) {
  std::sort(found.begin(), found.end());
  std::sort(truth.begin(), truth.end());
  std::vector<std::string> both;
  std::set_intersection(found.begin(), found.end(), truth.begin(), truth.end(), std::back_inserter(both));
  return static_cast<double>(both.size()) / static_cast<double>(truth.size());
}

}  // namespace s3v::testing

// A source that changes, its index in a memory store that follows by updates, and what must be true of it.
#pragma once

#include <gtest/gtest.h>

#include <cmath>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "engine/contents.h"
#include "engine/entry_reader.h"
#include "engine/read_manifest.h"
#include "engine/row_coder.h"
#include "engine/small_index.h"
#include "engine/update.h"
#include "format/content_hash.h"
#include "format/half.h"

namespace s3v::testing {

class LivingIndex {
 public:
  struct Row {
    std::vector<float> vector;
    Bytes metadata;
  };

  // Built from `rows`.
  LivingIndex(const BuildOptions& build_options, std::map<std::string, Row> rows)
      : options(build_options), source(std::move(rows)) {
    updates.metadata_columns = options.metadata_columns;
    updates.lists = options.lists;
    updates.recall = options.recall;
    updates.memory_bytes = options.memory_bytes;
    Rebuild();
  }

  void Put(const std::string& key, Row row) {
    changed_bytes += row.vector.size() * sizeof(float) + row.metadata.size();
    source[key] = std::move(row);
    changed.insert(key);
  }
  void Remove(const std::string& key) {
    changed.insert(key);
    source.erase(key);  // last: the key may be its own
  }

  UpdateResult Sync(bool optimize = false) {
    UpdateOptions how = updates;
    how.optimize = optimize;
    how.seed = ++seed;
    IndexUpdate update(navigation, how, *store, spill, nullptr);
    for (const ObjectId& segment : discarded) update.Discard(segment);
    for (const std::string& key : changed) {
      const auto row = source.find(key);
      if (row == source.end()) {
        update.Remove(AsBytes(key));
      } else {
        update.Put(AsBytes(key), row->second.vector, row->second.metadata, stop);
      }
    }
    update.Plan(stop);
    std::set<std::string> again;
    for (std::vector<std::string> keys; !(keys = update.TakeKeys(7, stop)).empty();) {
      for (const std::string& key : keys) {
        EXPECT_TRUE(again.insert(key).second) << "given twice";
        EXPECT_FALSE(changed.contains(key)) << "given though it was put or removed";
        const Row& row = source.at(key);
        update.Put(AsBytes(key), row.vector, row.metadata, stop);
      }
    }
    const uint64_t before = store->counters().bytes_written;
    const UpdateResult result = update.Finish(stop);
    EXPECT_EQ(store->counters().bytes_written - before, result.is_changed ? result.built.bytes_written : 0);
    changed.clear();
    discarded.clear();
    reread += again.size();
    if (!result.is_changed) return result;
    written_bytes += result.built.bytes_written;
    bases += result.built.manifest.base.id == manifest.base.id ? 0 : 1;
    manifest = result.built.manifest;
    navigation = NavigationCache().Open(NamesOf(manifest), *store, stop);
    return result;
  }

  void Rebuild() {
    IndexBuild build(options, *store, spill, nullptr);
    for (const auto& [key, row] : source) build.Add(AsBytes(key), row.vector, row.metadata, stop);
    manifest = build.Finish(stop).manifest;
    navigation = NavigationCache().Open(NamesOf(manifest), *store, stop);
  }

  // Keys, hashes, and of every entry what it is made of: its codes are those that the source's row has in its list.
  void ExpectWhole() {
    ASSERT_EQ(navigation->state.rows, source.size());
    IndexContents contents(navigation, {}, *store);
    auto row = source.begin();
    ByteView key;
    for (uint64_t hash = 0; contents.Next(&key, &hash, stop); ++row) {
      ASSERT_NE(row, source.end());
      ASSERT_EQ(AsText(key), row->first);
      ASSERT_EQ(hash, ContentHash(row->second.vector, row->second.metadata));
    }
    ASSERT_EQ(row, source.end());
    ExpectEntries();
    ExpectManifest();
  }

  // Reads every list: every row comes back, at about its distance.
  void ExpectFindable(std::span<const float> query) {
    Search search(navigation, query, {.k = source.size() + 1, .probes = navigation->list_sizes.size()}, *store);
    std::set<std::string> found;
    size_t out_of_bounds = 0;
    for (const Candidate& candidate : search.Next(source.size() + 1, stop)) {
      ASSERT_TRUE(found.insert(candidate.key).second) << "found twice";
      ASSERT_TRUE(source.contains(candidate.key));
      const double exact = ExactDistance(options.metric, query, source.at(candidate.key).vector);
      out_of_bounds += candidate.lower_bound > exact + 1e-4 * (1 + std::abs(exact)) ? 1 : 0;
    }
    ASSERT_EQ(found.size(), source.size());
    ASSERT_LE(out_of_bounds, 2 + source.size() / 6) << "bounds of codes hold at some probability";
  }

  // What a caller with the source finds at the version's own probing, against the exact answer; k = 10.
  double RecallOf(std::span<const float> query) {
    constexpr size_t kHits = 10;
    std::vector<std::pair<double, std::string>> exact;
    for (const auto& [key, row] : source) exact.emplace_back(ExactDistance(options.metric, query, row.vector), key);
    const size_t k = std::min(kHits, exact.size());
    std::partial_sort(exact.begin(), exact.begin() + static_cast<ptrdiff_t>(k), exact.end());
    exact.resize(k);
    Search search(navigation, query, {.k = kHits}, *store);
    std::vector<std::pair<double, std::string>> hits;
    for (;;) {
      const double worst = hits.size() < k ? INFINITY : hits[k - 1].first;
      const auto found = search.Next(0, 16, worst, stop);
      if (found.empty()) break;
      for (const Candidate& candidate : found)
        hits.emplace_back(ExactDistance(options.metric, query, source.at(candidate.key).vector), candidate.key);
      std::sort(hits.begin(), hits.end());
    }
    hits.resize(std::min(k, hits.size()));
    size_t both = 0;
    for (const auto& hit : hits) both += std::binary_search(exact.begin(), exact.end(), hit) ? 1 : 0;
    return static_cast<double>(both) / static_cast<double>(k);
  }

  struct Work {
    double recall = 0;
    double gets = 0;   // with nothing cached
    double bytes = 0;  // of lists
  };
  Work WorkOf(const std::vector<std::vector<float>>& queries) {
    Work work{.gets = 1 + static_cast<double>(navigation->deltas.size())};
    const auto share = 1.0 / static_cast<double>(queries.size());
    for (const std::vector<float>& query : queries) {
      const StoreCounters before = store->counters();
      work.recall += share * RecallOf(query);
      work.gets += share * static_cast<double>(store->counters().get_requests - before.get_requests);
      work.bytes += share * static_cast<double>(store->counters().bytes_read - before.bytes_read);
    }
    return work;
  }

  BuildOptions options;
  UpdateOptions updates;
  std::map<std::string, Row> source;
  std::set<std::string> changed;
  std::vector<ObjectId> discarded;  // by the next update
  std::unique_ptr<ObjectStore> store = MakeMemoryStore();
  TempSpillFactory spill;
  NeverStop stop;
  Manifest manifest;
  std::shared_ptr<const Navigation> navigation;
  uint64_t seed = 0;
  uint64_t changed_bytes = 0;
  uint64_t written_bytes = 0;
  uint64_t reread = 0;
  uint64_t bases = 0;  // that updates wrote

 private:
  void ExpectEntries() {
    const NavigationBase& base = *navigation->base;
    const CodeShape codes = navigation->codes();
    OwnedCentroidTable lists{.dimensions = codes.dimensions, .codes = {}, .scales = {}, .squared_norms = {}};
    lists.codes.assign(base.tables.lists.codes, base.tables.lists.codes + base.tables.lists.count * codes.dimensions);
    for (size_t i = 0; i < base.tables.lists.count; ++i) {
      lists.scales.push_back(base.tables.lists.scale(i));
      lists.squared_norms.push_back(base.tables.lists.squared_norm(i));
    }
    const RowCoder coder(base.space, base.rotation, lists, codes);
    const LiveMap live(*navigation);
    EntryReader reader(*navigation, live, EntryParts::kAll, 1u << 20, *store);
    std::vector<const Piece*> pieces;
    for (const Piece& piece : navigation->pieces) pieces.push_back(&piece);
    uint64_t entries = 0;
    std::map<std::string, std::set<uint32_t>> lists_of;
    reader.Read(
        pieces,
        [&](const Piece& piece, uint32_t, const Entry& entry) {
          ++entries;
          const std::string key(AsText(entry.key));
          const Row& row = source.at(key);
          EXPECT_TRUE(lists_of[key].insert(piece.list).second) << "twice in one list";
          EXPECT_TRUE(std::ranges::equal(entry.metadata, row.metadata));
          CodedRows coded;
          coder.Encode(row.vector, {{piece.list}}, 1, &coded, stop);
          EXPECT_TRUE(std::ranges::equal(entry.signs, coded.signs(0)));
          EXPECT_TRUE(std::ranges::equal(entry.extension, coded.extension(0)));
          EXPECT_EQ(entry.sign_factors.residual_norm, coded.sign_factors(0).residual_norm);
          EXPECT_EQ(entry.sign_factors.scale, coded.sign_factors(0).scale);
          if (codes.bits > 1) {
            EXPECT_EQ(entry.code_factors.scale, coded.code_factors(0).scale);
          }
          if (options.raw == RawPlane::kFloat32) {
            EXPECT_TRUE(std::ranges::equal(entry.vector, row.vector));
          }
          if (options.raw == RawPlane::kFloat16) {
            for (size_t i = 0; i < row.vector.size(); ++i) EXPECT_EQ(entry.vector[i], FromHalf(ToHalf(row.vector[i])));
          }
        },
        stop);
    EXPECT_EQ(entries, navigation->state.entries);
    EXPECT_EQ(lists_of.size(), source.size());
    for (const auto& [key, in] : lists_of) EXPECT_LE(in.size(), navigation->shape.has_duplicates ? 2U : 1U);
  }

  void ExpectManifest() {
    EXPECT_EQ(manifest.rows, navigation->state.rows);
    EXPECT_EQ(manifest.entries, navigation->state.entries);
    EXPECT_EQ(manifest.lists, navigation->list_sizes.size());
    std::set<ObjectId> named, read;
    for (const auto& segment : manifest.segments) named.insert(segment.id);
    for (const auto& segment : navigation->segments) read.insert(segment.info.id);
    EXPECT_EQ(named, read);
  }
};

}  // namespace s3v::testing

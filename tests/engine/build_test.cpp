#include "engine/build.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "engine/small_index.h"
#include "format/content_hash.h"
#include "format/key_plane.h"
#include "format/names.h"
#include "support/faulty_store.h"

namespace s3v {
namespace {

using testing::BuildInto;
using testing::Clustered;
using ::testing::ElementsAre;
using ::testing::ElementsAreArray;
using testing::IntegerKey;
using testing::KeysOf;
using testing::MetadataOf;
using ::testing::SizeIs;
using testing::SmallIndex;
using testing::SmallOptions;
using testing::Table;

std::vector<std::string> StoredKeys(ObjectStore& store) {
  NeverStop stop;
  std::vector<std::string> keys;
  for (const ObjectInfo& object : store.List("", stop)) keys.push_back(object.key);
  return keys;
}

// All rows, nearest first, by reading every list.
std::vector<std::string> ReadAll(SmallIndex& index, std::span<const float> query) {
  Search search = index.Open(query, {.k = index.table.rows() + 1});
  return index.Answer(search, index.table.rows() + 1);
}

TEST(Build, ManifestNamesEveryObjectOfTheStore) {
  const Table table = Clustered(1000, 16, 10, 1);
  SmallIndex index(table, SmallOptions(table, Metric::kCosine, 16));
  const Manifest& manifest = index.built.manifest;
  const std::string key = ManifestKey(manifest.index, manifest.id);
  const Manifest stored = DecodeManifest(index.store->Get(key, 1 << 20, index.stop), manifest.index, manifest.id, key);
  EXPECT_EQ(stored.rows, 1000U);
  EXPECT_EQ(stored.lists, 16U);
  EXPECT_EQ(stored.dimensions, 16U);
  EXPECT_THAT(stored.metadata_columns, ElementsAre("n"));

  ASSERT_EQ(stored.deltas.size(), 1U);
  std::set<std::string> named = {key, NavigationKey(stored.index, stored.base.id),
                                 NavigationKey(stored.index, stored.deltas[0].id)};
  uint64_t bytes = 0;
  for (const ObjectName& segment : stored.segments) named.insert(SegmentKey(stored.index, segment.id));
  EXPECT_THAT(StoredKeys(*index.store), ::testing::UnorderedElementsAreArray(named));
  for (const ObjectInfo& object : index.store->List("", index.stop)) bytes += object.size;
  EXPECT_EQ(index.built.bytes_written, bytes);
  EXPECT_GT(index.built.cpu_seconds, 0);
}

TEST(Build, TinyAndDegenerateTables) {
  for (const Metric metric : {Metric::kCosine, Metric::kL2, Metric::kInnerProduct}) {
    for (const size_t rows : {0U, 1U, 2U, 3U, 17U}) {
      for (const size_t lists : {0U, 1U, 50U}) {
        const Table table = Clustered(rows, 3, 2, 5);
        SmallIndex index(table, SmallOptions(table, metric, lists));
        EXPECT_EQ(index.built.manifest.rows, rows);
        const float query[] = {1, 2, 3};
        EXPECT_THAT(ReadAll(index, query), ElementsAreArray(index.Nearest(query, rows))) << rows << " " << lists;
      }
    }
  }
}

TEST(Build, EqualRowsOneOutlierAndHugeValues) {
  Table table{4, std::vector<float>(400 * 4, 1.5F)};
  table.vectors[4 * 123] = 1e30F;
  SmallIndex outlier(table, SmallOptions(table, Metric::kL2, 20));
  EXPECT_THAT(ReadAll(outlier, table.row(0)), SizeIs(400));
  EXPECT_THAT(ReadAll(outlier, table.row(123)), SizeIs(400));

  Table huge{4, std::vector<float>(100 * 4)};
  for (size_t i = 0; i < huge.vectors.size(); ++i) huge.vectors[i] = (i % 3 == 0 ? -3e38F : 3e38F) / (1 + i % 5);
  for (const Metric metric : {Metric::kCosine, Metric::kL2, Metric::kInnerProduct}) {
    SmallIndex index(huge, SmallOptions(huge, metric, 5));
    EXPECT_THAT(ReadAll(index, huge.row(7)), SizeIs(100));
  }
}

// Whatever the memory, the same rows are found; with little, the rows, their lists and the groups spill.
TEST(Build, LittleMemorySpillsAndLosesNothing) {
  const Table table = Clustered(20000, 64, 40, 3);  // 5 MiB
  const auto truth = SmallIndex(table, SmallOptions(table, Metric::kL2, 50)).Nearest(table.row(0), 100);
  for (const size_t memory : {1U << 20, 4U << 20, 64U << 20}) {
    BuildOptions options = SmallOptions(table, Metric::kL2, 50);
    options.memory_bytes = memory;
    options.threads = 2;
    auto store = MakeMemoryStore();
    NeverStop stop;
    testing::TempSpillFactory spill;
    IndexBuild build(options, *store, spill, nullptr);
    for (size_t i = 0; i < table.rows(); ++i)
      build.Add(AsBytes(IntegerKey(static_cast<int64_t>(i))), table.row(i), MetadataOf(i), stop);
    const Manifest manifest = build.Finish(stop).manifest;
    EXPECT_EQ(spill.created() > 0, memory < 64U << 20);
    for (const ObjectName& segment : manifest.segments)
      EXPECT_LE(segment.length, std::max<size_t>(1U << 20, memory / 4));

    const auto navigation = NavigationCache().Open(testing::NamesOf(manifest), *store, stop);
    Search search(navigation, table.row(0), {.k = 20000}, *store);
    const auto found = KeysOf(search.Next(20000, stop));
    EXPECT_EQ(std::set<std::string>(found.begin(), found.end()).size(), 20000U);
    EXPECT_GE(testing::Overlap({found.begin(), found.begin() + 100}, truth), 0.9) << "by their bounds";
  }
}

// One list that is larger than a group may be, beside small ones.
TEST(Build, AListLargerThanTheMemory) {
  Table table = Clustered(6000, 64, 1, 3);
  for (size_t i = 0; i < 5000; ++i) std::fill_n(table.vectors.begin() + static_cast<ptrdiff_t>(i * 64), 64, 2.0F);
  BuildOptions options = SmallOptions(table, Metric::kL2, 8);
  options.memory_bytes = 1 << 20;
  SmallIndex index(table, options);
  EXPECT_THAT(ReadAll(index, table.row(0)), SizeIs(6000));
}

TEST(Build, TextKeysAndLargeMetadata) {
  const Table table = Clustered(300, 8, 4, 1);
  BuildOptions options = SmallOptions(table, Metric::kL2, 4);
  options.key_kind = KeyKind::kText;
  options.memory_bytes = 1 << 20;
  auto store = MakeMemoryStore();
  NeverStop stop;
  testing::TempSpillFactory spill;
  IndexBuild build(options, *store, spill, nullptr);
  std::set<std::string> keys;
  for (size_t i = 0; i < 300; ++i) {
    const std::string key = i == 0 ? "" : std::string(i * 7, static_cast<char>('a' + i % 26));
    keys.insert(key);
    build.Add(AsBytes(key), table.row(i), testing::MetadataWriter().Text(std::string(i * 40, 'm')).row(), stop);
  }
  const Manifest manifest = build.Finish(stop).manifest;
  const auto navigation = NavigationCache().Open(testing::NamesOf(manifest), *store, stop);
  Search search(navigation, table.row(0), {.k = 300}, *store);
  const auto found = KeysOf(search.Next(300, stop));
  EXPECT_EQ(std::set<std::string>(found.begin(), found.end()), keys);
}

TEST(Build, BadRowsAndOptionsAreRefused) {
  const Table table = Clustered(1, 4, 1, 1);
  BuildOptions options = SmallOptions(table, Metric::kCosine, 1);
  auto store = MakeMemoryStore();
  testing::TempSpillFactory spill;
  NeverStop stop;
  IndexBuild build(options, *store, spill, nullptr);
  const std::string key = IntegerKey(1);
  const auto code = [&](ByteView k, std::vector<float> vector, ByteView metadata) {
    try {
      build.Add(k, vector, metadata, stop);
    } catch (const Error& error) {
      return error.code();
    }
    return Code::kOk;
  };
  const Bytes null = MetadataOf(0);
  EXPECT_EQ(code(AsBytes(key), {1, 2, 3, 4}, null), Code::kOk);
  EXPECT_EQ(code(AsBytes(key), {1, 2, 3}, null), Code::kInvalidArgument);
  EXPECT_EQ(code(AsBytes(key), {1, 2, 3, std::numeric_limits<float>::infinity()}, null), Code::kInvalidArgument);
  EXPECT_EQ(code(AsBytes(key), {1, 2, 3, std::numeric_limits<float>::quiet_NaN()}, null), Code::kInvalidArgument);
  EXPECT_EQ(code(AsBytes(key), {0, -0.0F, 0, 0}, null), Code::kInvalidArgument);
  EXPECT_EQ(code(AsBytes("short"), {1, 2, 3, 4}, null), Code::kInvalidArgument);
  EXPECT_EQ(code(AsBytes(key), {1, 2, 3, 4}, Bytes((16U << 20) + 1)), Code::kLimitExceeded);

  const auto refused = [&](auto change) {
    BuildOptions bad = options;
    change(bad);
    EXPECT_THROW(IndexBuild(bad, *store, spill, nullptr), Error);
  };
  refused([](BuildOptions& bad) { bad.dimensions = 0; });
  refused([](BuildOptions& bad) { bad.dimensions = 16001; });
  refused([](BuildOptions& bad) { bad.lists = (16U << 20) + 1; });
  refused([](BuildOptions& bad) { bad.metadata_columns.resize(1601); });
  refused([](BuildOptions& bad) { bad.recall = 0.4; });
  refused([](BuildOptions& bad) { bad.recall = std::numeric_limits<double>::quiet_NaN(); });
  options.metadata_columns.clear();
  IndexBuild plain(options, *store, spill, nullptr);
  EXPECT_THROW(plain.Add(AsBytes(key), table.row(0), null, stop), Error);
}

TEST(Build, SameSeedSameListsWhateverTheThreads) {
  const Table table = Clustered(3000, 16, 20, 1);
  std::vector<std::vector<uint32_t>> sizes;
  for (const int threads : {1, 2, 4}) {
    BuildOptions options = SmallOptions(table, Metric::kL2, 20);
    options.threads = threads;
    sizes.push_back(SmallIndex(table, options).navigation->list_sizes);
  }
  EXPECT_EQ(sizes[0], sizes[1]);
  EXPECT_EQ(sizes[0], sizes[2]);
}

TEST(Build, ProgressTellsThePhasesInOrder) {
  const Table table = Clustered(5000, 16, 20, 1);
  auto store = MakeMemoryStore();
  testing::TempSpillFactory spill;
  NeverStop stop;
  std::vector<std::string> phases;
  IndexBuild build(SmallOptions(table, Metric::kL2, 20), *store, spill,
                   [&](const std::string& phase, uint64_t done, uint64_t total) {
                     if (phases.empty() || phases.back() != phase) phases.push_back(phase);
                     EXPECT_TRUE(total == 0 || done <= total) << phase;
                   });
  for (size_t i = 0; i < table.rows(); ++i)
    build.Add(AsBytes(IntegerKey(static_cast<int64_t>(i))), table.row(i), MetadataOf(i), stop);
  build.Finish(stop);
  EXPECT_THAT(phases, ElementsAre("reading", "training", "assigning", "calibrating", "encoding", "writing"));
}

TEST(Build, CancelAtEveryPollPublishesNothing) {
  const Table table = Clustered(3000, 16, 20, 1);
  BuildOptions options = SmallOptions(table, Metric::kL2, 20);
  options.memory_bytes = 1 << 20;
  int polls = 0;
  for (bool finished = false; !finished; ++polls) {
    auto store = MakeMemoryStore();
    testing::StopAtPoll stop(polls);
    try {
      BuildInto(*store, table, options, stop);
      finished = true;
    } catch (const Error& error) {
      ASSERT_EQ(error.code(), Code::kCancelled);
    }
    const auto keys = StoredKeys(*store);
    const auto is_manifest = [](const std::string& key) { return key.find("/manifest/") != std::string::npos; };
    ASSERT_EQ(std::ranges::any_of(keys, is_manifest), finished);
  }
  EXPECT_GT(polls, 20);
}

TEST(Build, FailureAtEveryStoreCallPublishesNothing) {
  const Table table = Clustered(12000, 64, 20, 1);
  BuildOptions options = SmallOptions(table, Metric::kL2, 10);
  options.memory_bytes = 1 << 20;  // several segments
  options.raw = RawPlane::kFloat32;
  NeverStop stop;
  int n = 0;
  for (bool finished = false; !finished; ++n) {
    testing::FaultyStore store(MakeMemoryStore());
    store.FailingAt(n);
    try {
      BuildInto(store, table, options, stop);
      finished = true;
    } catch (const Error& error) {
      ASSERT_EQ(error.code(), Code::kUnavailable);
    }
    const auto keys = StoredKeys(store.inner());
    const auto is_manifest = [](const std::string& key) { return key.find("/manifest/") != std::string::npos; };
    ASSERT_EQ(std::ranges::any_of(keys, is_manifest), finished);
  }
  EXPECT_GT(n, 6);
}

// A spill that fails at its n-th call.
class FailingSpill final : public SpillFactory {
 public:
  explicit FailingSpill(int n) : left_(n) {}
  std::unique_ptr<SpillFile> Create() override {
    Count();
    return std::make_unique<File>(*this, inner_.Create());
  }
  bool has_failed() const { return left_ < 0; }

 private:
  struct File final : SpillFile {
    File(FailingSpill& owner, std::unique_ptr<SpillFile> inner) : owner_(owner), inner_(std::move(inner)) {}
    void Append(ByteView bytes) override {
      owner_.Count();
      inner_->Append(bytes);
    }
    void ReadAt(uint64_t offset, std::span<uint8_t> out) override {
      owner_.Count();
      inner_->ReadAt(offset, out);
    }
    FailingSpill& owner_;
    std::unique_ptr<SpillFile> inner_;
  };
  void Count() {
    if (left_-- == 0) throw Error(Code::kDiskFull, "disk full");
  }

  testing::TempSpillFactory inner_;
  int left_;
};

TEST(Build, FullDiskIsAnErrorWhereverItHappens) {
  const Table table = Clustered(6000, 64, 20, 1);
  BuildOptions options = SmallOptions(table, Metric::kL2, 10);
  options.memory_bytes = 1 << 20;
  NeverStop stop;
  for (int n = 0;; n = n < 50 ? n + 1 : n * 5 / 4) {
    FailingSpill spill(n);
    auto store = MakeMemoryStore();
    try {
      IndexBuild build(options, *store, spill, nullptr);
      for (size_t i = 0; i < table.rows(); ++i)
        build.Add(AsBytes(IntegerKey(static_cast<int64_t>(i))), table.row(i), MetadataOf(i), stop);
      build.Finish(stop);
    } catch (const Error& error) {
      ASSERT_EQ(error.code(), Code::kDiskFull);
      continue;
    }
    EXPECT_FALSE(spill.has_failed());
    EXPECT_GT(n, 50);
    break;
  }
}

// What later syncs go by.
TEST(Build, ListsHaveIdsSegmentsAreSettledAndTheRuleIsNew) {
  const Table table = Clustered(3000, 16, 20, 1);
  BuildOptions options = SmallOptions(table, Metric::kL2, 30);
  options.duplicates = Duplicates::kOn;
  SmallIndex index(table, options);
  const Navigation& navigation = *index.navigation;
  EXPECT_EQ(navigation.base->next_list_id, 30U);
  for (size_t list = 0; list < 30; ++list) EXPECT_EQ(navigation.base->list_id(list), list);
  for (const LiveSegment& segment : navigation.segments) EXPECT_TRUE(segment.info.is_settled);
  EXPECT_EQ(navigation.state.rows, 3000U);
  EXPECT_GT(navigation.state.entries, 3000U) << "some rows lie in two lists";
  EXPECT_EQ(index.built.manifest.entries, navigation.state.entries);
  EXPECT_EQ(navigation.state.calibrated_entries, navigation.state.entries);
  EXPECT_EQ(navigation.state.written_since_base, 0U);
}

TEST(Build, KeyPlaneHasEveryEntryWithTheHashOfItsRow) {
  const Table table = Clustered(1000, 16, 20, 1);
  SmallIndex index(table, SmallOptions(table, Metric::kCosine, 10));
  ASSERT_EQ(index.navigation->segments.size(), 1U);
  const LiveSegment& segment = index.navigation->segments[0];
  const SegmentShape shape = index.navigation->segment_shape(segment);
  const Bytes object = index.store->Get(segment.key, kMaxSegmentBytes, index.stop);
  const ByteView bytes(object);
  const auto blocks = DecodeKeyIndex(bytes.last(segment.info.keys.index_length), shape, segment.info.keys,
                                     object.size(), segment.info.entries, segment.key);
  size_t row = 0;  // keys ascend as rows do
  for (const KeyBlockPlace& place : blocks) {
    const KeyBlock block(bytes.subspan(place.offset, place.length), place, shape, segment.info.entries, segment.key);
    for (size_t i = 0; i < block.count(); ++i, ++row) {
      const KeyEntry entry = block.entry(i);
      EXPECT_EQ(SmallIndex::RowOf(std::string(AsText(entry.key))), row);
      EXPECT_EQ(entry.content_hash, ContentHash(table.row(row), MetadataOf(row)));
    }
  }
  EXPECT_EQ(row, 1000U);
}

// Pieces of neighbouring lists lie one after the other, so that their ranges can share a request.
TEST(Build, ListsLieInChainOrder) {
  const Table table = Clustered(3000, 16, 20, 1);
  SmallIndex index(table, SmallOptions(table, Metric::kL2, 30));
  const std::vector<Piece>& pieces = index.navigation->pieces;
  ASSERT_EQ(index.navigation->segments.size(), 1U);
  for (size_t i = 1; i < pieces.size(); ++i) {
    EXPECT_EQ(pieces[i].scan_offset, pieces[i - 1].extension_offset() + pieces[i - 1].extension_length);
  }
}

}  // namespace
}  // namespace s3v

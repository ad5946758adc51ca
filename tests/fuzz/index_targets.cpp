// A whole index under checksums that fit: what the owner of a hostile store can serve. Everything is asked of it, and a
// sync follows it.
#include "engine/contents.h"
#include "engine/hand_made_index.h"
#include "engine/small_index.h"
#include "engine/update.h"
#include "format/coding.h"
#include "fuzz/answers.h"
#include "fuzz/filter_input.h"
#include "fuzz/seal.h"
#include "fuzz/target.h"

namespace s3v::fuzz {
namespace {

constexpr ObjectId kBaseId = {8, 8};
constexpr ObjectId kDeltaId = {7, 7};
constexpr uint64_t kLargestSegment = 64 * 1024;
const std::string kName = "object";

// The delta's state names the base, behind header and shape.
constexpr size_t kBaseNameAt = kHeaderSize + 12;

Bytes SealedDelta(ByteView part) {
  Bytes delta = SealedObject(part, 'D', kDeltaId);
  if (delta.size() < kBaseNameAt + kBaseId.size() + sizeof(uint32_t)) return delta;
  std::memcpy(delta.data() + kBaseNameAt, kBaseId.data(), kBaseId.size());
  return SealedObject(delta, 'D', kDeltaId);
}

// Each range that the delta, and then the index of the keys, tells of.
Bytes SealedSegment(ByteView part, const NavigationDelta& delta, uint32_t ordinal) {
  const SegmentInfo& info = delta.segments[ordinal];
  Bytes segment(part.begin(), part.end());
  segment.resize(std::min(info.length, kLargestSegment));
  const size_t vector = RawBytes(delta.shape.raw, delta.shape.dimensions);
  for (const Piece& piece : delta.pieces) {
    if (piece.segment != ordinal) continue;
    SealRange(segment, piece.scan_offset, piece.scan_length, info.id);
    SealRange(segment, piece.extension_offset(), piece.extension_length, info.id);
    for (const ColumnPlace& place : delta.columns.Of(piece, delta.shape.metadata_columns)) {
      SealRange(segment, place.offset, place.length, info.id);
    }
    for (uint32_t i = 0; vector > 0 && i < piece.count; ++i) {
      SealRange(segment, piece.raw_offset + i * vector, vector, info.id);
    }
  }
  const uint64_t index_length = info.keys.index_length;
  if (info.length != segment.size() || index_length > segment.size()) return segment;
  SealRange(segment, segment.size() - index_length, index_length, info.id);
  Accepts([&] {
    SegmentShape shape;
    shape.index = kIndex;
    shape.object = info.id;
    shape.key_kind = delta.shape.key_kind;
    const ByteView index = ByteView(segment).last(index_length);
    for (const KeyBlockPlace& block : DecodeKeyIndex(index, shape, info.keys, info.length, info.entries, kName)) {
      SealRange(segment, block.offset, block.length, info.id);
    }
  });
  return segment;
}

const std::vector<const Expression*>& Filters() {
  static const auto* filters = [] {
    const std::vector<FilterColumn> columns = {{"x", ColumnKind::kJson}};
    auto* all = new std::vector<const Expression*>();
    for (const char* text : {R"({"x":{"$gte":5}})", R"({"x":{"$exists":false}})"}) {
      all->push_back(Expression::Compile(text, columns, nullptr).release());
    }
    return all;
  }();
  return *filters;
}

void AskAll(const Questions& questions, ObjectStore& store) {
  NeverStop stop;
  std::shared_ptr<const Navigation> navigation;
  if (!Accepts([&] { navigation = OpenVersion(questions, store); })) return;
  if (!Takes(navigation->shape.dimensions <= 512)) return;  // only slow
  Questions sized = questions;
  sized.queries = {std::vector<float>(navigation->shape.dimensions, 0.5F)};
  if (navigation->shape.metadata_columns > 0) sized.filters = Filters();
  for (const Question& question : AllQuestions()) {
    Accepts([&] { question.ask(sized, *navigation, store); }, {Code::kCorrupted, Code::kObjectMissing});
  }
  Verify(questions.names, {}, store, stop);
}

// A row of the index's shape.
struct AnyRow {
  explicit AnyRow(const IndexShape& shape) : vector(shape.dimensions, 0.5F), metadata(shape.metadata_columns) {
    key.resize(std::max<size_t>(KeyWidth(shape.key_kind), 3), 'k');
  }
  std::string key;
  std::vector<float> vector;
  Bytes metadata;  // NULLs
};

// A sync that writes all lists anew. What it writes is a version that opens.
void Update(const Questions& questions, ObjectStore& store) {
  NeverStop stop;
  testing::TempSpillFactory spill;
  std::shared_ptr<const Navigation> navigation;
  if (!Accepts([&] { navigation = OpenVersion(questions, store); })) return;
  if (!Takes(navigation->shape.dimensions <= 64 && navigation->state.entries <= 500)) return;  // only slow
  UpdateOptions options;
  options.metadata_columns.assign(navigation->shape.metadata_columns, "x");
  options.memory_bytes = 1 << 20;
  options.optimize = true;
  Manifest written;
  const bool is_written = Accepts(
      [&] {
        AnyRow row(navigation->shape);
        IndexUpdate update(navigation, options, store, spill, nullptr);
        update.Put(AsBytes(row.key), row.vector, row.metadata, stop);
        update.Plan(stop);
        for (std::vector<std::string> keys; !(keys = update.TakeKeys(100, stop)).empty();) {
          for (const std::string& key : keys) update.Put(AsBytes(key), row.vector, row.metadata, stop);
        }
        written = update.Finish(stop).built.manifest;
      },
      {Code::kCorrupted, Code::kObjectMissing});
  if (!is_written) return;
  Questions after = questions;
  after.names = NamesOf(written);
  navigation = OpenVersion(after, store);
  after.queries = {AnyRow(navigation->shape).vector};
  for (const Question& question : AllQuestions()) question.ask(after, *navigation, store);
}

// Parts: base, delta, its segments. Nothing when there is not even a delta.
void WithIndex(ByteView input, void (*use)(const Questions&, ObjectStore&)) {
  const std::vector<ByteView> parts = PartsOf(input, 6);
  if (parts.size() < 2) return;
  const Bytes base = SealedObject(parts[0], 'B', kBaseId);
  const Bytes delta = SealedDelta(parts[1]);
  NavigationDelta decoded;
  if (!Accepts([&] { decoded = DecodeDelta(delta, kIndex, kDeltaId, kName); })) return;

  NeverStop stop;
  const auto store = MakeMemoryStore();
  const auto put = [&](const std::string& key, ByteView bytes) {
    store->Put(key, bytes, ObjectStore::PutMode::kOverwrite, stop);
  };
  put(NavigationKey(kIndex, kBaseId), base);
  put(NavigationKey(kIndex, kDeltaId), delta);
  for (uint32_t i = 0; i < decoded.segments.size() && i + 2 < parts.size(); ++i) {
    put(SegmentKey(kIndex, decoded.segments[i].id), SealedSegment(parts[i + 2], decoded, i));
  }
  const Questions questions{
      .names = {.index = kIndex, .base = {kBaseId, base.size()}, .deltas = {{kDeltaId, delta.size()}}},
      .queries = {},
      .filters = {},
      .keys = {testing::TextKey(3), testing::IntegerKey(3), testing::IntegerKey(7)},
      .k = 5,
      .repeats = false};
  use(questions, *store);
}

void RunIndex(ByteView input) { WithIndex(input, AskAll); }
void RunUpdate(ByteView input) { WithIndex(input, Update); }

// An index of one delta as an input's parts.
Bytes PartsOfIndex(const VersionNames& names, ObjectStore& store) {
  NeverStop stop;
  const auto get = [&](const std::string& key) { return store.Get(key, UINT64_MAX, stop); };
  const Bytes delta = get(NavigationKey(names.index, names.deltas[0].id));
  std::vector<Bytes> parts{get(NavigationKey(names.index, names.base.id)), delta};
  const NavigationDelta decoded = DecodeDelta(delta, names.index, names.deltas[0].id, kName);
  for (const SegmentInfo& segment : decoded.segments) parts.push_back(get(SegmentKey(names.index, segment.id)));
  return Joined(parts);
}

std::vector<Bytes> IndexSeeds() {
  std::vector<Bytes> seeds;
  for (const RawPlane raw : {RawPlane::kNone, RawPlane::kFloat16, RawPlane::kFloat32}) {
    const testing::Table table = testing::Clustered(24, 8, 3, 5);
    BuildOptions options = testing::SmallOptions(table, Metric::kL2, 3);
    options.index = kIndex;
    options.raw = raw;
    options.bits = raw == RawPlane::kNone ? 1 : 4;
    options.duplicates = raw == RawPlane::kFloat32 ? Duplicates::kOn : Duplicates::kOff;
    if (raw == RawPlane::kFloat32) options.metric = Metric::kCosine;
    const testing::SmallIndex index(table, options);
    seeds.push_back(PartsOfIndex(index.navigation->names, *index.store));
  }
  testing::HandMadeIndex texts(KeyKind::kText, false, RawPlane::kFloat16);
  texts.AddSegment(testing::TextEntries(testing::Numbers(9, 20, 1)));
  texts.AddSegment(testing::TextEntries(testing::Numbers(5, 20, 2)));
  texts.Mask(0, 2, 3);
  texts.WriteDelta();
  seeds.push_back(PartsOfIndex(texts.names, *texts.store));
  return seeds;
}

}  // namespace

std::vector<Target> IndexTargets() {
  return {{.name = "index",
           .run = RunIndex,
           .seeds = IndexSeeds,
           .max_input = 32 * 1024,
           .memory = 8 << 20,
           .memory_per_byte = 1024},
          {.name = "update",
           .run = RunUpdate,
           .seeds = IndexSeeds,
           .max_input = 32 * 1024,
           .memory = 16 << 20,
           .memory_per_byte = 1024}};
}

}  // namespace s3v::fuzz

// Whole objects: owner marker, manifest, navigation base, navigation deltas and what they are together.
#include <map>
#include <set>

#include "engine/hand_made_index.h"
#include "engine/unite.h"
#include "format/coding.h"
#include "format/manifest.h"
#include "format/owner.h"
#include "format/samples.h"
#include "fuzz/seal.h"
#include "fuzz/target.h"

namespace s3v::fuzz {
namespace {

const std::string kName = "object";
constexpr ObjectId kId = {9, 9};
constexpr ObjectId kBaseId = {8, 8};

// Bytes as they are, then as the owner of the store could write them.
template <class Read>
void ReadBoth(ByteView input, char kind, const ObjectId& id, const Read& read) {
  const Bytes plain = Copy(input);
  Accepts([&] { read(plain); }, {Code::kCorrupted, Code::kNotSupported});
  const Bytes sealed = SealedObject(input, kind, id);
  Accepts([&] { read(sealed); }, {Code::kCorrupted});
}

// ---- owner marker, manifest

// Under the ids that seals give.
Bytes Resealed(ByteView object, char kind) { return SealedObject(object, kind, kId); }

constexpr uint64_t kNumber = 7;
ObjectId NumberAsId() {
  ObjectId id{};
  std::memcpy(id.data(), &kNumber, sizeof kNumber);
  return id;
}

void RunOwner(ByteView input) {
  ReadBoth(input, 'O', NumberAsId(), [](ByteView bytes) {
    const OwnerMarker marker = DecodeOwner(bytes, kIndex, kNumber, kName);
    const OwnerMarker again = DecodeOwner(EncodeOwner(marker, kIndex), kIndex, kNumber, kName);
    Require(again.token == marker.token && again.system_identifier == marker.system_identifier &&
                again.database == marker.database && again.timeline == marker.timeline,
            "a marker is another when written again");
  });
}

void RunManifest(ByteView input) {
  ReadBoth(input, 'M', kId, [](ByteView bytes) {
    const Manifest manifest = DecodeManifest(bytes, kIndex, kId, kName);
    const Manifest again = DecodeManifest(EncodeManifest(manifest), kIndex, kId, kName);
    Require(again.deltas == manifest.deltas && again.segments == manifest.segments && again.base == manifest.base &&
                again.rows == manifest.rows && again.created == manifest.created &&
                again.metadata_columns.size() == manifest.metadata_columns.size(),
            "a manifest is another when written again");
  });
}

std::vector<Bytes> OwnerSeeds() {
  return {SealedObject(EncodeOwner(testing::SampleOwner(), testing::kSampleIndex), 'O', NumberAsId())};
}

std::vector<Bytes> ManifestSeeds() {
  Manifest small = testing::SampleManifest();
  small.segments.clear();
  small.metadata_columns = {};
  return {Resealed(EncodeManifest(testing::SampleManifest()), 'M'), Resealed(EncodeManifest(small), 'M')};
}

// ---- navigation base

void UseBase(const NavigationBase& base) {
  const size_t dimensions = base.space.dimensions;
  const CentroidTable& lists = base.tables.lists;
  std::vector<float> query(dimensions, 0.25F);
  ListRanking ranking(base.tables, query, 2);
  ranking.RankAll();
  std::set<uint32_t> ranked;
  for (const RankedList& list : ranking.ranked()) ranked.insert(list.list);
  Require(ranked.size() == lists.count && *ranked.rbegin() == lists.count - 1, "lists are missing in a ranking");
  std::vector<float> centroid(dimensions);
  for (size_t list = 0; list < lists.count; ++list) {
    lists.Dequantize(list, centroid);
    Require(base.list_id(list) < base.next_list_id, "a list has an id that was not given");
  }
}

void RunBase(ByteView input) {
  ReadBoth(input, 'B', kBaseId, [](ByteView bytes) {
    const NavigationBase base = DecodeBase(bytes, kIndex, kBaseId, kName);
    // Dimensions times themselves would only be slow.
    if (Takes(base.space.dimensions <= 512)) UseBase(base);
  });
}

std::vector<Bytes> BaseSeeds() {
  NavigationBaseParts wide = testing::SampleBase();
  wide.space.dimensions = wide.parents.dimensions = wide.lists.dimensions = 70;
  wide.space.metric = Metric::kCosine;
  wide.first_list = {0, 1, 3};
  wide.list_ids = {0, 1, 2};
  wide.parents = {.dimensions = 70, .codes = std::vector<int8_t>(140, 5), .scales = {1, 2}, .squared_norms = {1, 1}};
  wide.lists = {
      .dimensions = 70, .codes = std::vector<int8_t>(210, -7), .scales = {1, 2, 3}, .squared_norms = {0, 1, 2}};
  return {SealedObject(EncodeBase(testing::SampleBase(), kIndex, kBaseId), 'B', kBaseId),
          SealedObject(EncodeBase(wide, kIndex, kBaseId), 'B', kBaseId)};
}

// ---- deltas

// What the deltas say, counted entry by entry.
class SlowUnion {
 public:
  static constexpr uint64_t kMostEntries = 200'000;

  explicit SlowUnion(std::span<const std::shared_ptr<const NavigationDelta>> deltas) {
    for (const auto& delta : deltas) {
      for (const SegmentInfo& segment : delta->segments) {
        total_ += segment.entries;
        if (total_ > kMostEntries) return;
        is_sound_ &= dead_.emplace(segment.id, std::vector<bool>(segment.entries)).second;
      }
    }
    for (const auto& delta : deltas) {
      for (const SegmentMask& mask : delta->masks) Apply(mask);
    }
  }

  bool is_counted() const { return total_ <= kMostEntries; }
  bool is_sound() const { return is_sound_; }
  uint64_t live() const {
    uint64_t live = 0;
    for (const auto& [id, dead] : dead_) live += static_cast<uint64_t>(std::ranges::count(dead, false));
    return live;
  }

 private:
  void Apply(const SegmentMask& mask) {
    const auto found = dead_.find(mask.segment);
    if (found == dead_.end()) return;
    std::vector<bool>& dead = found->second;
    if (mask.whole) dead.assign(dead.size(), true);
    for (const MaskRun& run : mask.runs) {
      if (uint64_t{run.first} + run.count > dead.size()) {
        is_sound_ = false;
        return;
      }
      for (uint32_t i = 0; i < run.count; ++i) dead[run.first + i] = true;
    }
  }

  std::map<ObjectId, std::vector<bool>> dead_;
  uint64_t total_ = 0;
  bool is_sound_ = true;
};

std::shared_ptr<const OpenBase> BaseOf(uint32_t dimensions) {
  NavigationBaseParts parts = testing::SampleBase();
  const auto widen = [&](OwnedCentroidTable& table) {
    table.dimensions = dimensions;
    table.codes.assign(table.scales.size() * dimensions, 3);
  };
  parts.space.dimensions = dimensions;
  widen(parts.parents);
  widen(parts.lists);
  auto base = std::make_shared<OpenBase>();
  class Held final : public MappedObject {
   public:
    explicit Held(Bytes bytes) : bytes_(std::move(bytes)) {}
    ByteView bytes() const override { return bytes_; }

   private:
    Bytes bytes_;
  };
  base->object = std::make_shared<Held>(EncodeBase(parts, kIndex, kBaseId));
  base->view = DecodeBase(base->object->bytes(), kIndex, kBaseId, kName);
  return base;
}

void CheckUnion(const Navigation& united, const SlowUnion& slow) {
  Require(united.first_piece.size() == united.list_sizes.size() + 1, "a list without pieces or too many");
  Require(united.first_piece.back() == united.pieces.size(), "pieces that belong to no list");
  uint64_t in_lists = 0, in_segments = 0;
  for (const uint32_t size : united.list_sizes) in_lists += size;
  for (const LiveSegment& segment : united.segments) in_segments += segment.live;
  Require(in_lists == united.state.entries && in_segments == in_lists, "entries that are in no list");
  if (slow.is_counted()) Require(slow.is_sound() && slow.live() == in_lists, "a union counts other entries");
  for (const Piece& piece : united.pieces) {
    Require(piece.segment < united.segments.size() && piece.list < united.list_sizes.size(), "a piece of nothing");
    united.MasksOf(piece);
    for (size_t column = 0; column < united.shape.metadata_columns; ++column) united.SummaryOf(piece, column);
  }
}

// With the numbers of entries that the other deltas and masks really leave, so that the union gets that far.
void Unite(std::vector<std::shared_ptr<const NavigationDelta>> deltas) {
  const SlowUnion slow(deltas);
  for (const bool mends_counts : {false, true}) {
    if (mends_counts) {
      auto last = std::make_shared<NavigationDelta>(*deltas.back());
      last->state.rows = last->state.entries = slow.live();
      deltas.back() = last;
    }
    Navigation united;
    united.names = {.index = kIndex, .base = {kBaseId, 0}, .deltas = std::vector<ObjectName>(deltas.size())};
    united.deltas = deltas;
    united.open_base = BaseOf(std::min<uint32_t>(deltas.back()->shape.dimensions, 256));
    united.base = &united.open_base->view;
    if (Accepts([&] { UniteDeltas(united); })) CheckUnion(united, slow);
  }
}

// The state names its base, behind the header and the shape.
void NameBase(Bytes& delta) {
  constexpr size_t kShapeSize = 12;
  if (delta.size() < kHeaderSize + kShapeSize + 2 * sizeof kBaseId) return;
  std::memcpy(delta.data() + kHeaderSize + kShapeSize, kBaseId.data(), kBaseId.size());
  SealRange(delta, kHeaderSize, delta.size() - kHeaderSize, kId);
}

void RunDelta(ByteView input) {
  std::vector<std::shared_ptr<const NavigationDelta>> deltas;
  for (const ByteView part : PartsOf(input, 4)) {
    const Bytes plain = Copy(part);
    Accepts([&] { CheckDelta(plain, kIndex, kId, kName); }, {Code::kCorrupted, Code::kNotSupported});
    Bytes sealed = SealedObject(part, 'D', kId);
    NameBase(sealed);
    const bool is_whole = Accepts(
        [&] { deltas.push_back(std::make_shared<const NavigationDelta>(DecodeDelta(sealed, kIndex, kId, kName))); });
    if (!is_whole) continue;
    Require(EncodeDelta(*deltas.back(), kIndex, kId) == sealed, "a delta is written other than it was read");
  }
  if (!deltas.empty()) Unite(deltas);
}

std::vector<Bytes> DeltaSeeds() {
  std::vector<Bytes> seeds;
  const auto sample = [](const SegmentShape& shape) {
    NavigationDelta delta = testing::SampleDelta(shape);
    delta.masks.erase(delta.masks.begin(), delta.masks.begin() + 2);
    delta.state.rows = delta.state.entries = 3;
    return EncodeDelta(delta, kIndex, kId);
  };
  SegmentShape wide = testing::SampleShape();
  wide.codes = {.dimensions = 64, .bits = 4};
  wide.key_kind = KeyKind::kInteger;
  wide.metadata_columns = 2;
  wide.raw = RawPlane::kFloat32;
  seeds.push_back(Joined(std::vector<Bytes>{sample(testing::SampleShape())}));
  seeds.push_back(Joined(std::vector<Bytes>{sample(wide)}));
  // Three deltas of one version, masks over each other's segments.
  testing::HandMadeIndex index;
  std::vector<Bytes> deltas;
  for (uint64_t i = 0; i < 3; ++i) {
    index.AddSegment(testing::TextEntries(testing::Numbers(20, 50, i)));
    index.Mask(0, static_cast<uint32_t>(5 * i), 2);
    if (i > 0) index.Mask(i, 3, 4);
    index.WriteDelta();
    deltas.push_back(index.Get(NavigationKey(index.names.index, index.names.deltas.back().id)));
  }
  seeds.push_back(Joined(deltas));
  return seeds;
}

}  // namespace

std::vector<Target> ObjectTargets() {
  const std::vector<std::string_view> json = {"{",         "}",           "[",       "]",
                                              "\"id\":",   "\"length\":", "null",    "18446744073709551616",
                                              "-1",        "1e400",       "\\u0000", "\"deltas\":[]",
                                              "\"base\":{"};
  return {
      {.name = "owner", .run = RunOwner, .seeds = OwnerSeeds, .words = json, .memory_per_byte = 256},
      {.name = "manifest", .run = RunManifest, .seeds = ManifestSeeds, .words = json, .memory_per_byte = 256},
      {.name = "base", .run = RunBase, .seeds = BaseSeeds, .memory = 1 << 20},
      {.name = "delta",
       .run = RunDelta,
       .seeds = DeltaSeeds,
       .max_input = 8192,
       .memory = 1 << 20,
       .memory_per_byte = 256},
  };
}

}  // namespace s3v::fuzz

#include "engine/update.h"

#include <algorithm>

#include "base/clock.h"
#include "engine/build_checks.h"
#include "engine/build_plan.h"
#include "engine/contents.h"
#include "engine/delta_merge.h"
#include "engine/entry_reader.h"
#include "engine/mask_keys.h"
#include "engine/process.h"
#include "engine/recalibrate.h"
#include "engine/relist.h"
#include "engine/row_coder.h"
#include "engine/segment_update.h"
#include "engine/sorted_keys.h"
#include "engine/update_rows.h"
#include "engine/update_sizes.h"
#include "format/names.h"

namespace s3v {
namespace {

// What CheckRow needs to know.
BuildOptions RulesOf(const Navigation& navigation, const UpdateOptions& options) {
  BuildOptions rules;
  rules.index = navigation.names.index;
  rules.metric = navigation.base->space.metric;
  rules.dimensions = navigation.shape.dimensions;
  rules.key_kind = navigation.shape.key_kind;
  rules.metadata_columns = options.metadata_columns;
  rules.lists = options.lists;
  rules.recall = options.recall;
  rules.bits = navigation.shape.bits;
  rules.raw = navigation.shape.raw;
  return CheckedOptions(rules);
}

}  // namespace

class IndexUpdate::Impl {
 public:
  Impl(std::shared_ptr<const Navigation> current, const UpdateOptions& options, ObjectStore& store, SpillFactory& spill,
       BuildProgress progress)
      : current_(std::move(current)),
        options_(options),
        rules_(RulesOf(*current_, options)),
        memory_(std::max<size_t>(options.memory_bytes, 1u << 20)),
        store_(store),
        spill_(spill),
        progress_(std::move(progress)),
        cpu_at_start_(ProcessCpuSeconds()),
        random_(options.seed),
        live_(*current_),
        rows_(spill, current_->shape.dimensions, memory_),
        changed_(spill, memory_ / 16),
        again_(spill, memory_ / 16) {
    if (options.metadata_columns.size() != current_->shape.metadata_columns) {
      throw Error(Code::kInvalidArgument, "the index carries " + std::to_string(current_->shape.metadata_columns) +
                                              " metadata columns, " + std::to_string(options.metadata_columns.size()) +
                                              " are given");
    }
  }

  void Remove(ByteView key) { changed_.Add(key, false); }

  void Put(ByteView key, std::span<const float> vector, ByteView metadata, Stop& stop) {
    CheckRow(rules_, key, vector, metadata);
    longest_ = std::clamp(Norm(vector), longest_, kMostNormLimit);
    rows_.Append(key, vector, metadata);
    if (!is_planned_) {
      changed_.Add(key, true);
      ++changed_put_;
    }
    if (rows_.count() % 256 == 0) stop.Check();
  }

  void Discard(const ObjectId& segment) {
    for (size_t i = 0; i < current_->segments.size(); ++i) {
      if (current_->segments[i].info.id != segment || live_.is_dropped(i)) continue;
      discarded_ += live_.live(i);
      live_.Drop(i);
    }
  }

  void Plan(Stop& stop) {
    is_planned_ = true;
    CountRowsBefore(stop);
    const MaskedKeys changed = TakeOutKeys(changed_, stop);
    rows_found_ = changed.found;
    rows_replaced_ = changed.found_flagged;
    entries_removed_ = current_->state.entries - live_.live();
    if (!HasChanges() && !options_.optimize) return;
    AssignRows(current_->base->space, current_->base->tables, stop);
    places_ = UnchangedPlaces(current_->base->tables.lists.count);
    const UpdateSizes sizes = Measure(stop);
    for (const UpdateSizes::List& list : sizes.lists) list_sizes_.push_back(list.live);
    lists_ = PlanLists(sizes);
    if (lists_.rewrites_base()) {
      Relist(stop);
    } else {
      base_ = PartsOf(*current_->base);
    }
  }

  std::vector<std::string> TakeKeys(size_t most, Stop& stop) {
    if (again_reader_ == nullptr) again_reader_ = std::make_unique<SortedKeys::Reader>(again_);
    stop.Check();
    std::vector<std::string> keys;
    while (keys.size() < most && again_reader_->Next()) keys.emplace_back(AsText(again_reader_->key()));
    return keys;
  }

  UpdateResult Finish(Stop& stop) {
    if (!is_planned_) Plan(stop);
    if (!HasChanges() && !options_.optimize) return {};
    AssignRows(base_.space, TablesOf(base_), stop);
    calibrated_entries_ = current_->state.calibrated_entries;
    const ProbeRule rule = is_new_base_ ? NewRule(stop) : current_->state.rule;
    const UpdateSizes sizes = Measure(stop);
    const SegmentPlan plan = PlanSegments(sizes);
    if (!HasChanges() && !is_new_base_ && plan.folded.empty() && plan.rewritten.empty() &&
        current_->deltas.size() == 1) {
      return {};
    }
    assigner_ = nullptr;
    return Publish(rule, WriteSegments(sizes, plan, stop), stop);
  }

 private:
  void Tell(const char* phase, uint64_t done, uint64_t total) const {
    if (progress_) progress_(phase, done, total);
  }

  bool HasChanges() const { return rows_found_ > 0 || changed_put_ > 0 || discarded_ > 0; }

  // Of rows that lie in two lists, one entry may be in a discarded segment and the other not.
  void CountRowsBefore(Stop& stop) {
    rows_before_ = current_->state.rows - (current_->shape.has_duplicates ? 0 : discarded_);
    if (discarded_ == 0 || !current_->shape.has_duplicates) return;
    std::vector<ObjectId> skip;
    for (size_t i = 0; i < current_->segments.size(); ++i) {
      if (live_.is_dropped(i)) skip.push_back(current_->segments[i].info.id);
    }
    IndexContents contents(current_, skip, store_);
    ByteView key;
    uint64_t content_hash = 0;
    for (rows_before_ = 0; contents.Next(&key, &content_hash, stop);) ++rows_before_;
  }

  // Takes the entries with these keys out of `live_`.
  MaskedKeys TakeOutKeys(SortedKeys& keys, Stop& stop) {
    return MaskKeys(
        *current_, keys, memory_ / 8, [&](uint64_t done) { Tell("looking up", done, 0); }, live_, store_, stop);
  }

  std::unique_ptr<RowAssigner> AssignerOf(const AssignmentSpace& space, const CentroidTables& tables, Stop& stop) const {
    return std::make_unique<RowAssigner>(space, current_->base->rotation, tables, options_.threads, stop);
  }

  void AssignRows(const AssignmentSpace& space, const CentroidTables& tables, Stop& stop) {
    if (rows_.count() == 0) return;
    if (assigner_ == nullptr) assigner_ = AssignerOf(space, tables, stop);
    rows_.Assign(
        *assigner_, current_->shape.has_duplicates, [&](uint64_t done) { Tell("assigning", done, rows_.count()); },
        stop);
  }

  uint64_t RowsAfter() const { return rows_before_ - rows_found_ - again_found_ + rows_.count(); }

  UpdateSizes Measure(Stop& stop) {
    const std::vector<ListSize> put = rows_.Sizes(places_.is_made.size(), stop);
    UpdateSizes sizes = MeasureSizes(*current_, live_, places_, put);
    sizes.wanted_lists = options_.lists > 0 ? options_.lists : ChooseLists(RowsAfter(), current_->shape.dimensions);
    sizes.segment_bytes = std::min<uint64_t>(kMaxSegmentBytes, std::max<uint64_t>(1u << 20, memory_ / 4));
    sizes.optimize = options_.optimize;
    sizes.changed_since_base = current_->state.written_since_base + entries_removed_;
    uint64_t bytes = 0;
    uint64_t entries = 0;
    for (const UpdateSizes::Segment& segment : sizes.segments) {
      bytes += segment.bytes;
      entries += segment.entries;
    }
    // Of a version without any, what codes and keys take.
    sizes.entry_bytes = entries > 0 ? bytes / entries : EntryBytes(SegmentShapeOfAll(), sizeof(uint64_t)) + 32;
    return sizes;
  }

  SegmentShape SegmentShapeOfAll() const {
    return {.index = current_->names.index,
            .object = {},
            .codes = current_->codes(),
            .key_kind = current_->shape.key_kind,
            .metadata_columns = current_->shape.metadata_columns,
            .raw = current_->shape.raw};
  }

  // A new base, and what has no place in it leaves the version, to come again from the source.
  void Relist(Stop& stop) {
    Relisted relisted = s3v::Relist(
        *current_, live_, lists_, list_sizes_, rows_,
        {.norm_limit = longest_, .memory_bytes = memory_, .threads = options_.threads, .seed = random_.Next()}, store_,
        stop);
    base_ = std::move(relisted.base);
    places_ = std::move(relisted.places);
    is_new_base_ = true;
    rows_.ForgetLists();
    assigner_ = AssignerOf(base_.space, TablesOf(base_), stop);
    std::vector<std::vector<MaskRun>> runs(current_->segments.size());
    const auto take_out = [&](const Piece& piece, uint32_t position, ByteView key) {
      again_.Add(key, false);
      ++again_found_;
      runs[piece.segment].push_back({position, 1});
    };
    std::vector<const Piece*> gone;
    for (const Piece& piece : current_->pieces) {
      if (places_.place_of[piece.list] == kNoList && live_.LiveIn(piece) > 0) gone.push_back(&piece);
    }
    EntryReader(*current_, live_, EntryParts::kKeys, memory_ / 8, store_)
        .Read(
            gone,
            [&](const Piece& piece, uint32_t position, const Entry& entry) { take_out(piece, position, entry.key); },
            stop);
    FindMisplaced(*current_, live_, places_, *assigner_, memory_, take_out, store_, stop);
    for (size_t i = 0; i < runs.size(); ++i) {
      if (!runs[i].empty()) live_.Mask(i, std::move(runs[i]));
    }
    // Their entries in other lists go as well; those that were just taken out are found again.
    if (current_->shape.has_duplicates) again_found_ = TakeOutKeys(again_, stop).keys;
  }

  ProbeRule NewRule(Stop& stop) {
    const uint64_t entries = live_.live() + rows_.entries();
    if (base_.space.norm_limit == current_->base->space.norm_limit &&
        !NeedsCalibration(entries, calibrated_entries_, options_.optimize)) {
      return current_->state.rule;
    }
    calibrated_entries_ = entries;
    return Recalibrate({.navigation = *current_,
                        .live = live_,
                        .places = places_,
                        .space = base_.space,
                        .tables = TablesOf(base_),
                        .assigner = *assigner_,
                        .rows = rows_,
                        .recall = options_.recall,
                        .memory_bytes = memory_,
                        .threads = options_.threads,
                        .seed = random_.Next(),
                        .progress = [&](uint64_t done, uint64_t total) { Tell("calibrating", done, total); }},
                       store_, stop);
  }

  // Afterwards `live_` is what remains of the old version's segments.
  WrittenLists WriteSegments(const UpdateSizes& sizes, const SegmentPlan& plan, Stop& stop) {
    const RowCoder coder(base_.space, current_->base->rotation, base_.lists, current_->codes());
    SegmentUpdate update(*current_, sizes, plan, places_, base_.list_ids, live_);
    const uint64_t entries = live_.live() + rows_.entries();
    WrittenLists written =
        update.Write(rows_, coder,
                     {.memory_bytes = memory_,
                      .threads = options_.threads,
                      .store = store_,
                      .spill = spill_,
                      .progress = [&](const char* phase, uint64_t done, uint64_t total) { Tell(phase, done, total); }},
                     stop);
    update.MaskMoved(live_);
    written_entries_ = update.entries();
    if (live_.live() + written_entries_ != entries) {
      throw Error(Code::kInternal, "an update of " + std::to_string(entries) + " entries left " +
                                       std::to_string(live_.live() + written_entries_));
    }
    return written;
  }

  uint64_t PutObject(const ObjectKey& key, const Bytes& bytes, Stop& stop) {
    store_.Put(key, bytes, ObjectStore::PutMode::kOverwrite, stop);
    return bytes.size();
  }

  // The base if it is new, the delta, and last the manifest.
  UpdateResult Publish(const ProbeRule& rule, WrittenLists written, Stop& stop) {
    const ObjectId& index = current_->names.index;
    UpdateResult result;
    Manifest& manifest = result.built.manifest;
    result.is_changed = true;
    result.built.bytes_written = written.bytes;
    manifest.base = current_->names.base;
    if (is_new_base_) {
      manifest.base.id = RandomId();
      manifest.base.length =
          PutObject(NavigationKey(index, manifest.base.id), EncodeBase(base_, index, manifest.base.id), stop);
      result.built.bytes_written += manifest.base.length;
    }
    result.built.entries = live_.live() + written_entries_;
    NavigationDelta delta{
        .shape = current_->shape,
        .state = {.base = manifest.base.id,
                  .rows = RowsAfter(),
                  .entries = result.built.entries,
                  .rule = rule,
                  .calibrated_entries = calibrated_entries_,
                  .written_since_base =
                      is_new_base_ ? 0 : current_->state.written_since_base + entries_removed_ + rows_.entries()},
        .segments = written.segments,
        .pieces = std::move(written.pieces),
        .columns = std::move(written.columns),
        .masks = {}};
    MergedDelta merged = MergeDeltas(*current_, live_, std::move(delta), options_.optimize);
    const ObjectId delta_id = RandomId();
    const uint64_t delta_length =
        PutObject(NavigationKey(index, delta_id), EncodeDelta(merged.delta, index, delta_id), stop);
    manifest.deltas = std::move(merged.others);
    manifest.deltas.push_back({delta_id, delta_length});

    manifest.index = index;
    manifest.id = RandomId();
    manifest.metric = rules_.metric;
    manifest.dimensions = current_->shape.dimensions;
    manifest.key_kind = current_->shape.key_kind;
    manifest.bits = current_->shape.bits;
    manifest.raw = current_->shape.raw;
    manifest.has_duplicates = current_->shape.has_duplicates;
    manifest.metadata_columns = options_.metadata_columns;
    manifest.rows = merged.delta.state.rows;
    manifest.entries = result.built.entries;
    manifest.lists = base_.list_ids.size();
    for (size_t i = 0; i < current_->segments.size(); ++i) {
      const SegmentInfo& info = current_->segments[i].info;
      if (live_.live(i) > 0) manifest.segments.push_back({info.id, info.length});
    }
    for (const SegmentInfo& info : written.segments) manifest.segments.push_back({info.id, info.length});
    manifest.created = SystemClock().WallSeconds();
    result.built.bytes_written += delta_length;
    result.built.bytes_written += PutObject(ManifestKey(index, manifest.id), EncodeManifest(manifest), stop);
    result.built.cpu_seconds = ProcessCpuSeconds() - cpu_at_start_;

    // Of a discarded segment nobody knows the keys: rows put that nothing else had are taken for those it lost.
    const uint64_t lost = current_->state.rows - rows_before_;
    const uint64_t not_found = changed_put_ - rows_replaced_;
    result.rows_put = changed_put_;
    result.rows_removed = rows_found_ - rows_replaced_ + again_found_ - (rows_.count() - changed_put_) +
                          (lost > not_found ? lost - not_found : 0);
    return result;
  }

  const std::shared_ptr<const Navigation> current_;
  const UpdateOptions options_;
  const BuildOptions rules_;
  const size_t memory_;
  ObjectStore& store_;
  SpillFactory& spill_;
  const BuildProgress progress_;
  const double cpu_at_start_;
  Random random_;
  LiveMap live_;
  UpdateRows rows_;     // changed ones, then those that came again
  SortedKeys changed_;  // flagged: put
  SortedKeys again_;    // of lists that are split or dissolved
  std::unique_ptr<SortedKeys::Reader> again_reader_;
  double longest_ = 0;  // norm of the rows put, as far as an ip limit goes
  bool is_planned_ = false;
  uint64_t discarded_ = 0;    // entries
  uint64_t rows_before_ = 0;  // of the old version, without those of discarded segments
  uint64_t changed_put_ = 0;
  uint64_t rows_found_ = 0;     // with changed keys
  uint64_t rows_replaced_ = 0;  // of these
  uint64_t again_found_ = 0;
  uint64_t entries_removed_ = 0;  // by the changes
  std::unique_ptr<RowAssigner> assigner_;
  ListPlan lists_;
  std::vector<uint64_t> list_sizes_;  // in the old base
  ListPlaces places_;
  NavigationBaseParts base_;
  bool is_new_base_ = false;
  uint64_t calibrated_entries_ = 0;
  uint64_t written_entries_ = 0;
};

IndexUpdate::IndexUpdate(std::shared_ptr<const Navigation> current, const UpdateOptions& options, ObjectStore& store,
                         SpillFactory& spill, BuildProgress progress)
    : impl_(std::make_unique<Impl>(std::move(current), options, store, spill, std::move(progress))) {}
IndexUpdate::~IndexUpdate() = default;

void IndexUpdate::Remove(ByteView key) { impl_->Remove(key); }
void IndexUpdate::Put(ByteView key, std::span<const float> vector, ByteView metadata, Stop& stop) {
  impl_->Put(key, vector, metadata, stop);
}
void IndexUpdate::Discard(const ObjectId& segment) { impl_->Discard(segment); }
void IndexUpdate::Plan(Stop& stop) { impl_->Plan(stop); }
std::vector<std::string> IndexUpdate::TakeKeys(size_t most, Stop& stop) { return impl_->TakeKeys(most, stop); }
UpdateResult IndexUpdate::Finish(Stop& stop) { return impl_->Finish(stop); }

}  // namespace s3v

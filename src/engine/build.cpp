#include "engine/build.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "base/clock.h"
#include "engine/build_checks.h"
#include "engine/build_plan.h"
#include "engine/calibration.h"
#include "engine/list_writer.h"
#include "engine/placed_rows.h"
#include "engine/process.h"
#include "engine/row_coder.h"
#include "engine/row_spill.h"
#include "format/names.h"
#include "ivf/kmeans.h"

namespace s3v {
namespace {

constexpr size_t kSamplePerList = 128;
constexpr size_t kEnoughPerList = 64;  // with fewer, training is followed by a refinement
constexpr size_t kRefinedPerList = 128;  // rows that a refinement looks at

constexpr size_t kCalibrationQueries = 1024;
constexpr size_t kLeastCalibrationQueries = 64;

// Parents whose lists a row is compared with. With many lists the nearest four miss next to nothing (measured on a
// million rows: three cost 0.5 % more entries scanned than all); with few, cells are uneven and eight cost little.
constexpr size_t kManyLists = 1024;
constexpr size_t kParentsOfMany = 4;
constexpr size_t kParentsOfFew = 8;

// Rows go into two lists where the sampled queries then scan at most so many of the entries (docs/design/soar.md):
// twice the store is a price.
constexpr double kDuplicatesPay = 0.75;

}  // namespace

class IndexBuild::Impl {
 public:
  Impl(const BuildOptions& options, ObjectStore& store, SpillFactory& spill, BuildProgress progress)
      : options_(CheckedOptions(options)),
        memory_(std::max<size_t>(options.memory_bytes, 1u << 20)),
        store_(store),
        spill_(spill),
        progress_(std::move(progress)),
        cpu_at_start_(ProcessCpuSeconds()),
        random_(options.seed),
        space_{.metric = options.metric, .dimensions = options.dimensions},
        block_rows_(std::clamp<size_t>(memory_ / 16 / (space_.width() * sizeof(float)), 64, 8192)) {
    rows_ = std::make_unique<RowSpill>(spill, options.dimensions, memory_ / 8);
  }

  void Add(ByteView key, std::span<const float> vector, ByteView metadata, Stop& stop) {
    CheckRow(options_, key, vector, metadata);
    if (options_.metric == Metric::kInnerProduct)
      space_.norm_limit = std::clamp(Norm(vector), space_.norm_limit, kMostNormLimit);
    rows_->Append(key, vector, metadata);
    if (rows_->rows() % 256 == 0) stop.Check();
    if (rows_->rows() % 1024 == 0) Tell("reading", rows_->rows(), 0);
  }

  BuildResult Finish(Stop& stop) {
    Tell("reading", rows_->rows(), rows_->rows());
    placed_ = std::make_unique<PlacedRows>(*rows_, space_, options_.threads);
    TrainLists(stop);
    Calibration calibration = SampleQueries(stop);
    AssignRows(calibration, stop);
    const ProbeRule rule = Calibrate(calibration, stop);
    WrittenLists lists = WriteLists(stop);
    return Publish(rule, std::move(lists), stop);
  }

 private:
  void Tell(const char* phase, uint64_t done, uint64_t total) const {
    if (progress_) progress_(phase, done, total);
  }

  // visit(first, vectors) for every block of rows; the count is vectors.size() / width.
  template <class Visit>
  void ForEachBlock(const char* phase, Stop& stop, const Visit& visit) {
    const uint64_t total = rows_->rows();
    for (uint64_t first = 0; first < total; first += block_rows_) {
      stop.Check();
      Tell(phase, first, total);
      visit(first, placed_->Read(first, std::min<uint64_t>(block_rows_, total - first), stop));
    }
    Tell(phase, total, total);
  }

  void TakeCentroids(Stop& stop) {
    const size_t parents = centroids_.list_count() < kManyLists ? kParentsOfFew : kParentsOfMany;
    const AssignOptions options{.parents_tried = parents, .threads = options_.threads};
    assigner_ = std::make_unique<Assigner>(centroids_, options, stop);
  }

  std::vector<uint32_t> AssignBlock(std::span<const float> vectors, Stop& stop) const {
    std::vector<uint32_t> assignment(vectors.size() / space_.width());
    assigner_->Assign(vectors, assignment, {}, stop);
    return assignment;
  }

  void TrainLists(Stop& stop) {
    const uint64_t rows = rows_->rows();
    const size_t lists = options_.lists > 0 ? options_.lists : ChooseLists(rows, options_.dimensions);
    const uint64_t fits = std::max<uint64_t>(memory_ / 2 / (space_.width() * sizeof(float)), 1);
    const uint64_t sampled = std::min({rows, uint64_t{kSamplePerList} * lists, fits});
    Tell("training", 0, rows);
    {
      const std::vector<float> sample = placed_->ReadEach(SampleNumbers(rows, sampled, random_), stop);
      centroids_ =
          Train(sample, space_.width(), {.lists = lists, .seed = random_.Next(), .threads = options_.threads}, stop);
    }
    ReturnFreedMemory();
    TakeCentroids(stop);
    if (sampled < rows && sampled < kEnoughPerList * lists)
      Refine(std::min(rows, uint64_t{kRefinedPerList} * lists), stop);
    rotation_seed_ = random_.Next();
    rotation_ = Rotation(space_.dimensions, rotation_seed_);
    parents_ = QuantizeCentroids(space_, rotation_, centroids_.parents);
    lists_ = QuantizeCentroids(space_, rotation_, centroids_.lists);
  }

  // Moves each list to the mean of its rows among `count`, which need not fit into memory together.
  void Refine(uint64_t count, Stop& stop) {
    Refinement refinement(centroids_);
    const std::vector<uint64_t> numbers = SampleNumbers(rows_->rows(), count, random_);
    for (size_t first = 0; first < numbers.size(); first += block_rows_) {
      stop.Check();
      Tell("training", first, numbers.size());
      const auto block = std::span(numbers).subspan(first, std::min(block_rows_, numbers.size() - first));
      const std::vector<float> vectors = placed_->ReadEach(block, stop);
      refinement.Add(vectors, AssignBlock(vectors, stop));
    }
    refinement.Apply(&centroids_);
    TakeCentroids(stop);
  }

  Calibration SampleQueries(Stop& stop) {
    // Each keeps its vector, twice and rounded while its neighbours are looked for; then, until the rule is found, its
    // ranking of all lists.
    const size_t vector = space_.width() * sizeof(float);
    const size_t looking = vector + space_.width();
    const size_t ranking = centroids_.list_count() * sizeof(RankedList);
    const size_t fit = memory_ / 4 / (vector + std::max(looking, ranking));
    const uint64_t rows = rows_->rows();
    const uint64_t count = std::clamp(fit, kLeastCalibrationQueries, kCalibrationQueries);
    const std::vector<uint64_t> numbers = SampleNumbers(rows, std::min(rows, count), random_);
    return {placed_->ReadQueries(numbers, stop), numbers, rows, centroids_.list_count(), space_};
  }

  // One pass: every row finds its list, or both, and the sampled queries their true neighbours.
  void AssignRows(Calibration& calibration, Stop& stop) {
    const bool twice = options_.duplicates != Duplicates::kOff;
    single_sizes_.resize(centroids_.list_count());
    if (twice) double_sizes_.resize(centroids_.list_count());
    assignment_ = std::make_unique<SpillBuffer>(spill_, memory_ / 16);
    RowSpill::Payloads payloads(*rows_);
    ForEachBlock("assigning", stop, [&](uint64_t first, std::span<const float> vectors) {
      std::vector<ListPair> pairs(vectors.size() / space_.width());
      std::vector<uint32_t> lists, seconds;
      if (twice) {
        lists.resize(pairs.size());
        seconds.resize(pairs.size());
        assigner_->AssignTwice(vectors, lists, seconds, stop);
      } else {
        lists = AssignBlock(vectors, stop);
      }
      calibration.Add(vectors, first, lists, seconds, options_.threads, stop);
      for (size_t i = 0; i < pairs.size(); ++i) {
        pairs[i] = {lists[i], twice ? seconds[i] : lists[i]};
        payloads.Next();
        CountRow(pairs[i], payloads.key().size() + payloads.metadata().size());
      }
      assignment_->Append({reinterpret_cast<const uint8_t*>(pairs.data()), pairs.size() * sizeof(ListPair)});
    });
  }

  void CountRow(const ListPair& lists, size_t payload_bytes) {
    const auto count = [&](ListSize& size) {
      ++size.entries;
      size.payload_bytes += payload_bytes;
    };
    count(single_sizes_[lists.first]);
    if (double_sizes_.empty()) return;
    count(double_sizes_[lists.first]);
    if (lists.second != lists.first) count(double_sizes_[lists.second]);
  }

  static std::vector<uint32_t> EntriesOf(const std::vector<ListSize>& sizes) {
    std::vector<uint32_t> entries;
    for (const ListSize& size : sizes) entries.push_back(size.entries);
    return entries;
  }

  // How to probe, and whether rows lie in two lists.
  ProbeRule Calibrate(Calibration& calibration, Stop& stop) {
    Tell("calibrating", 0, calibration.query_count());
    const CentroidTables tables{.parents = parents_.view(),
                                .lists = lists_.view(),
                                .first_list = reinterpret_cast<const uint8_t*>(centroids_.first_list.data())};
    calibration.Rank(tables, rotation_, options_.threads, stop);
    Calibration::Choice choice;
    if (options_.duplicates != Duplicates::kOn)
      choice = calibration.ChooseSingle(options_.recall, EntriesOf(single_sizes_));
    if (options_.duplicates != Duplicates::kOff) {
      const auto twice = calibration.ChooseDouble(options_.recall, EntriesOf(double_sizes_));
      has_duplicates_ =
          options_.duplicates == Duplicates::kOn || twice.outcome.entries <= kDuplicatesPay * choice.outcome.entries;
      if (has_duplicates_) choice = twice;
    }
    Tell("calibrating", calibration.query_count(), calibration.query_count());
    return choice.rule;
  }

  WrittenLists WriteLists(Stop& stop) {
    const SegmentShape shape{.index = options_.index,
                             .object = {},
                             .codes = codes(),
                             .key_kind = options_.key_kind,
                             .metadata_columns = options_.metadata_columns.size(),
                             .raw = options_.raw};
    placed_.reset();
    assigner_.reset();
    ReturnFreedMemory();
    list_ids_.resize(centroids_.list_count());
    std::iota(list_ids_.begin(), list_ids_.end(), 0);
    constexpr bool kIsSettled = true;
    ListWriter writer(shape, has_duplicates_ ? double_sizes_ : single_sizes_, list_ids_, kIsSettled, memory_, store_,
                      spill_);
    Distribute(writer, stop);
    rows_.reset();
    assignment_.reset();
    ReturnFreedMemory();
    return writer.Finish([&](uint64_t done) { Tell("writing", done, entries_); }, stop);
  }

  CodeShape codes() const { return {.dimensions = options_.dimensions, .bits = options_.bits}; }

  // Rows become codes before they spill: a fraction of their size.
  void Distribute(ListWriter& writer, Stop& stop) {
    const size_t dimensions = options_.dimensions;
    const RowCoder coder(space_, rotation_, lists_, codes());
    RowSpill::Payloads payloads(*rows_);
    CodedRows coded, coded_again;
    std::vector<ListPair> pairs(block_rows_);
    std::vector<uint32_t> lists, seconds;
    std::vector<float> raw(block_rows_ * dimensions);
    const uint64_t total = rows_->rows();
    for (uint64_t first = 0; first < total; first += block_rows_) {
      stop.Check();
      Tell("encoding", first, total);
      const size_t count = std::min<uint64_t>(block_rows_, total - first);
      const std::span<float> rows = std::span(raw).first(count * dimensions);
      rows_->ReadVectors(first, rows);
      assignment_->ReadAt(first * sizeof(ListPair),
                          {reinterpret_cast<uint8_t*>(pairs.data()), count * sizeof(ListPair)});
      lists.clear();
      seconds.clear();
      for (const ListPair& pair : std::span(pairs).first(count)) {
        lists.push_back(pair.first);
        seconds.push_back(pair.second);
      }
      coder.Encode(rows, lists, options_.threads, &coded, stop);
      if (has_duplicates_) coder.Encode(rows, seconds, options_.threads, &coded_again, stop);
      for (size_t i = 0; i < count; ++i) {
        payloads.Next();
        const auto add = [&](uint32_t list, CodedRows& codes) {
          writer.Add(list, {.key = payloads.key(),
                            .signs = codes.signs(i),
                            .extension = codes.extension(i),
                            .sign_factors = codes.sign_factors(i),
                            .code_factors = codes.code_factors(i),
                            .vector = rows.subspan(i * dimensions, dimensions),
                            .metadata = payloads.metadata(),
                            .content_hash = payloads.content_hash()});
          ++entries_;
        };
        add(lists[i], coded);
        if (has_duplicates_ && seconds[i] != lists[i]) add(seconds[i], coded_again);
      }
    }
    Tell("encoding", total, total);
    rows_written_ = total;
  }

  ObjectName Put(const ObjectId& id, const Bytes& bytes, Stop& stop) {
    store_.Put(NavigationKey(options_.index, id), bytes, ObjectStore::PutMode::kOverwrite, stop);
    return {id, bytes.size()};
  }

  // Base, delta, and last the manifest, which names all other objects.
  BuildResult Publish(const ProbeRule& rule, WrittenLists lists, Stop& stop) {
    Manifest manifest{.index = options_.index,
                      .id = RandomId(),
                      .metric = options_.metric,
                      .dimensions = static_cast<uint32_t>(options_.dimensions),
                      .key_kind = options_.key_kind,
                      .bits = options_.bits,
                      .raw = options_.raw,
                      .has_duplicates = has_duplicates_,
                      .metadata_columns = options_.metadata_columns,
                      .rows = rows_written_,
                      .entries = entries_,
                      .lists = list_ids_.size(),
                      .base = {},
                      .deltas = {},
                      .segments = {},
                      .created = SystemClock().WallSeconds()};
    for (const SegmentInfo& segment : lists.segments) manifest.segments.push_back({segment.id, segment.length});

    const NavigationBaseParts base{.space = space_,
                                   .rotation_seed = rotation_seed_,
                                   .first_list = std::move(centroids_.first_list),
                                   .parents = std::move(parents_),
                                   .lists = std::move(lists_),
                                   .list_ids = list_ids_,
                                   .next_list_id = static_cast<uint32_t>(list_ids_.size())};
    const ObjectId base_id = RandomId();
    manifest.base = Put(base_id, EncodeBase(base, options_.index, base_id), stop);

    const NavigationDelta delta{.shape = {.dimensions = manifest.dimensions,
                                          .key_kind = options_.key_kind,
                                          .bits = options_.bits,
                                          .raw = options_.raw,
                                          .metadata_columns = static_cast<uint32_t>(options_.metadata_columns.size()),
                                          .has_duplicates = has_duplicates_},
                                .state = {.base = base_id,
                                          .rows = rows_written_,
                                          .entries = entries_,
                                          .rule = rule,
                                          .calibrated_entries = entries_},
                                .segments = std::move(lists.segments),
                                .pieces = std::move(lists.pieces),
                                .columns = std::move(lists.columns),
                                .masks = {}};
    const ObjectId delta_id = RandomId();
    manifest.deltas = {Put(delta_id, EncodeDelta(delta, options_.index, delta_id), stop)};

    const Bytes written = EncodeManifest(manifest);
    store_.Put(ManifestKey(options_.index, manifest.id), written, ObjectStore::PutMode::kOverwrite, stop);
    return {.manifest = manifest,
            .entries = entries_,
            .bytes_written = lists.bytes + manifest.base.length + manifest.deltas.front().length + written.size(),
            .cpu_seconds = ProcessCpuSeconds() - cpu_at_start_};
  }

  const BuildOptions options_;
  const size_t memory_;
  ObjectStore& store_;
  SpillFactory& spill_;
  const BuildProgress progress_;
  const double cpu_at_start_;
  Random random_;
  AssignmentSpace space_;
  const size_t block_rows_;  // a sixteenth of the memory, twice where rows must be placed
  std::unique_ptr<RowSpill> rows_;
  uint64_t rows_written_ = 0;
  uint64_t entries_ = 0;
  std::unique_ptr<PlacedRows> placed_;  // until all rows are assigned
  Centroids centroids_;
  std::unique_ptr<Assigner> assigner_;  // of these centroids, until all rows are assigned
  uint64_t rotation_seed_ = 0;
  Rotation rotation_;
  OwnedCentroidTable parents_;
  OwnedCentroidTable lists_;
  std::vector<uint32_t> list_ids_;
  std::vector<ListSize> single_sizes_;
  std::vector<ListSize> double_sizes_;  // empty: rows are assigned once
  bool has_duplicates_ = false;
  std::unique_ptr<SpillBuffer> assignment_;  // ListPair a row
};

IndexBuild::IndexBuild(const BuildOptions& options, ObjectStore& store, SpillFactory& spill, BuildProgress progress)
    : impl_(std::make_unique<Impl>(options, store, spill, std::move(progress))) {}
IndexBuild::~IndexBuild() = default;

void IndexBuild::Add(ByteView key, std::span<const float> vector, ByteView metadata, Stop& stop) {
  impl_->Add(key, vector, metadata, stop);
}

BuildResult IndexBuild::Finish(Stop& stop) { return impl_->Finish(stop); }

}  // namespace s3v
